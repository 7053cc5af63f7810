"""A directory with two finished runs, for the tests that damage it."""

from __future__ import annotations

import pytest

from tests.results.records import commit, opened


@pytest.fixture
def directory(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a", test_accuracy=0.5, epochs=3, techniques={})
        commit(results, "b", test_accuracy=0.25, epochs=3, techniques={})
    return tmp_path
