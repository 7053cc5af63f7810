"""What the pictures show, and that the same records give the same bytes."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from regbench.analysis import stats
from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.analysis.opened import Opened
from regbench.claims import claims, judge
from regbench.engine.evaluate import histograms
from regbench.locale import words
from regbench.report import claim_plots, drawing, fonts, plots, probe_plots, said
from regbench.report.overview import overview, told
from regbench.results.read import read
from tests.sample import ROUGH, lose, sweep, tuned_sweep
from tests.sample import records as sampled

QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"
DRAWN = ("forest", "interactions", "pareto")


@pytest.fixture(scope="module")
def quickstart() -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    found = read(QUICKSTART)
    return Opened(QUICKSTART).comparison(), found.epochs, found.details


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
    assert (mean[-1], low[-1], high[-1]) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert not len(plots.curve(epochs, "no such cell", "train_loss", 0.95)[0])


def test_the_bins_of_the_picture_are_those_of_the_records() -> None:
    import torch

    from regbench.nn.acts import Parameter

    sizes = np.sqrt(plots.BINS[:-1] * plots.BINS[1:])
    (counts,) = histograms(
        [Parameter("w", torch.tensor(sizes[None], dtype=torch.float64), "weight")]
    )
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
    svgs = {}
    for name, picture in drawn.items():
        assert picture, name
        svg = svgs[name] = picture.svg
        ElementTree.fromstring(svg)
        assert drawing.INK not in svg
        assert "currentColor" in svg
        assert not re.search(r"https?://(?!www\.w3\.org/)", svg), name
        assert words(lang)(f"page.{name}") in svg
    again = plots.forest(comparison, words(lang))
    assert again
    assert again.svg == svgs["forest"]


def dots(figure: Any) -> list[list[list[float]]]:
    """Return the points of each line that has a marker, in the order of drawing."""
    marked = [
        line for axes in figure.axes for line in axes.lines if line.get_marker() not in ("", "None")
    ]
    return [line.get_xydata().tolist() for line in marked]


def test_marks_stand_where_the_numbers_are(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
) -> None:
    comparison = quickstart[0]
    cells = [cell for cell in comparison.cells if cell.effect]
    forest = dots(plots.forest(comparison, words("en")))
    means = [cell.effect.accuracy.mean for cell in cells if cell.effect]
    assert forest == [[[pytest.approx(100 * mean), y]] for y, mean in enumerate(means)]
    assert comparison.factorial
    first = comparison.factorial.given[-2]
    without, beside = dots(plots.interactions(comparison, words("en")))[:2]
    assert (without[0][0], beside[0][0]) == pytest.approx(
        (100 * first.off.mean, 100 * first.on.mean)
    )


def test_each_verdict_that_a_mark_can_have_looks_different() -> None:
    assert len(set(plots.VERDICTS.values())) == len(plots.VERDICTS)


def test_a_run_that_does_not_count_is_in_no_picture(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
) -> None:
    comparison, epochs, details = quickstart
    lost = dict(comparison.by_seed["baseline"])
    seed, _ = lost.popitem()
    without = replace(comparison, by_seed={**comparison.by_seed, "baseline": lost})
    which = (epochs.cell == "baseline") & (epochs.seed == seed)
    figure: Any = plots.curves(
        without, epochs.assign(train_loss=epochs.train_loss.mask(which, 1e6)), words("en")
    )
    rest = epochs[
        (epochs.cell == "baseline") & (epochs.seed != seed) & (epochs.epoch == 20)
    ].train_loss
    assert figure.axes[1].lines[0].get_ydata()[-1] == pytest.approx(rest.mean())
    assert len(plots.counted(details, without)) == len(details) - 1
    assert len(plots.counted(details[:0], without)) == 0


def test_a_line_of_strengths_differs_in_the_strength_alone(tmp_path: Path) -> None:
    text = (
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {dropout: {p: [0.2, 0.5], "
        "input: [0.0, 0.1]}}\n"
    )
    plan, config = sweep(tmp_path, text + "seeds: 2\n")
    comparison = compare(sampled(plan), plan, config.analysis)
    errors = {
        cell.label: pytest.approx(100 * (1 - cell.accuracy.mean)) for cell in comparison.cells
    }
    lines = dots(plots.strengths(comparison, words("en")))
    for suffix in ("", ", input=0.1"):
        assert [[p, errors[f"dropout(p={p}{suffix})"]] for p in (0.2, 0.5)] in lines
    assert len(lines) == 2


def test_labels_along_the_front_keep_apart_and_within_the_picture(rough: Comparison) -> None:
    figure: Any = plots.pareto(rough, words("en"))
    (axes,) = figure.axes
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) > 2
    assert all(box.x0 >= axes.bbox.x0 for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_time_that_is_not_told_apart_is_no_cost(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
) -> None:
    comparison = quickstart[0]
    cells = tuple(
        replace(cell, effect=cell.effect and replace(cell.effect, time_shared=True))
        for cell in comparison.cells
    )
    assert plots.pareto(replace(comparison, cells=cells), words("en")) is None


def test_an_english_picture_needs_no_font_of_the_machine(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = plots.forest(quickstart[0], words("en"))
    assert here
    svg = here.svg
    monkeypatch.setattr(fonts, "hangul_font", lambda: None)
    again = plots.forest(quickstart[0], words("en"))
    assert again
    assert again.svg == svg
    assert drawing.labels(words("ko")).language == "en"


def test_a_korean_picture_has_english_labels_where_no_font_has_hangul_and_says_so_once(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fonts, "hangul_font", lambda: None)
    drawing.warn_once.cache_clear()
    drawn = [getattr(plots, name)(quickstart[0], words("ko")) for name in DRAWN]
    assert all(picture.svg for picture in drawn)
    assert [record.getMessage() for record in caplog.records] == [words("ko")("page.no_hangul")]
    metric = said.metric(quickstart[0].metric, "unit", words("en"))
    assert drawn[0].axes[0].get_xlabel() == f"{metric}, to the baseline"


DRAWS = """
import warnings
warnings.simplefilter("error")
from regbench.locale import words
from regbench.report import drawing, fonts
say = words("ko")
with drawing.styled("x", say):
    picture = drawing.Picture(2, "x", "x", say)
    axes = picture.subplots()
    axes.plot([1e-6, 1], [-1, 1], label="드롭아웃 × L2")
    axes.set_xscale("log")
    axes.legend()
assert "<path" in picture.svg
print(drawing.labels(say).language, fonts.hangul_font())
"""


@pytest.mark.skipif(not fonts.hangul_font(), reason="no font here has Hangul")
def test_a_font_installed_since_matplotlib_last_looked_is_found(tmp_path: Path) -> None:
    def drawn() -> tuple[str, str]:
        environment = os.environ | {"MPLCONFIGDIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", DRAWS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout, done.stderr.replace(
            "Matplotlib is building the font cache; this may take a moment.\n", ""
        )

    fresh = drawn()
    assert fresh == (f"ko {fonts.hangul_font()}\n", "")
    (cache,) = tmp_path.glob("fontlist*.json")
    held = json.loads(cache.read_text(encoding="utf-8"))
    held["ttflist"] = [font for font in held["ttflist"] if not fonts.has_hangul(font["fname"])]
    cache.write_text(json.dumps(held), encoding="utf-8")
    assert drawn() == fresh


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_letter_of_every_picture_is_there(
    tmp_path: Path, rough: Comparison, lang: str, caplog: pytest.LogCaptureFixture
) -> None:
    say = words(lang)
    (tmp_path / "claim.yaml").write_text(CLAIM, encoding="utf-8")
    stated, seeds = claims.load(tmp_path / "claim.yaml"), np.array([-2.0, 3.0])
    judged = claims.Judgement(
        "supported",
        {},
        {n: stats.estimate(seeds) for n in ("gain", "other")},
        2,
        {"gain": seeds, "other": seeds},
    )
    pictures = [
        claim_plots.claim(stated, judged, say),
        plots.strengths(rough, say),
        plots.pareto(rough, say),
        plots.trials(tuned_sweep(tmp_path), say),
        *probe_plots.probed(rough, probed_rows(rough), say).values(),
    ]
    assert len(pictures) == 6
    # A lacking glyph is a warning, which fails a test, and in a formula a record.
    assert all(picture and picture.svg for picture in pictures)
    assert not [record for record in caplog.records if record.name.startswith("matplotlib")]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_overview_has_curves_beside_bars_in_the_colours_of_their_verdicts(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame], lang: str
) -> None:
    comparison, epochs, _ = quickstart
    picture = overview(comparison, epochs, words(lang))
    assert picture
    left, right = picture.axes
    assert len(left.lines) == len(plots.single(comparison)) == 6
    shown = told(comparison)
    assert [shown[0], shown[-1]] == [comparison.cells[0], comparison.cells[-1]]
    assert len(shown) == 6, (
        "five techniques alone, the first of which is the best cell, and the last"
    )
    for bar, cell in zip(right.patches, shown, strict=True):
        assert cell.effect
        assert bar.get_width() == pytest.approx(100 * cell.effect.primary.mean)
        assert to_hex(bar.get_facecolor()) == plots.VERDICTS[cell.effect.verdict][0]
    root = ElementTree.fromstring(picture.file)
    assert (root.get("width"), root.get("height")) == ("830", "400")
    assert "background: #fff" in str(root.get("style"))
    assert overview(comparison, epochs[:0], words(lang)) is None


@pytest.mark.skipif(not fonts.hangul_font(), reason="no font here has Hangul")
def test_a_korean_picture_names_techniques_in_korean(
    quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame],
) -> None:
    comparison, epochs, _ = quickstart
    figure: Any = plots.curves(comparison, epochs, words("ko"))
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["기준 모델", "L1", "L2", "드롭아웃", "배치 정규화", "레이어 정규화"]
    forest: Any = plots.forest(comparison, words("ko"))
    names = [text.get_text() for text in forest.axes[0].get_yticklabels()]
    assert "L1 + 드롭아웃 + 레이어 정규화" in names
    assert drawing.named("l2(strength=0.1) @ lr=0.1", words("ko")) == "L2(강도=0.1) @ 학습률=0.1"
    assert drawing.named("batch_norm @ lr=0.1", words("en")) == "batch norm @ learning rate=0.1"


def test_strengths_are_drawn_where_a_technique_has_several(
    rough: Comparison, quickstart: tuple[Comparison, pd.DataFrame, pd.DataFrame]
) -> None:
    assert plots.strengths(rough, words("en"))
    assert plots.strengths(quickstart[0], words("en")) is None


def test_what_can_not_be_drawn_is_left_out(tmp_path: Path) -> None:
    text = (
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntechniques: {l2: 0.1, dropout: "
        "0.5}\nseeds: SEEDS\n"
    )
    for seeds, failed in itertools.product((1, 2), (False, True)):
        plan, config = sweep(tmp_path, text.replace("SEEDS", str(seeds)))
        runs = sampled(plan)
        if failed:
            runs["status"], runs["test_accuracy"] = "failed", math.nan
        comparison = compare(runs, plan, config.analysis)
        for name in DRAWN:
            svg = getattr(plots, name)(comparison, words("en"))
            assert (svg is None) == (failed or name == "interactions"), (name, seeds, failed)


def test_trials_are_drawn_against_each_number_that_was_tuned(
    tmp_path: Path, rough: Comparison
) -> None:
    english = words("en")
    assert plots.trials(rough, english) is None
    drawn = plots.trials(tuned_sweep(tmp_path), english)
    assert drawn
    assert len(re.findall('id="axes_', drawn.svg)) == 6, "lr of four cells, a strength of two"
    axes = {panel.get_xlabel() for panel in drawn.axes if panel.get_visible()}
    assert axes == {"learning rate", "L2 strength", "dropout p"}


def probed_rows(rough: Comparison) -> pd.DataFrame:
    """Return what three probes measured of each run."""
    rows = [
        (cell, seed, probe, name, at, value)
        for cell, by_seed in rough.by_seed.items()
        for seed in by_seed
        for probe, name, at, value in [
            *(
                ("activations", f"p{percent}", step, percent / 10 + step)
                for percent in (15, 50, 85)
                for step in (0, 9)
            ),
            *(("monte_carlo", "error", k, 0.1 + seed / k) for k in (1, 100)),
            ("monte_carlo", "weight_scaling_error", math.nan, 0.25),
            ("monte_carlo", "agreement", math.nan, 0.9),
            ("units", "dead", 3, 1.0),
        ]
    ]
    return pd.DataFrame(rows, columns=["cell", "seed", "probe", "name", "at", "value"])


def test_probes_are_drawn_where_they_measured_at_several_places(rough: Comparison) -> None:
    probes = probed_rows(rough)
    drawn: dict[str, Any] = probe_plots.probed(rough, probes, words("en"))
    assert list(drawn) == ["activations", "monte_carlo"], "one place is no curve"
    activations, monte_carlo = (figure.axes[0] for figure in drawn.values())
    assert activations.get_title() == "input of the first unit"
    assert activations.get_xlabel() == "step"
    assert activations.lines[0].get_ydata().tolist() == [5, 14], "the median is the line"
    assert activations.collections[0].get_datalim(activations.transData).y1 == 17.5, (
        "p85 is the band's upper edge"
    )
    assert monte_carlo.get_title() == "error; – – error in evaluation mode"
    line, constant = monte_carlo.lines[:2]
    seeds = list(rough.by_seed[rough.baseline.label])
    assert line.get_ydata()[0] == pytest.approx(0.1 + np.mean(seeds))
    assert constant.get_ydata()[0] == 0.25
    assert monte_carlo.get_xscale() == "log"


CLAIM = """\
claim:
  statement: {en: Dropout helps., ko: 드롭아웃은 도움이 됨.}
  where: {en: "2.2", ko: "2.2"}
  literature: [{source: "A & B 2014", says: {en: It does., ko: 그러함.}, read: notes}]
  design: {en: Two networks., ko: 신경망 두 개.}
  arms: {plain: baseline, dropout: dropout(p=0.5)}
  statistics:
    gain:
      value: test_accuracy(dropout) - test_accuracy(plain)
      says: {en: "gain, points", ko: "이득, %p"}
    other: {value: gap(dropout), says: {en: "gap", ko: "격차"}}
  parts:
    much: {says: {en: Much., ko: 많이.}, supported: gain > 1, refuted: gain < 0}
    at_all: {says: {en: At all., ko: 조금.}, supported: gain > 0, refuted: gain < 0}
  control: {says: {en: Runs trade places., ko: 자리를 바꿈.}, trade: [plain, dropout]}
experiments:
  mlp: {dataset: {name: mnist5k}, model: {name: mlp}, seeds: 10, techniques: {dropout: 0.5}}
"""


def test_a_claim_is_drawn_with_its_seeds_its_interval_and_the_sides_of_its_rule(
    tmp_path: Path,
) -> None:
    (tmp_path / "claim.yaml").write_text(CLAIM, encoding="utf-8")
    stated = claims.load(tmp_path / "claim.yaml")
    values = {"gain": np.array([2.0, 3.0, math.nan, 4.0]), "other": np.zeros(4)}
    estimates = {name: stats.estimate(seeds[np.isfinite(seeds)]) for name, seeds in values.items()}
    drawn: Any = claim_plots.claim(
        stated, claims.Judgement("supported", {}, estimates, 3, values), words("en")
    )
    gain, other = drawn.axes
    assert judge.sides(stated.about) == [
        ("supported", "gain", True, 1.0),
        ("supported", "gain", True, 0.0),
        ("refuted", "gain", False, 0.0),
    ]
    dashed = {line.get_xdata()[0] for line in gain.lines if line.get_linestyle() == "--"}
    assert dashed == {0.0, 1.0}
    seeds, interval, mean = (
        line.get_xdata() for line in gain.lines if line.get_linestyle() != "--"
    )
    assert list(seeds) == [2, 3, 4]
    assert list(interval) == [estimates["gain"].low, estimates["gain"].high]
    assert list(mean) == [3]
    assert not [line for line in other.lines if line.get_linestyle() == "--"], "no rule asks for it"


def test_a_band_that_a_rule_asks_for_is_drawn_as_a_band() -> None:
    within = [("supported", "x", True, -1.0), ("supported", "x", False, 1.0)]
    beyond = [("refuted", "x", False, -1.0), ("refuted", "x", True, 1.0)]
    assert claim_plots.spans(within, -3, 3) == [(-1, 1)]
    assert claim_plots.spans(beyond, -3, 3) == [(-3, -1), (1, 3)]
    assert claim_plots.spans(within[:1], -3, 3) == [(-1, 3)]
    assert claim_plots.spans([], -3, 3) == []
