"""What a shell offers behind TAB, asked as bash and zsh ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICKSTART = "results/reference/quickstart"
CALL = """
import sys
sys.argv = ["regbench"]
from regbench.cli import main
try:
    main()
finally:
    heavy = {"torch", "pandas", "scipy", "matplotlib"} & set(sys.modules)
    assert not heavy, heavy
"""


def asked(shell: str, *words: str, cwd: Path = ROOT) -> str:
    """What is printed where the last of `words` is being typed."""
    environment = {
        "_REGBENCH_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(("regbench", *words)),
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": " ".join(("regbench", *words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", CALL], capture_output=True, text=True, cwd=cwd,
        env=os.environ | environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def bash(*words: str, cwd: Path = ROOT) -> list[str]:
    return asked("bash", *words, cwd=cwd).split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("table", QUICKSTART, "--only", ""), "summary cells effects interactions ledger"),
        (("list", ""), "techniques models datasets probes"),
        (("table", "--lang", ""), "en ko"),
        (("claims", "show", "l1"), "l1-zeros"),
        (("claims", "run", "l1-zeros", "l2-is"), "l2-is-weight-decay"),
        (("sweep", "configs/q"), "configs/quickstart.yaml"),
        (("table", "results/reference/q"), QUICKSTART),
        (("diff", QUICKSTART, "results/reference/io"), "results/reference/ioffe-2015-figure-1"),
        (("versus", QUICKSTART, "l2", "b"), "baseline batch_norm"),
    ],
)
def test_what_only_files_know_is_offered(words: tuple[str, ...], offered: str) -> None:
    assert bash(*words) == offered.split()


def test_cells_and_conditions_are_offered_as_they_would_be_typed() -> None:
    assert bash("versus", QUICKSTART, r"l1\ +\ l2\ +\ b") == [r"l1\ +\ l2\ +\ batch_norm"]
    assert bash("versus", QUICKSTART, "'l1 + l2 + b") == ["l1 + l2 + batch_norm"]
    assert bash("table", "results/reference/ba-2016-figure-6", "--where", "") == [
        r"batch_size=128,\ epochs=10",
        r"batch_size=4,\ epochs=2",
    ]
    zsh = asked("zsh", "versus", QUICKSTART, "l1 ")
    assert '"dropout + layer_norm"' in zsh
    assert zsh.startswith("_arguments '*: :((")


def test_options_of_every_command_are_offered_behind_each() -> None:
    assert {"--lang", "--quiet", "--only"} <= set(bash("table", "-"))
    assert bash("claims", "show", "--l") == ["--lang"]


def test_folders_with_results_come_first_and_other_paths_are_the_shells(tmp_path: Path) -> None:
    shutil.copytree(ROOT / QUICKSTART, tmp_path / "results/mine")
    (tmp_path / "reports").mkdir()
    assert bash("table", "r", cwd=tmp_path) == ["results/mine", "reports"]
    for words in (("table", "rep"), ("report", "results/mine", "--out", "re"), ("sweep", "no")):
        assert [word for word in bash(*words, cwd=tmp_path) if word] == []
        assert asked("zsh", *words, cwd=tmp_path).strip() == "_files"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    "words",
    [
        ("versus", "nowhere", ""),
        ("table", "nowhere", "--where", ""),
        ("claims", "--claims", "nowhere", "show", ""),
        ("--lang", "xx", "table", ""),
        ("table", "--lang"),
        ("no-such-command", ""),
        ("versus", "'unclosed", ""),
        ("table", "/no/../nowhere/x"),
    ],
)
def test_nothing_that_is_typed_is_an_error(shell: str, words: tuple[str, ...]) -> None:
    asked(shell, *words)
