"""Every mistake in a config is one sentence at its place."""

# ruff: noqa: E501  # a message stands on one line here, as it does on the screen

from pathlib import Path

import pytest

from regbench.config.config import Config
from regbench.config.optimizer import Adam
from regbench.config.reader import PROBLEMS
from regbench.config.sections import Analysis, Train, Tune
from regbench.data import sources
from regbench.errors import ConfigError
from regbench.planning.cells import load
from regbench.regularizers import techniques
from regbench.text import either
from tests.config.configs import MINIMAL, WITH_DROPOUT, loaded, problems, validates

WRONG_HERE = {
    # text in the place of a section -> the one problem
    "train: {optimizer: {name: adam, lr: true}}": (
        "a.yaml:4:37: train.optimizer.lr can't be true; allowed: a number above 0"
    ),
    "train: {optimizer: {name: adam, lr: '0.1'}}": (
        "a.yaml:4:37: train.optimizer.lr can't be the text '0.1'; allowed: a number above 0; "
        "did you mean 0.1, a number without quotes?"
    ),
    "train: {optimizer: {name: adma}}": (
        "a.yaml:4:27: there is no optimizer 'adma'; allowed: sgd, adam, adamw; did you mean 'adam'?"
    ),
    "train: {optimizer: adam}": (
        "a.yaml:4:20: train.optimizer can't be the text 'adam'; allowed: a mapping such as {name: adam, lr: 0.001}; "
        "did you mean {name: adam}?"
    ),
    "train: {optimizer: {lr: 0.1}}": "a.yaml:4:9: train.optimizer has no name; allowed: name: sgd, adam or adamw",
    "train: {optimizer: {name: sgd, nesterov: yes}}": (
        "a.yaml:4:42: train.optimizer.nesterov can't be the text 'yes'; allowed: true or false; did you mean true?"
    ),
    "train: {schedule: {name: step}}": (
        "a.yaml:4:9: train.schedule.every is missing; allowed: a whole number of at least 1"
    ),
    "train: {epochs: 0}": "a.yaml:4:17: train.epochs can't be 0; allowed: a whole number of at least 1",
    "train: {epochs: 2.5}": "a.yaml:4:17: train.epochs can't be 2.5; allowed: a whole number of at least 1",
    "train: {epochs: }": "a.yaml:4:16: train.epochs can't be empty; allowed: a whole number of at least 1",
    "train: {select: lst}": (
        "a.yaml:4:17: train.select can't be the text 'lst'; allowed: last or best; did you mean 'last'?"
    ),
    "train: {epoch: 3}": (
        "a.yaml:4:9: unknown key 'epoch' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every; did you mean 'epochs'?"
    ),
    "train: {lr: 0.1}": (
        "a.yaml:4:9: unknown key 'lr' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every; did you mean 'train.optimizer.lr'?"
    ),
    "train: {tune: {trials: 8}}": (
        "a.yaml:4:9: unknown key 'tune' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every; did you mean 'tune' at the top level of the config?"
    ),
    "train: {train: {epochs: 3}}": (
        "a.yaml:4:9: unknown key 'train' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every"
    ),
    "train: 30": "a.yaml:4:8: train can't be 30; allowed: a mapping such as {epochs: 30, batch_size: 128}",
    "epochs: 3": (
        "a.yaml:4:1: unknown key 'epochs'; allowed: name, dataset, model, train, seeds, rounds, sequential, vary, tune, techniques, combine, exclude, "
        "analysis, probes, replicates; did you mean 'train.epochs'?"
    ),
    "name: My Sweep": (
        "a.yaml:4:7: name can't be the text 'My Sweep'; allowed: 1 to 64 small letters, digits, - and _ "
        "(text that looks like a number goes between quotes)"
    ),
    "seeds: [1, 1]": "a.yaml:4:12: seed 1 is listed twice; leave one out",
    "seeds: [0, -1]": "a.yaml:4:12: a seed can't be -1; allowed: a whole number of at least 0",
    "seeds: [true]": "a.yaml:4:9: a seed can't be true; allowed: a whole number of at least 0",
    "combine: factorail": (
        "a.yaml:4:10: combine can't be the text 'factorail'; allowed: one_at_a_time, factorial, leave_one_out, or a "
        "list of cells such as [[dropout], [dropout, l2]]; did you mean 'factorial'?"
    ),
    "combine: []": (
        "a.yaml:4:10: combine can't be an empty list; allowed: one_at_a_time, factorial, leave_one_out, or a list of "
        "cells such as [[dropout], [dropout, l2]]"
    ),
    "combine: [dropout]": (
        "a.yaml:4:11: a cell can't be the text 'dropout'; allowed: [dropout], or with strengths {dropout: 0.5}; "
        "did you mean [dropout]?"
    ),
    "combine: [[dropout, dropout]]": "a.yaml:4:21: dropout stands twice in a cell; leave one out",
    "combine: [{dropout: 2}]": (
        "a.yaml:4:21: combine.dropout.p can't be 2; allowed: a number of at least 0 and below 1"
    ),
    "exclude: [[drpout]]": "a.yaml:4:12: there is no technique 'drpout'; allowed: dropout; did you mean 'dropout'?",
    "exclude: [[]]": (
        "a.yaml:4:11: this rule is empty, and would leave every cell out; allowed: one technique or more"
    ),
    "exclude: dropout": (
        "a.yaml:4:10: exclude can't be the text 'dropout'; allowed: a list of rules such as [[l1, l2]]"
    ),
    "analysis: {margin: -0.1}": "a.yaml:4:20: analysis.margin can't be -0.1; allowed: a number of at least 0",
    "analysis: {confidence: 95}": (
        "a.yaml:4:24: analysis.confidence can't be 95; allowed: a number above 0 and below 1"
    ),
    "probes: [noise]": (
        "a.yaml:4:9: probes can't be a list of 1 value; allowed: a mapping such as {steps_to: {accuracies: [0.9]}}"
    ),
    "probes: {noise: 0.1}": (
        "a.yaml:4:17: probes.noise can't be 0.1; allowed: its settings {key: value}, or nothing"
    ),
    "probes: {noise: {levels: [0.1, 0]}}": (
        "a.yaml:4:32: a value in probes.noise.levels can't be 0; allowed: a number above 0"
    ),
    "probes: {noise: {levels: []}}": (
        "a.yaml:4:26: probes.noise.levels can't be an empty list; allowed: a list of 1 or more values, each a number "
        "above 0"
    ),
    "probes: {noise: {levels: [1, 1.0]}}": (
        "a.yaml:4:26: probes.noise.levels: a value stands in it twice; leave one out"
    ),
    "probes: {weights: {evry: 5}}": (
        "a.yaml:4:20: unknown key 'evry' in probes.weights; allowed: every; did you mean 'every'?"
    ),
    "probes: {lengths: }": (
        "a.yaml:4:10: probes.lengths.lengths is missing; allowed: a list of 1 or more values, each a whole number of "
        "at least 1"
    ),
}


@pytest.mark.parametrize(("text", "problem"), WRONG_HERE.items())
def test_a_mistake_is_one_sentence_at_its_place(folder: Path, text: str, problem: str) -> None:
    assert problems(folder, WITH_DROPOUT + text) == [problem]
    assert not validates(WITH_DROPOUT + text)
    assert validates(WITH_DROPOUT)


WRONG_STRENGTHS = [
    ("{drop_out: 0.5}", "a.yaml:3:14: there is no technique 'drop_out'; allowed: {known}; did you mean 'dropout'?"),
    ("{dropout: 1}", "a.yaml:3:23: techniques.dropout.p can't be 1; allowed: a number of at least 0 and below 1"),
    ("{dropout: true}", "a.yaml:3:23: techniques.dropout can't be true: say how strong it is, as in `dropout: 0.5`, or write `dropout:` for just that"),
    ("{dropout: [0.5, yes]}", "a.yaml:3:29: techniques.dropout[2] can't be the text 'yes': say how strong it is, as in `dropout: 0.5`, or write `dropout:` for just that"),
    ("{dropout: {p: [0.5, 1.5], input: [0, 0.1]}}", "a.yaml:3:33: techniques.dropout.p can't be 1.5; allowed: a number of at least 0 and below 1"),
    ("{dropout: []}", "a.yaml:3:23: techniques.dropout is an empty list; allowed: one value or more"),
    ("{dropout: {p: []}}", "a.yaml:3:27: techniques.dropout.p is an empty list; allowed: one value or more"),
    ("{dropout: [[0.5]]}", "a.yaml:3:24: techniques.dropout has a list in its list; allowed: values, or settings {{key: value}}"),
    ("{dropout: [0.5, ]}", None),
    ("{dropout: [0.5, ~]}", "a.yaml:3:29: a value in techniques.dropout can't be empty"),
    ("{dropout: [0.5, 5e-1]}", "a.yaml:3:29: techniques.dropout has the same strength twice; leave one out"),
    ("{dropout: {input: [0, 0.1], p: [0.3, 0.3]}}", "a.yaml:3:50: techniques.dropout has the same strength twice; leave one out"),
    ("{dropout: {inptu: 0.1}}", "a.yaml:3:24: unknown key 'inptu' in techniques.dropout; allowed: p, input, place, own; did you mean 'input'?"),
    ("{}", "a.yaml:3:1: techniques is empty: nothing to compare; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
    ("", "a.yaml:3:1: techniques is missing; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
    ("[dropout]", "a.yaml:3:13: techniques can't be a list of 1 value; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
]  # fmt: skip


@pytest.mark.parametrize(("strengths", "problem"), WRONG_STRENGTHS)
def test_a_wrong_strength_is_one_sentence_at_its_place(
    folder: Path, strengths: str, problem: str | None
) -> None:
    text = MINIMAL + f"techniques: {strengths}"
    if problem is None:
        assert loaded(folder, text)
        return
    assert problems(folder, text) == [problem.format(known=", ".join(techniques()))]
    assert not validates(text)


WRONG_DATASETS = [
    ("{name: mnist_5k}", "a.yaml:1:17: there is no dataset 'mnist_5k'; allowed: {known}; did you mean 'mnist5k'?", True),
    ("{name: npz}", "a.yaml:1:1: dataset.path is missing: npz reads data of your own; allowed: the path of a file or folder", True),
    ("{name: mnist, path: x}", "a.yaml:1:24: mnist takes no path: it is found by name; leave path out", True),
    ("{name: npz, path: 3}", "a.yaml:1:28: dataset.path can't be 3; allowed: the path of a file or folder", True),
    ("{train_size: 100}", "a.yaml:1:1: dataset has no name; allowed: name: {either}", True),
    ("mnist5k", "a.yaml:1:10: dataset can't be the text 'mnist5k'; allowed: a mapping such as {{name: mnist5k}}", True),
    ("{name: mnist5k, label_noise: 1.1}", "a.yaml:1:39: dataset.label_noise can't be 1.1; allowed: a number of at least 0 and at most 1", True),
    ("{name: mnist5k, validation_share: 0}", "a.yaml:1:44: dataset.validation_share can't be 0; allowed: a number above 0 and below 1", True),
    ("{name: npz, path: x.npz, size: 64}", "a.yaml:1:35: npz takes no size; image_folder would: leave size out", True),
    ("{name: mnist5k, target: y}", "a.yaml:1:26: mnist5k takes no target; table would: leave target out", True),
    ("{name: table, path: x, target: 3}", "a.yaml:1:41: dataset.target can't be 3; allowed: text", True),
    ("{name: image_folder, path: x, size: 0}", "a.yaml:1:46: dataset.size: it must be a whole number from 1 to 1024, or two: [height, width]", True),
    ("{name: image_folder, path: x, size: [8, 8, 3]}", "a.yaml:1:46: dataset.size: it must be a whole number from 1 to 1024, or two: [height, width]", True),
    ("{name: image_folder, path: x, size: 8, fit: cut}", "a.yaml:1:54: dataset.fit can't be the text 'cut'; allowed: crop, pad or stretch", True),
    ("{name: image_folder, path: x, fit: crop}", "a.yaml:1:1: dataset: fit says how images get the size: add size, or leave fit out", False),
    ("{name: mnist5k, train_size: 2701}", "a.yaml:1:38: dataset.train_size can't be 2701: validation leaves 2700 of 3,000; allowed: 10 (one a class) to 2700", False),
    ("{name: mnist5k, train_size: 9}", "a.yaml:1:38: dataset.train_size can't be 9: validation leaves 2700 of 3,000; allowed: 10 (one a class) to 2700", False),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "problem", "seen_by_schema"), WRONG_DATASETS)
def test_a_wrong_dataset_is_one_sentence_at_its_place(
    folder: Path, dataset: str, problem: str, seen_by_schema: bool
) -> None:
    text = f"dataset: {dataset}\nmodel: {{name: mlp}}\ntechniques: {{dropout: 0.5}}\n"
    assert problems(folder, text) == [
        problem.format(known=", ".join(sources()), either=either(sources()))
    ]
    assert validates(text) is not seen_by_schema


WRONG_MODELS = [
    ("{name: mpl}", "a.yaml:2:15: there is no model 'mpl'; allowed: cnn, linear, mlp, module, resnet, rnn, transformer; did you mean 'mlp'?"),
    ("{name: mlp, widths: []}", "a.yaml:2:28: model.widths can't be an empty list; allowed: a list of 1 or more values, each a whole number of at least 1"),
    ("{name: mlp, widths: [3, 0]}", "a.yaml:2:32: a value in model.widths can't be 0; allowed: a whole number of at least 1"),
    ("{name: cnn, channels: [1, 2, 3, 4, 5, 6]}", "a.yaml:2:30: model.channels can't be a list of 6 values; allowed: a list of 1 to 5 values, each a whole number of at least 1"),
    ("{name: mlp, widths: 256}", "a.yaml:2:28: model.widths can't be 256; allowed: a list of 1 or more values, each a whole number of at least 1"),
    ("{name: mlp, channels: [32]}", "a.yaml:2:20: unknown key 'channels' in model; allowed: name, widths, activation, init"),
    ("{name: cnn, kernel: 2}", "a.yaml:2:28: model.kernel can't be 2; allowed: 1, 3, 5 or 7"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "problem"), WRONG_MODELS)
def test_a_wrong_model_is_one_sentence_at_its_place(folder: Path, model: str, problem: str) -> None:
    text = f"dataset: {{name: mnist5k}}\nmodel: {model}\ntechniques: {{dropout: 0.5}}\n"
    assert problems(folder, text) == [problem]
    assert not validates(text)


WRONG_AS_A_WHOLE = [
    (
        WITH_DROPOUT + "train: {optimizer: {name: adam, lr: .inf}}",
        "a.yaml:4:37: train.optimizer.lr can't be .inf; allowed: a number above 0",
    ),
    (
        WITH_DROPOUT + "train: {epochs: 1e3}",
        "a.yaml:4:17: train.epochs can't be 1000.0; allowed: a whole number of at least 1; did you mean 1000?",
    ),
    (
        WITH_DROPOUT + "combine: [[l2]]",
        "a.yaml:4:12: l2 isn't listed under techniques; allowed: dropout",
    ),
    (
        WITH_DROPOUT + "exclude: [{l2: 0.01}]",
        "a.yaml:4:12: l2 isn't listed under techniques; allowed: dropout",
    ),
    (
        WITH_DROPOUT + "exclude: [{dropout: 0.4}]",
        "a.yaml:4:21: this rule leaves nothing out: no cell has dropout with p 0.4; allowed: p 0.5",
    ),
    (
        WITH_DROPOUT + "exclude: [[dropout]]",
        "a.yaml:1:1: no cell is left to compare with the baseline (excluded by the config: dropout)",
    ),
    (
        MINIMAL + "techniques: {batch_norm: , layer_norm: }\ncombine: [[batch_norm, layer_norm]]",
        "a.yaml:4:1: no cell is left to compare with the baseline "
        "(batch_norm and layer_norm would both normalize the same place)",
    ),
    (
        MINIMAL + "techniques: {weight_decay: 0.1}\ntrain: {optimizer: {name: adamw}}",
        "a.yaml:3:14: adamw decays the weights by 0.01, and techniques.weight_decay does so again; "
        "allowed: {name: adam}, or {name: adamw, weight_decay: 0}",
    ),
    (
        MINIMAL + f"techniques: {{l1: {list(range(100))}, l2: {list(range(300))}}}\ncombine: factorial",
        "a.yaml:4:1: this asks for more than 100,000 runs (5 seeds of more than 20,000 cells); "
        "allowed: fewer strengths, techniques or seeds",
    ),
    (
        MINIMAL + f"techniques: {{dropout: {{p: {[i / 99 for i in range(99)]}, input: {[i / 99 for i in range(99)]}}}}}",
        "a.yaml:3:23: techniques.dropout asks for more than 1,000 strengths; allowed: fewer values",
    ),
    (
        WITH_DROPOUT + "probes: {nois: {levels: [0.1]}, steps_to: }",
        "a.yaml:4:10: there is no probe 'nois'; allowed: activations, batch_sizes, dependence, dimming, ensemble, features, "
        "gradient_shift, lengths, matched_loss, mean_activation, memorised, monte_carlo, noise, occlusion, "
        "smoothness, steps_to, weights; did you mean 'noise'?",
    ),
    (
        WITH_DROPOUT + "probes: {lengths: {lengths: [7]}}",
        "a.yaml:4:10: the probe lengths can't measure here: the model mlp reads whole images; use an rnn or a transformer",
    ),
    (
        WITH_DROPOUT + "probes: {occlusion: {sizes: [4, 29]}}",
        "a.yaml:4:10: the probe occlusion can't measure here: sizes has 29, and the images are 28x28",
    ),
    ("", "a.yaml:1:1: the file is empty; allowed: at least dataset, model and techniques (`regbench init` writes an example)"),
    ("# nothing\n", "a.yaml:1:1: the file is empty; allowed: at least dataset, model and techniques (`regbench init` writes an example)"),
    ("- a\n", "a.yaml:1:1: a config can't be a list of 1 value; allowed: lines of `key: value`, such as `name: quickstart`"),
    ("hello\n", "a.yaml:1:1: a config can't be the text 'hello'; allowed: lines of `key: value`, such as `name: quickstart`"),
    (WITH_DROPOUT + "model: {name: mlp}", "a.yaml:4:1: the key 'model' is given twice, first in line 2; keep one of the two"),
    ("a: [", "a.yaml:1:5: a value is missing here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), WRONG_AS_A_WHOLE)
def test_what_only_the_whole_shows_is_one_sentence_too(
    folder: Path, text: str, problem: str
) -> None:
    assert problems(folder, text) == [problem]


@pytest.mark.parametrize("section", ["analysis", "dataset", "train", "train.optimizer", "tune"])
def test_a_key_that_was_refused_is_not_offered_again(folder: Path, section: str) -> None:
    known = {key for kind in (Config, Train, Tune, Analysis, Adam) for key in kind.model_fields}
    for key in known:
        for problem in problems(folder, WITH_DROPOUT, f"{section}.{key}=[]"):
            assert not ("unknown key" in problem and problem.endswith(f"did you mean {key!r}?"))


def test_all_problems_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = """
dataset: {name: mnits5k, label_noise: 2}
model: {name: mlp, widths: [256, -1], activaton: relu}
train:
  epochs: no
  epochs: 3
seeds: 0
techniques: {droput: 0.5, l1: -1}
exclude: [[l2]]
"""
    places = [
        problem.split(": ")[0] for problem in problems(folder, text, "train.batch_size=0", "x")
    ]
    lines = ["2:17", "2:39", "3:34", "3:39", "5:11", "6:3", "7:8", "8:14", "8:31", "9:12"]
    assert places == [*(f"a.yaml:{line}" for line in lines), "--set x", "--set train.batch_size=0"]


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(folder / "missing.yaml")


WRONG_OVERRIDES = [
    ("train.epochs=x", "train.epochs can't be the text 'x'; allowed: a whole number of at least 1"),
    ("train.epochs=", "train.epochs can't be empty; allowed: a whole number of at least 1"),
    ("train.epochs=[", "a value is missing here"),
    ("train.epochs=010", "'010': a number doesn't begin with 0: leave the 0 out, or put text between quotes"),
    (
        "trian.epochs=5",
        "unknown key 'trian'; allowed: name, dataset, model, train, seeds, rounds, sequential, vary, tune, techniques, combine, "
        "exclude, analysis, probes, replicates; did you mean 'train'?",
    ),
    ("train.epoch=5", "unknown key 'epoch' in train; allowed: epochs, batch_size, optimizer, schedule, select, evaluate_every; did you mean 'epochs'?"),
    ("techniques.dropout.P=0.1", "unknown key 'P' in techniques.dropout; allowed: p, input, place, own; did you mean 'p'?"),
    ("model.widths.x=1", None),
    ("seeds.0=1", None),
    ("train.epochs", "an override is written section.key=value, as train.epochs=5"),
    ("=5", "an override is written section.key=value, as train.epochs=5"),
    ("train..epochs=5", "an override is written section.key=value, as train.epochs=5"),
    ("name.x=5", "name is the text 'b', so x can't be set in it; set name as a whole"),
    ("name=a\x1b[31m", "a character that can't be printed (\\x1b); remove it"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "problem"), WRONG_OVERRIDES)
def test_a_wrong_override_is_named(folder: Path, override: str, problem: str | None) -> None:
    found = problems(folder, WITH_DROPOUT + "name: b\n", override)
    assert [text.isprintable() for text in found] == [True]
    place = f"--set {override}".replace("\x1b", "\\x1b")
    assert found[0].startswith(f"{place}: ")
    if problem:
        assert found == [f"{place}: {problem}"]


def test_of_very_many_problems_the_first_are_told(folder: Path) -> None:
    found = problems(folder, MINIMAL + "".join(f"key{i}: 1\n" for i in range(3000)))
    assert len(found) == PROBLEMS + 1
    assert (
        sum(
            problem.endswith(f"mend these {PROBLEMS}, and the rest will be told")
            for problem in found
        )
        == 1
    )


def test_a_very_long_key_is_shortened_between_its_place_and_the_remedy(folder: Path) -> None:
    (found,) = problems(folder, WITH_DROPOUT + f"? {'x' * 900_000}\n: 1\n")
    assert found.startswith("a.yaml:4:3: unknown key 'xxx")
    assert found.endswith("probes, replicates")
    assert len(found) < 1100
