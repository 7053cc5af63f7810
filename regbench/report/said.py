"""Verdicts and evidence in words."""

from __future__ import annotations

from collections.abc import Mapping

from regbench.analysis.comparison import CellResult, Comparison
from regbench.analysis.evidence import MEASURES, Evidence, Support
from regbench.analysis.levels import MORE
from regbench.analysis.metrics import METRICS, Metric
from regbench.analysis.stats import Estimate, Verdict
from regbench.claims.note import Simple, is_simple, lines
from regbench.locale import Words
from regbench.regularizers import techniques
from regbench.report import numbers
from regbench.report.numbers import UNKNOWN
from regbench.report.table import Line, Tone

SYMBOLS: Mapping[Verdict, str] = {
    "helps": "▲",
    "hurts": "▼",
    "equivalent": "=",
    "undecided": "?",
    "too_few": UNKNOWN,
    "no_spread": UNKNOWN,
}
TONES: Mapping[Verdict, Tone] = {"helps": "good", "hurts": "bad", "equivalent": "same"}
MARKS: Mapping[Support, str] = {
    "holds": "✓ ",
    "refuted": "✗ ",
    "undecided": "? ",
    "too_few": "",
    "number": "",
}
SUPPORT_TONES: Mapping[Support, Tone] = {"holds": "good", "refuted": "bad"}
CLAIMS: Mapping[str, tuple[str, Tone]] = {
    "supported": ("✓", "good"),
    "refuted": ("✗", "bad"),
    "qualified": ("±", "same"),
    "undecided": ("?", "faint"),
    "too_few": (UNKNOWN, "faint"),
}
KEPT = ("accuracy", "nll")
"""What must not be lost where overfitting falls."""


def metric(of: Metric, part: str, words: Words, **values: object) -> str:
    """Return what a metric is called, in a `part` of its section of the catalogue."""
    return words(f"metric.{of.words or of.key}.{part}", name=of.key, **values)


def name(key: str, words: Words) -> str:
    """Return what a technique is called; a factor of somebody's own has its name alone."""
    return str(techniques()[key].card(words.language).name) if key in techniques() else key


def evidence(key: str, found: Evidence, comparison: Comparison, words: Words) -> str:
    """Return what was measured of a point, in words, with what has to be known to read it."""
    trained = comparison.trained
    if MEASURES[key].neutral:
        x = numbers.ratio_interval(found.estimate)
    elif key in ("behind_batch_norm", "tuning"):
        own = comparison.metric
        x = metric(own, "told", words, x=_tight(found.estimate, own.scale, own.digits))
    else:
        x = _tight(found.estimate)
    target = numbers.percent(round(trained.target, 3)) if trained else UNKNOWN
    said = words(f"evidence.{key}", x=x, target=target)
    learnt, seconds = found.beside.get("memorised"), found.beside.get("seconds")
    if learnt and learnt.n:
        said += words("evidence.memorised", x=_tight(learnt))
    if seconds and seconds.n:
        said += words("evidence.seconds", x=numbers.ratio(seconds.mean))
    if key == "overfitting" and found.outcome in ("refuted", "undecided"):
        shown = {name: _tight(found.beside[name], METRICS[name].scale) for name in KEPT}
        said += words("evidence.kept", **shown)
    return said


def _tight(
    estimate: Estimate, scale: float = numbers.POINTS, digits: tuple[int, int] = (1, 3)
) -> str:
    """Return a difference with its interval, without a place to break the line."""
    return "".join(numbers.plus_minus([estimate], scale, sign=True, digits=digits)[0].split())


def count(result: CellResult) -> str:
    """Return n: finished runs, of how many if some are not, and pairs if there are fewer."""
    n = (
        str(result.finished)
        if result.finished == result.planned
        else f"{result.finished}/{result.planned}"
    )
    paired = result.effect and result.effect.paired
    pairs = result.effect.primary.n if result.effect and paired else result.finished
    return n if pairs == result.finished else f"{n} ({pairs})"


def verdict(result: CellResult, words: Words, confidence: float) -> Line:
    """Return symbol and word, with the seeds that are wanting; * where the row alone would have a
    verdict, † where the two tests disagree, and what else has to be known.
    """
    effect = result.effect
    lost = words("verdict.diverged", n=result.diverged, of=result.planned)
    if effect is None:
        said = [words("verdict.baseline"), *([lost] if result.diverged else [])]
        return Line(", ".join(said), "faint")
    text = f"{SYMBOLS[effect.verdict]} {words(f'verdict.{effect.verdict}')}"
    text += "*" * effect.only_alone
    if effect.more_seeds:
        text += f" ({_wanting(*effect.more_seeds, words)})"
    text += " †" if effect.tests_disagree(1 - confidence) else ""
    side = "better" if effect.verdict == "hurts" else "worse"
    caveats = [
        words(f"verdict.{side}", metric=metric(METRICS[k], "short", words)) for k in effect.against
    ]
    if result.diverged:
        caveats.append(lost)
    return Line(", ".join([text, *caveats]), TONES.get(effect.verdict, "faint"))


def _wanting(low: int | None, high: int | None, words: Words) -> str:
    """Return how many more seeds would decide: "+2", "+3 to 60", ">200"."""
    if low is None:
        return words("verdict.more_than", n=MORE[-1])
    if high is None:
        return words("verdict.more_or_over", low=low, n=MORE[-1])
    return (
        words("verdict.more", n=low)
        if low == high
        else words("verdict.more_range", low=low, high=high)
    )


def simple(said: Simple, words: Words) -> Line:
    """Return how many lines of code techniques take, with the verdict's mark."""
    names = [
        f"{techniques()[key].card(words.language).name} {lines(key)}"
        for key in (*said.these, *said.others)
    ]
    mark, tone = CLAIMS["supported" if is_simple(said) else "refuted"]
    return Line(f"{mark} {words('note.lines', counts=', '.join(names))}", tone)
