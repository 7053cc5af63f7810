"""Tables that go to no terminal: lines of at most 120 columns, and nothing of them is cut."""

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.command import here
from tests.runner.test_sweep import TINY

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results/reference"


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_no_line_is_wider_than_120_columns_and_none_is_cut(tmp_path: Path, lang: str) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text(
        "method,seed,acc\n"
        + "".join(
            f"a method with quite a long name of number {m},{seed},0.{80 + m * 3 + seed * 7 % 5}\n"
            for m in range(4)
            for seed in range(6)
        )
    )
    asked = ["compare", scores, "--by", "method", "--metric", "acc", "--baseline"]
    asked.append("a method with quite a long name of number 0")
    (tmp_path / "a.yaml").write_text(TINY)
    for command in (
        ["table", REFERENCE / "quickstart", "--full", "--notes"],
        ["table", REFERENCE / "ba-2016-figure-6", "--full"],
        [*asked, "--full", "--notes"],
        [*asked, "--versus", asked[-1], asked[-1].replace("0", "3")],
        ["versus", REFERENCE / "quickstart", "dropout", "l1 + l2 + dropout + batch_norm"],
        ["audit", REFERENCE / "quickstart"],
        ["sweep", tmp_path / "a.yaml", "--dry-run"],
        *(["list", what] for what in ("techniques", "models", "datasets", "probes")),
        ["claims"],
        ["claims", "--question", "2"],
    ):
        done = here(*command, "--lang", lang, cwd=ROOT, COLUMNS="")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) > 2
        assert max(map(cell_len, lines)) <= 120, command
        assert "…" not in done.stdout
