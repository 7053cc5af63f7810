"""How long training takes: a stack's time is one number, and a target is reached or not."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from regbench.analysis import pace


def test_runs_of_a_stack_are_one_time() -> None:
    """Five runs a stack, all charged alike: one ratio, however many the runs."""
    ours, base = np.full(5, 1.16), np.full(5, 1.0)
    e = pace.time((ours, base), (["a"] * 5, ["b"] * 5), 0.95)
    assert (e.n, e.mean) == (1, pytest.approx(1.16))
    assert math.isnan(e.low)


def test_pairs_of_runs_that_share_a_stack_on_either_side_are_one_time() -> None:
    seconds = np.array([1.0, 1.2, 1.4, 1.1, 1.3, 1.5])
    e = pace.time((seconds, np.ones(6)), (list("aabbcc"), list("xxxyzz")), 0.95)
    # a-x, b-x, b-y hang together; c-z stands alone.
    logs = np.log(seconds)
    assert e.n == 2
    assert e.mean == pytest.approx(math.exp((logs[:4].mean() + logs[4:].mean()) / 2))


@pytest.mark.parametrize(("stacks", "interval"), [(4, False), (5, True)])
def test_fewer_than_five_pairs_of_stacks_have_a_number_and_no_interval(
    stacks: int, interval: bool
) -> None:
    seconds = np.linspace(1.0, 1.2, stacks)
    names = [str(i) for i in range(stacks)]
    e = pace.time((seconds, np.ones(stacks)), (names, names), 0.95)
    assert e.n == stacks
    assert e.mean == pytest.approx(scipy.stats.gmean(seconds))
    assert math.isfinite(e.low) == interval
    if interval:
        logs = np.log(seconds)
        low, high = scipy.stats.t.interval(0.95, 4, logs.mean(), scipy.stats.sem(logs))
        assert (e.low, e.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_runs_without_a_stack_stand_alone_and_unknown_times_are_left_out() -> None:
    e = pace.time((np.array([2.0, math.nan, 2.2]), np.ones(3)), ([""] * 3, [""] * 3), 0.95)
    assert e.n == 2
    assert pace.time((np.full(2, math.nan), np.ones(2)), ([""] * 2, [""] * 2), 0.95).n == 0


def curve(run: str, accuracies: list[float]) -> pd.DataFrame:
    epochs = range(1, len(accuracies) + 1)
    return pd.DataFrame({"run": run, "epoch": epochs, "validation_accuracy": accuracies})


def test_a_target_is_reached_at_the_first_epoch_that_does() -> None:
    epochs = pd.concat(
        [
            curve("a", [0.5, 0.8, 0.79, 0.9]),
            curve("b", [0.1, math.nan, 0.85]),
            curve("c", [0.1, 0.2]),
        ]
    )
    assert pace.epochs_to(epochs, ["b", "a", "c", "d"], 0.8).tolist()[:3] == [3, 2, math.inf]
    assert math.isnan(pace.epochs_to(epochs, ["d"], 0.8)[0])
    assert pace.target(epochs, ["a", "b"]) == pytest.approx(0.95 * 0.9)


def test_a_run_that_never_gets_there_makes_the_ratio_a_lower_bound() -> None:
    ours, theirs = np.array([4.0, math.inf, 6.0]), np.array([2.0, 2.0, 3.0])
    e, never = pace.steps(ours, theirs, 9, 0.95)
    assert (e.n, never) == (3, 1)
    assert e.mean == pytest.approx(scipy.stats.gmean([2, 10 / 2, 2]))
    unknown, _ = pace.steps(theirs, ours, 9, 0.95)
    assert unknown.n == 0
