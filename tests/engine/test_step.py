"""What a GPU would do differently, as far as a CPU can tell: CUDA's graphs and streams are played
by stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from regbench import data
from regbench.engine.pixels import Dataset
from regbench.engine.step import Step
from regbench.engine.train import train
from regbench.nn.masks import Masks
from tests.engine.test_train import METRICS, runs


class Graph:
    """Replays the step that was taken while it captured; like CUDA's, capturing draws from no
    generator.
    """

    def __init__(self) -> None:
        self.replay: Callable[[], None] = lambda: None
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """Let steps be captured; the graphs that were made."""
    made: list[Graph] = []
    taken: list[tuple[Any, ...]] = []
    advance = Step.advance

    def noted(*arguments: Any) -> None:
        taken.append(arguments)
        advance(*arguments)

    @contextmanager
    def capturing(graph: Graph) -> Iterator[None]:
        before = [generator.get_state() for generator in graph.generators]
        yield
        for generator, state in zip(graph.generators, before, strict=True):
            generator.set_state(state)
        made.append(graph)
        graph.replay = partial(advance, *taken[-1])

    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, stand_in in {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": Graph,
        "graph": capturing,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(Step, "advance", noted)
    monkeypatch.setattr(Step, "captures", True)
    return made


@pytest.mark.parametrize(
    "cell", ["{l1: 0.001}", "{dropout: 0.5}", "{dropout: 0.5, batch_norm: {}}", "{max_norm: 1}"]
)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_captured_steps_are_the_steps_and_capturing_leaves_no_trace(
    tmp_path: Path,
    images: data.Images,
    monkeypatch: pytest.MonkeyPatch,
    request: Any,
    cell: str,
    optimizer: str,
) -> None:
    monkeypatch.setattr(Masks, "on_host", False)  # masks by torch's generators, as on a device
    schedule = {"schedule": "{name: cosine, warmup_epochs: 0.5}", "batch_size": 32}
    many = runs(tmp_path, [cell], optimizer=optimizer, **schedule)
    expected = train(many, Dataset(images, dtype=torch.float64)).runs
    graphs = request.getfixturevalue("gpu")
    found = train(many, Dataset(images, dtype=torch.float64)).runs
    assert len(graphs) == 2, "one for whole batches, one for the last"
    for ours, theirs in zip(found, expected, strict=True):
        assert {key: ours[key] for key in METRICS} == {key: theirs[key] for key in METRICS}
