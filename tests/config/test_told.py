"""Every mistake in a config is told in Korean to who reads Korean."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from regbench.config import wording
from regbench.config.experiment import Goal
from regbench.config.reader import kinds
from regbench.config.sections import Analysis, Dataset, Replicates, Sequential, Train, Tune
from regbench.data import sources
from regbench.locale.sentences import told
from regbench.models import models
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.settings import Settings
from tests.command import regbench
from tests.config import test_mistakes as mistakes
from tests.config.configs import MINIMAL, WITH_DROPOUT
from tests.config.test_yaml12 import BROKEN
from tests.planning.test_tuning import TUNED, WRONG_TUNING
from tests.planning.test_vary import BASE, WRONG_CONDITIONS
from tests.test_korean import HANGUL, NOT_YET, english

EXPERIMENT = "function: train.py:train\n"
WRONG_EXPERIMENTS = [
    "function: train.py\nfactors: {dropout: [0, 1]}\n",
    EXPERIMENT,
    EXPERIMENT + "factors: {dropout: [0, 1]}\ncells: [{}, {dropout: 1}]\n",
    EXPERIMENT + "factors: 3\n",
    EXPERIMENT + "factors: {seed: [0, 1], a b: [0, 1], dropout: [], norm: [1, 1]}\n",
    EXPERIMENT + "factors: {dropout: [0]}\n",
    EXPERIMENT + "cells: [{}, {}]\n",
    EXPERIMENT + "cells: 3\n",
    EXPERIMENT + "factors: {dropout: [0, 1]}\nmetric: {better: most, margin: -1}\n",
    EXPERIMENT + "factors: {dropout: [0, 1]}\nseeds: many\ntechniques: {}\n",
    EXPERIMENT + f"seeds: 10000\nfactors: {{dropout: {[*range(20)]}}}\n",
]
MORE = [
    "",
    "rounds: [1]\n",
    "name: reference\n",
    "seeds: 10001\n",
    f"seeds: {[*range(10_001)]}\n",
    "sequential: {step: 0, most: 1}\n",
    "sequential: 3\n",
    "replicates: {source: 3, theirs: {en: 3}, ours: here}\n",
    "replicates: {theirs: }\n",
    "analysis: {generalize: images, metric: nll}\n",
    "train: {optimizer: {name: sgd, momentum: 0, nesterov: true}}\n",
    "exclude: [{dropout: }, dropout, [dropout, dropout]]\n",
    "combine: [{dropout: [[0.1]]}, [], 3, ]\n",
    "techniques: {l1: true, l2: off, dropout: no, batch_norm: 3, layer_norm: on}\n",
    "vary: {train.optimizer.lr: [0.1]}\ntune: {trials: 2, lr: [0.1, 0.2]}\n",
    "vary: [{dataset: {name: npz, path: a/b.npz}}, {dataset: {name: npz, path: c/b.npz}}]\n",
    "vary: [{train.epochs: 3}, {train.epochs: 3, train.batch_size: 128}]\n",
    "tune: {trials: 900, seeds: 90}\nvary: {train.epochs: [1, 2]}\n",
    "model: {name: linear}\ntechniques: {dropout: 0.5}\n",
]


def bad() -> Iterator[tuple[str, str]]:
    """Configs with mistakes, with an override or none, from the tables of other tests."""
    for text in mistakes.WRONG_HERE:
        yield WITH_DROPOUT + text, ""
    for strengths, problem in mistakes.WRONG_STRENGTHS:
        if problem:
            yield MINIMAL + f"techniques: {strengths}", ""
    for dataset, *_ in mistakes.WRONG_DATASETS:
        yield f"dataset: {dataset}\nmodel: {{name: mlp}}\ntechniques: {{dropout: 0.5}}\n", ""
    for model, _ in mistakes.WRONG_MODELS:
        yield f"dataset: {{name: mnist5k}}\nmodel: {model}\ntechniques: {{dropout: 0.5}}\n", ""
    for text, _ in mistakes.WRONG_AS_A_WHOLE:
        yield text, ""
    for override, _ in mistakes.WRONG_OVERRIDES:
        yield WITH_DROPOUT + "name: b\n", override
    for text, _ in BROKEN:
        yield text, ""
    for vary, _ in WRONG_CONDITIONS:
        yield BASE + f"vary: {vary}\n", ""
    for old, new, _ in WRONG_TUNING:
        yield TUNED.replace(old, new), ""
    for text in WRONG_EXPERIMENTS:
        yield text, ""
    for text in MORE:
        keys = {line.partition(":")[0] for line in text.splitlines()}
        rest = [line for line in WITH_DROPOUT.splitlines() if line.partition(":")[0] not in keys]
        yield "\n".join([*rest, text]) if text else "", ""


@pytest.mark.xfail(
    not NOT_YET.isdisjoint({"models", "probes", "regularizers"}), reason="not translated yet"
)
def test_every_mistake_is_told_in_korean(folder: Path) -> None:
    told_of = 0
    for text, override in bad():
        (folder / "a.yaml").write_text(text, encoding="utf-8")
        more = ["--set", override] if override else []
        done = regbench("check", "a.yaml", *more, "--lang", "ko", cwd=folder)
        assert done.returncode == 2, text
        for line in done.stderr.splitlines():
            assert HANGUL.search(line), line
            said = english(re.sub("(?<=[a-z])(?=[가-힣])", " ", line))
            assert not {*said} - {*re.findall("[a-z]+", text + override)}, line
            told_of += 1
    assert told_of > 200


def settings() -> Mapping[str, type[Settings]]:
    """Every class of settings that a config has, by its name."""
    registries = {"models": models(), "probes": probes(), "techniques": techniques()}
    own = (Dataset, Train, Analysis, Sequential, Tune, Replicates, Goal)
    return {
        **{kind.__name__: kind for kind in own},
        **{name: kind for key in ("optimizer", "schedule") for name, kind in kinds(key).items()},
        **{
            f"{r}.{key}": thing.Settings
            for r, all_ in registries.items()
            for key, thing in all_.items()
        },
    }


@pytest.mark.parametrize("name", settings())
def test_what_a_setting_may_be_is_said_in_korean(name: str) -> None:
    kind = settings()[name]
    for field in kind.model_fields:
        shape = wording.shape_of(kind, field)
        for inner in (shape, shape.get("items"), shape.get("additionalProperties")):
            if isinstance(inner, Mapping) and (allowed := wording.allowed(inner)):
                korean = told(f"a.b can't be the text 'c'; allowed: {allowed}", "ko")
                assert not english(korean), korean


def test_a_choice_of_names_is_not_taken_for_words() -> None:
    known = ", ".join(sources())
    assert told(f"there is no dataset 'x'; allowed: {known}", "ko").endswith(f": {known}")
    assert told("a.b can't be 3; allowed: name, where or key", "ko").endswith(
        "name, where 또는 key"
    )
