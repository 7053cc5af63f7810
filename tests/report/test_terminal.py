"""Whole tables at fixed widths, and what must hold at any width."""

import html
import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.locale import words
from regbench.report import render as report
from regbench.report import terminal
from tests.sample import QUICKSTART, ROUGH, lose, records, sweep

BOTH = pytest.mark.parametrize("lang", ["en", "ko"])
EVERY_WIDTH = range(80, 201, 8)


class Text(SingleFileSnapshotExtension):
    file_extension = "txt"
    _write_mode = WriteMode.TEXT


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    folder = tmp_path_factory.mktemp("configs")
    quickstart, config = sweep(folder, QUICKSTART)
    rough, rough_config = sweep(folder, ROUGH)
    return {
        "quickstart": compare(records(quickstart), quickstart, config.analysis),
        "rough": compare(lose(records(rough)), rough, rough_config.analysis),
    }


@BOTH
@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
@pytest.mark.parametrize("name", ["quickstart", "rough"])
def test_whole_tables(
    comparisons: dict[str, Comparison],
    name: str,
    width: int,
    lang: str,
    snapshot: SnapshotAssertion,
) -> None:
    assert report.render(comparisons[name], "rich", lang, width) == snapshot(extension_class=Text)


@BOTH
def test_the_first_screen_is_the_answer_and_its_chart_alone(
    comparisons: dict[str, Comparison], lang: str
) -> None:
    one = comparisons["quickstart"]
    first = terminal.text(report.rich([one], lang, first=True), 80)
    whole = terminal.text(report.rich([one], lang), 80)
    assert whole.startswith(first.rstrip("\n"))
    assert words(lang)("answer.brief") in first
    assert words(lang)("answer.cells") not in first


@BOTH
@pytest.mark.parametrize("name", ["quickstart", "rough"])
def test_no_line_is_wider_than_the_terminal_and_no_text_is_cut(
    comparisons: dict[str, Comparison], name: str, lang: str
) -> None:
    for width in EVERY_WIDTH:
        text = report.render(comparisons[name], "rich", lang, width)
        assert max(map(cell_len, text.split("\n"))) <= width
        assert "…" not in text


@BOTH
@pytest.mark.parametrize("name", ["quickstart", "rough"])
def test_every_figure_is_there_at_any_width(
    comparisons: dict[str, Comparison], name: str, lang: str
) -> None:
    def figures(width: int) -> list[str]:
        text = report.render(comparisons[name], "rich", lang, width)
        text = text[text.index("Δ") :]  # what comes before are sentences, whose lines break
        return sorted(
            re.findall(r"[+−]?\d+\.\d+ ± +\d+\.\d+|<0\.001|×\d\.\d+|\([+>]\d+\)|\d/\d", text)
        )

    widest = figures(200)
    assert len(widest) > 30
    for width in EVERY_WIDTH:
        assert figures(width) == widest


def test_no_colour_where_the_environment_says_so(
    comparisons: dict[str, Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed() -> str:
        console = Console(
            file=io.StringIO(), force_terminal=True, width=120, color_system="standard"
        )
        console.print(report.rich([comparisons["quickstart"]]))
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    colours = re.compile(r"\x1b\[[\d;]*3[1-6]m")
    monkeypatch.delenv("NO_COLOR")
    assert colours.search(printed())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours.search(printed())


def test_a_verdict_is_told_by_its_word_without_colour(comparisons: dict[str, Comparison]) -> None:
    text = report.render(comparisons["quickstart"], "rich", "en", 120)
    assert "\x1b" not in text
    assert {"▲ helps", "▼ hurts", "? can't"} <= set(re.findall(r"[▲▼=?] [a-z']+", text))
    assert "\x1b[1;32m▲ helps" in report.render(
        comparisons["quickstart"], "rich", "en", 120, color=True
    )


def test_without_a_width_columns_decides(
    comparisons: dict[str, Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "97")
    assert report.render(comparisons["rough"]) == report.render(comparisons["rough"], width=97)


@BOTH
def test_the_picture_opens_offline_and_places_every_piece(
    comparisons: dict[str, Comparison], lang: str
) -> None:
    picture = report.svg(comparisons["quickstart"], lang, width=180, full=True, notes=True)
    assert not re.search(r"@font-face|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", picture)
    shown: dict[float, str] = {}
    for x, y, text in re.findall(
        r'<text class="regbench-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)</text>', picture
    ):
        line, column = shown.get(float(y), ""), round(float(x) / 12)
        shown[float(y)] = line + " " * (column - cell_len(line)) + html.unescape(text)
    expected = report.render(comparisons["quickstart"], "rich", lang, 180).splitlines()
    assert [shown[y] for y in sorted(shown)] == [line.rstrip() for line in expected if line]


def test_the_picture_is_the_same_every_time(comparisons: dict[str, Comparison]) -> None:
    assert report.svg(comparisons["rough"]) == report.svg(comparisons["rough"])


def test_pictures_are_well_formed(comparisons: dict[str, Comparison], tmp_path: Path) -> None:
    from xml.etree import ElementTree

    for lang in ("en", "ko"):
        ElementTree.fromstring(report.svg(comparisons["rough"], lang))
