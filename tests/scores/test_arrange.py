"""Which rows are of one cell, which are a pair, which are the baseline's; and what can't be."""

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import regbench as rb
from regbench.errors import DataError, RegbenchError, UsageError
from regbench.library import Comparisons
from regbench.scores.arrange import Asked, arranged
from regbench.scores.frame import Frame

LONG = "method,seed,acc\n" + "".join(
    f"{m},{s},{0.8 + 0.01 * s + up + 0.001 * ((s * (i + 2)) % 3)}\n"
    for i, (m, up) in enumerate((("plain", 0), ("dropout", 0.05), ("mixup", -0.05)))
    for s in range(5)
)
PAPER = "method,mean,std,n\nplain,98.4,0.05,5\ndropout,98.75,0.04,5\n"


def csv(place: Path, text: str) -> Path:
    path = place / "mine.csv"
    path.write_text(text, "utf-8")
    return path


def verdicts(found: Comparisons) -> dict[str, str]:
    cells = found.cells()
    return dict(zip(cells["cell"], cells["verdict"], strict=True))


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_row_a_run_a_column_a_method_and_a_frame_give_the_same_numbers(place: Path) -> None:
    long = rb.compare(csv(place, LONG), by="method", baseline="plain")
    frame = pd.read_csv("mine.csv")
    wide = frame.pivot(index="seed", columns="method", values="acc")
    indexed = frame.set_index(["method", "seed"])
    reshaped = rb.compare(wide, baseline="plain").cells()
    assert verdicts(long) == {"plain": "baseline", "dropout": "helps", "mixup": "hurts"}
    for other in (rb.compare(frame, by="method", baseline="plain").cells(), reshaped):
        pd.testing.assert_frame_equal(
            long.cells().drop(columns="techniques"), other.drop(columns="techniques")
        )
    pd.testing.assert_frame_equal(
        rb.compare(indexed, by="method", baseline="plain").cells(), long.cells()
    )
    wide.reset_index().to_csv("wide.csv", index=False)
    assert verdicts(rb.compare("wide.csv", baseline="plain")) == verdicts(long)
    frame.to_parquet("mine.parquet")
    assert verdicts(rb.compare("mine.parquet", by="method", baseline="plain")) == verdicts(long)


def test_the_numbers_of_rows_that_pandas_writes_are_no_method(place: Path) -> None:
    frame = pd.read_csv(csv(place, LONG))
    wide = frame.pivot(index="seed", columns="method", values="acc").reset_index(drop=True)
    wide.to_csv("wide.csv")
    assert set(verdicts(rb.compare("wide.csv", baseline="plain"))) == {"plain", "dropout", "mixup"}
    pd.read_csv("wide.csv").to_csv("again.csv", index=False)
    assert set(verdicts(rb.compare("again.csv", baseline="plain"))) == {"plain", "dropout", "mixup"}


def test_two_columns_of_one_name_are_refused(place: Path) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="two columns of the frame are called 'a'"):
        rb.compare(frame, baseline="a")


def test_the_order_of_rows_and_columns_does_not_matter(place: Path) -> None:
    frame = pd.read_csv(csv(place, LONG))
    one = rb.compare(frame, by="method", baseline="plain").cells()
    shuffled = frame.sample(frac=1, random_state=3)[["acc", "method", "seed"]]
    other = rb.compare(shuffled, by="method", baseline="plain").cells()
    pd.testing.assert_frame_equal(one, other)


def test_seeds_pair_unless_it_is_said_that_nothing_does(place: Path) -> None:
    path = csv(place, LONG)
    paired = rb.compare(path, by="method", baseline="plain").comparison()
    apart = rb.compare(path, by="method", baseline="plain", pair="none").comparison()
    assert (paired.paired_by, apart.paired_by) == ("seed", "")
    assert paired.cell("dropout").effect.p < apart.cell("dropout").effect.p
    fold = csv(place, LONG.replace("seed", "fold"))
    assert (
        rb.compare(fold, by="method", metric="acc", baseline="plain").comparison().paired_by == ""
    )
    named = rb.compare(fold, by="method", pair="fold", baseline="plain").comparison()
    assert named.paired_by == "fold"


def test_seeds_that_no_two_methods_share_pair_nothing(place: Path) -> None:
    rows = LONG.splitlines()
    moved = [r.replace("dropout,", "dropout,1").replace("mixup,", "mixup,2") for r in rows]
    found = rb.compare(csv(place, "\n".join(moved)), by="method", baseline="plain")
    assert found.comparison().paired_by == ""
    assert "Nothing pairs these runs" in found.to_markdown()


def test_means_with_deviations_and_counts_are_a_table_of_published_results(place: Path) -> None:
    found = rb.compare(csv(place, PAPER), baseline="plain")
    assert verdicts(found) == {"dropout": "helps", "plain": "baseline"}
    assert found.cells()["score"].tolist() == [98.75, 98.4]


def test_of_one_run_no_deviation_is_asked(place: Path) -> None:
    found = rb.compare(csv(place, PAPER.replace("0.04,5", ",1")), baseline="plain")
    assert verdicts(found) == {"dropout": "too_few", "plain": "baseline"}


def test_methods_are_called_as_they_stand_there_but_equal_numbers_are_one(place: Path) -> None:
    rows = [f"{name},{s},{s}" for s, name in enumerate(["1234567", "0.5", "5e-1"])]
    found = rb.compare(csv(place, "\n".join(["p,seed,acc", *rows])), by="p", baseline="0.5")
    assert set(verdicts(found)) == {"1234567", "0.5"}


def test_what_is_called_as_one_of_our_techniques_is_that_one(place: Path) -> None:
    text = LONG.replace("dropout", "Weight Decay")
    found = rb.compare(csv(place, text), by="method", baseline="plain").comparison()
    assert found.cell("Weight Decay").techniques.keys() == {"weight_decay"}


def test_on_stands_for_its_factor_where_it_is_on_or_off_alone(place: Path) -> None:
    rows = [f"{norm},{s},{s}" for norm in ("off", "on", "twice") for s in range(2)]
    three = rb.compare(csv(place, "\n".join(["norm,seed,acc", *rows])), factors=["norm"])
    assert [*three.comparison().by_seed] == ["norm=off", "norm=on", "norm=twice"]
    two = rb.compare(csv(place, "\n".join(["norm,seed,acc", *rows[:4]])), factors=["norm"])
    assert [*two.comparison().by_seed] == ["norm=off", "norm"]


def test_a_run_that_its_source_knows_to_be_lost_has_no_score_but_the_reason() -> None:
    rows = pd.DataFrame(
        {
            "method": ["plain"] * 5 + ["a"] * 5,
            "seed": [*range(5)] * 2,
            "acc": [0.1 * s for s in range(10)],
        }
    )
    found = Frame(
        rows, "there", "there", lambda row: f"there, run {row}", {7: "the run is crashed"}
    )
    (table,), _ = arranged(found, Asked(by="method", baseline="plain"))
    assert table.cells[1].lost == {2: "the run is crashed"}
    assert table.cells[1].runs.keys() == {0, 1, 3, 4}


def test_levels_of_factors_combine_to_cells_and_off_is_the_baseline(place: Path) -> None:
    rows = [
        f"{p},{norm},{s},{s % 3 + (p > 0) + 0.5 * (norm == 'on') + 0.01 * ((s * 7 + p) % 5)}"
        for p, norm, s in product((0.0, 0.5), ("off", "on"), range(6))
    ]
    path = csv(place, "\n".join(["p,norm,seed,acc", *rows]))
    found = rb.compare(path, factors=["p", "norm"])
    assert found.comparison().baseline.label == "p=0, norm=off"
    assert [*found.comparison().by_seed] == ["p=0, norm=off", "p=0.5", "norm", "p=0.5 + norm"]
    assert found.effects()["technique"].tolist() == ["p", "norm"]
    turned = rb.compare(path, factors=["p", "norm"], baseline="p=0.5")
    assert turned.comparison().baseline.label == "p=0.5, norm=off"
    assert found.versus("p=0.5", "norm").difference.n == 6


def test_each_dataset_is_a_table_and_all_are_corrected_together(place: Path) -> None:
    text = "task," + "\n".join(
        line if i == 0 else f"{task},{line}"
        for task in ("x", "y")
        for i, line in enumerate(LONG.splitlines())
        if i or task == "x"
    )
    found = rb.compare(csv(place, text), by="method", dataset="task", baseline="plain")
    assert found.conditions == ["x", "y"]
    assert found.comparison("x").family == 4
    assert found.across()["helps"].tolist() == [2, 0]
    assert found.cells()["condition"].unique().tolist() == ["x", "y"]


def test_a_run_without_a_score_counts_against_its_method_and_an_empty_wide_cell_is_no_run(
    place: Path,
) -> None:
    text = LONG.replace("dropout,3,0.88", "dropout,3,nan#").replace("dropout,4,", "dropout,4,#")
    lines = [line.split("#")[0] for line in text.splitlines()]
    found = rb.compare(csv(place, "\n".join(lines)), by="method", baseline="plain").comparison()
    assert found.cell("dropout").diverged == 2
    assert {f.reason for f in found.failures} == {"its score is nan"}
    wide = "seed,plain,dropout\n" + "".join(f"{s},0.8{s},0.9{s}\n" for s in range(5))
    holes = wide.replace("4,0.84,0.94", "4,0.84,").replace("3,0.83,0.93", "3,0.83,inf")
    found = rb.compare(csv(place, holes), baseline="plain").comparison()
    assert [(f.status, f.seeds) for f in found.failures] == [("unusable", (3,)), ("missing", (4,))]


@pytest.mark.parametrize(
    ("text", "asked", "kind", "said"),
    [
        (LONG, {"by": "methd"}, UsageError, "mine.csv has no column 'methd' (`by`): did you mean"),
        (LONG, {"by": "method"}, UsageError, "which method of mine.csv is the baseline? Say"),
        (LONG, {"by": "method", "baseline": "pln"}, UsageError, "no method 'pln': did you"),
        ("seed,acc,lr\n0,1,2\n1,2,3\n", {"metric": "acc", "baseline": "acc"}, UsageError,
         "each row of mine.csv is a run, by metric='acc': say which column names its method"),
        (LONG, {}, UsageError, "mine.csv:2: method is 'plain', which is no score: if a row is a"),
        (LONG, {"by": "method", "factors": ["seed"]}, UsageError, "`by` and `factors` both say"),
        (LONG, {"by": "method", "metric": "loss"}, UsageError, "no column 'loss' (`metric`)"),
        (LONG.replace("0,0.8", "0,good"), {"by": "method", "metric": "acc", "baseline": "plain"},
         DataError, "mine.csv:2: acc can't be 'good"),
        (LONG + "plain,3,0.9\n", {"by": "method", "baseline": "plain"}, DataError,
         "mine.csv:17: plain has seed 3 twice (first at mine.csv:5): keep one"),
        (LONG.replace("dropout,1", ",1"), {"by": "method", "baseline": "plain"}, DataError,
         "mine.csv:8: method is empty"),
        ("method,seed,acc\nplain,0,1\nplain,1,2\n", {"by": "method", "baseline": "plain"},
         DataError, "mine.csv has one method, plain: there is nothing to compare"),
        ("method,seed,acc\n", {"by": "method"}, DataError, "mine.csv has no row of scores"),
        ("method,seed,acc,loss\na,0,1,2\n", {"by": "method"}, UsageError, "Say metric='NAME'; th"),
        (PAPER.replace(",n\n", "\n").replace(",5\n", "\n"), {"baseline": "plain"}, DataError,
         "but not of how many runs: add a column n"),
        (PAPER.replace("0.04,5", "0.04,4.5"), {"baseline": "plain"}, DataError, "mine.csv:3: n mu"),
        (PAPER.replace("0.04,5", "-1,5"), {"baseline": "plain"}, DataError, "mine.csv:3: std must"),
        (PAPER + "dropout,1,1,5\n", {"baseline": "plain"}, DataError, "dropout stands there tw"),
        ("p,seed,acc\n0.1,0,1\n0.5,0,2\n", {"factors": ["p"]}, UsageError,
         "which level of p is the baseline's? Say baseline='p=0.1'"),
        ("p,seed,acc\n0,0,1\n0.5,0,2\n", {"factors": ["p"], "baseline": "q=1"}, UsageError,
         "of factors it takes their levels, such as p=0"),
        ("p,q,seed,acc\n0,1,0,1\n1,0,0,2\n", {"factors": ["p", "q"]}, DataError,
         "has no run of the baseline, p=0, q=0"),
        (LONG, {"by": "method", "baseline": "plain", "confidence": 95}, UsageError, "lies betwe"),
        (LONG, {"by": "method", "baseline": "plain", "margin": -1}, UsageError, "it is 0 or more"),
        (LONG, {"by": "method", "baseline": "plain", "runs": "{a}"}, UsageError, "`runs` names th"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence_with_its_place(
    place: Path, text: str, asked: dict[str, Any], kind: type[RegbenchError], said: str
) -> None:
    csv(place, text)
    with pytest.raises(kind) as error:
        rb.compare("mine.csv", **asked)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
