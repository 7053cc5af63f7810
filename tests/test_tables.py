"""`make check-tables`: what counts as what the records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tables import same


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        (
            '{"low": 0.9330110641302304}',
            '{"low": 0.9330110641302306}',
            True,
        ),  # another processor's logarithm
        ('{"low": 1.5e-17}', '{"low": 1.5000000000000001e-17}', True),
        ('{"low": 0.93301106}', '{"low": 0.93301107}', False),
        ('{"low": 0.5}', '{"low": -0.5}', False),
        ('{"low": 0.5}', '{"high": 0.5}', False),
        ('{"n": 5}', '{"n": 6}', False),
        ('{"low": 0.5, "n": 5}', '{"low": 0.5}', False),
        ('{"low": null}', '{"low": 0.5}', False),
    ],
)
def test_json_may_differ_in_the_last_digits_of_numbers_and_in_nothing_else(
    old: str, new: str, alike: bool
) -> None:
    assert same(Path("table.json"), old, new) == alike
    assert same(Path("table.en.md"), old, new) == (old == new)


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ('<svg data-of="ab">1</svg>', '<svg data-of="ab">2</svg>', True),  # another font's letters
        ('<svg data-of="ab">1</svg>', '<svg data-of="cd">1</svg>', False),
        ("<p>5<svg>1</svg></p>", "<p>5<svg>2</svg></p>", True),
        ("<p>5<svg>1</svg></p>", "<p>6<svg>1</svg></p>", False),
    ],
)
def test_a_picture_may_differ_in_its_letters_and_not_in_what_it_is_of(
    old: str, new: str, alike: bool
) -> None:
    assert same(Path("picture.svg"), old, new) == alike
