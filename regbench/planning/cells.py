"""Which cells a config asks for: sets of techniques with strengths; and which are left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
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


def load(
    source: Path | Mapping[str, Any],
    overrides: Overrides = (),
    at: Loc = (),
    settle: Callable[[Config], Config] = lambda config: config,
) -> Config:
    """Return the config in a YAML file or in a mapping, of which cells can be planned.

    Arguments and errors are those of `config.load.load`.
    """
    return reading.load(source, overrides, at, unplannable, settle)


def unplannable(config: Config) -> str:
    """Return why nothing, or a million runs, would come of a config; "" where it can be planned."""
    runs, seeds = len(config.seeds), f"{len(config.seeds)} seeds"
    reasons: Iterable[str | None] = (reason for cell, reason in combinations(config) if cell)
    if config.tune:
        times = len(config.tune.replicates(config.seeds))
        keys = max((len(cell) for cell in itertools.islice(asked(config), RUNS)), default=0)
        tried = config.tune.trials * (keys + bool(config.tune.lr) or 1)
        runs += tried * config.tune.seeds * times
        seeds += f" and {times} times up to {tried} trials of {config.tune.seeds}"
        reasons = (reason for *_, reason in itertools.islice(trials(config), 1, None))
    if config.vary:
        runs *= len(config.vary)
        seeds += f" in {len(config.vary)} conditions"
    most = max(1, RUNS // runs)
    known = list(itertools.islice(reasons, most))
    if len(known) >= most:
        return (
            f"this asks for more than {RUNS:,} runs ({seeds} of more than {most:,} cells); "
            "allowed: fewer strengths, techniques or seeds"
        )
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


def trials(
    config: Config, seed: int | None = None
) -> Iterator[tuple[str, list[tuple[Combination, Condition]], str | None]]:
    """Yield of each cell of a tuned sweep its name, and the different settings that it tries for
    `seed` (None: for all).

    A learning rate that is tuned stands beside the techniques, as a condition. Last comes the
    reason why the cell is left out, or None. A cell has as many trials for each number that it
    chooses: two numbers span a square, which as many points fill half as well as a line. A
    technique's strengths meet another's in orders of their own, so that the trials lie scattered
    over the square (Latin hypercubes, McKay et al. 1979).
    """
    assert config.tune
    for cell in itertools.chain([{}], filter(None, asked(config))):
        tried: dict[str, tuple[Combination, Condition]] = {}
        reasons: dict[str, None] = {}
        name = " + ".join(cell) or "baseline"
        rates = config.tune.lr or []
        chooses = sum(len(strengths) > 1 for strengths in cell.values()) + (len(set(rates)) > 1)
        for block, trial in itertools.product(range(max(1, chooses)), range(config.tune.trials)):
            settings = {}
            for shift, (key, strengths) in enumerate(cell.items(), start=1):
                place = (trial + block * shift) % config.tune.trials
                order = _order(key, config.tune.trials, seed)
                settings[key] = strengths[order[place]] if len(strengths) > 1 else strengths[0]
            if reason := reason_against(config, settings):
                reasons[reason] = None
                continue
            lr = {LR: rates[trial]} if rates else {}
            tried[repr((settings, lr))] = settings, lr
        yield name, list(tried.values()), None if tried else "; ".join(reasons)


@cache
def _order(key: str, trials: int, seed: int | None) -> list[int]:
    """Return the order in which a technique's strengths meet the first trials; those of later
    blocks are shifted, so that no two trials are the same.
    """
    about = "" if seed is None else f"/{seed}"
    return [int(i) for i in stream(0, f"tune/order/{key}{about}").permutation(trials)]


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
        if field and not getattr(models()[model], "HIDDEN", True):
            return f"{key} acts behind hidden layers, and the model {model} has none"
        if field and not models()[model].PLACES and settings.place != field.default:  # type: ignore[attr-defined]
            return f"{key}'s place is fixed in the model {model}: only {field.default} is possible"
    return None
