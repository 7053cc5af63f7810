from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regbench.data import Split, split
from regbench.data._split import hold_out, stratify
from regbench.errors import DataError

SEEDS = st.integers(0, 2**40)


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Labels of unequal classes, in any order, and the number of classes."""
    counts = draw(st.lists(st.integers(1, 40), min_size=2, max_size=12))
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(labels), len(counts)


@st.composite
def draws(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int, float, float]:
    """Arguments of `split` that it must grant."""
    labels, classes = draw(pools().filter(lambda pool: len(pool[0]) >= 3 * pool[1]))
    validation = draw(st.integers(classes, len(labels) - classes))
    size = draw(st.integers(classes, len(labels) - validation))
    return labels, classes, draw(SEEDS), size, validation / len(labels), draw(st.floats(0, 1))


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("train", "train_labels", "validation")
    )


def within_one(drawn: np.ndarray, pool: np.ndarray) -> bool:
    """Whether each class's count in `drawn` is less than 1 away from its share of `pool`; exact, in
    integers.
    """
    most = max(int(pool.max()) + 1, 1)
    got, there = np.bincount(drawn, minlength=most), np.bincount(pool, minlength=most)
    return bool((np.abs(got * len(pool) - there * len(drawn)) < len(pool)).all())


@given(draws())
def test_training_and_validation_images_are_distinct_and_exactly_as_many_as_asked_for(arguments):
    labels, _, _, size, share, _ = arguments
    drawn = split(*arguments)
    assert len(drawn.train) == len(drawn.train_labels) == size
    assert len(drawn.validation) == round(share * len(labels))
    together = np.concatenate([drawn.train, drawn.validation])
    assert len(set(together.tolist())) == len(together)
    assert together.min() >= 0
    assert together.max() < len(labels)
    assert (drawn.train.dtype, drawn.validation.dtype, drawn.train_labels.dtype) == (
        np.int64,
        np.int64,
        np.uint8,
    )


@given(draws())
def test_classes_keep_their_shares_of_what_they_are_drawn_from(arguments):
    labels = arguments[0]
    drawn = split(*arguments)
    assert within_one(labels[drawn.validation], labels)
    rest = np.delete(labels, drawn.validation)
    assert within_one(labels[drawn.train], rest)


@given(pools())
@example((np.repeat(np.arange(7, dtype=np.uint8), [1, 1, 1, 1, 1, 1, 94]), 7))
@example((np.repeat(np.arange(3, dtype=np.uint8), [7, 7, 7]), 3))
@settings(deadline=None)
def test_every_beginning_of_a_stratified_order_keeps_the_classes_shares(pool):
    labels, _ = pool
    order = stratify(labels, np.arange(len(labels)))
    assert sorted(order) == list(range(len(labels)))
    for size in range(1, len(labels) + 1):
        assert within_one(labels[order[:size]], labels)


@given(pools())
def test_within_a_class_a_stratified_order_is_the_order_given(pool):
    labels, classes = pool
    order = np.random.default_rng(0).permutation(len(labels))
    result = stratify(labels, order)
    for k in range(classes):
        assert np.array_equal(result[labels[result] == k], order[labels[order] == k])


@given(draws())
def test_exactly_the_share_of_labels_becomes_another_class(arguments):
    labels, classes, _, size, _, noise = arguments
    drawn = split(*arguments)
    assert (drawn.train_labels != labels[drawn.train]).sum() == round(noise * size)
    assert drawn.train_labels.max() < classes


def test_a_noisy_label_is_every_other_class_equally_often():
    labels = np.repeat(np.arange(4, dtype=np.uint8), 25_000)
    drawn = split(labels, 4, seed=0, train_size=None, validation_share=0.1, label_noise=1.0)
    pairs = np.zeros((4, 4))
    np.add.at(pairs, (labels[drawn.train], drawn.train_labels), 1)
    expected = 22_500 / 3
    assert (np.diag(pairs) == 0).all()
    # 5 standard deviations of a binomial count
    assert np.abs(pairs[~np.eye(4, dtype=bool)] - expected).max() < 5 * np.sqrt(expected * 2 / 3)


def test_noisy_labels_fall_anywhere_in_the_training_set():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 1000)
    drawn = split(labels, 10, seed=0, train_size=8000, validation_share=0.1, label_noise=0.25)
    wrong = drawn.train_labels != labels[drawn.train]
    # 1,000 of the 2,000 are expected in either half; the hypergeometric deviation is 19
    assert abs(wrong[:4000].sum() - 1000) < 5 * 19.4


def test_an_images_wrong_label_depends_on_the_seed_and_not_on_the_training_sets_size():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 100)

    def wrong(seed: int, size: int | None) -> dict[int, int]:
        drawn = split(labels, 10, seed, size, validation_share=0.1, label_noise=1.0)
        return dict(zip(drawn.train.tolist(), drawn.train_labels.tolist(), strict=True))

    small, large, other = wrong(0, 200), wrong(0, None), wrong(1, None)
    assert small.items() <= large.items()
    both = large.keys() & other.keys()
    assert (
        0.05 < np.mean([large[image] == other[image] for image in both]) < 0.2
    )  # by chance: 1 in 9


@given(draws())
def test_label_noise_does_not_change_which_images_are_drawn(arguments):
    clean, noisy = split(*arguments[:-1], 0.0), split(*arguments)
    assert np.array_equal(clean.train, noisy.train)
    assert np.array_equal(clean.validation, noisy.validation)


@given(draws(), st.floats(0, 1))
def test_more_noise_keeps_the_labels_that_less_noise_changed(arguments, other):
    less, more = (split(*arguments[:-1], noise) for noise in sorted((arguments[-1], other)))
    changed = less.train_labels != arguments[0][less.train]
    assert np.array_equal(more.train_labels[changed], less.train_labels[changed])


@given(draws())
def test_a_larger_training_set_begins_with_the_smaller_one(arguments):
    labels, classes, seed, size, share, _ = arguments
    small, large = (split(labels, classes, seed, n, share, 0.0) for n in (size, None))
    assert np.array_equal(large.train[:size], small.train)
    assert np.array_equal(large.validation, small.validation)
    assert len(large.train) == len(labels) - len(small.validation)


@given(draws())
def test_equal_seeds_give_equal_splits_whatever_numpys_global_state(arguments):
    np.random.seed(1)
    first = split(*arguments)
    np.random.seed(2)
    before = np.random.get_state()[1].copy()
    assert same(first, split(*arguments))
    assert np.array_equal(np.random.get_state()[1], before)


def test_different_seeds_give_different_splits_and_zero_is_a_seed_like_any_other():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 50)
    drawn = [split(labels, 10, seed, 200, 0.1, 0.2) for seed in (0, 1, 2)]
    assert not any(same(drawn[a], drawn[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_labels_are_left_as_they_are():
    labels = np.repeat(np.arange(3, dtype=np.uint8), 20)
    labels.setflags(write=False)
    split(labels, 3, seed=0, train_size=None, validation_share=0.2, label_noise=1.0)
    assert np.bincount(labels).tolist() == [20, 20, 20]


@pytest.mark.parametrize(
    ("size", "share", "numbers"),
    [
        (
            91,
            0.1,
            "train_size 91 is more than the 90 images that validation_share 0.1 of 100 "
            "images leaves",
        ),
        (9, 0.1, "train_size 9 is fewer than the 10 classes: ask for 10 to 90"),
        (
            None,
            0.04,
            "validation_share 0.04 of 100 images is 4 for validation, fewer than the 10 classes",
        ),
        (
            None,
            0.95,
            "validation_share 0.95 of 100 images leaves 5 to train on, fewer than the 10 classes",
        ),
    ],
)
def test_an_impossible_size_is_refused_with_the_numbers(size, share, numbers):
    labels = np.repeat(np.arange(10, dtype=np.uint8), 10)
    with pytest.raises(DataError) as error:
        split(labels, 10, seed=0, train_size=size, validation_share=share, label_noise=0.0)
    assert numbers in str(error.value)


def test_the_share_that_is_asked_for_instead_is_granted():
    labels = np.repeat(np.arange(10, dtype=np.uint8), 10)
    with pytest.raises(DataError, match=r"at least 0\.1$"):
        split(labels, 10, seed=0, train_size=None, validation_share=0.04, label_noise=0.0)
    assert (
        len(
            split(
                labels, 10, seed=0, train_size=None, validation_share=0.1, label_noise=0.0
            ).validation
        )
        == 10
    )


@given(
    arrays(
        np.uint8, st.tuples(st.integers(10, 60), st.just(2), st.just(2), st.just(1)), unique=False
    ),
    st.integers(0, 99),
)
def test_the_held_out_test_set_depends_on_the_images_alone_not_on_their_order(images, key):
    images[:, 0, 0, 0] = np.arange(len(images))  # all different
    labels = (images[:, 0, 0, 0] % 3).astype(np.uint8)
    shuffle = np.random.default_rng(key).permutation(len(images))
    mask = hold_out((image.tobytes() for image in images), labels)
    shuffled = hold_out((image.tobytes() for image in images[shuffle]), labels[shuffle])
    assert np.array_equal(shuffled, mask[shuffle])
    assert mask.sum() == round(0.4 * len(images))
    assert within_one(labels[mask], labels)
