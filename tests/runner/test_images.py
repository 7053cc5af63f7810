"""What images, sizes and models don't fit is said before anything is recorded."""

from pathlib import Path

import numpy as np
import pytest

from regbench import data
from regbench.errors import ConfigError, UsageError
from regbench.planning.cells import load
from regbench.planning.plan import Stack, plan
from regbench.probes import probes
from regbench.results.schema import Rows
from regbench.runner.images import check_fit
from tests.command import regbench
from tests.runner.sweeps import TINY, written


def own_images(size: tuple[int, int, int]) -> data.Images:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, *size), dtype=np.uint8) for n in (40, 9))
    return data.Images(
        train,
        np.arange(40, dtype=np.uint8) % 3,
        test,
        np.arange(9, dtype=np.uint8) % 3,
        ("a", "b", "c"),
    )


OWN_MODELS = [
    "{name: linear}",
    "{name: mlp, widths: [4]}",
    "{name: cnn, channels: [3]}",
    "{name: cnn, channels: [3, 3, 3]}",
    "{name: rnn, cell: gru, widths: [4], lengths: [2, 5]}",
    "{name: transformer, patch: 2, heads: 1, head_width: 4, hidden: 4, layers: 1}",
    "{name: resnet, channels: [3, 3]}",
]


@pytest.mark.parametrize("size", [(2, 1, 1), (1, 6, 3), (5, 5, 1), (8, 4, 3), (6, 14, 1)])
def test_what_is_let_through_before_training_fails_no_run(
    tmp_path: Path, size: tuple[int, int, int]
) -> None:
    """Each model, share and size is a condition: one that can't be trained is refused for
    itself.
    """
    images, trained = own_images(size), 0
    settings = [f"{{model: {model}}}" for model in OWN_MODELS]
    settings += [f"{{dataset.validation_share: {share}}}" for share in (0.04, 0.2, 0.95)]
    settings += [f"{{dataset.train_size: {n}}}" for n in (1, 3, 39)]
    for condition in settings:
        file = written(
            tmp_path,
            "dataset: {name: npz, path: own.npz, validation_share: 0.25}\nmodel: {name: "
            "mlp, widths: [3]}\n"
            f"train: {{epochs: 1, batch_size: 16}}\nseeds: 1\nvary: [{condition}]\n"
            "techniques: {dropout: 0.5, batch_norm: , max_norm: 3}\nprobes: {noise: {}, "
            "occlusion: {sizes: [1]}, dimming: {}, smoothness: {}}\n",
        )
        loaded = load(file)
        try:
            check_fit(loaded, {"own.npz": images})
        except UsageError:
            continue
        trained += 1
        for stack in plan(loaded).stacks:
            assert {row["status"] for row in train_stack(stack, images).runs} == {"ok"}, condition
    assert 0 < trained < len(settings)


def own_table() -> data.Images:
    rng = np.random.default_rng(0)
    train, test = (
        np.stack([rng.normal(size=n), rng.integers(0, 3, n)], 1)[:, None, None] for n in (40, 9)
    )
    train[3, ..., 0] = np.nan
    labels = [np.arange(n, dtype=np.uint8) % 2 for n in (40, 9)]
    columns = (data.Column("a", None, True), data.Column("b", ("u", "v")))
    return data.Images(train, labels[0], test, labels[1], ("x", "y"), (), columns)


@pytest.mark.parametrize("model", [*OWN_MODELS, "{name: mlp, widths: [4, 4]}"])
@pytest.mark.parametrize("key", probes())
def test_a_table_is_trained_and_measured_on_or_refused_with_the_reason(
    tmp_path: Path, model: str, key: str
) -> None:
    """Models and probes that look at pictures refuse it; nothing else fails or gives no number."""
    needed = {"steps_to": "{every: 1, accuracies: [0.1]}", "lengths": "{lengths: [1]}"}
    file = written(
        tmp_path,
        f"dataset: {{name: table, path: own.csv, validation_share: 0.25}}\nmodel: {model}\n"
        "train: {epochs: 1, batch_size: 16}\nseeds: 2\n"
        f"techniques: {{l2: 0.01}}\nprobes: {{{key}: {needed.get(key, '{}')}}}\n",
    )
    loaded, table, refused = load(file), own_table(), ""
    try:
        check_fit(loaded, {"own.csv": table})
    except UsageError as error:
        refused = str(error)
    if "mlp" not in model and "linear" not in model:
        assert "a row of 5 values has no height and width to look at" in refused
    elif key in ("noise", "dimming", "occlusion", "features"):
        assert "a row of a table has no pixels" in refused
    else:
        of_images = probes()[key].misfit(loaded.probes[key], loaded.model, (1, 28, 28))
        assert bool(refused) == bool(of_images)
    if refused:
        return
    for stack in plan(loaded).stacks:
        rows = train_stack(stack, table)
        assert {row["status"] for row in rows.runs} == {"ok"}, rows.runs
        assert all(np.isfinite(row["test_nll"]) for row in rows.runs)


def train_stack(stack: Stack, images: data.Images) -> Rows:
    from regbench.engine.pixels import Dataset
    from regbench.engine.train import train

    return train(stack.runs, Dataset(images), stack.id)


def test_a_condition_that_does_not_fit_is_refused_before_anything_is_recorded(
    tmp_path: Path,
) -> None:
    images = own_images((4, 4, 1))
    np.savez(
        tmp_path / "own.npz",
        x_train=images.train_images, y_train=images.train_labels, x_test=images.test_images,
        y_test=images.test_labels,
    )  # fmt: skip
    text = (
        "dataset: {name: npz, path: own.npz}\nmodel: {name: cnn, channels: [4]}\ntechniques: "
        "{dropout: 0.5}\nseeds: 1\n"
    )
    file = written(tmp_path, text + "vary: {model.channels: [[4], [4, 4, 4]]}\n")
    for more in ([], ["--dry-run"]):
        done = regbench("sweep", file, "--out", tmp_path / "out", *more)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "use at most 2 (with channels=4-4-4)" in done.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "{name: mnist5k, validation_share: 0.002}",
            "validation_share 0.002 of 3000 images is 6 for validation",
        ),
        ("{name: cifar100, validation_share: 0.001}", "it takes at least 0.002"),
        ("{name: mnist, validation_share: 0.9999}", "leaves 6 to train on"),
    ],
)
def test_a_share_that_is_too_small_is_known_from_the_config(
    tmp_path: Path, section: str, said: str
) -> None:
    file = written(
        tmp_path,
        TINY.replace(
            "{name: mnist5k, train_size: 300, validation_share: 0.1, label_noise: 0.1}", section
        ),
    )
    with pytest.raises(ConfigError, match=said):
        load(file)


def test_the_users_images_say_what_was_left_alone(tmp_path: Path) -> None:
    images = own_images((4, 4, 1))
    np.savez(
        tmp_path / "own.npz", x_val=images.test_images,
        x_train=images.train_images, y_train=images.train_labels, x_test=images.test_images,
        y_test=images.test_labels,
    )  # fmt: skip
    assert data.load("npz", tmp_path / "own.npz").notes == (
        f"left alone in {tmp_path / 'own.npz'}, since only x_train, y_train, x_test, "
        "y_test are read: x_val",
    )
