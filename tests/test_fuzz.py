"""The fuzzer's targets, a moment each: what they begin with, and that with bytes changed, cut and
doubled.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from regbench.errors import RegbenchError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "folder", lambda: tmp_path)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_what_a_target_begins_with_is_read_to_the_end(name: str) -> None:
    target, seeds = fuzz.TARGETS[name]
    refused = []
    for seed in seeds():
        try:
            target(seed)
        except RegbenchError as error:
            refused.append(error)
    assert len(refused) < len(seeds()), refused


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_what_a_parser_of_ours_is_given_is_read_or_refused_in_a_sentence(
    name: str, data: st.DataObject
) -> None:
    seed = data.draw(st.sampled_from(fuzz.TARGETS[name][1]()))
    at, cut = data.draw(st.tuples(st.integers(0, len(seed)), st.integers(0, 40)))
    fuzz.survives(name, seed[:at] + data.draw(st.binary(max_size=20)) + seed[at + cut :])


def test_anything_else_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzz.TARGETS, "broken", (lambda content: {}[content], lambda: [b""]))
    with pytest.raises(KeyError):
        fuzz.survives("broken", b"x")


def test_coverage_leads_the_fuzzer_into_a_parser() -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: `make fuzz` installs it")
    command = [sys.executable, "-m", "benchmarks.fuzz", "formula", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 parsers, 0 with findings")
