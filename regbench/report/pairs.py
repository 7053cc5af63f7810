"""Two cells beside each other, for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from regbench.analysis.versus import Versus
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.grid import grid


def rich(found: Versus, words: Words) -> Group:
    """Return the paired difference in a sentence, and McNemar's test a seed."""
    difference = " ".join(numbers.plus_minus([found.difference], sign=True)[0].split())
    head = words(
        "versus.difference",
        one=found.one,
        other=found.other,
        difference=difference,
        n=found.difference.n,
        p=numbers.p_value(found.p),
        sign_flip=numbers.p_value(found.sign_flip_p),
        standardized=numbers.number(found.standardized, 2, sign=True),
        correlation=numbers.number(found.correlation, 2, sign=True),
    )
    if not found.by_seed:
        return Group(Text(head), Text(words("versus.no_bits")))
    rows = [
        (str(test.seed), f"{test.only_one:,}", f"{test.only_other:,}", numbers.p_value(test.p))
        for test in found.by_seed
    ]
    titles = tuple(words(f"versus.{name}") for name in ("seed", "only_one", "only_other", "p"))
    note = words(
        "versus.note", images=f"{found.images:,}", confidence=numbers.percent(found.confidence)
    )
    return Group(Text(head), grid(titles, rows), Text(note, "dim"))
