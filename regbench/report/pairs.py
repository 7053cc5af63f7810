"""Two cells beside each other, for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from regbench.analysis.versus import Versus
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.grid import grid


def rich(versus: Versus, words: Words) -> Group:
    """Return the paired difference in a sentence, and McNemar's test a seed."""
    metric = versus.metric
    shown = numbers.plus_minus([versus.difference], metric.scale, sign=True)[0]
    difference = words(f"metric.{metric.key}.told", x=" ".join(shown.split()))
    head = words(
        "versus.difference",
        one=versus.one,
        other=versus.other,
        difference=difference,
        n=versus.difference.n,
        p=numbers.p_value(versus.p),
        sign_flip=numbers.p_value(versus.sign_flip_p),
        standardized=numbers.number(versus.standardized, 2, sign=True),
        superiority=f"{100 * versus.superiority:.0f}",
        correlation=numbers.number(versus.correlation, 2, sign=True),
    )
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
