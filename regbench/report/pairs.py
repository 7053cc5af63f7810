"""Two cells beside each other, for the terminal."""

from __future__ import annotations

import math

from rich.console import Group
from rich.text import Text

from regbench.analysis.versus import Versus
from regbench.locale import Words
from regbench.report import numbers, said
from regbench.report.grid import grid


def rich(versus: Versus, words: Words) -> Group:
    """Return the paired difference in a sentence, and McNemar's test a seed."""
    metric = versus.metric
    shown = numbers.plus_minus([versus.difference], metric.scale, sign=True, digits=metric.digits)[
        0
    ]
    difference = said.metric(metric, "told", words, x=" ".join(shown.split()))
    head = words(
        "versus.difference" if versus.paired else "versus.unpaired",
        one=versus.one,
        other=versus.other,
        difference=difference,
        n=versus.difference.n,
        p=numbers.p_value(versus.p),
        sign_flip=numbers.p_value(versus.sign_flip_p),
        standardized=numbers.number(versus.standardized, 2, sign=True),
        correlation=numbers.number(versus.correlation, 2, sign=True),
    )
    if math.isfinite(versus.superiority):
        chance = numbers.number(100 * versus.superiority, 0)
        head += " " + words("versus.superiority", superiority=chance)
    if not versus.images:
        return Group(Text(head))
    if not versus.by_seed:
        return Group(Text(head), Text(words("versus.no_bits")))
    rows = [
        (str(test.seed), f"{test.only_one:,}", f"{test.only_other:,}", numbers.p_value(test.p))
        for test in versus.by_seed
    ]
    titles = tuple(words(f"versus.{name}") for name in ("seed", "only_one", "only_other", "p"))
    note = words(
        "versus.note", images=f"{versus.images:,}", confidence=numbers.percent(versus.confidence)
    )
    return Group(Text(head), grid(titles, rows), Text(note, "dim"))
