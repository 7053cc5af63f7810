"""Which cells a config asks for: sets of techniques with strengths; and which are left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from regbench.config import load as reading
from regbench.config.config import Config
from regbench.config.reader import Overrides
from regbench.config.sections import LR, RUNS, Combination, Condition
from regbench.config.strengths import matches
from regbench.config.yaml12 import Loc
from regbench.models import models
from regbench.nn.randomness import stream
from regbench.regularizers import techniques
from regbench.settings import Settings


def load(source: Path | Mapping[str, Any], overrides: Overrides = (), at: Loc = ()) -> Config:
    """Return the config in a YAML file or in a mapping, of which cells can be planned.

    Arguments and errors are those of `config.load.load`.
    """
    return reading.load(source, overrides, at, check=unplannable)


def unplannable(config: Config) -> str:
    """Return why nothing, or a million runs, would come of a config; "" where it can be planned."""
    runs, seeds = len(config.seeds), f"{len(config.seeds)} seeds"
    reasons: Iterable[str | None] = (reason for cell, reason in combinations(config) if cell)
    if config.tune:
        runs += config.tune.trials * config.tune.seeds
        seeds += f" and {config.tune.trials} trials of {config.tune.seeds}"
        reasons = (reason for *_, reason in itertools.islice(trials(config), 1, None))
    if config.vary:
        runs *= len(config.vary)
        seeds += f" in {len(config.vary)} conditions"
    most = max(1, RUNS // runs)
    known = list(itertools.islice(reasons, most))
    if len(known) >= most:
        asked = f"more than {RUNS:,} runs ({seeds} of more than {most:,} cells)"
        return f"this asks for {asked}; allowed: fewer strengths, techniques or seeds"
    if known and None not in known:
        said = "; ".join(dict.fromkeys(str(reason) for reason in known))
        return f"no cell is left to compare with the baseline ({said})"
    return ""


def combinations(config: Config) -> Iterator[tuple[Combination, str | None]]:
    """Yield each set of techniques that is asked for, with the reason why it is left out, or None.

    The baseline, the empty set, comes first and is always there; the others come by number of
    techniques, then in the order of tables, then of strengths.
    """
    seen = set()
    for cell in itertools.chain([{}], asked(config)):
        for strengths in itertools.product(*cell.values()):
            combination = dict(zip(cell, strengths, strict=True))
            identity = tuple(
                (key, settings.model_dump_json()) for key, settings in combination.items()
            )
            if identity not in seen:
                seen.add(identity)
                yield combination, reason_against(config, combination)


def trials(config: Config) -> Iterator[tuple[str, list[tuple[Combination, Condition]], str | None]]:
    """Yield of each cell of a tuned sweep its name, and the different settings that it tries.

    A learning rate that is tuned stands beside the techniques, as a condition. Last comes the
    reason why the cell is left out, or None. A technique's strengths meet another's in an order of
    their own, so that the trials of a pair lie scattered over the square (a Latin hypercube, McKay
    et al. 1979).
    """
    assert config.tune
    for cell in itertools.chain([{}], asked(config)):
        tried: dict[str, tuple[Combination, Condition]] = {}
        reasons: dict[str, None] = {}
        name = " + ".join(cell) or "baseline"
        for trial in range(config.tune.trials):
            settings = {
                key: strengths[_order(key, config.tune.trials)[trial]]
                if len(strengths) > 1
                else strengths[0]
                for key, strengths in cell.items()
            }
            if reason := reason_against(config, settings):
                reasons[reason] = None
                continue
            lr = {LR: config.tune.lr[trial]} if config.tune.lr else {}
            tried[repr((settings, lr))] = settings, lr
        yield name, list(tried.values()), None if tried else "; ".join(reasons)


@cache
def _order(key: str, trials: int) -> list[int]:
    """Return the order in which a technique's strengths meet the trials."""
    return [int(i) for i in stream(0, f"tune/order/{key}").permutation(trials)]


def asked(config: Config) -> Iterator[dict[str, list[Settings]]]:
    """Yield what `combine` asks for: key to the strengths that the cell is trained with in turn."""
    if isinstance(config.combine, list):
        order = list(techniques())
        yield from sorted(
            config.combine, key=lambda cell: (len(cell), [order.index(key) for key in cell])
        )
        return
    n = len(config.techniques)
    modes = {"one_at_a_time": [1], "factorial": range(1, n + 1), "leave_one_out": [n - 1, n]}
    for size in modes[config.combine]:
        for keys in itertools.combinations(config.techniques, size):
            yield {key: config.techniques[key] for key in keys}


def reason_against(config: Config, combination: Combination) -> str | None:
    """Return why a set of techniques is not trained: by a rule, by the techniques, by the model."""
    for rule in config.exclude:
        if all(
            key in combination and any(matches(pattern, combination[key]) for pattern in patterns)
            for key, patterns in rule.items()
        ):
            return f"excluded by the config: {' + '.join(rule)}"
    model = config.model.name
    for key, settings in combination.items():
        others = {other: theirs for other, theirs in combination.items() if other != key}
        if reason := techniques()[key].clash(settings, others):
            return reason
        field = type(settings).model_fields.get("place")
        if field and not models()[model].PLACES and settings.place != field.default:  # type: ignore[attr-defined]
            return f"{key}'s place is fixed in the model {model}: only {field.default} is possible"
    return None
