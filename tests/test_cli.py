"""The command line: what a person types, sees and gets back as an exit code."""

import json
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import typer.main
from PIL import Image

from regbench import __version__, cli
from tests.command import regbench

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "configs/quickstart.yaml"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom regbench import cli\nsys.argv = ['regbench', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit as done:\n"
        "    heavy = {'torch', 'torchvision', 'pandas', 'scipy'} & set(sys.modules)\n"
        "    print(done.code, sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    for command in ("sweep", "table", "check", "schema", "init", "list", "doctor"):
        assert command in done.stdout


def test_the_version_is_the_packages() -> None:
    assert regbench("--version").stdout == f"regbench {__version__}\n"


def test_check_says_what_a_config_asks_for_without_loading_torch() -> None:
    done = regbench("check", QUICKSTART)
    assert done.returncode == 0
    assert done.stdout.endswith("fine: 24 cells, 144 runs, 8 skipped\n")


def own_folder(folder: Path) -> Path:
    """A config of photos, 60 of 180 of which are no squares."""
    for number in range(180):
        place = folder / "photos" / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        size = (30, 20) if number % 3 == 0 else (20, 20)
        Image.new("L", size, number).save(place / f"{number}.png")
    file = folder / "mine.yaml"
    file.write_text(
        "dataset: {name: image_folder, path: photos}\nmodel: {name: cnn, channels: [4]}\n"
        "techniques: {dropout: 0.5}\n"
    )
    return file


def test_check_and_a_dry_run_open_data_of_your_own_and_say_what_to_do(tmp_path: Path) -> None:
    file = own_folder(tmp_path)
    for command in (["check", file], ["sweep", file, "--dry-run"]):
        done = regbench(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert "add `size: 16` under `dataset` (60 of 180 aren't square)" in done.stderr
    done = regbench("check", file, "--set", "dataset.size=24")
    assert done.returncode == 0
    assert done.stdout == (
        f"{tmp_path / 'photos'}: fine: 108 24 x 24 grayscale images to train with, 72 to test "
        f"with, 2 classes\n{file}: fine: 2 cells, 10 runs\n"
    )
    assert "60 of 180 images aren't of the shape 24 x 24" in done.stderr
    assert "180 of 180 images are smaller than 24 x 24" in done.stderr
    done = regbench("sweep", file, "--dry-run", "--set", "dataset.size=24")
    assert "60 of 180 images aren't of the shape 24 x 24" in " ".join(done.stdout.split())


def test_check_refuses_what_can_t_be_trained_on_the_data_and_says_where_they_lack(
    tmp_path: Path,
) -> None:
    file = own_folder(tmp_path)
    done = regbench(
        "check", file, "--set", "dataset.size=8", "--set", "model.channels=[4, 4, 4, 4]"
    )
    assert done.returncode == 2
    assert "4 blocks halve 8x8 images to nothing; use at most 3" in done.stderr
    done = regbench("check", file, "--set", "dataset.path=nowhere")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "can't open the folder" in done.stderr


def test_checking_data_of_your_own_loads_no_torch(tmp_path: Path) -> None:
    own_folder(tmp_path)
    code = (
        "import sys\nfrom regbench import cli\n"
        "sys.argv = ['regbench', 'check', 'mine.yaml', '--set', 'dataset.size=8']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'torchvision', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_bad_config_is_every_problem_a_line_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "dataset: {name: mnist5}\nmodel: {name: mlp}\ntechniques: {dropuot: 0.5}\n"
    )
    done = regbench("sweep", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["bad.yaml:1:17", "bad.yaml:3:14"]
    assert "did you mean 'mnist5k'" in lines[0]
    assert "did you mean 'dropout'" in lines[1]


def test_a_missing_config_is_one_sentence(tmp_path: Path) -> None:
    done = regbench("sweep", "nowhere.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_misspelt_option_is_a_usage_error() -> None:
    assert regbench("sweep", QUICKSTART, "--epochs", "3").returncode == 2


def test_cuda_without_a_gpu_is_one_sentence(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = regbench("sweep", QUICKSTART, "--device", "cuda", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "no CUDA GPU" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_dry_run_shows_cells_runs_stacks_parameters_time_and_reasons(tmp_path: Path) -> None:
    done = regbench("sweep", QUICKSTART, "--dry-run", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "24 cells x 6 seeds = 144 runs" in done.stdout
    assert "12 stacks of 12 runs" in done.stdout
    assert "269,322" in done.stdout  # 784 x 256 + 256 + 256 x 256 + 256 + 256 x 10 + 10
    assert "both normalize the same place:\n  batch_norm + layer_norm\n" in done.stdout
    assert "about" in done.stdout
    assert not (tmp_path / "out").exists()


def test_the_committed_schema_is_the_one_that_is_printed() -> None:
    assert json.loads(regbench("schema").stdout) == json.loads(
        (ROOT / "configs/schema.json").read_text()
    )


def test_init_writes_a_config_that_checks_and_never_overwrites(tmp_path: Path) -> None:
    assert regbench("init", "mine.yaml", cwd=tmp_path).returncode == 0
    assert regbench("check", "mine.yaml", cwd=tmp_path).returncode == 0
    before = (tmp_path / "mine.yaml").read_text()
    again = regbench("init", "mine.yaml", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert (tmp_path / "mine.yaml").read_text() == before


@pytest.mark.parametrize(
    ("what", "named"),
    [("techniques", "max_norm"), ("models", "cnn"), ("datasets", "kmnist"), ("probes", "steps_to")],
)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_list_names_what_there_is(what: str, named: str, lang: str) -> None:
    done = regbench("list", what, "--lang", lang)
    assert done.returncode == 0
    assert named in done.stdout


def test_a_directory_without_records_is_one_sentence(tmp_path: Path) -> None:
    done = regbench("table", tmp_path)
    assert done.returncode == 1
    assert "holds no runs.csv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_that_does_not_fit_the_images_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "dataset: {name: mnist5k}\nmodel: {name: cnn, channels: [4, 4, 4, 4, "
        "4]}\ntechniques: {dropout: 0.5}\n"
    )
    done = regbench("check", "a.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "use at most 4" in done.stderr


def test_a_decay_that_takes_whole_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\n"
        "train: {optimizer: {name: sgd, lr: 0.5}}\ntechniques: {weight_decay: [0.1, 2.0]}\n"
    )
    done = regbench("check", "a.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "weight_decay 2.0 times the learning rate 0.5" in done.stderr


def test_what_is_typed_is_found_in_the_other_unicode_form(tmp_path: Path) -> None:
    """As macOS, or an archive from there, has names: taken apart."""
    name = "드롭아웃"
    shutil.copytree(
        ROOT / "results/reference/quickstart", tmp_path / unicodedata.normalize("NFD", name)
    )
    shutil.copy(QUICKSTART, tmp_path / unicodedata.normalize("NFD", f"{name}.yaml"))
    for command in (["check", f"{name}.yaml"], ["audit", name]):
        done = regbench(*command, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


def test_output_that_nobody_reads_is_no_error() -> None:
    quiet = subprocess.run(
        f"{sys.executable} -m regbench table {ROOT / 'results/reference/quickstart'} >&-",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (quiet.returncode, quiet.stderr) == (0, "")


@pytest.mark.parametrize(
    "command", [["table"], ["report"], ["audit"], ["sweep", QUICKSTART, "--out"]]
)
def test_a_name_that_no_system_takes_is_one_sentence(command: list[object]) -> None:
    done = regbench(*command, "가" * 100)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "File name too long" in done.stderr


def test_what_a_command_does_is_one_line_which_help_can_wrap() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    for command in [*commands.values(), *commands["claims"].commands.values()]:
        assert "\n" not in (command.help or "").split("\n\n")[0], command.name
