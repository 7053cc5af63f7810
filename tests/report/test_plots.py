"""What the pictures show, and that the same records give the same bytes."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench import records, stats
from regbench.cli import compared
from regbench.compare import Comparison, compare
from regbench.evaluate import histograms
from regbench.locale import words
from regbench.report import plots
from tests.sample import ROUGH, lose, sweep
from tests.sample import records as sampled

QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"
DRAWN = ("forest", "interactions", "pareto")


@pytest.fixture(scope="module")
def quickstart() -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    found = records.read(QUICKSTART)
    return compared(QUICKSTART), found.epochs, found.details


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    plan, config = sweep(tmp_path_factory.mktemp("configs"), ROUGH)
    return compare(lose(sampled(plan)), plan, config.analysis)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12))
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    costs, errors = zip(*points, strict=True)
    front = plots.front(costs, errors)
    assert [costs[i] for i in front] == sorted(costs[i] for i in front)
    for i, (cost, error) in enumerate(points):
        beaten = any(c <= cost and e <= error and (c, e) != (cost, error) for c, e in points)
        assert (points[i] in {points[j] for j in front}) == (not beaten)


def test_curves_are_means_over_seeds_with_t_intervals(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
) -> None:
    _, epochs, _ = quickstart
    x, mean, low, high = plots.curve(epochs, "dropout(p=0.5)", "validation_accuracy", 0.95)
    assert x.tolist() == [4, 8, 12, 16, 20]
    last = epochs[(epochs.cell == "dropout(p=0.5)") & (epochs.epoch == 20)].validation_accuracy
    expected = stats.estimate(last)
    assert (mean[-1], low[-1], high[-1]) == pytest.approx((expected.mean, expected.low, expected.high))
    assert not len(plots.curve(epochs, "no such cell", "train_loss", 0.95)[0])


def test_the_bins_of_the_picture_are_those_of_the_records() -> None:
    import torch

    from regbench.nn.stack import Parameter

    sizes = np.sqrt(plots.BINS[:-1] * plots.BINS[1:])
    (counts,) = histograms([Parameter("w", torch.tensor(sizes[None], dtype=torch.float64), "weight")])
    assert counts == [1] * len(sizes)


def test_shares_of_weights_are_averaged_over_runs() -> None:
    details = pd.DataFrame({"cell": ["a", "a", "b"], "weights": ["[1, 3]", "[1, 1]", ""]})
    assert plots.weight_shares(details, "a").tolist() == [(0.25 + 0.5) / 2, (0.75 + 0.5) / 2]
    assert not len(plots.weight_shares(details, "b"))


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_pictures_are_well_formed_take_the_pages_colour_and_are_the_same_every_time(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame], lang: str
) -> None:
    comparison, epochs, details = quickstart
    drawn = {name: getattr(plots, name)(comparison, words(lang)) for name in DRAWN}
    drawn["curves"] = plots.curves(comparison, epochs, words(lang))
    drawn["weights"] = plots.weights(comparison, details, words(lang))
    drawn["filters"] = plots.filters(comparison, details, words(lang))
    for name, svg in drawn.items():
        assert svg, name
        ElementTree.fromstring(svg)
        assert plots.INK not in svg
        assert "currentColor" in svg
        assert not re.search(r"https?://(?!www\.w3\.org/)", svg), name
        assert words(lang)(f"page.{name}") in svg
    assert plots.forest(comparison, words(lang)) == drawn["forest"]


def test_strengths_are_drawn_where_a_technique_has_several(
    rough: Comparison, quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame]
) -> None:
    assert plots.strengths(rough, words("en"))
    assert plots.strengths(quickstart[0], words("en")) is None


def test_what_can_not_be_drawn_is_left_out(tmp_path: Path) -> None:
    text = "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1, dropout: 0.5}\nseeds: SEEDS\n"
    for seeds, failed in itertools.product((1, 2), (False, True)):
        plan, config = sweep(tmp_path, text.replace("SEEDS", str(seeds)))
        runs = sampled(plan)
        if failed:
            runs["status"], runs["test_accuracy"] = "failed", math.nan
        comparison = compare(runs, plan, config.analysis)
        for name in DRAWN:
            svg = getattr(plots, name)(comparison, words("en"))
            assert (svg is None) == (failed or name == "interactions"), (name, seeds, failed)
