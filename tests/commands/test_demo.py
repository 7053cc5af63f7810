"""regbench demo, as somebody meets it who has just installed regbench: in an empty folder."""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import regbench as package
from regbench.commands import demo as demo_command
from regbench.config.starter import demo
from regbench.planning.cells import load
from regbench.planning.plan import plan
from regbench.runner.sweep import Sweep, pending
from tests.command import here, process, regbench, said

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "regbench", "demo"]
BRAILLE = re.compile("[⠁-⣿]")
HANGUL = re.compile("[가-힣]")


@dataclass
class Terminal:
    """What came of a command in a terminal of 80 columns and 24 lines."""

    code: int
    said: str
    """All that was written to it, without control codes."""


def in_a_terminal(folder: Path, *arguments: str, stop_at: str) -> Terminal:
    """Run the demo in a terminal; press Ctrl-C once it has written what matches `stop_at`."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    left_out = ("NO_COLOR", "COLUMNS", "LINES")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"TERM": "xterm-256color", "PYTHONPATH": str(Path(package.__file__).parents[1])}

    def own_terminal() -> None:
        os.setsid()
        os.close(os.open(os.ttyname(1), os.O_RDWR))  # the first one opened is the session's own

    child = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment, preexec_fn=own_terminal,  # no thread of ours holds a lock
    )  # fmt: skip
    os.close(theirs)
    heard, end = bytearray(), time.monotonic() + 240
    while time.monotonic() < end:
        if select.select([ours], [], [], 1.0)[0]:
            try:
                chunk = os.read(ours, 4096)
            except OSError:
                break  # how Linux says that the other end is closed
            if not chunk:
                break
            heard += chunk
        if stop_at and re.search(stop_at, plain(heard)):
            os.write(ours, b"\x03")
            stop_at = ""
    os.close(ours)
    return Terminal(child.wait(60), plain(heard))


def plain(heard: bytes) -> str:
    """Return what a terminal was sent, without its control codes."""
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", heard.decode(errors="ignore"))
    return text.replace("\r\n", "\n")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Terminal]:
    """The folder of a demo in a Korean's terminal, stopped after its first networks, and what it
    said.
    """
    folder = tmp_path_factory.mktemp("demo")
    return folder, in_a_terminal(folder, "--lang", "ko", stop_at="baseline +l2 +dropout ")


@pytest.fixture(scope="module")
def piped(stopped: tuple[Path, Terminal]) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The folder of a demo that went on with its output in no terminal, and what it said."""
    folder, _ = stopped
    return folder, process("demo", cwd=folder, PYTHONPATH=str(Path(package.__file__).parents[1]))


def test_it_answers_and_writes_the_page_with_pictures(
    piped: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = piped
    assert done.returncode == 0, done.stderr
    assert re.search(r"Dropout raised test accuracy from \d\d\.\d% to \d\d\.\d%", done.stdout)
    assert re.search(r"Dropout .*▲ helps", done.stdout)
    assert "The page with pictures: results/demo/report.en.html" in done.stdout
    page = (folder / "results/demo/report.en.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 4
    assert sorted(path.name for path in folder.iterdir()) == ["results"]
    assert (folder / "results/demo/config.yaml").is_file()


def test_piped_it_says_plain_lines(
    piped: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = piped
    assert not BRAILLE.search(done.stdout + done.stderr)
    assert "\x1b" not in done.stdout + done.stderr
    assert re.search(r"runs to train, in \d stacks?", done.stderr)
    assert "regbench init my.yaml" in done.stderr
    assert "About 15 seconds" in done.stderr


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_readme_shows_what_it_says(
    piped: tuple[Path, subprocess.CompletedProcess[str]], page: str
) -> None:
    folder, done = piped
    korean = here("table", "results/demo", cwd=folder, LC_ALL="ko_KR.UTF-8")
    text = (ROOT / page).read_text(encoding="utf-8")
    (quoted,) = re.findall("^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert said(quoted) in said((korean if ".ko." in page else done).stdout)


def test_what_it_says_of_its_config_is_so() -> None:
    config = load(demo())
    assert len(plan(config).runs) == 50
    assert config.dataset.train_size == 1000
    assert config.dataset.label_noise == 0.3
    assert config.name == demo().stem


def test_a_terminal_has_live_curves(stopped: tuple[Path, Terminal]) -> None:
    _, done = stopped
    assert BRAILLE.search(done.said)
    titles = {line.strip() for line in done.said.splitlines() if line.startswith("     ")}
    shown = [t for t in ("baseline", "l2", "dropout", "batch_norm") if t in " ".join(titles)]
    assert len(shown) >= 3, titles
    assert "학습 정확도" in done.said
    assert "검증 정확도" in done.said


def test_ctrl_c_says_that_nothing_is_broken_and_the_next_run_goes_on(
    stopped: tuple[Path, Terminal],
    piped: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    _, done = stopped
    assert done.code == 130
    assert "이어서 하려면: regbench demo --lang ko" in " ".join(done.said.split())
    left = re.search(r"(\d+) runs to train", piped[1].stderr)
    assert left is not None
    finished = re.search("50개 중 (\\d+)개 끝남", done.said)
    assert finished is not None
    assert int(left[1]) == 50 - int(finished[1])
    early = in_a_terminal(tmp_path, stop_at="About 15 seconds")
    assert early.code == 130
    assert "stopped; nothing is broken. Go on with: regbench demo" in early.said
    assert "Traceback" not in done.said + early.said


def test_a_korean_gets_it_in_korean(
    piped: tuple[Path, subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = piped
    monkeypatch.setattr(demo_command, "renew", lambda asked: None)  # what is finished is shown
    done = here("--lang", "ko", "demo", cwd=folder)
    assert done.returncode == 0
    assert "그림이 든 페이지: results/demo/report.ko.html" in done.stdout
    assert (folder / "results/demo/report.ko.html").is_file()
    said = [line for line in done.stdout.splitlines() if re.search("[a-z]{3}", line)]
    assert all(HANGUL.search(line) for line in [*said, *done.stderr.strip().splitlines()])


def test_what_somebody_else_keeps_in_its_folder_stays(tmp_path: Path) -> None:
    mine = tmp_path / "results/demo/thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    done = regbench("demo", cwd=tmp_path)
    assert done.returncode == 1
    assert "choose an --out that is new or empty" in done.stderr
    assert [path.read_text() for path in mine.parent.iterdir()] == ["years of work"]


SEEDS = "seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: demo", "name: mine"),
        ("metric: accuracy", "metric: nll"),
        ("lr: 0.004", "lr: 0.1"),
        (f"{SEEDS}]\nrounds: [10]", f"{SEEDS}, 10]\nrounds: [10, 1]"),
    ],
)
def test_results_of_anything_but_the_demo_are_not_trained_over(
    piped: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, old: str, new: str
) -> None:
    shutil.copytree(piped[0] / "results/demo", folder := tmp_path / "results")
    config = folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    demo_command.renew(Sweep(demo(), out=folder, device="cpu"))
    runs = (folder / "runs.csv").read_bytes()
    assert runs == (piped[0] / "results/demo/runs.csv").read_bytes()


def test_results_of_the_demo_itself_are_trained_over(
    piped: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    shutil.copytree(piped[0] / "results/demo", folder := tmp_path / "results")
    asked = Sweep(demo(), out=folder, device="cpu")
    assert not pending(asked.given, folder)
    demo_command.renew(asked)
    assert pending(asked.given, folder)
