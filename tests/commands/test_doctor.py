"""Doctor: what stops regbench ends with 1, what only costs something with 0, each with a remedy."""

import importlib.metadata

import pytest
from typer.testing import CliRunner

from regbench import data
from regbench.cli import app
from regbench.commands import doctor
from regbench.report import fonts


@pytest.fixture
def line_of(monkeypatch):
    """Ask doctor, with other packages than this machine's left out: exit code and one line."""
    monkeypatch.setattr(doctor, "torch_and_torchvision", lambda: iter(()))

    def ask(what: str) -> tuple[int, list[str]]:
        answer = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["doctor"])
        found = [line.split() for line in answer.output.splitlines()]
        return answer.exit_code, next(words for words in found if words[1] == what)

    return ask


def test_a_package_that_is_missing_stops_it(line_of, monkeypatch):
    version = importlib.metadata.version

    def none_of_pandas(name: str) -> str:
        if name == "pandas":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", none_of_pandas)
    assert line_of("pandas") == (
        1,
        ["✗", "pandas", "not", "installed", "→", "pip", "install", "pandas"],
    )


def test_a_font_that_is_missing_stops_nothing(line_of, monkeypatch):
    monkeypatch.setattr(fonts, "hangul_font", lambda: None)
    code, line = line_of("font")
    assert (code, line[0]) == (0, "!")
    assert "fonts-nanum" in line


def test_a_cache_that_cannot_be_written_stops_nothing(line_of, monkeypatch):
    monkeypatch.setattr(data, "cache_folder", lambda: None)
    code, line = line_of("cache")
    assert (code, line[0]) == (0, "!")
    assert "XDG_CACHE_HOME" in line


def test_what_is_well_has_a_tick_and_no_remedy(line_of):
    code, line = line_of("pandas")
    assert (code, line) == (0, ["✓", "pandas", importlib.metadata.version("pandas")])
