"""Tables inside documents: filled, checked, and said what changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from regbench.compare import Comparison, compare
from regbench.errors import UsageError
from regbench.locale import words
from regbench.report import blocks, markdown, tables
from tests.command import regbench
from tests.sample import records, sweep, tuned_sweep

PAGE = "# Mine\n<!-- table mine en -->\nold\n<!-- /table -->\nbetween\n<!-- table other ko -->\nkept\n<!-- /table -->\n"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    plan, config = sweep(tmp_path_factory.mktemp("configs"))
    return compare(records(plan), plan, config.analysis)


def test_a_block_gets_its_table_and_nothing_else_changes(comparison: Comparison) -> None:
    filled, count = blocks.fill(PAGE, "mine", comparison)
    body = markdown.rows(tables.summary_with_sentences(comparison, words("en")))
    assert count == 1
    assert filled == PAGE.replace("\nold\n", f"\n{body}\n")
    assert blocks.fill(filled, "mine", comparison) == (filled, 1)


@pytest.mark.parametrize("part", blocks.PARTS)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_part_can_be_shown_in_every_language(
    comparison: Comparison, tmp_path: Path, part: str, lang: str
) -> None:
    comparison = tuned_sweep(tmp_path) if part == "ledger" else comparison
    filled, _ = blocks.fill(f"<!-- table mine {lang} {part} -->\n<!-- /table -->", "mine", comparison)
    table = blocks.PARTS[part](comparison, words(lang))
    assert table is not None
    assert len(filled.splitlines()) == len(table.rows) + 4


def test_a_part_that_the_sweep_has_not_is_said_in_words(tmp_path: Path) -> None:
    plan, config = sweep(
        tmp_path, "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1, dropout: 0.5}\n"
    )
    single = compare(records(plan), plan, config.analysis)
    filled, _ = blocks.fill("<!-- table mine en interactions -->\n<!-- /table -->", "mine", single)
    assert "no factorial" in filled


@pytest.mark.parametrize(("block", "word"), [("fr", "'fr'.*en, ko"), ("en nothing", "'nothing'.*summary, cells")])
def test_an_unknown_language_or_part_is_said_with_its_line(comparison: Comparison, block: str, word: str) -> None:
    with pytest.raises(UsageError, match=rf"page.md:3: .*{word}"):
        blocks.fill(f"\n\n<!-- table mine {block} -->\n<!-- /table -->", "mine", comparison, "page.md")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("| a | ▲ helps: +6.7 ± 2.2 |", "numbers changed, every verdict is the same"),
        ("| a | ? undecided (+3): +6.6 ± 2.2 |", "verdicts changed"),
        ("| b | ▲ helps: +6.6 ± 2.2 |", "text changed, every verdict is the same"),
    ],
)
def test_it_is_said_whether_numbers_or_verdicts_changed(new: str, said: str) -> None:
    assert blocks.changes("| a | ▲ helps: +6.6 ± 2.2 |", new) == said


def test_verdicts_are_known_in_korean_too() -> None:
    assert blocks.changes("| ▲ 향상 |", "| ▼ 저하 |") == "verdicts changed"


def test_the_command_fills_checks_and_refuses(tmp_path: Path) -> None:
    directory = Path(__file__).parents[2] / "results/reference/quickstart"
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table quickstart en -->\n<!-- /table -->\nb\n")
    stale = regbench("table", directory, "--check", page)
    assert (stale.returncode, "every verdict" in stale.stderr or "verdicts changed" in stale.stderr) == (3, True)
    assert stale.stdout.startswith(f"--- {page}")
    assert regbench("table", directory, "--write", page).returncode == 0
    assert "| **dropout** |" in page.read_text()
    fresh = regbench("table", directory, "--check", page)
    assert (fresh.returncode, fresh.stdout, fresh.stderr) == (0, "", "")
    page.write_text("nothing\n")
    none = regbench("table", directory, "--write", page)
    assert none.returncode == 2
    assert "<!-- table quickstart en --> and <!-- /table -->" in none.stderr
    missing = regbench("table", directory, "--check", tmp_path / "missing.md")
    assert (missing.returncode, "can't read" in missing.stderr) == (2, True)


def test_the_summary_of_a_ci_job_gets_the_tables_appended(tmp_path: Path) -> None:
    directory = Path(__file__).parents[2] / "results/reference/quickstart"
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    done = regbench("table", directory, "--summary", GITHUB_STEP_SUMMARY=str(page))
    assert (done.returncode, done.stdout) == (0, "")
    assert page.read_text().startswith("before\n### Regularizers on mnist5k")
    without = regbench("table", directory, "--summary", GITHUB_STEP_SUMMARY="")
    assert (without.returncode, "GITHUB_STEP_SUMMARY is not set" in without.stderr) == (0, True)
