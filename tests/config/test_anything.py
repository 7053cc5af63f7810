"""Whatever a config holds, it is read or refused with places; nothing else is raised."""

import copy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from regbench.config.config import Config
from regbench.config.reader import PROBLEMS
from regbench.config.yaml12 import dump
from regbench.planning import tuning
from tests.config.configs import FULL, GRID, STARTER, loaded, verdict


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.integers(0, len(STARTER)),
    st.integers(0, 12),
    st.text("ab01 :-[]{}'\"&*!\n#\t~é", max_size=6)
    | st.sampled_from(["null", "true", "[]", "{}", "-1", ".nan", "1e999"]),
)
def test_a_damaged_file_is_read_or_refused_with_places(
    folder: Path, at: int, cut: int, put: str
) -> None:
    found = verdict(folder, STARTER[:at] + put + STARTER[at + cut :])
    assert isinstance(found, Config) or (
        found and all(problem.startswith("a.yaml:") for problem in found)
    )


ANYTHING = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 2, 0.5, 1e300, float("nan"), "", "dropout", "adam", "mnist", "last"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "dropout", "l1", "p", "lr", "path", "x", "optimizer"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = [
    "name", "dataset", "dataset.name", "dataset.path", "dataset.train_size", "model", "model.name",
    "model.widths", "train", "train.optimizer", "train.optimizer.name", "train.schedule",
    "train.epochs", "seeds", "techniques", "techniques.dropout", "techniques.dropout.p",
    "techniques.x", "combine", "exclude", "analysis", "analysis.margin", "probes", "probes.noise",
    "probes.noise.levels", "probes.x",
]  # fmt: skip


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(KEYS), ANYTHING), min_size=1, max_size=4))
def test_any_value_anywhere_is_read_or_refused(
    folder: Path, overrides: list[tuple[str, Any]]
) -> None:
    found = verdict(
        folder,
        GRID,
        *(f"{key}={dump(value).removesuffix('...' + chr(10))}" for key, value in overrides),
    )
    assert found
    assert isinstance(found, list) or loaded(folder, dump(found.resolved())) == found


EXTREMES = [
    None, True, 0, -1, 2**62, -(2**62), 1e308, 5e-324, -0.0, float("nan"), float("inf"), "", ".",
    "../x", "~nobody/x", "\u202e", "x" * 3000, [], {}, [[]], [{}], [None], {"": 1}, {"a.b": 1},
    list(range(2000)), {str(i): i for i in range(200)}, {"low": 5e-324, "high": 1e308},
    {"low": -1e308, "high": 1e308}, {"name": "adam", "lr": 1e308},
]  # fmt: skip


def inner(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in plain data."""
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [at, *(place for key, value in items for place in inner(value, (*at, key)))]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_config_with_extreme_values_in_it_is_planned_or_refused(
    folder: Path, data: st.DataObject
) -> None:
    changed = copy.deepcopy(FULL)
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from(inner(changed)[1:]))
        node = changed
        for key in path:
            node = node[key]
        value = data.draw(
            st.sampled_from(EXTREMES) | st.sampled_from(inner(FULL)).map(part_of_full)
        )
        if isinstance(node, dict) and data.draw(st.booleans()):
            last = data.draw(
                st.sampled_from(["x", "name", "lr", "train.optimizer.lr", "train.x.y", "model"])
            )
        node[last] = copy.deepcopy(value)
    found = verdict(folder, dump(changed))
    if isinstance(found, Config):
        assert tuning.outlined(found).cells
    else:
        assert 1 <= len(found) <= PROBLEMS + 1
        assert all(problem.isprintable() and len(problem) < 2000 for problem in found)


def part_of_full(at: tuple[Any, ...]) -> Any:
    node = FULL
    for key in at:
        node = node[key]
    return node
