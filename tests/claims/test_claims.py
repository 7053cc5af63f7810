"""Claims: read with every mistake in its place, judged by their own rule, run and shown by the
command line.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from regbench import data
from regbench.analysis.stats import Estimate
from regbench.claims import claims, judge
from regbench.cli import app
from regbench.errors import ConfigError, DataError, RecordsError, UsageError
from regbench.locale import languages, words
from regbench.planning.plan import plan
from regbench.report import claims as shown
from regbench.report import tables
from regbench.results.schema import PROBES
from tests.command import here, regbench
from tests.sample import records

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "configs/claims").glob("*.yaml"))

CITED = """\
  cited:
    supported: {{en: "up by {{gain}}", ko: "{{gain}} 오름"}}
    qualified: {{en: in part, ko: 일부}}
    refuted: {{en: not up, ko: 오르지 않음}}
    undecided: {{en: can't tell, ko: 알 수 없음}}
{}"""
CLAIM = """\
claim:
  statement: {en: Dropout helps., ko: 드롭아웃은 도움이 됨.}
  where: {en: "2.2", ko: "2.2"}
  points: [dropout.overfitting]
  cited:
    supported: {en: "up by {gain}", ko: "{gain} 오름"}
    qualified: {en: in part, ko: 일부}
    refuted: {en: not up, ko: 오르지 않음}
    undecided: {en: can't tell, ko: 알 수 없음}
  literature:
    - {source: "Srivastava et al. 2014, Table 4", says: {en: It does., ko: 그러함.}, read: notes}
  design: {en: Two networks., ko: 신경망 두 개.}
  arms: {plain: baseline, dropout: dropout(p=0.5), strengths: "l2(*)"}
  statistics:
    gain: {value: 100 * (test_accuracy(dropout) - test_accuracy(plain)), says: {en: points, ko: 점}}
    most:
      value: 100 * (most(test_accuracy(strengths)) - test_accuracy(plain))
      says: {en: points, ko: 점}
  parts:
    helps: {says: {en: It helps., ko: 도움이 됨.}, supported: gain > 1, refuted: gain < 0}
  control: {says: {en: Runs trade places., ko: 자리를 바꿈.}, trade: [plain, dropout]}
experiments:
  mlp:
    dataset: {name: mnist5k, train_size: 200}
    model: {name: mlp, widths: [8]}
    train: {epochs: 1}
    seeds: 10
    techniques: {dropout: 0.5, l2: [0.001, 0.01]}
"""


def written(folder: Path, text: str = CLAIM) -> Path:
    (folder / "claims").mkdir(exist_ok=True)
    path = folder / "claims/dropout-helps.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def held(claim: claims.Claim, accuracy: dict[str, float], lost: int = 0) -> judge.Held:
    """Records in which each cell has this accuracy and a little spread."""
    runs = records(plan(claim.experiments["mlp"]))
    luck = pd.Series(np.random.default_rng(0).uniform(0, 2e-4, len(runs)))
    luck -= luck.groupby(runs.cell).transform("mean")
    runs["test_accuracy"] = runs.cell.map(accuracy) + luck
    runs.loc[(runs.cell == "baseline") & (runs.seed < lost), "status"] = "diverged"
    return judge.Held(claim, runs.assign(experiment="mlp"))


CELLS = dict.fromkeys(
    ("baseline", "l2(strength=0.001)", "l2(strength=0.01)", "dropout(p=0.5)"), 0.8
)


@pytest.mark.parametrize(
    ("gain", "outcome"), [(0.02, "supported"), (-0.01, "refuted"), (0.005, "undecided")]
)
def test_the_rule_decides_by_whole_intervals(tmp_path: Path, gain: float, outcome: str) -> None:
    claim = claims.load(written(tmp_path))
    found = held(claim, CELLS | {"dropout(p=0.5)": 0.8 + gain, "l2(strength=0.01)": 0.81})
    judged = judge.judge(claim, found)
    assert judged.outcome == outcome
    assert judged.statistics["gain"].mean == pytest.approx(100 * gain)
    assert judged.statistics["most"].mean == pytest.approx(1), "an arm of several cells is a row"
    assert judged.seeds == 10


def test_fewer_than_ten_seeds_give_no_verdict(tmp_path: Path) -> None:
    claim = claims.load(written(tmp_path))
    judged = judge.judge(claim, held(claim, CELLS | {"dropout(p=0.5)": 0.9}, lost=1))
    assert (judged.outcome, judged.seeds) == ("too_few", 9)


def test_equal_values_have_no_interval_and_decide_nothing(tmp_path: Path) -> None:
    text = CLAIM.replace("test_accuracy(dropout) - test_accuracy(plain)", "exact_zeros(dropout)")
    claim = claims.load(written(tmp_path, text))
    found = held(claim, CELLS)
    found.runs["exact_zeros"] = 0.5
    judged = judge.judge(claim, found)
    assert judged.outcome == "undecided", "50 is far above 1, but nothing says how far it varies"
    assert shown.figure(judged.statistics["gain"]) == "50.00"


def test_an_interval_goes_no_further_than_what_is_measured(tmp_path: Path) -> None:
    text = CLAIM.replace(
        "100 * (test_accuracy(dropout) - test_accuracy(plain))",
        "rank_correlation(test_accuracy(strengths))",
    )
    claim = claims.load(written(tmp_path, text))
    found = held(claim, CELLS)
    rising = found.runs.seed != 3
    strong = found.runs.cell == "l2(strength=0.01)"
    found.runs.loc[strong & rising, "test_accuracy"] += 0.1
    found.runs.loc[strong & ~rising, "test_accuracy"] -= 0.1
    e = judge.judge(claim, found).statistics["gain"]
    assert (e.mean, e.high) == (pytest.approx(0.8), 1)


def test_a_strength_that_diverged_supports_nothing(tmp_path: Path) -> None:
    """Share of strengths behind the plain network: one that diverged was counted as not behind."""
    text = CLAIM.replace(
        "100 * (test_accuracy(dropout) - test_accuracy(plain))",
        "share(test_accuracy(strengths) < row(test_accuracy(plain)))",
    )
    claim = claims.load(written(tmp_path, text))
    found = held(claim, CELLS)
    found.runs.loc[found.runs.cell == "l2(strength=0.01)", "status"] = "diverged"
    judged = judge.judge(claim, found)
    assert (judged.seeds, judged.outcome) == (0, "too_few")


MEASURES = """\
  measures:
    noisy: {probe: noise, row: accuracy, at: 0.3}
    worst: {probe: noise, row: accuracy, take: most}
    steps: {probe: steps_to, row: steps, missing: 99}
    vague: {probe: noise, row: '*'}
"""


def test_what_a_probe_measured_can_be_asked_for_by_name(tmp_path: Path) -> None:
    text = CLAIM.replace("  statistics:\n", MEASURES + "  statistics:\n").replace(
        "experiments:\n  mlp:\n",
        "experiments:\n  mlp:\n    probes: {noise: , steps_to: {accuracies: [0.9]}}\n",
    )
    claim = claims.load(written(tmp_path, text))
    runs = records(plan(claim.experiments["mlp"])).assign(experiment="mlp")
    rows = []
    for run, seed in zip(runs.run, runs.seed, strict=True):
        rows += [
            (run, "noise", "accuracy", 0.1, 0.8),
            (run, "noise", "accuracy", 0.3, 0.5 + seed / 100),
        ]
        rows += [(run, "steps_to", "steps", 0.9, 10.0 if seed else float("nan"))]
    probes = pd.DataFrame(rows, columns=["run", "probe", "name", "at", "value"])
    found = judge.Held(claim, runs, probes)
    assert found.measure("noisy", "plain").tolist() == pytest.approx(
        [0.5 + seed / 100 for seed in range(10)]
    )
    assert found.measure("worst", "dropout").tolist() == [0.8] * 10
    assert found.measure("steps", "plain").tolist() == [99.0] + [10.0] * 9
    assert found.measure("noisy", "strengths").shape == (10, 2)
    nothing = judge.Held(claim, runs, probes[probes["probe"] == "none"])
    assert np.isnan(nothing.measure("noisy", "plain")).all(), "what was not measured is no number"
    with pytest.raises(UsageError, match="vague finds several rows a run"):
        found.measure("vague", "plain")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "  statistics:",
            "  measures: {m: {probe: noise, row: accuracy}}\n  statistics:",
            "no experiment has the probe 'noise'",
        ),
        ("gain > 1", "gian > 1", "parts.helps.supported: there is no statistic gian"),
        ("gain > 1", "gain > most", "is no comparison of a statistic with a number"),
        ("gain > 1", "import os", "can't be read as arithmetic"),
        (
            "test_accuracy(dropout)",
            "test_acuracy(dropout)",
            "there is neither a function nor a measure test_acuracy",
        ),
        ("test_accuracy(dropout)", "test_accuracy(drop)", "there is no arm drop"),
        ("ko: 드롭아웃은 도움이 됨.", "fr: oui", "claim.statement has no words in ko"),
        (
            CITED.format(""),
            "",
            "claims/dropout-helps.yaml:4:11: points without `cited`",
        ),
        (
            "    refuted: {en: not up, ko: 오르지 않음}\n",
            "",
            "it can come out refuted, and no sentence says so",
        ),
        (", ko: 오르지 않음}", "}", "claim.cited.refuted has no words in ko"),
        ("up by {gain}", "up by {gian}", "cited: supported.en: there is no statistic gian"),
        ("up by {gain}", "up by {}", "cited: supported.en: there is no statistic"),
        (
            CITED.format(""),
            CITED.format("    cases: [{parts: {help: supported}, says: {en: a, ko: a}}]\n"),
            "cited: there is no part help",
        ),
        ("where:", "were:", "unknown key 'were'"),
        ("read: notes", "read: rumours", "can't be the text 'rumours'"),
        ("dropout: 0.5, l2", "dropot: 0.5, l2", "there is no technique 'dropot'"),
        ("name: mlp, widths: [8]", "name: module, path: a.py:B", "about regbench's own models"),
        (
            "experiments:",
            "experiment:",
            "a claim has the sections `claim` and `experiments`, and no other",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in CLAIM
    with pytest.raises(ConfigError) as raised:
        claims.load(written(tmp_path, CLAIM.replace(old, new)))
    assert problem in str(raised.value)
    assert all(
        str(found).startswith(f"{tmp_path}/claims/dropout-helps.yaml")
        for found in raised.value.problems
    )


@pytest.mark.parametrize(
    ("outcome", "says"),
    [("supported", "up by 4.2"), ("refuted", "not up"), ("undecided", "can't tell")],
)
def test_the_summary_table_says_how_a_claim_came_out(
    tmp_path: Path, outcome: claims.Ruling, says: str
) -> None:
    claim = claims.load(written(tmp_path))
    gain = Estimate(10, -4.21 if outcome == "refuted" else 4.21, 1.0, -9.0, 9.0)
    came = claims.Judgement(outcome, {"helps": outcome}, {"gain": gain, "most": gain}, 10, {})
    assert shown.cited(claim, came)["en"] == says
    assert shown.verdicts([(claim, came)])["dropout-helps"]["text"]["en"] == says


SHOWN = [path for path in COMMITTED if "\n  cited:" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
def test_whatever_comes_of_a_claim_the_table_has_a_sentence_of_its_own_for_it(path: Path) -> None:
    claim = claims.load(path)
    assert claim.about.cited
    kinds: tuple[claims.Ruling, ...] = ("supported", "refuted", "undecided")
    size = dict.fromkeys(claim.about.statistics, Estimate(10, -4.21, 1.0, -9.0, 9.0))
    said: dict[str, set[str]] = {}
    for rulings in itertools.product(kinds, repeat=min(len(claim.about.parts), 6)):
        parts = dict(
            zip(claim.about.parts, itertools.islice(itertools.cycle(rulings), 12), strict=False)
        )
        outcome = judge.overall(list(parts.values()), claim.about.needs)
        told = shown.cited(claim, claims.Judgement(outcome, parts, size, 10, {}))
        assert set(told) == set(languages())
        for text in told.values():
            assert "{" not in text
            said.setdefault(text, set()).add(outcome)
    assert all(len(outcomes) == 1 for outcomes in said.values()), said


def test_the_case_that_fits_the_parts_goes_before_the_outcome() -> None:
    claim = claims.load(ROOT / "configs/claims/bn-speeds-up-training.yaml")
    size = dict.fromkeys(claim.about.statistics, Estimate(10, 10.8, 1.0, 9.0, 12.0))

    def told(sigmoid: claims.Ruling, rectified: claims.Ruling) -> str:
        parts = {"sigmoid": sigmoid, "rectified": rectified}
        outcome = judge.overall(list(parts.values()), claim.about.needs)
        return shown.cited(claim, claims.Judgement(outcome, parts, size, 10, {}))["en"]

    assert told("supported", "refuted").endswith("but more with rectified ones")
    assert told("supported", "undecided").endswith("with rectified ones can't tell yet")
    assert told("refuted", "supported") == "far fewer steps with one kind of units only"


def test_parts_that_can_differ_ask_for_a_sentence_that_says_so(tmp_path: Path) -> None:
    more = "    more: {says: {en: a, ko: a}, supported: most > 1, refuted: most < 0}\n"
    two = CLAIM.replace("    helps: {says", f"{more}    helps: {{says")
    claims.load(written(tmp_path, two))
    with pytest.raises(ConfigError, match="it can come out qualified, and no sentence says so"):
        claims.load(written(tmp_path, two.replace("    qualified: {en: in part, ko: 일부}\n", "")))


def test_an_arm_that_names_no_cell_and_runs_that_are_missing_are_said(tmp_path: Path) -> None:
    claim = claims.load(written(tmp_path, CLAIM.replace("dropout(p=0.5)", "dropout(p=0.4)")))
    with pytest.raises(UsageError, match="no cell is called"):
        judge.judge(claim, held(claim, CELLS))
    assert (
        regbench("sweep", ROOT / "configs/quickstart.yaml", "--dry-run", cwd=tmp_path).returncode
        == 0
    )
    with pytest.raises(RecordsError, match=r"holds no runs\.csv"):
        judge.held(claim, tmp_path)


def test_the_command_runs_lists_and_explains(tmp_path: Path) -> None:
    written(tmp_path)
    where = ["--claims", "claims"]
    quick = here("claims", "run", *where, "--quick", cwd=tmp_path)
    done = here("claims", "run", "dropout-helps", *where, cwd=tmp_path)
    assert (quick.returncode, done.returncode) == (0, 0), quick.stderr + done.stderr
    assert "dropout-helps: – no verdict" in quick.stdout
    assert "runs to train" in done.stderr  # a smoke test is no result
    runs = tmp_path / "results/claims/dropout-helps/mlp/runs.csv"
    before = runs.read_bytes()
    (
        runs.parent / "epochs.csv"
    ).unlink()  # a claim whose runs are finished needs no more than what decides it
    again = here("claims", "run", "dropout-helps", *where, cwd=tmp_path)
    assert (again.stdout, runs.read_bytes()) == (done.stdout, before)
    listed = here("claims", *where, "--lang", "ko", cwd=tmp_path)
    assert "드롭아웃은 도움이 됨." in listed.stdout
    told = here("claims", "show", "dropout-helps", *where, cwd=tmp_path)
    assert "supported gain > 1" in told.stdout
    wrong = here("claims", "run", "nothing", *where, cwd=tmp_path)
    assert wrong.returncode == 2
    assert "there is no claim 'nothing'; there are dropout-helps" in wrong.stderr


def test_a_claim_is_shown_as_text_and_as_markdown_where_that_is_asked_for() -> None:
    show = ("claims", "show", "bn-init-matters-less", "--lang", "ko")
    text, markdown = regbench(*show).stdout, regbench(*show, "--format", "markdown").stdout
    assert "0.001~1의 가우시안" in text
    assert not re.search(r"\\|\*\*|^#| $", text, re.M)
    assert r"0.001\~1의 가우시안" in markdown
    assert markdown.startswith("## bn-init-matters-less\n")


def test_a_name_that_is_nearly_a_claims_is_answered_with_it(tmp_path: Path) -> None:
    (tmp_path / "dropout-helps.yaml").touch()
    with pytest.raises(UsageError, match="lists them; did you mean 'dropout-helps'"):
        claims.found(tmp_path, ["dropout_help"])


def probed(claim: claims.Claim, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of probes.csv as the claim's measures ask for them."""
    rows = [
        {
            "run": run,
            "cell": cell,
            "seed": seed,
            "probe": m.probe,
            "name": m.row.replace("*", "x"),
            "at": m.at or 0,
            "value": 1.0,
        }
        for run, cell, seed in zip(runs["run"], runs["cell"], runs["seed"], strict=True)
        for m in claim.about.measures.values()
    ]
    found = pd.DataFrame(rows, columns=list(PROBES)).drop_duplicates(["run", "probe", "name", "at"])
    return found.assign(value=np.random.default_rng(0).uniform(0.5, 1, len(found)))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_claim_is_complete(path: Path) -> None:
    claim = claims.load(path)
    assert claim.experiments
    for settings in claim.experiments.values():
        assert len(settings.seeds) >= claims.FEWEST_SEEDS
    plans = {
        name: plan(settings) for name, settings in claim.experiments.items() if not settings.tune
    }
    if len(plans) == len(claim.experiments):
        runs = pd.concat(
            [records(planned).assign(experiment=name) for name, planned in plans.items()]
        )
        runs["weight_norm"] *= np.random.default_rng(0).uniform(0.5, 1, len(runs))
        judged = judge.judge(claim, judge.Held(claim, runs, probed(claim, runs)))
        assert judged.seeds >= claims.FEWEST_SEEDS, "every statistic has a value a seed"
        for lang in languages():
            assert claim.about.statement[lang] in shown.explained(claim, judged, words(lang))
    for point in claim.about.points:
        row, _, key = point.partition(".")
        card = tables.card(row, words("en"))
        assert key in {**card.strengths, **card.weaknesses}, point


ALL_KINDS = ("dropout-like-an-ensemble", "l2-is-weight-decay", "ln-works-in-sequences")
"""A claim with a probe that trains, one that varies its optimizer, one that is tuned."""


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_every_committed_claim_has_its_records_or_runs_as_a_smoke_test(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = ROOT / "results/reference/claims" / path.stem
    if path.stem not in ALL_KINDS and judge.result(claims.load(path), records, 0.05, control=False):
        return  # it has run, by the config as it is
    needed = {settings.dataset.name for settings in claims.load(path).experiments.values()}
    for name in needed:
        try:
            data.load(name)
        except DataError as error:
            pytest.skip(f"needs {name}, which is not here: {error}")
    monkeypatch.chdir(tmp_path)
    arguments = ["claims", "run", path.stem, "--quick", "--claims", str(path.parent)]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"{path.stem}: – no verdict" in done.output
    assert not list(tmp_path.iterdir()), "nothing is kept"
