"""Tables inside documents: filled, checked, and said what changed."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.errors import UsageError
from regbench.locale import words
from regbench.report import blocks, markdown, tables
from tests.command import regbench, several
from tests.sample import records, sweep, tuned_sweep

PAGE = (
    "# Mine\n<!-- table mine en -->\nold\n<!-- /table -->\nbetween\n<!-- table other ko "
    "-->\nkept\n<!-- /table -->\n"
)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    plan, config = sweep(tmp_path_factory.mktemp("configs"))
    return compare(records(plan), plan, config.analysis)


def test_a_block_gets_its_table_and_nothing_else_changes(comparison: Comparison) -> None:
    filled, count = blocks.fill(PAGE, "mine", comparison)
    body = markdown.with_legend(tables.summary_with_sentences(comparison, words("en")))
    assert count == 1
    assert filled == PAGE.replace("\nold\n", f"\n{body}\n")
    assert blocks.fill(filled, "mine", comparison) == (filled, 1)


@pytest.mark.parametrize("part", blocks.PARTS)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_part_can_be_shown_in_every_language(
    comparison: Comparison, tmp_path: Path, part: str, lang: str
) -> None:
    comparison = tuned_sweep(tmp_path) if part == "ledger" else comparison
    filled, _ = blocks.fill(
        f"<!-- table mine {lang} {part} -->\n<!-- /table -->", "mine", comparison
    )
    table = blocks.PARTS[part](comparison, words(lang))
    assert table is not None
    legend = ["", *table.legend.splitlines()] if table.legend else []
    assert len(filled.splitlines()) == len(table.rows) + 4 + len(legend)


def test_a_part_that_the_sweep_has_not_is_said_in_words(tmp_path: Path) -> None:
    plan, config = sweep(
        tmp_path,
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1, dropout: 0.5}\n",
    )
    single = compare(records(plan), plan, config.analysis)
    filled, _ = blocks.fill("<!-- table mine en interactions -->\n<!-- /table -->", "mine", single)
    assert "no factorial" in filled


@pytest.mark.parametrize(
    ("block", "word"), [("fr", "'fr'.*en, ko"), ("en nothing", "'nothing'.*summary, cells")]
)
def test_an_unknown_language_or_part_is_said_with_its_line(
    comparison: Comparison, block: str, word: str
) -> None:
    with pytest.raises(UsageError, match=rf"page.md:3: .*{word}"):
        blocks.fill(
            f"\n\n<!-- table mine {block} -->\n<!-- /table -->", "mine", comparison, "page.md"
        )


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("| a | ▲ helps: +6.7 ± 2.2 |", "numbers changed, every verdict is the same"),
        ("| a | ? can't tell yet: 3 more seeds needed: +6.6 ± 2.2 |", "verdicts changed"),
        ("| a | – every run scored 100%, nothing is left to improve |", "verdicts changed"),
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
    (tmp_path / "empty.md").write_text("nothing\n")
    asked = (("--check", page), ("--write", page), ("--check", page))
    asked = (*asked, ("--write", tmp_path / "empty.md"), ("--check", tmp_path / "missing.md"))
    commands = (["table", str(directory), option, str(file)] for option, file in asked)
    stale, written, fresh, none, missing = several(*commands, cwd=tmp_path)
    assert (stale[0], "every verdict" in stale[2] or "verdicts changed" in stale[2]) == (3, True)
    assert stale[1].startswith(f"--- {page}")
    assert written[0] == 0
    assert "| **dropout** |" in page.read_text()
    assert fresh == (0, "", "")
    assert (none[0], "<!-- table quickstart en --> and <!-- /table -->" in none[2]) == (2, True)
    assert (missing[0], "can't read" in missing[2]) == (2, True)


def test_the_summary_of_a_ci_job_gets_the_tables_appended(tmp_path: Path) -> None:
    directory = Path(__file__).parents[2] / "results/reference/quickstart"
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    done = regbench("table", directory, "--summary", GITHUB_STEP_SUMMARY=str(page))
    assert (done.returncode, done.stdout) == (0, "")
    assert page.read_text().startswith("before\nDropout raised test accuracy from ")
    without = regbench("table", directory, "--summary", GITHUB_STEP_SUMMARY="")
    assert (without.returncode, "GITHUB_STEP_SUMMARY is not set" in without.stderr) == (0, True)


END = st.sampled_from(["\n", "\r\n"])
INDENT = st.sampled_from(["", "  ", "    ", "\t", "> "])
TRAILING = st.sampled_from(["", " ", "\t "])
WORDS = st.text(st.sampled_from("abc가 |#*`<!->~\u2028\x0b"), max_size=12).filter(
    lambda text: (
        not any(mark in text for mark in ("<!--", "-->", "```", "~~~"))
        and not text.lstrip().startswith("<")
    )
)
LANGUAGE = st.sampled_from(["en", "ko"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], str]:
    """Parts of a document, (kind, text, indentation), and how its lines end."""
    end, parts = draw(END), []
    for kind in draw(
        st.lists(st.sampled_from(["text", "block", "other", "example", "comment"]), max_size=6)
    ):
        # A line between keeps what is written from becoming a part of a paragraph or a list.
        words = "".join(f"{draw(WORDS)}{end}" for _ in range(draw(st.integers(0, 2)))) + end
        indent, trailing, lang = draw(INDENT), draw(TRAILING), draw(LANGUAGE)
        if kind == "text":
            parts.append((kind, words, ""))
        elif kind == "comment":
            parts.append((kind, f"<!-- table of contents -->{end}{end}", ""))
        elif kind == "example":
            fence = draw(st.sampled_from(["```", "~~~~"]))
            lines = [
                fence,
                f"<!-- table mine {lang} -->",
                draw(st.sampled_from(["", "<!-- /table -->"])),
                fence,
                "",
            ]
            parts.append((kind, end.join([*lines, ""]), ""))
        else:
            name = "mine" if kind == "block" else "other"
            first = f"{indent}<!-- table {name} {lang} cells -->{trailing}{end}"
            parts.append(
                (kind, f"{first}{words}{indent}<!-- /table -->{trailing}{end}{end}", indent)
            )
    return parts, end


@given(documents(), st.sampled_from(["", "open", "closed"]), st.integers(0, 6))
def test_nothing_but_whole_blocks_changes_and_what_is_not_whole_is_named(
    document: tuple[list[tuple[str, str, str]], str], broken: str, place: int
) -> None:
    parts, end = document
    comparison = small()
    if broken:
        mark = "<!-- table mine en -->" if broken == "open" else "<!-- /table -->"
        parts = [*parts[:place], ("broken", f"{mark}{end}{end}", ""), *parts[place:]]
        text = "".join(part for _, part, _ in parts)
        line = (
            text[
                : len(
                    "".join(
                        part
                        for _, part, _ in parts[: parts.index(("broken", f"{mark}{end}{end}", ""))]
                    )
                )
            ].count("\n")
            + 1
        )
        with pytest.raises(UsageError, match=rf"^page.md:{line}: .*nothing was changed"):
            blocks.fill(text, "mine", comparison, "page.md")
        return
    text, expected = "".join(part for _, part, _ in parts), ""
    for kind, part, indent in parts:
        if kind == "block":
            first, rest = part.split(end, 1)
            lang = first.split()[first.split().index("mine") + 1]
            rows = markdown.rows(tables.ranking(comparison, words(lang))).split("\n")
            last = rest[rest.rindex(f"{indent}<!-- /table") :]
            part = first + end + "".join(f"{indent}{row}{end}" for row in rows) + last
        expected += part
    filled, count = blocks.fill(text, "mine", comparison, "page.md")
    assert filled == expected
    assert count == sum(kind == "block" for kind, _, _ in parts)
    assert blocks.fill(filled, "mine", comparison) == (filled, count)


@cache
def small() -> Comparison:
    with tempfile.TemporaryDirectory() as folder:
        plan, config = sweep(
            Path(folder),
            "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1}\nseeds: 2\n",
        )
    return compare(records(plan), plan, config.analysis)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("- <!-- table mine en -->", "stand on lines of their own"),
        ("text <!-- table mine en -->", "stand on lines of their own"),
        ("<!-- table mine en --> text", "stand on lines of their own"),
        ("<!-- table mine -->", "a block begins with <!-- table mine en -->"),
        ("<!-- table mine en cells more -->", "a block begins with <!-- table mine en -->"),
        (
            "<!-- table mine en -->\n<!-- table other en -->\n<!-- /table -->",
            "not closed by <!-- /table --> before line 3",
        ),
    ],
)
def test_a_mark_that_can_be_meant_is_named_and_never_passed_over(
    comparison: Comparison, line: str, said: str
) -> None:
    with pytest.raises(UsageError, match=rf"^page.md:2: .*{re.escape(said)}"):
        blocks.fill(f"\n{line}\n", "mine", comparison, "page.md")


@pytest.mark.parametrize("line", ["<!-- table -->", "<!--table-->", "<!-- table  -->"])
def test_an_end_without_a_beginning_is_named(comparison: Comparison, line: str) -> None:
    with pytest.raises(UsageError, match=r"^page.md:3: this closes a block that is not open"):
        blocks.fill(f"{line}\n| a |\n<!-- /table -->\n", "mine", comparison, "page.md")


def test_marks_in_code_and_other_comments_are_text(comparison: Comparison) -> None:
    text = "Write `<!-- table mine en -->`.\n<!-- table of contents -->\n<!-- tables mine en -->\n"
    assert blocks.fill(text, "mine", comparison) == (text, 0)


def test_a_name_is_one_in_both_unicode_forms(comparison: Comparison) -> None:
    text = unicodedata.normalize("NFD", "<!-- table 비교 en cells -->\n<!-- /table -->\n")
    assert blocks.fill(text, "비교", comparison)[1] == 1


def test_a_document_is_replaced_as_a_whole_and_stays_what_it_was(tmp_path: Path) -> None:
    directory = Path(__file__).parents[2] / "results/reference/quickstart"
    page, link = tmp_path / "page.md", tmp_path / "link.md"
    page.write_bytes("\ufeff<!-- table quickstart en cells -->\n<!-- /table -->\n".encode())
    page.chmod(0o640)
    link.symlink_to(page)
    assert regbench("table", directory, "--write", link).returncode == 0
    assert (link.is_symlink(), page.stat().st_mode & 0o777) == (True, 0o640)
    assert page.read_bytes().startswith(b"\xef\xbb\xbf<!-- table quickstart")
    assert b"| dropout" in page.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.md", "page.md"]
