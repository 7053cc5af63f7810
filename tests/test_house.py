"""The map in CONTRIBUTING is the tree; tests stand in the rooms that they test."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from regbench.regularizers import techniques
from tests.test_docs import PAGES, ROOT


def test_the_map_in_contributing_is_the_tree() -> None:
    drawn = re.search(r"```text\nregbench/\n(.*?)```", PAGES["CONTRIBUTING.md"], re.DOTALL)
    assert drawn
    named = [line.split()[0].rstrip("/") for line in drawn[1].splitlines()]
    assert len(named) == len(set(named))
    hidden = {"__init__.py", "__main__.py", "version.py", "py.typed", "__pycache__"}
    assert set(named) == {path.name for path in (ROOT / "regbench").iterdir()} - hidden


def test_the_map_has_the_order_of_the_floors() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    floors = [floor.split(" | ") for floor in contract["contracts"][0]["layers"]]
    height = {room: -i for i, floor in enumerate(floors) for room in floor}
    drawn = re.search(r"```text\nregbench/\n(.*?)```", PAGES["CONTRIBUTING.md"], re.DOTALL)
    assert drawn
    rooms = [line.split()[0].rstrip("/").removesuffix(".py") for line in drawn[1].splitlines()]
    assert rooms == sorted(rooms, key=height.__getitem__, reverse=True)


def test_tests_stand_in_the_rooms_that_they_test() -> None:
    rooms = {path.name for path in (ROOT / "regbench").iterdir() if path.is_dir()}
    for folder in {path.parent for path in (ROOT / "tests").rglob("test_*.py")}:
        assert folder == ROOT / "tests" or folder.relative_to(ROOT / "tests").parts[0] in rooms


@pytest.mark.parametrize("key", techniques())
def test_every_technique_has_a_test_file_of_its_own(key: str) -> None:
    assert (ROOT / f"tests/regularizers/test_{key}.py").is_file()


def test_no_file_has_over_500_lines_and_a_function_over_60_says_why() -> None:
    for path in (
        p for room in ("regbench", "tests", "benchmarks") for p in (ROOT / room).rglob("*.py")
    ):
        source = path.read_text(encoding="utf-8")
        assert source.count("\n") <= 500, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                short = node.end_lineno - node.lineno < 60
                assert short or "Long, since" in ast.get_source_segment(source, node), node.name
