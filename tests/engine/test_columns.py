"""Rows of a table become inputs as scikit-learn's transformers make them of the training rows."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from regbench import data
from regbench.data import Column
from regbench.engine.columns import moments, places
from regbench.engine.pixels import Dataset
from regbench.engine.train import train
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from tests.data.tables import loaded, passengers, written

SEEDS = (0, 3)


def runs(
    folder: Path, file: str, target: str, model: str, more: str = "", **train: object
) -> list[Run]:
    """The baseline's runs on a table in `folder`."""
    config = folder / "config.yaml"
    options = {"epochs": 1, "batch_size": 16} | train
    config.write_text(
        f"dataset: {{name: table, path: {file}, target: {target}{more}}}\nmodel: {model}\n"
        f"train: {{{', '.join(f'{key}: {value}' for key, value in options.items())}}}\n"
        f"seeds: {list(SEEDS)}\ntechniques: {{l2: 0.01}}\n"
    )
    return [run for run in plan(load(config)).runs if not run.cell.techniques]


def given(images: data.Images, asked: list[Run]) -> list[NDArray[np.float64]]:
    """What a model is given of training, validation and test rows, each (seeds, n, inputs)."""
    parts = Dataset(images, dtype=torch.float64).parts(asked)
    return [part.images(part.index)[:, :, 0, 0].numpy() for part in parts]


def raw(images: data.Images, asked: list[Run]) -> list[list[NDArray[np.float64]]]:
    """The raw rows of each seed: training, validation, test."""
    rows, d = images.train_images[:, 0, 0], asked[0].dataset
    splits = [
        data.split(
            images.train_labels, len(images.classes), seed,
            d.train_size, d.validation_share, d.label_noise,
        )
        for seed in SEEDS
    ]  # fmt: skip
    return [[rows[s.train], rows[s.validation], images.test_images[:, 0, 0]] for s in splits]


def by_sklearn(images: data.Images, rows: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """What scikit-learn, fitted on the first of some sets of rows, makes of each."""
    kinds = [column.categories for column in images.columns]
    numbers = [i for i, kind in enumerate(kinds) if kind is None]
    texts = [i for i, kind in enumerate(kinds) if kind is not None]
    gaps = [i for i in numbers if images.columns[i].gaps]
    scaler = StandardScaler().fit(rows[0][:, numbers])
    encoder = OneHotEncoder(
        categories=[np.arange(len(kinds[i])) for i in texts],
        handle_unknown="ignore", sparse_output=False,
    )  # fmt: skip
    seen = [set(rows[0][:, i]) for i in texts]
    made = []
    for some in rows:
        scaled = np.nan_to_num(scaler.transform(some[:, numbers]))
        parts = [scaled, np.isnan(some[:, gaps])]
        if texts:
            codes = some[:, texts]
            for place, known in enumerate(seen):  # what training lacks is unknown
                codes[~np.isin(codes[:, place], list(known)), place] = 99
            hot = encoder.fit(rows[0][:, texts]).transform(codes)
            start = 0
            for i in texts:
                own = hot[:, start : start + len(kinds[i])]
                parts += [own, 1 - own.sum(1, keepdims=True)]
                start += len(kinds[i])
        made.append(np.concatenate(parts, 1))
    return made


@pytest.mark.parametrize("more", ["", ", train_size: 12", ", validation_share: 0.5"])
def test_inputs_are_those_of_sklearn_fitted_on_each_seeds_training_rows(
    tmp_path: Path, more: str
) -> None:
    """With twelve training rows some categories are there in validation and test alone."""
    table = passengers(200)
    table["letter"] = [chr(65 + i * i % 40) for i in range(200)]
    images = loaded(written(tmp_path, table), target="survived")
    asked = runs(tmp_path, "data.csv", "survived", "{name: mlp}", more)
    ours = given(images, asked)
    unknown = False
    for seed, rows in enumerate(raw(images, asked)):
        for part, expected in zip(ours, by_sklearn(images, rows), strict=True):
            assert part[seed].shape[1] == images.shape[0]
            np.testing.assert_allclose(part[seed], expected, rtol=1e-9, atol=1e-12)
        unknown |= bool(ours[1][seed][:, -1].any() or ours[2][seed][:, -1].any())
    assert unknown == ("size" in more)


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "wine"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_real_tables_of_numbers_are_scaled_as_sklearn_does(
    tmp_path: Path, name: str, kind: str
) -> None:
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    if kind == "npz":
        x, y = frame.drop(columns="target").to_numpy(), frame["target"].to_numpy()
        np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
        images, target = data.load("table", tmp_path / "data.npz"), "null"
    else:
        images, target = loaded(written(tmp_path, frame, f"data.{kind}"), target="target"), "target"
    asked = runs(tmp_path, f"data.{kind}", target, "{name: mlp}")
    ours = given(images, asked)
    for seed, rows in enumerate(raw(images, asked)):
        for part, expected in zip(ours, by_sklearn(images, rows), strict=True):
            np.testing.assert_allclose(part[seed], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "wine"])
@pytest.mark.parametrize("model", ["{name: linear}", "{name: mlp, widths: [64]}"])
def test_networks_learn_real_tables_as_well_as_logistic_regression(
    tmp_path: Path, name: str, model: str
) -> None:
    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    images = loaded(written(tmp_path, frame), target="target")
    asked = runs(
        tmp_path, "data.csv", "target", model, epochs=60, optimizer="{name: adam, lr: 0.01}"
    )
    ours = [row["test_accuracy"] for row in train(asked, Dataset(images)).runs]
    splits = [
        data.split(images.train_labels, len(images.classes), seed, None, 0.1, 0) for seed in SEEDS
    ]
    for accuracy, split, rows in zip(ours, splits, raw(images, asked), strict=True):
        x_train, _, x_test = by_sklearn(images, rows)
        with warnings.catch_warnings(action="ignore"):
            fitted = LogisticRegression(max_iter=2000).fit(x_train, split.train_labels)
        theirs = fitted.score(x_test, images.test_labels)
        assert theirs > 0.93
        assert accuracy == pytest.approx(theirs, abs=0.025)


def test_no_validation_or_test_row_changes_a_training_input(tmp_path: Path) -> None:
    images = loaded(written(tmp_path, passengers(120)), target="survived")
    asked = runs(tmp_path, "data.csv", "survived", "{name: mlp}", ", validation_share: 0.3")[:1]
    split = data.split(images.train_labels, 2, SEEDS[0], None, 0.3, 0)
    train_rows, test_rows = images.train_images.copy(), images.test_images.copy()
    for rows in (train_rows[split.validation], test_rows):
        assert len(rows)
    train_rows[split.validation, ..., :2] = 1e6
    train_rows[split.validation, ..., 2:] = 0
    test_rows[..., :2] = -1e6
    test_rows[..., 2:] = 0
    changed = replace(images, train_images=train_rows, test_images=test_rows)
    before, after = given(images, asked), given(changed, asked)
    assert np.array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1])
    assert not np.allclose(before[2], after[2])


def test_a_stack_of_seeds_trains_as_each_seed_alone(tmp_path: Path) -> None:
    images = loaded(written(tmp_path, passengers(120)), target="survived")
    asked = runs(tmp_path, "data.csv", "survived", "{name: mlp, widths: [8]}", epochs=3)
    dataset = Dataset(images, dtype=torch.float64)
    together = train(asked, dataset)
    assert len(together.runs) == len(SEEDS)
    for run, row in zip(asked, together.runs, strict=True):
        (alone,) = train([run], dataset).runs
        for key in ("test_nll", "test_accuracy", "validation_nll", "train_nll", "gap"):
            assert row[key] == pytest.approx(alone[key], rel=1e-9)
    assert not any("filters" in row for row in together.details)


def test_moments_leave_out_what_is_missing_and_a_flat_column_has_the_deviation_1() -> None:
    numbers = np.array([[1.0, 0.1, np.nan], [3.0, 0.1, np.nan], [np.nan, 0.1, np.nan]])
    mean, deviation = moments(numbers)
    assert mean.tolist() == [2.0, pytest.approx(0.1), 0.0]
    assert deviation.tolist() == [1.0, 1.0, 1.0]
    mean, deviation = moments(np.array([[1e9, -1e80], [1e9 + 2, 1e80]]))
    assert mean.tolist() == [1e9 + 1, 0]
    assert deviation.tolist() == [1.0, 1e80]


def test_a_category_that_no_training_row_has_takes_the_unknown_ones_place() -> None:
    codes = np.array([[0, 1], [2, 1]])
    assert places(codes, [4, 3]).tolist() == [0, 3, 2, 3, 6, 5, 6]
    assert places(np.empty((2, 0), np.int64), []).tolist() == []


def test_a_column_says_how_many_inputs_it_becomes() -> None:
    columns = (Column("a"), Column("b", None, True), Column("c", ("x", "y")))
    assert [column.inputs for column in columns] == [1, 2, 3]
