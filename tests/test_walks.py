"""The walks of docs/walks.md, walked: every file written, every command typed and every cell of
Python run in the order of the page, and all that the page quotes is what they say.

The Korean page is walked in the same folders afterwards, where all is trained already.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import matplotlib as mpl
import pytest

from regbench import claims
from regbench.claims import verdicts
from tests.command import here, said

ROOT = Path(__file__).parents[1]
PAGES = {
    language: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for language, name in (("en", "walks.md"), ("ko", "walks.ko.md"))
}
LOCALES = {"en": "C.UTF-8", "ko": "ko_KR.UTF-8"}
BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`:?\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
CUT = "…"
"""A line of a quotation that stands for lines left out."""
EXIT_CODE = re.compile(r"# \D*(\d)$")


class Block(NamedTuple):
    """A block of code of a page, and the name of the file that it shows, if it shows one."""

    file: str | None
    kind: str
    text: str


def walks(language: str) -> dict[str, list[Block]]:
    """The blocks of each walk of a page, by its heading."""
    parts = re.split(r"^## (.*)\n", PAGES[language], flags=re.M)[1:]
    return {
        heading: [Block(*found) for found in BLOCK.findall(text)]
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def typed(command: str, language: str) -> str:
    """What a command of the page says, once it ended with the exit code that stands behind it."""
    code = EXIT_CODE.search(command)
    words = shlex.split(command, comments=True)
    if words[0] == "python":
        return ran(Path(words[1]).read_text(encoding="utf-8"), {"__name__": "__main__"}, language)
    serial = ["--executor", "serial"] if words[1] == "sweep" and "--dry-run" not in words else []
    done = here(*words[1:], *serial, COLUMNS="100", LC_ALL=LOCALES[language])
    assert done.returncode == (int(code[1]) if code else 0), (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


def ran(code: str, names: dict[str, Any], language: str) -> str:
    """What a cell of Python prints."""
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        mock.patch.dict(os.environ, {"COLUMNS": "100", "LC_ALL": LOCALES[language]}),
    ):
        exec(code, names)
    return out.getvalue()


def walked(blocks: list[Block], language: str) -> Iterator[tuple[str, str]]:
    """Each quotation of a walk, with what was said before it; files lie in the working folder."""
    names: dict[str, Any] = {}
    heard = ""
    for block in blocks:
        if block.kind == "text":
            yield block.text, heard
        elif block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.kind == "console":
            lines = [line.removeprefix("$ ") for line in block.text.splitlines()]
            heard = "".join(typed(line, language) for line in lines)
        else:
            assert block.kind == "python", block
            heard = ran(block.text, names, language)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The verdicts that come with the package, not those of the tests."""
    monkeypatch.setattr(verdicts, "VERDICTS", Path(claims.__file__).with_name("verdicts.json"))
    verdicts.verdicts.cache_clear()
    yield
    verdicts.verdicts.cache_clear()


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("english", "korean"),
    [
        pytest.param(english, korean, id=english.partition(":")[0])
        for english, korean in zip(walks("en"), walks("ko"), strict=True)
    ],
)
def test_whoever_walks_along_sees_what_the_page_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, english: str, korean: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    for language, heading in (("en", english), ("ko", korean)):
        blocks = walks(language)[heading]
        for quoted, heard in walked(blocks, language):
            rest = said(heard)
            for part in re.split(f"^{CUT}\n", quoted, flags=re.M):
                _, found, rest = rest.partition(said(part))
                assert found, f"{heading}: not said:\n{part}\nbut:\n{heard}"
        for name in re.findall(r'savefig\("([^"]+)"', "".join(block.text for block in blocks)):
            assert Path(name).stat().st_size > 0


def test_what_is_said_is_compared_without_numbers_and_the_bars_that_follow_them() -> None:
    assert said("up 6.7 ± 2.3 │ ├──●┤ p <0.001") == said("up −12 ± 0.4 ├●─┼┤ p 0.2")
    assert said("▲ helps") != said("▼ hurts")
