"""Tables for the terminal, through Rich, and as the picture of one."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from html import escape, unescape

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from regbench import signs
from regbench.analysis.comparison import Comparison
from regbench.locale import Words
from regbench.report import across, blocks, lost, tables
from regbench.report.answer import answer, brief, everyone
from regbench.report.table import Cell, Column, Table, Tone
from regbench.signs import encodes

STYLES: dict[Tone, str] = {
    "plain": "",
    "strong": "bold",
    "faint": "dim",
    "good": "bold green",
    "bad": "bold red",
    "same": "cyan",
}
GAP = 2
"""Spaces between two columns: the box's and the padding."""
EDGES = 1
"""A space at either end, less the box's one behind the last column."""
NOTES_WIDTH = 120
"""Longer lines of prose are hard to read."""
LONGEST_WORD = 18
"""A longer one is broken where room is scarce."""
ROOM_FOR_CARDS = 68
"""What the columns of words need at least to stand beside the figures."""
ROOM_FOR_LABELS = 30
"""What the names of cells need at least."""
CELL = 12
"""Width of a character in the picture, whose letters Rich draws 20 high."""
WIDE = "\u1100-\u115f\u2e80-\uffe6"
"""Characters that take two cells."""


@dataclass(frozen=True)
class Report:
    """The tables of a comparison, laid out for the width of the console that prints them."""

    comparisons: tuple[Comparison, ...]
    words: Words
    encoding: str = "utf-8"
    """The encoding of what it is printed to."""
    full: bool = False
    """All cells, effects and interactions too, and what doesn't count."""
    notes: bool = False
    """How each number is made, below its table."""
    first: bool = False
    """The answer and its chart alone, which a screen has room for."""
    only: str = ""
    """The part of `blocks.PARTS` that is shown alone."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the answer, titles, tables and notes."""
        spell = partial(signs.spelt, encoding=self.encoding)
        if not self.only:
            sentences = answer(self.comparisons, self.words)
            yield Padding(Text(spell(" ".join(sentences))), (1, 1, 0, 1))
        for table in self.layout(options.max_width):
            yield from drawn(table, options.max_width)
        if not (self.first or self.only or (self.full and self.notes)):
            yield Padding(Text(spell(self.words("answer.all")), "dim"), (1, 1, 0, 1))

    def layout(self, width: int) -> Iterator[Table]:
        """Return the tables as they fit into `width` columns: side by side, or one after the
        other.
        """
        for table in self._layout(width):
            shown = table if self.notes else replace(table, notes=())
            yield _spelt(shown, self.encoding)

    def _layout(self, width: int) -> Iterator[Table]:
        if self.only:
            for comparison in self.comparisons:
                yield from self._part(comparison, width)
            return
        yield from filter(None, [across.across(self.comparisons, self.words)])
        for comparison in self.comparisons:
            yield from self._of(comparison, width)

    def _of(self, comparison: Comparison, width: int) -> Iterator[Table]:
        words = self.words
        charts = [brief(comparison, words), everyone(comparison, words)]
        yield from (fitted(table, width) for table in charts[: 1 if self.first else 2] if table)
        if self.first:
            return
        if comparison.trained:
            yield from self._summary(comparison, width)
        if comparison.trained and not self.full:
            yield from filter(None, [lost.failures(comparison, words)])
            return
        yield fitted(tables.ranking(comparison, words), width)
        rest = [tables.main_effects, tables.interactions, lost.ledger, lost.failures, lost.skips]
        yield from filter(None, (table(comparison, words) for table in rest))
        if tables.with_cards(comparison):
            yield tables.cards(comparison, words)

    def _summary(self, comparison: Comparison, width: int) -> Iterator[Table]:
        """Yield the summary of techniques, in one table or in two."""
        summary = tables.summary(comparison, self.words)
        if width >= _fixed_width(summary) + EDGES + ROOM_FOR_CARDS:
            yield summary
        else:
            cards, effects = tables.summaries(comparison, self.words)
            yield from (cards, fitted(effects, width))

    def _part(self, comparison: Comparison, width: int) -> Iterator[Table]:
        """Yield the part that is shown alone."""
        if self.only == "summary" and comparison.trained:
            yield from self._summary(comparison, width)
        elif table := blocks.PARTS[self.only](comparison, self.words):
            yield fitted(table, width)


@dataclass(frozen=True)
class Single:
    """One table, with its title and notes."""

    table: Table
    encoding: str = "utf-8"
    """The encoding of what it is printed to."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield title, table and notes."""
        table = fitted(_spelt(self.table, self.encoding), options.max_width)
        yield from drawn(table, options.max_width)


def _spelt(table: Table, encoding: str) -> Table:
    """Return a table with the signs that an encoding has, before its columns get their widths."""
    if encodes("".join(signs.INSTEAD), encoding):
        return table
    spell = partial(signs.spelt, encoding=encoding)
    return replace(
        table,
        title=spell(table.title),
        columns=tuple(replace(column, title=spell(column.title)) for column in table.columns),
        rows=tuple(
            tuple(tuple(replace(line, text=spell(line.text)) for line in cell) for cell in row)
            for row in table.rows
        ),
        notes=tuple(map(spell, table.notes)),
        legend=spell(table.legend),
    )


def drawn(table: Table, width: int) -> Iterator[RenderableType]:
    """Yield a table's title, rows, legend and notes for a console of `width` columns."""
    yield Text(f"\n {table.title}", "bold")
    yield _rich(table, width)
    if table.legend:
        yield Padding(Text(table.legend, "dim"), (0, 1))
    if table.notes:
        yield _notes(table, width)


def text(report: RenderableType, width: int, color: bool = False) -> str:
    """Return a report as the terminal of `width` columns shows it; without colour, nothing but
    characters.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        force_jupyter=False,
        no_color=not color,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(report)
    lines = capture.get().split("\n")
    return "\n".join(line if color else line.rstrip() for line in lines).strip("\n") + "\n"


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most `width` columns."""
    console = Console(file=io.StringIO(), width=width, force_jupyter=False)
    return "\n".join(str(line) for line in Text(text).wrap(console, width))


def svg(report: Report, width: int, title: str) -> str:
    """Return the report as a picture of a terminal of `width` columns, complete in itself: no font
    is fetched.
    """
    console = Console(
        file=io.StringIO(), width=width, record=True, force_terminal=True, legacy_windows=False
    )
    console.print(report)
    ratio = CELL / 20
    drawn = console.export_svg(
        title=title, theme=THEME, code_format=FRAME, font_aspect_ratio=ratio, unique_id="regbench"
    )
    return re.sub(
        r'<text class="(\S+)" x="(\S+)" y="(\S+)" textLength="\S+"[^>]*>([^<]*)</text>',
        _placed,
        drawn,
    )


def _placed(match: re.Match[str]) -> str:
    """Return a text of the picture with each of its pieces at its own place.

    Rich stretches a text to the length of its characters, but those of Hangul are two cells wide,
    and some viewers drop spaces at the start of a text. A word with Hangul keeps its font's own
    spacing, which is easier to read.
    """
    style, x, y, content = match.groups()
    text, pieces = unescape(content).replace("\xa0", " "), []
    for piece in re.finditer(rf"\S*[{WIDE}]\S*|[^\s{WIDE}]+( [^\s{WIDE}]+(?!\S))*", text):
        left, width = float(x) + cell_len(text[: piece.start()]) * CELL, cell_len(piece[0]) * CELL
        fit = f'textLength="{width}"'
        if width > len(piece[0]) * CELL:
            fit = 'font-size="22px"' if width > 1.5 * len(piece[0]) * CELL else ""
        pieces.append(f'<text class="{style}" x="{left:g}" y="{y}" {fit}>{escape(piece[0])}</text>')
    return "\n".join(pieces)


def _rich(table: Table, width: int) -> RichTable:
    widths = widths_of(table, width - EDGES)
    wraps = any(taken < natural_width(table, i) for i, taken in enumerate(widths))
    numbered = table.columns[0].kind == "figure"
    ruled = table.ruled or (wraps and not numbered)
    drawn = RichTable(
        box=box.HORIZONTALS,
        show_lines=ruled,
        border_style="dim",
        header_style="bold",
        padding=(0, GAP - 1, 0, 0),
    )
    for column, taken in zip(table.columns, widths, strict=True):
        title = Text(column.title, justify="right" if column.kind == "figure" else "left")
        drawn.add_column(title, width=taken, no_wrap=column.kind != "text", overflow="fold")
    for row in table.rows:
        drawn.add_row(*map(_rich_cell, row, table.columns, widths))
    return drawn


def widths_of(table: Table, width: int) -> list[int]:
    """Return the columns' widths: figures as they are; words take what is left, if possible
    unbroken.
    """
    natural = [natural_width(table, i) for i in range(len(table.columns))]
    texts = [i for i, column in enumerate(table.columns) if column.kind == "text"]
    room = width - GAP * len(natural) - sum(natural)
    if room >= 0 or not texts:
        return natural
    least = {i: min(natural[i], LONGEST_WORD, _longest_word(table, i)) for i in texts}
    slack = {i: natural[i] - least[i] for i in texts}
    share = max(0.0, 1 + room / max(1, sum(slack.values())))
    widths = [
        least[i] + int(slack[i] * share) if i in least else natural[i] for i in range(len(natural))
    ]
    for i in texts:  # what rounding down left over
        widths[i] += sum(widths) + GAP * len(widths) < width and widths[i] < natural[i]
    while sum(widths) + GAP * len(widths) > width and max(widths[i] for i in texts) > 1:
        widths[max(texts, key=lambda i: widths[i])] -= 1
    return widths


def _rich_cell(cell: Cell, column: Column, width: int) -> Text:
    # Rich would strip the spaces that bring a figure without ± under the others, so the cell is
    # filled here.
    padded = [
        " " * (width - cell_len(line.text)) if column.kind == "figure" else "" for line in cell
    ]
    return Text("\n").join(
        Text(left + line.text, STYLES[line.tone]) for left, line in zip(padded, cell, strict=True)
    )


def _notes(table: Table, width: int) -> RichTable:
    drawn = RichTable.grid(padding=(0, 1, 0, 0))
    drawn.width = min(
        width - EDGES, NOTES_WIDTH
    )  # some viewers of a picture take a little more room than a terminal
    drawn.add_column()
    drawn.add_column(overflow="fold", ratio=1)
    for note in table.notes:
        drawn.add_row(Text(" ·", "dim"), Text(note, "dim"))
    return drawn


def _texts(table: Table, column: int) -> list[str]:
    """Return the lines of a column, with its title's."""
    return [table.columns[column].title, *(line.text for row in table.rows for line in row[column])]


def natural_width(table: Table, column: int) -> int:
    """Return the cells that a column takes where nothing is wrapped."""
    return max(cell_len(part) for text in _texts(table, column) for part in text.split("\n"))


def _longest_word(table: Table, column: int) -> int:
    title, *texts = _texts(table, column)
    return max(
        cell_len(word)
        for word in [*title.split("\n"), *(word for text in texts for word in text.split())]
    )


def _fixed_width(table: Table) -> int:
    """Return what the figures take."""
    figures = [i for i, column in enumerate(table.columns) if column.kind != "text"]
    return sum(natural_width(table, i) + GAP for i in figures)


def fitted(table: Table, width: int) -> Table:
    """Return the table, stacked where its figures leave too little room for the names of cells."""
    names = [i for i in (0, 1) if table.columns[i].kind == "text"]
    room = min(ROOM_FOR_LABELS, max((natural_width(table, i) for i in names), default=0)) + GAP
    shown = table
    for level in (1, 2):
        if width < _fixed_width(shown) + EDGES + room:
            shown = table.stacked(level)
            room = min(room, LONGEST_WORD + GAP)
    return shown


THEME = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (207, 34, 46),
        (17, 99, 41),
        (154, 103, 0),
        (9, 105, 218),
        (130, 80, 223),
        (27, 124, 131),
        (110, 119, 129),
    ],
)
"""Dark letters on white, which reads well on a light page, on a dark one, and on paper."""

FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono",
    "Noto Sans Mono CJK KR", "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: system-ui, "Noto Sans CJK KR", sans-serif; \
font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
