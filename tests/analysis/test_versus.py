"""What pairs runs, and two cells beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from regbench.analysis.audit import hashes
from regbench.analysis.compare import Beside, compare
from regbench.analysis.comparison import Comparison
from regbench.analysis.measured import correct
from regbench.analysis.versus import versus
from regbench.errors import RecordsError, UsageError
from regbench.planning.plan import Plan
from regbench.results.schema import pack
from tests.command import regbench
from tests.sample import records, sweep

QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"
IMAGES = 400


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame]:
    """A sweep whose accuracies are those of its bits."""
    plan, config = sweep(tmp_path_factory.mktemp("configs"))
    runs = records(plan)
    rng = np.random.default_rng(0)
    bits = {
        run: rng.random(IMAGES) < share
        for run, share in zip(runs.run, runs.test_accuracy, strict=True)
    }
    runs["test_accuracy"] = [bits[run].mean() for run in runs.run]
    details = pd.DataFrame({"run": list(bits), "correct": [pack(b) for b in bits.values()]})
    return compare(runs, plan, config.analysis, Beside(details, images=IMAGES)), details, plan, runs


def test_runs_of_a_seed_have_one_hash_each(
    found: tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame],
) -> None:
    _, _, plan, runs = found
    assert [(h.seed, h.runs, *map(len, h.values())) for h in hashes(runs, plan)] == [
        (s, 24, 1, 1, 1) for s in range(5)
    ]
    broken = runs.copy()
    broken.loc[(runs.seed == 3) & (runs.cell == "baseline"), "order_hash"] = "f" * 16
    assert [len(h.order) for h in hashes(broken, plan)] == [1, 1, 1, 2, 1]
    broken.loc[(runs.seed == 3) & (runs.cell == "baseline"), "status"] = "failed"
    assert [(h.runs, len(h.order)) for h in hashes(broken, plan)][3] == (23, 1)


def test_two_cells_are_compared_seed_by_seed(
    found: tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame],
) -> None:
    comparison, details, plan, runs = found
    result = versus(comparison, correct(details, plan, IMAGES), "dropout", "l2 + batch_norm")
    table = runs.pivot(index="seed", columns="cell", values="test_accuracy")
    a, b = table["dropout(p=0.5)"], table["l2(strength=0.01) + batch_norm"]
    assert result.difference.mean == pytest.approx((a - b).mean())
    assert result.p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue)
    assert [t.seed for t in result.by_seed] == [0, 1, 2, 3, 4]
    for test, difference in zip(result.by_seed, a - b, strict=True):
        assert (test.only_one - test.only_other) / IMAGES == pytest.approx(difference)
        expected = scipy.stats.binomtest(test.only_one, test.only_one + test.only_other).pvalue
        assert test.p == pytest.approx(expected)
    back = versus(comparison, correct(details, plan, IMAGES), "l2 + batch_norm", "dropout(p=0.5)")
    assert back.difference.mean == pytest.approx(-result.difference.mean)
    assert [t.p for t in back.by_seed] == [t.p for t in result.by_seed]


def test_a_cell_that_is_not_there_is_said_with_what_is_meant(
    found: tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame],
) -> None:
    comparison, details, plan, _ = found
    with pytest.raises(UsageError, match=r"no cell 'dropuot'.*did you mean 'dropout'"):
        versus(comparison, correct(details, plan, IMAGES), "dropuot", "baseline")
    with pytest.raises(UsageError, match="same cell"):
        versus(comparison, correct(details, plan, IMAGES), "dropout", "dropout(p=0.5)")


def test_damaged_bits_are_refused(
    found: tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame],
) -> None:
    comparison, details, plan, _ = found
    for bits in ("AAAA", "no base64!", "é"):
        with pytest.raises(RecordsError, match=r"details\.csv: the bits of run .* can't be read"):
            versus(
                comparison,
                correct(details.assign(correct=bits), plan, IMAGES),
                "dropout",
                "baseline",
            )


def test_the_error_from_the_test_set_is_that_of_as_many_images(
    found: tuple[Comparison, pd.DataFrame, Plan, pd.DataFrame],
) -> None:
    assert found[0].trained
    noise = found[0].trained.noise
    assert noise is not None
    # Independent bits: a difference of two shares has about this standard error over the images of
    # one seed.
    assert noise.images == pytest.approx(np.sqrt(2 * 0.87 * 0.13 / IMAGES / 5), rel=0.3)


def test_the_commands_print_what_was_found() -> None:
    audited = regbench("audit", QUICKSTART)
    assert (audited.returncode, audited.stderr) == (0, "")
    assert audited.stdout.count("✓") == 18
    compared = regbench("versus", QUICKSTART, "dropout", "l2", "--lang", "en")
    assert (compared.returncode, compared.stderr) == (0, "")
    assert "McNemar" in compared.stdout
    assert "dropout(p=0.5) less l2(strength=0.01)" in compared.stdout
    wrong = regbench("versus", QUICKSTART, "dropuot")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)


def test_an_audit_finds_runs_that_are_not_paired(tmp_path: Path) -> None:
    for file in QUICKSTART.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    header, first, *rest = (tmp_path / "runs.csv").read_text().splitlines(keepends=True)
    cells = first.split(",")
    place = header.split(",").index("init_hash") - len(header.split(","))
    cells[place] = "0" * 16
    (tmp_path / "runs.csv").write_text(header + ",".join(cells) + "".join(rest))
    audited = regbench("audit", tmp_path)
    assert audited.returncode == 3
    assert "not paired: seed 0\n" in audited.stderr
