"""Cases that people met with tools of this kind, each by its own command, as they would type it.

The files stand in tests/field; `images.py` there makes the folders of pictures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from filelock import FileLock

from tests.command import regbench, several, sweep

FIELD = Path(__file__).parent / "field"


Trained = tuple[Path, dict[str, tuple[int, str, str]]]
TRAINED = {
    "one": ["sweep", "one.yaml"],
    "exif": ["sweep", "exif.yaml", "--json"],
    "few": ["sweep", "few.yaml"],
    "enough": ["sweep", "few.yaml", "--set", "dataset.validation_share=0.2"],
    "nan": ["sweep", "nan.yaml"],
    "sizes": ["sweep", "sizes.yaml"],
    "nfd": ["sweep", "nfd.yaml"],
    "weight_decay": ["sweep", "가중치_감쇠.yaml"],
    "max_norm": ["sweep", "최대_노름.yaml"],
    "fresh": ["sweep", "one.yaml", "--out", "fresh", "--extend", "3"],
    "jfif": ["sweep", "jfif.yaml"],
    "own": ["sweep", "a/own.yaml", "--out", "a/results/own"],
}
"""What the cases train, each in a place of its own; one process starts sooner than twelve."""


NO_CACHE = "a file, where no folder can be made"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The cases with their pictures, where `TRAINED` was run, and what each command left; the
    workers of a test run share them.
    """
    root, run = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    shared = root.parent / f"field-{run}" if run else root / "field"
    with FileLock(f"{shared}.lock"):
        if not (shared / "said.json").exists():
            said = trained_in(shared / "case")
            (shared / "said.json").write_text(json.dumps(said), "utf-8")
    said = json.loads((shared / "said.json").read_text("utf-8"))
    return shared / "case", {name: tuple(left) for name, left in said.items()}


def trained_in(place: Path) -> dict[str, tuple[int, str, str]]:
    """Train what the cases train, in a place of their own; return what each command left."""
    folder = shutil.copytree(FIELD, place)
    subprocess.run([sys.executable, "images.py"], cwd=folder, check=True)
    (folder / "a").mkdir()
    for name in ("own.yaml", "own.npz"):
        shutil.copy(folder / name, folder / "a")
    (folder / "cache").write_text(NO_CACHE)
    commands = ([*command, "--executor", "serial"] for command in TRAINED.values())
    said = several(*commands, cwd=folder, XDG_CACHE_HOME=str(folder / "cache"))
    return dict(zip(TRAINED, said, strict=True))


@pytest.fixture
def case(trained: Trained, tmp_path: Path) -> Path:
    """A fresh copy of the cases, without results."""
    return shutil.copytree(
        trained[0], tmp_path / "case", ignore=shutil.ignore_patterns("results", "fresh", "a")
    )


@pytest.fixture
def one(trained: Trained, case: Path) -> Path:
    """A fresh copy of the cases, with `results/one`."""
    assert trained[1]["one"][0] == 0, trained[1]["one"][2]
    shutil.copytree(trained[0] / "results/one", case / "results/one")
    return case


def refused(done: subprocess.CompletedProcess[str], *codes: int) -> str:
    """The one sentence with which a command was refused."""
    assert done.returncode in codes, (done.returncode, done.stderr)
    (sentence,) = done.stderr.splitlines()
    return sentence


def test_01_a_folder_of_the_users_own_is_no_results_directory(case: Path) -> None:
    (case / "checkpoints").mkdir()
    (case / "checkpoints/mine.txt").write_text("mine\n")
    before = sorted(case.rglob("*"))
    assert "choose an --out that is new or empty" in refused(
        sweep("one.yaml", "--out", ".", cwd=case), 1
    )
    assert sorted(case.rglob("*")) == before
    assert (case / "checkpoints/mine.txt").read_text() == "mine\n"


def test_01_what_a_person_keeps_in_a_results_directory_stays(one: Path) -> None:
    mine = one / "results/one/checkpoints/mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine\n")
    (mine.parent / "0123456789ab.safetensors").write_text("of a stack that was cut short")
    assert sweep("one.yaml", "--extend", 1, cwd=one).returncode == 0
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_02_a_block_that_is_not_closed_is_refused_with_its_line(one: Path) -> None:
    before = (one / "unclosed.md").read_bytes()
    said = refused(regbench("table", "results/one", "--write", "unclosed.md", cwd=one), 2)
    assert "unclosed.md:3: this block is not closed" in said
    assert (one / "unclosed.md").read_bytes() == before


def test_03_two_conditions_with_the_same_settings_are_one_placed_sentence(case: Path) -> None:
    for code, out, err in several(["check", "same.yaml"], ["sweep", "same.yaml"], cwd=case):
        assert (code, out) == (2, "")
        assert re.fullmatch(r"same\.yaml:8:5: .* the settings are the same; .*\n", err)


def test_04_pictures_stand_upright(trained: Trained) -> None:
    code, out, err = trained[1]["exif"]
    assert code == 0, err
    assert all(cell["test_accuracy"]["mean"] > 0.95 for cell in json.loads(out)["cells"])


ENCODINGS = ("cp949", "cp1252", "ascii")


def test_05_output_has_the_signs_that_its_encoding_has(one: Path) -> None:
    commands = [
        ["table", "results/one", "--lang", "ko"],
        ["sweep", "one.yaml", "--executor", "serial"],
        ["audit", "results/one"],
        ["schema"],
    ]
    commands += [
        ["table", "results/one", "--format", "json"],
        ["doctor"],
        ["check", "nowhere.yaml"],
    ]
    codes = [0, 0, 0, 0, 0, None, 2]
    said = several(*commands, cwd=one, encodings=ENCODINGS)
    for i, encoding in enumerate(ENCODINGS):
        here = said[i * len(commands) : (i + 1) * len(commands)]
        for command, expected, (code, out, err) in zip(commands, codes, here, strict=True):
            stopped = any(row[:2] in ("✗ ", "× ", "x ") for row in out.splitlines())
            assert code == (stopped if command == ["doctor"] else expected), (command, err)
            if "json" not in command and "schema" not in command:
                assert r"\u" not in out + err, command
        assert ("드롭아웃" in here[0][1]) == (encoding == "cp949")
        assert json.loads(here[3][1]) == json.loads(
            (FIELD.parents[1] / "configs/schema.json").read_text()
        )
        assert json.loads(here[4][1])["cells"]
        assert "torch with torchvision" in here[5][1]
    ((code, out, _),) = several(["claims"], cwd=one, encodings=ENCODINGS[-1:])
    assert code == 0
    assert "l1-zeros" in out  # the claims are found outside the checkout too


def test_05_a_pipe_of_another_encoding_gets_a_table(one: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "regbench", "table", "results/one", "--lang", "ko"],
         capture_output=True, cwd=one,
        env=os.environ | {"PYTHONIOENCODING": "cp949"}, check=True,
    )  # fmt: skip
    assert "드롭아웃" in done.stdout.decode("cp949")


def test_06_too_small_a_validation_share_is_said_before_anything_trains_and_binds_nobody(
    trained: Trained,
) -> None:
    code, _, err = trained[1]["few"]
    assert (code, len(err.splitlines()), "it takes at least 0.2" in err) == (2, 1, True)
    code, _, err = trained[1]["enough"]
    assert code == 0, err
    assert "begun anew" not in err  # nothing had been recorded


def test_07_a_network_that_the_last_step_ruined_has_diverged(trained: Trained) -> None:
    code, _, err = trained[1]["nan"]
    runs = (trained[0] / "results/nan/runs.csv").read_text()
    assert (code, runs.count(",diverged,"), "15 diverged" in err, ",inf," in runs) == (
        4,
        15,
        True,
        False,
    )


def test_08_conditions_are_paired_in_themselves(trained: Trained) -> None:
    done = regbench("audit", "results/sizes", cwd=trained[0])
    assert (done.returncode, done.stdout.count("train_size=100"), "✗" in done.stdout) == (
        0,
        2,
        False,
    )


def test_09_line_ends_are_the_documents_own(one: Path) -> None:
    assert regbench("table", "results/one", "--write", "crlf.md", cwd=one).returncode == 0
    lines = (one / "crlf.md").read_bytes().split(b"\n")
    assert len(lines) == 14
    assert all(line.endswith(b"\r") for line in lines[:-1])
    assert lines[:5] == (FIELD / "crlf.md").read_bytes().split(b"\n")[:5]


def test_10_a_space_behind_a_mark_hides_no_block(one: Path) -> None:
    asked = ["table", "results/one"]
    written, checked = several(
        [*asked, "--write", "blank.md"], [*asked, "--check", "blank.md"], cwd=one
    )
    text = (one / "blank.md").read_text()
    assert (written[0], checked[0], "| 99 % | helps |" in text) == (0, 0, False)
    assert "<!-- table one en --> \n" in text
    (one / "blank.md").write_text(text.replace("| **dropout** |", "| **something** |"))
    assert regbench(*asked, "--check", "blank.md", cwd=one).returncode == 3


def test_11_a_summary_has_the_condition_that_is_asked_for(trained: Trained) -> None:
    asked = ["table", "results/sizes", "--summary", "--where", "train_size=100"]
    assert regbench(*asked, cwd=trained[0], GITHUB_STEP_SUMMARY="s.md").returncode == 0
    page = (trained[0] / "s.md").read_text()
    assert ("train_size=100" in page, "train_size=200" in page) == (True, False)


def test_12_folders_of_two_unicode_forms_are_one_class(trained: Trained) -> None:
    names = {
        unicodedata.is_normalized("NFC", path.name) for path in (trained[0] / "nfd").glob("*/*")
    }
    assert names == {True, False}  # else this file system changed what images.py made
    code, _, err = trained[1]["nfd"]
    assert code == 0, err


def test_13_a_cache_that_can_not_be_written_stops_nothing(trained: Trained) -> None:
    code, _, err = trained[1]["one"]
    assert code == 0, err
    assert (trained[0] / "cache").read_text() == NO_CACHE


AS_A_USER = """
import ctypes
# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH of linux/capability.h: root's right to all files
for capability in (1, 2):
    mask = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capget(header, mask) == 0
    for set_ in (0, 1, 2):
        mask[set_] &= ~(1 << capability)
    assert ctypes.CDLL(None).capset(header, mask) == 0
"""
"""What makes permissions mean something for root too."""


@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are given up as Linux has it")
def test_14_what_is_locked_is_one_sentence(case: Path) -> None:
    locked = case / "locked"
    locked.mkdir()
    shutil.copy(case / "own.npz", locked)
    locked.chmod(0)
    commands = [
        ["sweep", "own.yaml", "--set", "dataset.path=locked/own.npz"],
        ["sweep", "mnist.yaml", "--data-dir", "locked/data"],
        *(["sweep", "one.yaml", "--out", f"locked/{name}"] for name in ("new", "new/er")),
        *([name, "locked/results"] for name in ("table", "report", "audit")),
        ["check", "locked/a.yaml"],
        ["init", "locked/a.yaml"],
        ["merge", "locked/a", "--out", "joined"],
        ["diff", "locked/a", "locked/b"],
        ["versus", "locked/a", "dropout"],
        ["claims", "--claims", "locked/claims"],
        ["list", "datasets", "--data-dir", "locked/data"],
    ]
    try:
        said = several(*commands, cwd=case, setup=AS_A_USER)
    finally:
        locked.chmod(0o755)
    for command, (code, _, err) in zip(commands, said, strict=True):
        assert code in (1, 2), (command, err)
        assert (len(err.splitlines()), "Permission denied" in err) == (1, True), (command, err)


def test_15_the_records_own_config_works_where_a_project_is_moved_to(
    trained: Trained, tmp_path: Path
) -> None:
    moved = shutil.copytree(trained[0] / "a", tmp_path / "b")
    done = sweep("results/own/config.yaml", "--out", "again", cwd=moved)
    assert done.returncode == 0, done.stderr
    first, again = ((moved / name / "runs.csv").read_text() for name in ("results/own", "again"))
    assert {line[:12] for line in first.splitlines()} == {line[:12] for line in again.splitlines()}


def test_16_names_of_hangul_are_told_apart(trained: Trained) -> None:
    for name in ("가중치_감쇠", "최대_노름"):
        assert (trained[0] / "results" / name / "runs.csv").read_text().count(",ok,") == 2


def test_17_a_fresh_directory_gets_the_seeds_that_are_added_too(trained: Trained) -> None:
    assert trained[1]["fresh"][0] == 0
    assert "seeds: [0, 1, 2, 3, 4, 5, 6, 7]" in (trained[0] / "fresh/config.yaml").read_text()


def test_18_more_seeds_in_the_config_are_refused_with_the_way_to_add_them(one: Path) -> None:
    said = refused(sweep("one.yaml", "--set", "seeds=8", cwd=one), 1)
    assert "give --extend 3" in said


def test_19_one_hot_labels_are_recognized(case: Path) -> None:
    said = refused(sweep("onehot.yaml", cwd=case), 1)
    assert "one-hot labels: save y.argmax(1)" in said


def test_20_a_byte_order_mark_is_no_foreign_column(one: Path) -> None:
    shutil.copytree(one / "results/one", one / "as it was")
    path = one / "results/one/runs.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    before, after, again = several(
        *(["table", place, "--format", "csv"] for place in ("as it was", "results/one")),
        ["sweep", "one.yaml"],
        cwd=one,
    )
    assert (before[0], before[1]) == (after[0], after[1])
    assert "15 of 15 runs were finished before" in again[2]


def test_21_pictures_called_jfif_are_pictures(trained: Trained) -> None:
    about = json.loads((trained[0] / "results/jfif/dataset.json").read_text())
    assert about["train"] + about["test"] == 52


def test_22_folders_with_other_names_for_train_and_test_are_named(case: Path) -> None:
    said = refused(sweep("names.yaml", cwd=case), 1)
    assert "training -> train, testing -> test" in said


def test_23_a_download_that_fails_leaves_no_folder(case: Path) -> None:
    done = sweep(
        "mnist.yaml", "--data-dir", "no-such-folder", cwd=case, https_proxy="http://127.0.0.1:9"
    )
    assert "can't be downloaded" in refused(done, 1)
    assert not (case / "no-such-folder").exists()


def test_24_a_folder_of_claims_that_is_not_there_is_said_to_be_missing(case: Path) -> None:
    commands = (["claims"], ["claims", "run"], ["claims", "show", "x"])
    for code, out, err in several(
        *([*words, "--claims", "no-such-folder"] for words in commands), cwd=case
    ):
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "there is no folder no-such-folder" in err


def test_25_a_technique_that_is_switched_on_is_told_how_it_is_written(case: Path) -> None:
    texts = {
        "batch_norm: true": "it has no strength; write `batch_norm:` with nothing behind it",
        "batch_norm: 1": "it has no strength; write `batch_norm:` with nothing behind it",
        "batch_norm: [true, false]": "to leave it out, take the line away",
        "dropout: on": "say how strong it is, as in `dropout: 0.5`",
        "l2: false": "to leave it out, take the line away",
    }
    for i, text in enumerate(texts):
        (case / f"{i}.yaml").write_text(
            f"dataset: {{name: mnist5k}}\nmodel: {{name: mlp}}\ntechniques: {{{text}}}\n"
        )
    said = several(
        ["check", "bn-true.yaml"], *(["check", f"{i}.yaml"] for i in range(len(texts))), cwd=case
    )
    assert said[0][2] == (
        "bn-true.yaml:3:26: techniques.batch_norm can't be true: it has no strength; "
        "write `batch_norm:` with nothing behind it\n"
    )
    for (text, remedy), (code, _, err) in zip(texts.items(), said[1:], strict=True):
        assert (code, remedy in err) == (2, True), (text, err)
