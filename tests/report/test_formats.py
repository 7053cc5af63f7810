import csv
import io
import json
import math
import re
from html import unescape
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from regbench.analysis.compare import compare
from regbench.analysis.comparison import CellResult, Comparison
from regbench.analysis.opened import Opened
from regbench.errors import UsageError
from regbench.locale import words
from regbench.planning.plan import Cell
from regbench.report import data_schema, lost, tables
from regbench.report import render as report
from regbench.report.page import fragment
from tests.sample import ROUGH, lose, records, sweep, tuned_sweep


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    plan, config = sweep(tmp_path_factory.mktemp("configs"), ROUGH)
    return compare(lose(records(plan)), plan, config.analysis)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return tuned_sweep(tmp_path_factory.mktemp("configs"))


def cell(comparison: Comparison, label: str) -> CellResult:
    return next(c for c in comparison.cells if c.label == label)


def sweep_of(folder: Path, techniques: str, combine: str, seeds: int = 5) -> Comparison:
    head = f"dataset: {{name: mnist5k}}\nmodel: {{name: mlp}}\nseeds: {seeds}\n"
    plan, config = sweep(folder, f"{head}techniques: {techniques}\ncombine: {combine}\n")
    return compare(records(plan), plan, config.analysis)


def test_json_holds_every_number_as_it_was_computed(rough: Comparison) -> None:
    document = json.loads(report.render(rough, "json"))
    assert document["schema_version"] == 5
    assert [c["cell"] for c in document["cells"]] == [c.label for c in rough.cells]
    for written, result in zip(document["cells"], rough.cells, strict=True):
        assert written["test_accuracy"]["mean"] == result.accuracy.mean
        if result.effect:
            assert written["verdict"] == result.effect.verdict
            assert written["difference"]["n"] == result.effect.accuracy.n
            p = result.effect.p_adjusted
            assert written["p_adjusted"] == (p if math.isfinite(p) else None)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_json_is_what_its_schema_says_and_every_key_is_in_it(
    rough: Comparison, tuned: Comparison, tmp_path: Path, lang: str
) -> None:
    quickstart = Opened(Path(__file__).parents[2] / "results/reference/quickstart").comparison()
    for comparison in (
        rough,
        tuned,
        quickstart,
        sweep_of(tmp_path, "{l2: 0.1}", "one_at_a_time", seeds=1),
    ):
        jsonschema.validate(
            json.loads(report.render(comparison, "json", lang)), data_schema.schema()
        )
    broken = json.loads(report.render(rough, "json")) | {"schema_version": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, data_schema.schema())


def test_the_ledger_lists_what_each_cell_tried_what_it_cost_and_what_it_chose(
    tuned: Comparison,
) -> None:
    table = lost.ledger(tuned, words("en"))
    assert table
    assert [row[0][0].text for row in table.rows] == ["baseline", "l2", "dropout", "batch_norm"]
    for choice, row in zip(tuned.ledger, table.rows, strict=True):
        assert (
            row[2][0].text
            == str(len(choice.trials))
            == {"baseline": "4", "batch_norm": "4"}.get(choice.name, "8")
        )
        assert isinstance(choice.chosen, Cell)
        assert row[5][0].text == choice.chosen.label
        best = max(choice.trials, key=lambda trial: trial.mean)
        assert row[6][0].text == f"{100 * best.mean:.1f}"
    assert [line.text.split()[0] for line in table.rows[1][1]] == ["l2.strength", "lr"]
    for form in ("rich", "markdown", "latex"):
        assert "What each cell tried before it was tested" in report.render(tuned, form)  # type: ignore[arg-type]
    assert "each cell at a learning rate of its own" in report.render(tuned, "markdown")
    assert "@ lr=" in json.loads(report.render(tuned, "json"))["cells"][0]["cell"]


def test_json_tells_what_was_lost_and_left_out(rough: Comparison) -> None:
    document = json.loads(report.render(rough, "json"))
    assert document["failures"][1] == {
        "cell": "l2(strength=1.0)",
        "status": "diverged",
        "seeds": [5, 6, 7, 8],
        "reason": "the loss is not finite from epoch 2 on",
    }
    assert document["foreign_records"] == 1


def test_json_keys_are_the_same_in_every_language(rough: Comparison) -> None:
    def keys(value: object) -> object:
        if isinstance(value, dict):
            return {key: keys(v) for key, v in value.items()}
        return [keys(v) for v in value] if isinstance(value, list) else None

    english, korean = (json.loads(report.render(rough, "json", lang)) for lang in ("en", "ko"))
    assert keys(english) == keys(korean)
    assert english["cells"] == korean["cells"]
    assert english["summary"][1]["name"] == "dropout"
    assert korean["summary"][1]["name"] == "드롭아웃"


def test_csv_is_read_back_by_pandas_with_unknown_numbers_missing(rough: Comparison) -> None:
    table = pd.read_csv(
        io.StringIO(report.render(rough, "csv")), keep_default_na=False, na_values=[""]
    )
    assert list(table.cell) == [c.label for c in rough.cells]
    row = table.set_index("cell").loc["weight_decay(strength=0.1)"]
    result = cell(rough, "weight_decay(strength=0.1)")
    assert row.test_accuracy == result.accuracy.mean
    assert math.isnan(row.difference_low)
    assert (row.verdict, row.more_seeds, row.reason) == ("too_few", 4, "5 missing")
    assert dict(table.set_index("cell").summary.dropna()) == {
        "dropout(p=0.2, input=0.1)": "dropout",
        "l2(strength=0.0001)": "l1_l2",
        "weight_decay(strength=0.1)": "l1_l2",
        "max_norm(c=3.0)": "max_norm",
    }


def test_csv_is_one_table_in_any_language_with_the_skipped_cells_last(tmp_path: Path) -> None:
    comparison = sweep_of(tmp_path, "{batch_norm: , layer_norm: }", "factorial")
    assert report.render(comparison, "csv", "en") == report.render(comparison, "csv", "ko")
    rows = list(csv.DictReader(io.StringIO(report.render(comparison, "csv"))))
    assert len({len(row) for row in rows}) == 1
    assert (rows[-1]["cell"], rows[-1]["verdict"]) == ("batch_norm + layer_norm", "skipped")
    assert "same place" in rows[-1]["reason"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_markdown_tables_are_rectangular(rough: Comparison, lang: str) -> None:
    blocks = [b for b in report.render(rough, "markdown", lang).split("\n\n") if b.startswith("|")]
    assert len(blocks) == 4
    for block in blocks:
        assert len({row.replace("\\|", "").count("|") for row in block.splitlines()}) == 1


def test_markdown_shows_what_a_reason_says_literally() -> None:
    from regbench.report.markdown import escaped

    assert escaped("a|b <i> *x* _y_ layer_norm\nz") == r"a\|b \<i\> \*x\* \_y\_ layer_norm z"


def test_the_summary_mirrors_the_notes_columns_and_rows(rough: Comparison) -> None:
    table = tables.summary_with_sentences(rough, words("ko"))
    titles = [column.title for column in table.columns]
    assert titles == ["기법", "주요 아이디어", "적용 대상", "장점", "단점/한계", "측정 결과"]
    names = [row[0][0].text for row in table.rows]
    assert names == ["L1/L2", "드롭아웃", "배치 정규화", "레이어 정규화", "최대 노름"]


def test_each_row_carries_what_was_measured_or_says_why_not(rough: Comparison) -> None:
    table = tables.effects(rough, words("en"), grouped=False)
    lines = {row[0][0].text: row[1][0].text for row in table.rows}
    assert lines == {
        "L1": "not measured here",
        "L2 (strength=0.0001, best of 3)": "? can't tell yet*: 1 to 12 more seeds needed",
        "weight decay (strength=0.1)": "– no verdict: 4 more seeds needed",
        "dropout (p=0.2, input=0.1, best of 2)": "▲ helps",
        "batch norm": "not measured here",
        "layer norm": "only in combinations",
        "max-norm (c=3.0)": "– every seed gave the same difference",
    }


def test_a_technique_without_a_strength_to_name_stands_alone(tmp_path: Path) -> None:
    comparison = sweep_of(tmp_path, "{batch_norm: , l1: 1e-3}", "one_at_a_time")
    rows = tables.effects(comparison, words("en"), grouped=False).rows
    assert [row[0][0].text for row in rows] == [
        "L1 (strength=0.001)",
        "L2",
        "dropout",
        "batch norm",
        "layer norm",
    ]


def test_notes_say_n_method_correction_margin_and_selection(rough: Comparison) -> None:
    for table in (tables.summary(rough, words("en")), tables.ranking(rough, words("en"))):
        notes = " ".join(table.notes)
        for part in (
            "over n seeds",
            "95%",
            "t interval",
            "tests of 7 comparisons are one family",
            "chance of at most 0.05",
            "within 0.2 points",
            "Fewer than 5 pairs: no verdict",
            "epoch with the best validation accuracy",
            "11 of 60 runs don't count",
            "a pair counts if both its runs finished",
            "10,000 training images",
            "labels as they are",
            "sgd lr 0.05, cosine, 12 epochs",
            "6 seeds",
        ):
            assert part in notes, part


def test_label_noise_and_strengths_are_told(tmp_path: Path) -> None:
    head = "dataset: {name: mnist5k, label_noise: 0.25}\nmodel: {name: mlp}\n"
    plan, config = sweep(
        tmp_path, head + "techniques: {l2: 0.01, dropout: [0.1, 0.5]}\ncombine: factorial"
    )
    comparison = compare(records(plan), plan, config.analysis)
    table = tables.ranking(comparison, words("en"))
    notes = " ".join(table.notes)
    assert "25% of training labels wrong on purpose" in notes
    assert "all training images" in notes
    assert "Strengths: l2(strength=0.01)." in notes
    assert {row[1][0].text for row in table.rows} == {
        "baseline",
        "l2",
        "dropout(p=0.1)",
        "dropout(p=0.5)",
        "l2 + dropout(p=0.1)",
        "l2 + dropout(p=0.5)",
    }


def test_a_sweep_with_one_seed_shows_means_and_no_verdict(tmp_path: Path) -> None:
    comparison = sweep_of(tmp_path, "{l2: 0.01}", "one_at_a_time", seeds=1)
    text = report.render(comparison, "rich", "en", 120)
    assert "no verdict: 4 more seeds needed" in text
    assert "▲" not in text
    for format in ("markdown", "csv", "json"):
        assert "nan" not in report.render(comparison, format).lower()  # type: ignore[arg-type]


def test_an_unknown_format_or_language_is_named(rough: Comparison) -> None:
    with pytest.raises(UsageError, match=r"'pdf'.*rich, markdown, latex, csv, json"):
        report.render(rough, "pdf")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'fr'.*en, ko"):
        report.render(rough, "csv", "fr")


def test_the_legend_is_for_all_and_notes_unfold(rough: Comparison) -> None:
    for lang in ("en", "ko"):
        spoken = words(lang)
        legend = spoken("summary.legend", confidence="95")
        folded = report.render(rough, "rich", lang, 200, notes=False)
        assert all(line in folded for line in legend.splitlines())
        page = report.render(rough, "markdown", lang)
        before, after = page.split(legend)
        assert "<details>" not in before.split("### ")[-1]
        assert after.count("<details>") == after.count("</details>") > 0
        assert f"<details><summary>{spoken('notes.title')}</summary>\n\n- " in after
        notebook = fragment([rough], spoken)
        assert unescape(notebook).count(legend.splitlines()[0]) == 1
        assert "<code>regbench claims</code>" in notebook


def test_bars_keep_their_place_in_a_notebook_that_drops_the_style(rough: Comparison) -> None:
    bars = re.findall('<td class="bar" style="([^"]*)"', fragment([rough], words("en")))
    assert bars
    assert all("white-space: pre" in style for style in bars)
