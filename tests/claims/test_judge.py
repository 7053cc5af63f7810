"""Verdicts on claims: part by part, all intervals together, and controls where rules must fail."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from regbench.claims import claims, formula, judge
from regbench.claims.claims import Ruling
from regbench.errors import ConfigError
from regbench.locale import words
from regbench.report import claims as shown
from tests.claims.test_claims import CELLS, CLAIM, ROOT, held, written

COMMITTED = ROOT / "regbench/claims/verdicts.json"
S: Ruling = "supported"
R: Ruling = "refuted"
U: Ruling = "undecided"


@pytest.mark.parametrize(
    ("parts", "needs", "outcome"),
    [
        ([S, S], "all", "supported"),
        ([S, U], "all", "qualified"),
        ([S, R], "all", "qualified"),
        ([U, R], "all", "refuted"),
        ([U, U], "all", "undecided"),
        ([S, R, U], "one", "supported"),
        ([R, U], "one", "undecided"),
        ([R, R], "one", "refuted"),
        ([S, "too_few"], "all", "too_few"),
    ],
)
def test_a_statement_is_as_true_as_its_parts(
    parts: list[Ruling], needs: Literal["all", "one"], outcome: Ruling
) -> None:
    assert judge.overall(parts, needs) == outcome


def test_each_part_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    text = CLAIM.replace(
        "  control:",
        "    most: {says: {en: So does L2., ko: L2도.}, supported: most > 1, refuted: most < 0}\n"
        "  control:",
    )
    claim = claims.load(written(tmp_path, text))
    found = judge.judge(claim, held(claim, CELLS | {"dropout(p=0.5)": 0.85}))
    assert found.parts == {"helps": "supported", "most": "undecided"}
    assert found.outcome == "qualified"
    said = shown.explained(claim, found, words("en"))
    assert "verdict: ◐ holds in part (1 of 2)" in said
    assert "- ✓ supported: It helps." in said
    assert "- ? can't tell yet: So does L2." in said


def test_a_rule_that_asks_for_all_can_err_in_one_way_and_one_with_alternatives_in_several() -> None:
    for rule, ways in (("a > 0", 1), ("a > 0 and b > 0", 1), ("a > 0 or b > 0", 2)):
        assert formula.ways(formula.parsed(rule)) == ways
    assert formula.ways(formula.parsed("(a > 0 or b > 0) and c > 0")) == 2


def many(tmp_path: Path, count: int) -> claims.Claim:
    """A claim of as many parts, each about a statistic of its own."""
    numbers = range(count)
    statistics = "".join(
        f"    s{i}: {{value: test_accuracy(plain), says: {{en: x, ko: x}}}}\n" for i in numbers
    )
    parts = "".join(
        f"    p{i}: {{says: {{en: x, ko: x}}, supported: s{i} > 0, refuted: s{i} < 0}}\n"
        for i in numbers
    )
    a, b, c = (CLAIM.index(f"  {key}:") for key in ("statistics", "parts", "control"))
    text = (
        CLAIM[:a].replace("{gain}", "")
        + "  statistics:\n"
        + statistics
        + "  parts:\n"
        + parts
        + CLAIM[c:]
    )
    assert b
    return claims.load(written(tmp_path, text.replace("gain: 0", "s0: 0")))


def test_all_verdicts_are_right_together_whatever_is_true(tmp_path: Path) -> None:
    """Of 36 parts `true` ones have an effect that every draw shows, the others none. At most a
    twentieth of the draws has any false verdict; and the more is decided, the finer the rest is
    judged.
    """
    claim, random, draws = many(tmp_path, 36), np.random.default_rng(0), 200
    for true in (0, 30):
        false, levels = 0, set()
        for _ in range(draws):
            d = random.normal(size=(36, 10))
            d[:true] += 10
            values = {f"s{i}": row for i, row in enumerate(d)}
            rulings: dict[str, Ruling] = {}
            while True:
                level = judge.level([claim], {claim.name: rulings})
                seen = judge.judged(claim, values, level).parts
                if seen == rulings:
                    break
                rulings = dict(seen)
            levels.add(round(claims.LEVEL / level))
            false += any(rulings[f"p{i}"] != "undecided" for i in range(true, 36))
        assert false / draws < 0.05 + 2 * math.sqrt(0.05 * 0.95 / draws)
        assert max(levels) == 36 - true


def test_what_the_project_decided_leaves_its_level_to_the_rest(tmp_path: Path) -> None:
    claim = many(tmp_path, 4)
    assert judge.level([claim], {}) == claims.LEVEL / 4
    assert judge.level([claim], {claim.name: {"p0": "supported", "p1": "undecided"}}) == (
        claims.LEVEL / 3
    )
    assert judge.level([claim], {"another": {"p0": "supported"}}) == claims.LEVEL / 4


RUNS = dict.fromkeys(CELLS, 0.8)


def controlled(tmp_path: Path, control: str, statistic: str = "", rule: str = "") -> claims.Claim:
    text = CLAIM.replace("trade: [plain, dropout]", control)
    if statistic:
        text = text.replace(
            "100 * (test_accuracy(dropout) - test_accuracy(plain))", statistic
        ).replace("supported: gain > 1, refuted: gain < 0", rule)
    return claims.load(written(tmp_path, text))


def test_a_rule_that_can_not_fail_passes_its_control(tmp_path: Path) -> None:
    """Few of many equal strengths lie near the best one of a seed: that says nothing of them."""
    near = "share(test_accuracy(strengths) > row(most(test_accuracy(strengths))) - 0.00001)"
    rule = "supported: gain < 0.9, refuted: gain > 0.95"
    flawed = controlled(tmp_path, "trade: [strengths]", near, rule)
    records = held(flawed, RUNS)
    assert judge.passes(flawed, records, 0.05) > 0.5
    sound = controlled(tmp_path, "trade: [plain, dropout]")
    assert judge.passes(sound, held(sound, RUNS | {"dropout(p=0.5)": 0.9}), 0.05) <= 0.05


@pytest.mark.parametrize(
    ("control", "passes"),
    [
        ("null: {gain: 0}", 0.0),
        ("null: {gain: 5}", 1.0),
        ("replace: {dropout: plain}", 0.0),
        ("replace: {plain: strengths_low}", 1.0),
    ],
)
def test_a_control_puts_something_untrue_in_the_place_of_what_was_measured(
    tmp_path: Path, control: str, passes: float
) -> None:
    text = CLAIM.replace("trade: [plain, dropout]", control).replace(
        "arms: {plain", "arms: {strengths_low: l2(strength=0.001), plain"
    )
    claim = claims.load(written(tmp_path, text))
    records = held(claim, CELLS | {"dropout(p=0.5)": 0.85})
    assert judge.judge(claim, records).outcome == "supported"
    assert judge.passes(claim, records, 0.05) == passes


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("trade: [plain, dropout]", "trade: [plain, drop]", "control: there is no arm drop"),
        ("trade: [plain, dropout]", "null: {gian: 0}", "there is no statistic gian"),
        ("trade: [plain, dropout]", "null: {}", "a control has one of trade, replace and null"),
        ("trade: [plain, dropout]", "trade: [plain], null: {gain: 0}", "a control has one of"),
        ("ko: 자리를 바꿈.", "fr: oui", "claim.control.says has no words in ko"),
    ],
)
def test_a_control_that_is_none_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in CLAIM
    with pytest.raises(ConfigError) as raised:
        claims.load(written(tmp_path, CLAIM.replace(old, new)))
    assert problem in str(raised.value)


def test_what_was_changed_after_a_result_is_told_with_the_claim(tmp_path: Path) -> None:
    history = (
        "  amendments:\n"
        '    - {date: "2026-01-02", changed: {en: More seeds., ko: 시드 추가.}, '
        "why: {en: Ten were too few., ko: 모자람.}}\n"
    )
    claim = claims.load(written(tmp_path, CLAIM.replace("experiments:", history + "experiments:")))
    said = shown.explained(claim, None, words("en"))
    assert "**Changed after a result was seen**" in said
    assert "2026-01-02: More seeds. Ten were too few." in said
    assert "바꾼 것" in shown.explained(claim, None, words("ko"))


def test_no_committed_rule_passes_where_its_statement_is_untrue() -> None:
    known = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert known
    assert {name: v["passes"] for name, v in known.items() if not v["passes"] <= 0.05} == {}


@pytest.mark.parametrize("name", ["penalties-need-tuning", "l2-is-weight-decay"])
def test_the_committed_control_is_what_the_records_say(name: str) -> None:
    all_of = claims.found(ROOT / "configs/claims")
    claim = next(claim for claim in all_of if claim.name == name)
    records = judge.held(claim, ROOT / "results/reference/claims" / name)
    known = json.loads(COMMITTED.read_text(encoding="utf-8"))
    level = judge.level(all_of, {name: verdict["parts"] for name, verdict in known.items()})
    assert judge.passes(claim, records, level) == known[name]["passes"]


def test_a_setting_that_is_off_by_some_cells_is_told_on_both_sides() -> None:
    y = np.array([[1.0, 2, 3, 4], [2.0, 3, 4, 5]])
    by = np.array([[0.0, 9, 0, 0], [0.0, 9, 0, 0]])
    assert formula.off(y, by, np.array(1)).tolist() == [2, 3]
    assert formula.off(y, by, np.array(2)).tolist() == [4, 5], "there is no cell two before"
    assert np.isnan(formula.off(y, by, np.array(9))).all()
    with pytest.raises(ValueError, match="takes two rows"):
        formula.off(y, by[:, :2], np.array(1))


def test_the_rule_that_penalties_need_tuning_had_passed_where_no_strength_was_better() -> None:
    """Few strengths near the best one of a seed: what its history says of it."""
    all_of = claims.found(ROOT / "configs/claims")
    claim = next(claim for claim in all_of if claim.name == "penalties-need-tuning")
    about = claim.about.model_dump()
    about["statistics"], about["parts"] = {}, {}
    for arm in ("l1", "l2"):
        near = f"test_accuracy({arm}) > row(most(test_accuracy({arm}))) - 0.002"
        says = {"en": arm, "ko": arm}
        about["statistics"][arm] = {"value": f"100 * share({near})", "says": says}
        rule = {"supported": f"{arm} < 50 and cost > 1", "refuted": f"{arm} > 80"}
        about["parts"][arm] = rule | {"says": says}
    about["statistics"]["cost"] = {
        "value": "100 * (span(test_accuracy(l2)) + span(test_accuracy(l1))) / 2",
        "says": {"en": "cost", "ko": "cost"},
    }
    old = claims.Claim(claim.name, claims.About.model_validate(about), claim.experiments)
    records = judge.held(old, ROOT / "results/reference/claims" / old.name)
    assert judge.passes(old, records, claims.LEVEL / 61) == pytest.approx(0.79, abs=0.005)


def test_a_mean_of_several_rows_is_unknown_where_one_of_them_is(tmp_path: Path) -> None:
    text = CLAIM.replace(
        "  statistics:",
        "  measures: {right: {probe: noise, row: accuracy, take: mean}}\n  statistics:",
    ).replace("    seeds: 10", "    seeds: 10\n    probes: {noise: {levels: [0.1]}}")
    claim = claims.load(written(tmp_path, text))
    records = held(claim, CELLS)
    runs = records.by_cell["mlp/baseline"]["run"].tolist()
    rows = [
        {"run": run, "probe": "noise", "name": "accuracy", "at": at, "value": value}
        for run, values in zip(runs, [(0.4, 0.6), (0.4, math.nan)], strict=False)
        for at, value in zip((0.0, 0.1), values, strict=True)
    ]
    found = judge.Held(claim, records.runs, pd.DataFrame(rows)).of_cell("right", "mlp/baseline")
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()
