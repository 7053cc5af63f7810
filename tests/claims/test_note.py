"""The note's sentences and questions: every one rests on something that is there."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from regbench.analysis.stats import Estimate
from regbench.claims import claims
from regbench.claims.note import NOTE, Simple, is_simple, lines, note, simple
from regbench.cli import app
from regbench.config import yaml12
from regbench.locale import languages, words
from regbench.locale.sentences import loaded
from regbench.regularizers import techniques
from regbench.report import answers
from tests.probes.tiny import trained

ROOT = Path(__file__).parents[2]
CLAIMS = claims.found(ROOT / "configs/claims")
NAMES = {claim.name: claim for claim in CLAIMS}


def test_every_claim_has_a_sentence_and_every_sentence_a_claim_or_a_test_that_is_there() -> None:
    named = [name for sentence in note().sentences for name in sentence.claims]
    assert set(named) == NAMES.keys()
    for sentence in note().sentences:
        for test in sentence.checked:
            file, name = test.split("::")
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in found, test


def test_the_note_is_read_as_yaml_of_either_version() -> None:
    assert loaded(NOTE.read_bytes()) == yaml12.read(NOTE).data


def test_all_is_said_in_every_language() -> None:
    texts = [text for s in note().sentences for text in (s.where, s.says)]
    texts += [source.says for s in note().sentences for source in s.literature]
    for question in note().questions:
        texts += [question.asks, question.note]
        for ours in question.ours:
            texts += [ours.supported, ours.refuted, ours.undecided]
    assert all(text.keys() == set(languages()) for text in texts)
    assert all(len(question.ours) == 3 for question in note().questions)


def test_answers_name_parts_and_statistics_that_are_there() -> None:
    for question in note().questions:
        assert question.picture in question.claims
        for ours in question.ours:
            name, part = ours.of.split(".")
            assert part in NAMES[name].about.parts
            assert ours.number in NAMES[name].about.statistics
            for text in (ours.supported, ours.refuted, ours.undecided):
                assert all("{x}" in said for said in text.values())


@pytest.mark.parametrize("ruling", ["supported", "refuted", "undecided", "too_few"])
def test_an_answer_follows_the_verdict(ruling: claims.Ruling) -> None:
    question = note().questions[0]
    judged = []
    for claim in CLAIMS:
        about, numbers = claim.about, dict.fromkeys(claim.about.statistics, Estimate(9, 7, 1, 6, 8))
        judged.append(
            (claim, claims.Judgement(ruling, dict.fromkeys(about.parts, ruling), numbers, 9, {}))
        )
    told = answers.ours(question, judged, words("en"))
    expected = [
        getattr(ours, ruling if ruling != "too_few" else "undecided")["en"].format(
            x="7.0 (6.0 – 8.0)"
        )
        for ours in question.ours
    ]
    assert told == expected


def test_a_claim_that_was_not_run_has_no_answer() -> None:
    told = answers.ours(note().questions[1], [(claim, None) for claim in CLAIMS], words("en"))
    assert all("was not run here" in sentence for sentence in told)


def test_a_claim_of_ones_own_with_other_parts_has_no_answer_either() -> None:
    other = claims.Judgement("supported", {"mine": "supported"}, {}, 10, {})
    told = answers.ours(note().questions[1], [(claim, other) for claim in CLAIMS], words("en"))
    assert all("was not run here" in sentence for sentence in told)


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("number", ["1", "2", "3"])
def test_a_question_is_answered_on_the_command_line(number: str, lang: str) -> None:
    arguments = ["claims", "--question", number, "--lang", lang, "--format", "markdown"]
    done = CliRunner().invoke(app, [*arguments, "--claims", str(ROOT / "configs/claims")])
    assert done.exit_code == 0, done.output
    assert note().questions[int(number) - 1].asks[lang] in done.stdout
    assert words(lang)("note.ours") in done.stdout


def test_there_is_no_fourth_question() -> None:
    done = CliRunner().invoke(app, ["claims", "--question", "4"])
    assert done.exit_code == 2
    assert "less than or equal to 3" in done.output


@pytest.mark.parametrize(
    ("estimate", "thresholds", "expected"),
    [
        (Estimate(9, 5, 1, 2, 8), [0], "│ ├──●──┤"),
        (Estimate(9, 5, 1, 0, 10), [2], "├─┼─●───┤"),
        (Estimate(9, 5, 1, float("nan"), float("nan")), [0, 10], "│   ●   │"),
        (Estimate(0, *[float("nan")] * 4), [], ""),
    ],
)
def test_an_interval_is_drawn_with_the_lines_of_its_rules(
    estimate: Estimate, thresholds: list[float], expected: str
) -> None:
    assert answers.bar(estimate, thresholds, 9) == expected


def test_penalties_take_fewer_lines_than_the_others_and_a_rule_could_say_no() -> None:
    said = simple("l1_l2.simple")
    assert said is not None
    assert is_simple(said)
    assert not is_simple(Simple(these=said.others, others=said.these))
    assert simple("dropout.time") is None


def test_lines_are_those_of_functions_without_docstrings() -> None:
    source = inspect.getsource(techniques()["l2"].penalty)
    code = [line for line in source.splitlines() if line.strip() and '"""' not in line]
    assert len(code) == 2  # def, return
    assert lines("l2") >= 1 + 4  # the return of `penalty`, and the body of `gradients`


def test_every_technique_of_the_note_is_here() -> None:
    assert {"l1", "l2", "weight_decay", "dropout", "batch_norm", "layer_norm"} <= set(techniques())


def test_pytorchs_optimizers_take_a_decay_and_no_l1() -> None:
    optimizers = [
        value
        for value in vars(torch.optim).values()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    ]
    taken = [set(inspect.signature(o).parameters) for o in optimizers]
    assert sum("weight_decay" in names for names in taken) > len(taken) / 2
    assert not any(re.fullmatch("l1.*", name) for names in taken for name in names)


def test_the_gap_of_a_run_is_training_less_test_accuracy() -> None:
    (rows,) = trained("", ["{}"])
    for run in rows.runs:
        assert run["gap"] == pytest.approx(run["train_accuracy"] - run["test_accuracy"])
