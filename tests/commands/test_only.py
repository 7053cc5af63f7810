"""--only: one part of a result, alone, in every format that has it."""

import subprocess
from pathlib import Path
from typing import get_args

import pytest

from regbench.commands import options
from regbench.report import blocks
from tests.command import regbench

REFERENCE = Path(__file__).parents[2] / "results/reference"
QUICKSTART = REFERENCE / "quickstart"
TITLES = {
    "summary": "Regularizers",
    "cells": "All 24 cells",
    "effects": "What each technique adds",
    "interactions": "Do they add up?",
}


def table(*arguments: object) -> subprocess.CompletedProcess[str]:
    return regbench("table", *arguments)


def test_the_parts_are_those_of_documents() -> None:
    (parts, _) = get_args(get_args(options.Only)[0])
    assert get_args(parts) == tuple(blocks.PARTS)


@pytest.mark.parametrize("form", ["rich", "markdown", "latex"])
@pytest.mark.parametrize("part", TITLES)
def test_a_part_is_printed_alone_and_as_it_stands_in_the_whole(form: str, part: str) -> None:
    whole = ("--full",) if form == "rich" else ()
    everything = table(QUICKSTART, "--format", form, *whole).stdout
    alone = table(QUICKSTART, "--format", form, "--only", part).stdout
    there = {name for name, title in TITLES.items() if title in alone}
    assert there == {part}
    assert alone.strip("\n") in everything.replace("\n\n\n", "\n\n") or form == "latex"
    assert len(alone) < len(everything) / 2


def test_a_part_that_is_not_there_and_a_format_without_parts_are_one_sentence() -> None:
    for given, said in (
        (["ledger"], "there is no table of ledger here"),
        (["cells", "--format", "csv"], "--only: a table as csv has the cells alone"),
        (["cells", "--format", "json"], "--only: a table as json has each part under a key"),
        (["cells", "--full"], "--only and --full"),
    ):
        for lang in ("en", "ko"):
            done = table(QUICKSTART, "--only", *given, "--lang", lang)
            assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
            assert (said in done.stderr) == (lang == "en")


def test_the_picture_and_every_condition_have_the_part_alone(tmp_path: Path) -> None:
    assert table(QUICKSTART, "--only", "effects", "--svg", tmp_path / "a.svg").returncode == 0
    drawn = (tmp_path / "a.svg").read_text().replace("&#160;", " ")
    assert "averaged over what else is on" in drawn
    assert "helps" not in drawn
    conditions = table(REFERENCE / "ba-2016-figure-6", "--only", "cells").stdout
    assert conditions.count(" cells on ") > 1
