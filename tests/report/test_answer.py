"""The first sentences: a case each, and where they must say no."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.analysis.metrics import another
from regbench.analysis.opened import Opened
from regbench.analysis.rule import Rule
from regbench.analysis.scores import Scored, Table, comparisons
from regbench.locale import words
from regbench.planning.plan import Skip
from regbench.planning.tuning import Choice
from regbench.report.answer import answer, brief, everyone
from regbench.report.chart import chart
from tests.sample import records, sweep

REFERENCE = Path(__file__).parents[2] / "results/reference"
NOISE = np.random.default_rng(15).normal(0, 1, (8, 6))


def cells(by: Mapping[str, float], spread: float = 0.1, n: int = 6) -> list[Scored]:
    """Cells by what they add to the baseline, which scores 10; NaN: no run has a score."""
    found = []
    for i, (label, up) in enumerate({"baseline": 0.0, **by}.items()):
        levels = {} if label == "baseline" else dict.fromkeys(label.split(" + "), "on")
        scores = 10 + up + spread * NOISE[i, :n]
        if math.isnan(up):
            found.append(Scored(label, levels, {}, dict.fromkeys(range(n), "lost")))
        else:
            found.append(Scored(label, levels, dict(enumerate(scores.tolist()))))
    return found


def told(
    *tables: Sequence[Scored], margin: float = 0.0, lower: bool = False, lang: str = "en"
) -> list[str]:
    """The answer to the question of tables, each of a dataset of its own."""
    return answer(compared(*tables, margin=margin, lower=lower), words(lang))


def compared(
    *tables: Sequence[Scored], margin: float = 0.0, lower: bool = False
) -> list[Comparison]:
    rule = Rule(another("acc", [10.0], margin, lower_is_better=lower), margin, 0.05, (1,), False)
    named = [
        Table(table, "mine", "seed", chr(97 + i) if len(tables) > 1 else "")
        for i, table in enumerate(tables)
    ]
    return comparisons(named, rule)


def test_one_that_helps_is_told_from_where_to_where_and_by_how_much() -> None:
    first, *others = told(cells({"a": 2.0, "b": -0.09}))
    assert first == "a raised acc from 10.0 to 12.0, by 2.04 ± 0.17."
    assert others == ["b: can't tell; 6 seeds are far too few for so small a difference."]


def test_of_an_error_less_is_better() -> None:
    assert told(cells({"a": -2.0}), lower=True)[0].startswith("a lowered acc from 10.0 to 8.0, by ")
    assert told(cells({"a": 2.0}), lower=True)[1].startswith("a made it worse, by 2.04 ± 0.17.")


def test_others_that_help_are_told_together_by_their_range() -> None:
    told_of = told(cells({"a": 3.0, "b": 1.0, "c": 2.0}))
    assert told_of[1] == "c and b helped too, by 1.09 to 1.99."


def test_where_all_hurt_nothing_is_said_to_help() -> None:
    first, second = told(cells({"a": -1.0, "b": -2.0}))
    assert first == "Nothing is shown to help."
    assert second == "a and b made it worse, by 0.96 to 1.91."


def test_where_nothing_is_decided_it_says_so_and_what_that_would_take() -> None:
    first, second = told(cells({"a": 0.05, "b": 0.0}, spread=0.3))
    assert first == "Nothing is shown to help or to hurt yet."
    assert "can't tell" in second
    undecided = told(cells({"a": 0.35}, spread=0.3))[-1]
    assert undecided.startswith("a: can't tell yet; ")
    assert undecided.endswith(" or more further seeds may decide.")


def test_what_makes_no_difference_is_told_with_the_margin() -> None:
    first, second = told(cells({"a": 0.001}, spread=0.01), margin=0.5)
    assert first == "Nothing is shown to help."
    assert second == "a changed nothing that matters: less than 0.5 of acc."


def test_too_few_runs_are_no_verdict() -> None:
    assert told(cells({"a": 5.0}, n=3)) == [
        "Too few finished runs to tell: 3 a cell at most, and a verdict takes 5."
    ]


def test_without_a_finished_run_of_the_baseline_nothing_is_compared() -> None:
    table = [replace(c, runs={}, lost={0: "lost"}) if not c.levels else c for c in cells({"a": 1})]
    expected = ["The baseline has no finished run, so there is nothing to compare with."]
    assert told(table) == expected
    assert brief(*compared(table), words("en")) is None


def test_runs_that_were_lost_are_told() -> None:
    sentences = told(cells({"a": math.nan, "b": 2.0}))
    assert sentences[0].startswith("b raised acc")
    assert sentences[-1] == "6 of 6 runs of a diverged, and count as the worst."
    assert "a raised" not in " ".join(sentences)


def test_where_all_were_lost_that_is_all_there_is_to_say() -> None:
    lost = "12 of 12 runs of a and b diverged, and count as the worst."
    assert told(cells({"a": math.nan, "b": math.nan})) == [lost]


def lossy(n: int) -> list[Scored]:
    """A cell that adds 3 in all of n runs but the last, which is lost."""
    plain, better = {}, {}
    for seed in range(n):
        plain[seed] = 10 + 0.1 * (seed % 5)
        better[seed] = plain[seed] + 3 + 0.01 * (seed % 7)
    del better[n - 1]
    return [Scored("baseline", {}, plain), Scored("a", {"a": "on"}, better, {n - 1: "lost"})]


def test_a_run_that_was_lost_speaks_against_the_others_of_its_cell() -> None:
    lost = "1 of 6 runs of a diverged, and counts as the worst."
    assert told(lossy(6)) == ["Nothing is shown to help or to hurt yet.", lost]
    many, last = told(lossy(20))
    assert many == "a took acc from 10.2 to 13.2 where its runs came to an end."
    assert last == "1 of 20 runs of a diverged, and counts as the worst."


def test_of_combinations_alone_there_is_an_answer_too() -> None:
    undecided = told(cells({"a + b": 0.0}, spread=0.3))
    assert undecided == ["Nothing is shown to help or to hurt yet."]
    assert told(cells({"a + b": 3.0}))[0].startswith("a + b raised acc from 10.0 to 13.0")


def test_cells_whose_runs_all_failed_are_named(tmp_path: Path) -> None:
    plan, config = sweep(tmp_path, "seeds: 6\n" + SMALL)
    runs = records(plan)

    def where(failed: pd.Series) -> list[str]:
        status = runs["status"].mask(failed, "failed")
        score = runs["test_accuracy"].mask(failed)
        table = runs.assign(status=status, test_accuracy=score)
        return answer([compare(table, plan, config.analysis)], words("en"))

    all_failed = where(runs["cell"] != "baseline")
    assert all_failed == ["No run of L2 and dropout finished."]
    dropout, l2 = where(runs["cell"].str.startswith("l2"))
    assert dropout.startswith("Dropout raised test accuracy")
    assert l2 == "No run of L2 finished."
    assert not any("No run" in sentence for sentence in where(runs["seed"] == 0))


def test_that_settings_were_chosen_by_validation_is_told_where_they_were() -> None:
    (plain,) = compared(cells({"a": 2.0}))
    choice = Choice("a", None, (), None, Skip("a", "no run of any trial finished"))
    sentence = "Each technique ran with the settings that did best on validation images."
    assert answer([replace(plain, ledger=(choice,))], words("en"))[-1] == sentence
    assert sentence not in answer([plain], words("en"))


def test_that_nothing_pairs_the_runs_is_told_where_nothing_does() -> None:
    (plain,) = compared(cells({"a": 2.0}))
    sentence = (
        "Nothing pairs these runs, so each difference carries the whole spread of both sides."
    )
    assert answer([replace(plain, paired_by="")], words("en"))[-1] == sentence
    assert sentence not in answer([plain], words("en"))


def test_combinations_are_told_only_where_they_are() -> None:
    tied = told(cells({"a": 2.0, "a + b": 2.05}, spread=0.2))
    assert any("can't be told from it" in sentence for sentence in tied)
    best = told(cells({"a": 1.0, "a + b": 3.0}))
    assert "Of all combinations a + b is the best, at 13.1." in best
    alone = told(cells({"a": 1.0, "b": 3.0}))
    assert not any("combination" in sentence or "best" in sentence for sentence in alone)


def test_two_that_surely_change_each_other_are_told_and_two_that_add_up_are_not() -> None:
    clash = told(cells({"a": 2.0, "b": 0.0, "a + b": -2.0}))
    assert any(s.startswith("a + b together fall behind a alone by 4.") for s in clash)
    more = told(cells({"a": 0.5, "b": 0.5, "a + b": 4.0}))
    assert any("together beat" in sentence for sentence in more)
    add = told(cells({"a": 1.0, "b": 1.0, "a + b": 2.0}))
    assert not any("together" in sentence for sentence in add)


def test_over_several_datasets_it_says_in_how_many() -> None:
    up, down = {"a": 2.0, "b": 1.0}, {"a": 2.0, "b": -1.0}
    sentences = told(cells(up), cells(up), cells(down))
    assert sentences == [
        "a helped in 3 of 3.",
        "b helped in 2 of 3.",
        "b hurt in 1 of 3.",
        "b helped in a and b, but hurt in c.",
    ]
    nothing = told(cells({"a": 0.0}), cells({"a": 0.0}))
    assert nothing == ["Nothing is shown to help or to hurt yet."]
    few = told(cells({"a": 5.0}, n=3), cells({"a": 5.0}, n=4))
    assert few == ["Too few finished runs to tell: 4 a cell at most, and a verdict takes 5."]


SMALL = "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1, dropout: 0.5}\n"


def test_where_every_run_is_right_nothing_is_left_to_improve(tmp_path: Path) -> None:
    plan, config = sweep(tmp_path, "seeds: 5\n" + SMALL)
    runs = records(plan).assign(test_accuracy=1.0)
    solved = compare(runs, plan, config.analysis)
    assert answer([solved], words("en")) == ["Every run scored 100.0%: nothing is left to improve."]
    assert brief(solved, words("en")) is None
    runs.loc[3, "test_accuracy"] = 0.999
    assert not compare(runs, plan, config.analysis).solved
    failed = records(plan).assign(test_accuracy=1.0)
    failed.loc[3, "status"] = "failed"
    assert not compare(failed, plan, config.analysis).solved


def test_techniques_have_their_names_in_each_language(tmp_path: Path) -> None:
    plan, config = sweep(tmp_path, "seeds: 6\ncombine: factorial\n" + SMALL)
    runs = records(plan)
    runs["test_accuracy"] = 0.8 + 0.001 * (runs["seed"] * 7 % 5)
    runs.loc[runs["cell"].str.contains("dropout"), "test_accuracy"] += 0.05 + 1e-4 * (
        runs["seed"] % 4
    )
    found = compare(runs, plan, config.analysis)
    english, korean = (answer([found], words(lang))[0] for lang in ("en", "ko"))
    assert english.startswith("Dropout raised test accuracy from 80.2% to 85.2%")
    assert korean.startswith("드롭아웃은 테스트 정확도를 80.2%에서 85.2%로 높였습니다")
    table, all_cells = brief(found, words("en")), everyone(found, words("en"))
    assert table
    assert all_cells
    assert [row[0][0].text for row in table.rows] == ["Dropout", "L2"]
    assert "L2 + dropout" in [row[0][0].text for row in all_cells.rows]


def test_bars_stand_on_one_axis_with_its_zero() -> None:
    found = compared(cells({"a": 2.0, "b": -1.0}))[0]
    differences = [found.cell(label).effect.primary for label in "ab"]  # type: ignore[union-attr]
    drawn = chart(differences, 1, 31)
    assert [len(line) for line in (drawn.axis, *drawn.bars)] == [31] * 3
    a, b = drawn.bars
    zero = a.index("│")
    assert (b[zero], drawn.axis[zero]) == ("│", "0")
    assert (drawn.axis[:4], drawn.axis[-4:]) == ("−1.0", "+2.2")
    assert a.index("●") > zero > b.index("●")
    scale = (a.index("●") - zero) / (zero - b.index("●"))
    assert scale == pytest.approx(-differences[0].mean / differences[1].mean, rel=0.1)
    assert chart([None, differences[0]], 1, 20).bars[0] == ""


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_sign_beside_the_bars_is_explained_where_it_stands_and_nowhere_else(lang: str) -> None:
    rough = Opened(REFERENCE / "quickstart").comparisons
    quiet = compared(cells({"a": 2.0}))
    legends = []
    for (found,) in (rough, quiet):
        table = brief(found, words(lang))
        assert table is not None
        shown = " ".join(line.text for row in table.rows for cell in row for line in cell)
        for sign in ("±", "*", "†", "ECE", "NLL"):
            assert (sign in table.legend) == (sign in shown), (sign, table.legend)
        legends.append(table.legend)
    assert all("95%" in legend for legend in legends)
    assert len(legends[0]) > len(legends[1])


def test_where_the_metric_itself_needs_a_word_it_has_one_and_no_interval_none(
    tmp_path: Path,
) -> None:
    single = brief(*compared(cells({"a": 1.0}, n=1)), words("en"))
    assert single is not None
    assert single.legend == ""
    plan, config = sweep(tmp_path, "seeds: 6\nanalysis: {metric: nll}\n" + SMALL)
    table = brief(compare(records(plan), plan, config.analysis), words("en"))
    assert table is not None
    assert "NLL: the loss, which grows with confidence in a wrong answer." in table.legend


def test_a_sign_that_stands_for_a_verdict_is_explained() -> None:
    table = everyone(*compared(cells({"a": 2.0, "b": -2.0, "a + b": 0.0})), words("en"))
    assert table is not None
    assert table.legend == "▲ helps, ? can't tell yet, ▼ hurts."


def test_no_sentence_lacks_its_words_in_korean() -> None:
    tables = [{"a": 2.0, "b": 0.02}, {"a": -1.0, "b": -2.0}, {"a": math.nan, "b": 2.0}]
    tables += [{"a": 2.0, "b": 0.0, "a + b": -2.0}, {"a": 1.0, "a + b": 3.0}]
    for by in tables:
        english, korean = told(cells(by)), told(cells(by), lang="ko")
        assert len(english) == len(korean)
        assert not any("(" in s and s[s.index("(") + 1] in "은이을와으" for s in korean)
