"""Signs that an encoding lacks: whatever a terminal or pipe speaks, output arrives and can be
read.
"""

from __future__ import annotations

import encodings
import io
import pkgutil
import string
from pathlib import Path

import pytest

from regbench import signs
from regbench.analysis.comparison import Comparison
from regbench.analysis.opened import Opened
from regbench.report import render as report

QUICKSTART = Path(__file__).parents[1] / "results/reference/quickstart"


def text_encodings() -> list[str]:
    """Every encoding of the standard library that a terminal or a pipe may have."""
    found = []
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            stream = io.TextIOWrapper(io.BytesIO(), encoding=module.name, newline="")
            stream.write(string.printable)
            stream.flush()
            if stream.buffer.getvalue().decode(module.name) == string.printable:
                found.append(module.name)
        except (LookupError, UnicodeError, TypeError):
            continue  # no encoding of text, or none of this system
    return found


ENCODINGS = text_encodings()


@pytest.fixture(scope="module")
def comparison() -> list[Comparison]:
    return Opened(QUICKSTART).comparisons


@pytest.fixture(scope="module")
def tables(comparison: list[Comparison]) -> dict[str, str]:
    return {lang: report.render(comparison, "rich", lang, 100) for lang in ("en", "ko")}


def test_there_are_encodings_to_try() -> None:
    assert len(ENCODINGS) > 80
    assert {"ascii", "cp949", "cp1252", "euc_kr", "shift_jis", "utf_16", "koi8_r"} <= {*ENCODINGS}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_settled_stream_takes_every_table(tables: dict[str, str], encoding: str) -> None:
    everything = "".join(tables.values()) + "".join(signs.INSTEAD) + "\ud800 \U0001f600 한글\n"
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    signs.settle(stream)
    stream.write(everything)
    stream.flush()
    arrived = stream.buffer.getvalue().decode(encoding)
    for sent, got in zip(everything.split("\n"), arrived.split("\n"), strict=True):
        kept = [
            c
            for c in sent
            if signs.encodes(c, encoding) and c.encode(encoding).decode(encoding) == c
        ]
        position = 0
        for character in kept:  # what the encoding has is there, in its order
            position = got.index(character, position) + 1


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "cp1252", "koi8_r"])
def test_columns_stand_below_their_titles(comparison: list[Comparison], encoding: str) -> None:
    """Signs are exchanged before columns get their widths: +/- takes three places where ± took
    one.
    """
    text = signs.spelt(report.render(comparison, "rich", "en", 200, encoding=encoding), encoding)
    lines = text.splitlines()
    title = next(i for i, line in enumerate(lines) if "p (adjusted)" in line)
    verdict = lines[title].index("verdict")
    rows = [
        line
        for line in lines[title + 2 :]
        if line[:4].strip(" =").isdigit() and line[3:5].isspace()
    ]  # a long name goes on below
    assert all(row[verdict - 2 : verdict].isspace() and not row[verdict].isspace() for row in rows)
    assert len(rows) >= 24


@pytest.mark.parametrize("sign", signs.INSTEAD)
def test_what_stands_in_the_place_of_a_sign_can_be_written_in_ascii(sign: str) -> None:
    assert signs.INSTEAD[sign][-1].isascii()
    assert signs.spelt(sign, "ascii") == signs.INSTEAD[sign][-1]
    assert signs.spelt(sign, "utf-8") == sign


def test_no_sign_of_the_catalogues_is_without_another() -> None:
    package = Path(signs.__file__).parent
    used = {
        c
        for path in package.rglob("*.yaml")
        for c in path.read_text(encoding="utf-8")
        if not c.isascii()
    }
    used |= {
        c
        for path in package.rglob("*.py")
        for c in path.read_text(encoding="utf-8")
        if not c.isascii()
    }
    assert {c for c in used if not c.isalpha() or c == "Δ"} <= {*signs.INSTEAD, "√"}
