"""Verdicts and evidence in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regbench.analysis.comparison import CellResult, Comparison, Effect
from regbench.analysis.evidence import MEASURES, Evidence, Support
from regbench.analysis.levels import MORE
from regbench.analysis.metrics import METRICS, Metric
from regbench.analysis.stats import Verdict
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
    "holds": "✓",
    "refuted": "✗",
    "undecided": "?",
    "too_few": "",
    "number": "",
}
SUPPORT_TONES: Mapping[Support, Tone] = {"holds": "good", "refuted": "bad"}
CLAIMS: Mapping[str, tuple[str, Tone]] = {
    "supported": ("✓", "good"),
    "refuted": ("✗", "bad"),
    "qualified": ("◐", "same"),
    "undecided": ("?", "faint"),
    "too_few": (UNKNOWN, "faint"),
}
FAR = 5
"""So many times the seeds that there are are far more."""


def metric(of: Metric, part: str, words: Words, **values: object) -> str:
    """Return what a metric is called, in a `part` of its section of the catalogue."""
    return words(f"metric.{of.words or of.key}.{part}", name=of.key, **values)


def name(key: str, words: Words) -> str:
    """Return what a technique is called; a factor of somebody's own has its name alone."""
    return str(techniques()[key].card(words.language).name) if key in techniques() else key


def evidence(
    key: str, found: Sequence[Evidence], comparison: Comparison, words: Words
) -> Iterator[Line]:
    """Yield what was measured of a point, in words: a line for all techniques that came out alike,
    named where there are several.
    """
    for outcome in MARKS:
        alike = [e for e in found if e.outcome == outcome]
        if not alike:
            continue
        sizes = [_size(key, e, comparison, words) for e in alike]
        target = numbers.percent(round(comparison.trained.target, 3)) if comparison.trained else ""
        text = words(
            f"evidence.{key}.{outcome}", x=words("evidence.and").join(sizes), target=target
        )
        names = words("evidence.and").join(
            words("evidence.with", name=name(e.technique, words)) for e in alike
        )
        here = "here_with" if len(found) > 1 else "here"
        told = words(f"evidence.{here}", text=text, names=names)
        yield Line(marked(told, MARKS[outcome]), SUPPORT_TONES.get(outcome, "faint"))


def claimed(verdict: Mapping[str, Any], words: Words) -> Line:
    """Return what an experiment of its own says of a point, with its mark."""
    mark, tone = CLAIMS[verdict["outcome"]]
    text = verdict["text"].get(words.language, verdict["text"]["en"])
    return Line(marked(words("evidence.claim", text=text), mark), tone)


def marked(text: str, mark: str) -> str:
    """Return a text with its mark behind it, "overfitting fell (✓)"."""
    return f"{text} ({mark})" if mark else text


def _size(key: str, found: Evidence, comparison: Comparison, words: Words) -> str:
    """Return how large the change is that was measured of a point, without its side."""
    if MEASURES[key].neutral:
        return numbers.size(found.estimate.mean)
    if key not in ("behind_batch_norm", "tuning"):
        return numbers.size(numbers.POINTS * found.estimate.mean)
    own = comparison.metric
    return metric(own, "told", words, x=numbers.size(own.scale * found.estimate.mean))


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
    text = f"{SYMBOLS[effect.verdict]} {words(f'verdict.{_verdict(result, effect)}')}"
    text += "*" * effect.only_alone
    if effect.more_seeds:
        text += f": {_wanting(effect, *effect.more_seeds, words)}"
    text += " †" if effect.tests_disagree(1 - confidence) else ""
    side = "better" if effect.verdict == "hurts" else "worse"
    caveats = [
        words(f"verdict.{side}", metric=metric(METRICS[k], "short", words)) for k in effect.against
    ]
    if result.diverged:
        caveats.append(lost)
    return Line(", ".join([text, *caveats]), TONES.get(effect.verdict, "faint"))


def _verdict(result: CellResult, effect: Effect) -> str:
    """Return the key of a verdict's words: no spread can be of the scores, which may be the best
    possible, or only of the differences.
    """
    if effect.verdict != "no_spread":
        return effect.verdict
    score = result.scores[effect.metric.key]
    if effect.primary.mean or score.sd:
        return "no_spread_differences"
    return "no_spread_best" if effect.metric.key == "accuracy" and score.mean == 1 else "no_spread"


def _wanting(effect: Effect, low: int | None, high: int | None, words: Words) -> str:
    """Return how many more seeds would decide."""
    if low is None or (effect.verdict == "undecided" and low > FAR * effect.pairs):
        return words("verdict.far_more", n=effect.pairs)
    if high is None:
        return words("verdict.more_or_over", low=low, n=MORE[-1])
    if low == high:
        return words("verdict.more" if low > 1 else "verdict.one_more", n=low)
    return words("verdict.more_range", low=low, high=high)


def simple(said: Simple, words: Words) -> Line:
    """Return how many lines of code techniques take, with the verdict's mark."""
    names = [
        f"{techniques()[key].card(words.language).name} {lines(key)}"
        for key in (*said.these, *said.others)
    ]
    mark, tone = CLAIMS["supported" if is_simple(said) else "refuted"]
    return Line(marked(words("note.lines", counts=", ".join(names)), mark), tone)
