"""Rows of scores to tables of cells that can be compared: which rows are of one cell, which are a
pair, which are the baseline's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regbench.analysis.comparison import Seed
from regbench.analysis.metrics import Metric, another
from regbench.analysis.scores import Scored, Table
from regbench.analysis.stats import Estimate
from regbench.errors import DataError, UsageError
from regbench.regularizers import techniques
from regbench.scores.frame import Frame
from regbench.text import closest, shortened

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NO_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
OFF = ("", "0", "no", "none", "off", "false", "baseline", "plain")
"""Levels of a factor that mean that it is not there, unless the baseline is said."""
ON = ("1", "yes", "on", "true")
MOMENTS: Mapping[str, tuple[str, ...]] = {
    "mean": ("mean", "average"),
    "sd": ("sd", "std", "stdev"),
    "n": ("n", "runs", "seeds"),
}
"""What the columns of a table of means are called."""
MOST_CELLS = 1000


@dataclass(frozen=True)
class Asked:
    """What a person says of a table's columns; what is left out is told by their names."""

    by: str | None = None
    """The column that names the methods."""
    pair: str | None = None
    """The column whose equal values make runs a pair; "none": nothing does."""
    metric: str | None = None
    dataset: str | None = None
    """The column by which the table is split."""
    baseline: str | None = None
    """The method to compare with; of factors their levels, "dropout=0,norm=none"."""
    factors: tuple[str, ...] = ()
    """Columns whose levels, combined, are the cells."""
    lower_is_better: bool = False


def arranged(found: Frame, asked: Asked, margin: float = 0.0) -> tuple[list[Table], Metric]:
    """Return a table for each dataset, and the metric of their scores.

    Three shapes are told apart: a row a run, where `by` or `factors` says what it is of; a row a
    method with mean, sd and n; a column a method. Raises UsageError for what is asked of columns
    that aren't there, DataError for rows that can't be compared, with their place.
    """
    columns = Columns(found, asked)
    if asked.by and asked.factors:
        raise UsageError("--by and --factors both say what the cells are: give one of the two")
    if columns.moments:
        rows = columns.of_moments()
    elif asked.by or asked.factors:
        rows = columns.of_runs()
    else:
        rows = columns.of_methods()
    tables = [columns.table(name, cells) for name, cells in rows.items()]
    if not any(len(table.cells) > 1 for table in tables):
        names = ", ".join(dict.fromkeys(table.cells[0].label for table in tables))
        raise DataError(f"{found.source} has one method, {names}: there is nothing to compare")
    scores = [score for table in tables for cell in table.cells for score in _scores(cell)]
    name = asked.metric or columns.metric
    return tables, another(name, scores, margin, lower_is_better=asked.lower_is_better)


def _scores(cell: Scored) -> list[float]:
    return [cell.moments.mean] if cell.moments else [*cell.runs.values()]


Key = tuple[str, ...]
"""What a row's cell is: the method, or the level of each factor."""
Rows = dict[str, dict[Key, Scored]]
"""Dataset to cell to what it scored."""


class Columns:
    """The columns of a table, by what is asked of them."""

    def __init__(self, found: Frame, asked: Asked) -> None:
        self.found, self.asked = found, asked
        self.names = list(found.rows.columns)
        if not len(found.rows):
            raise DataError(f"{found.source} has no row of scores")
        self.moments = self._moments()
        self.dataset = self._named(asked.dataset, "--dataset")
        self.factors = tuple(self.named(name, "--factors") for name in asked.factors)
        self.by = self._named(asked.by, "--by")
        self.pair = self._pair()
        self.metric = "score"
        """What the scores are called where nothing is asked."""

    def named(self, name: str, option: str) -> str:
        """Return a column by its name. Raises UsageError where there is none."""
        if name in self.names:
            return name
        meant = closest(name, self.names)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(self.names)}"
        raise UsageError(f"{self.found.source} has no column {name!r} ({option}): {hint}")

    def _named(self, name: str | None, option: str) -> str | None:
        return None if name is None else self.named(name, option)

    def _pair(self) -> str | None:
        if self.asked.pair == "none" or self.moments:
            return None
        if self.asked.pair is None:
            taken = {self.dataset, self.by, *self.factors, self.asked.metric}
            seeds = [n for n in self.names if n.lower() == "seed" and n not in taken]
            return seeds[0] if len(seeds) == 1 else None
        return self.named(self.asked.pair, "--pair")

    def _moments(self) -> dict[str, str] | None:
        """Return the columns of mean, sd and n, where the table has them and no row a run."""
        lower = {name.lower(): name for name in reversed(self.names)}
        there = {
            what: lower[name]
            for what, names in MOMENTS.items()
            for name in reversed(names)
            if name in lower
        }
        if not {"mean", "sd"} <= there.keys() or self.asked.metric in self.names:
            return None
        if "n" not in there:
            raise DataError(
                f"{self.found.source} has means and deviations, but not of how many runs: add a "
                "column n"
            )
        return there

    def values(self, column: str) -> list[Any]:
        """Return the cells of a column."""
        return self.found.rows[column].tolist()

    def text(self, column: str, row: int, value: Any) -> str:
        """Return a cell that names something. Raises DataError for one that is empty."""
        name = _named(value)
        if not name:
            raise DataError(f"{self.found.place(row)}: {column} is empty")
        return name

    def number(self, column: str, row: int, value: Any) -> float | None:
        """Return a cell's number, NaN and infinite ones too; None where it is empty.

        Raises DataError for what is no number.
        """
        if isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            if not value.strip():
                return None
            if not (NUMBER.fullmatch(value.strip()) or NO_NUMBER.fullmatch(value.strip())):
                raise DataError(
                    f"{self.found.place(row)}: {column} can't be {shortened(value)!r}; a number "
                    "such as 0.87"
                )
        try:
            return float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"{self.found.place(row)}: {column} can't be {shortened(str(value))!r}; a number"
            ) from None

    def keys(self) -> Iterator[tuple[int, str, Key]]:
        """Yield each row's number, dataset and cell."""
        columns = list(self.factors) or [self.by or self._methods()]
        datasets = self.values(self.dataset) if self.dataset else [""] * len(self.found.rows)
        cells = zip(*(self.values(column) for column in columns), strict=True)
        for row, (dataset, cell) in enumerate(zip(datasets, cells, strict=True)):
            split = self.text(self.dataset, row, dataset) if self.dataset else ""
            if self.factors:
                yield row, split, tuple(_named(level) for level in cell)
            else:
                yield row, split, (self.text(columns[0], row, cell[0]),)

    def _methods(self) -> str:
        """Return the column of a table of means that names the methods: the one that is left."""
        taken = {self.dataset, *(self.moments or {}).values()}
        left = [name for name in self.names if name not in taken]
        if len(left) == 1:
            return left[0]
        raise UsageError(
            f"which column of {self.found.source} names the methods? Say --by "
            f"{left[0] if left else 'NAME'}"
        )

    def of_runs(self) -> Rows:
        """Return what the cells scored where each row is a run."""
        column = self._score()
        scores, pairs = self.values(column), self.values(self.pair) if self.pair else None
        first: dict[tuple[str, Key, Seed], int] = {}
        runs: dict[str, dict[Key, dict[Seed, float | str]]] = {}
        for row, dataset, key in self.keys():
            scored = runs.setdefault(dataset, {}).setdefault(key, {})
            seed: Seed = len(scored)
            if pairs is not None:
                seed = _seed(self.text(str(self.pair), row, pairs[row]))
            if seed in scored:
                earlier = self.found.place(first[dataset, key, seed])
                raise DataError(
                    f"{self.found.place(row)}: {' '.join(key)} has {self.pair} {seed} twice (first "
                    f"at {earlier}): keep one, or name the column that tells them apart with "
                    "--dataset or --factors, or say --pair none"
                )
            first[dataset, key, seed] = row
            number = self.number(column, row, scores[row])
            score = math.nan if number is None else number
            scored[seed] = self.found.lost.get(row, score)
        self.metric = column
        return {
            dataset: {key: _scored(key, scored) for key, scored in cells.items()}
            for dataset, cells in runs.items()
        }

    def _score(self) -> str:
        """Return the column of scores: the one asked for, or the only one that is left."""
        if self.asked.metric:
            return self.named(self.asked.metric, "--metric")
        taken = {self.by, self.pair, self.dataset, *self.factors}
        taken |= {name for name in self.names if name.lower() == "seed"}
        left = [name for name in self.names if name not in taken and self._numeric(name)]
        if len(left) == 1:
            return left[0]
        which = f"there are {', '.join(left)}" if left else "none holds numbers"
        raise UsageError(
            f"which column of {self.found.source} is to be compared? Say --metric NAME; {which}"
        )

    def _numeric(self, column: str) -> bool:
        """Whether a column holds numbers, and nothing else."""
        try:
            numbers = [self.number(column, 0, value) for value in self.values(column)]
        except DataError:
            return False
        return any(number is not None for number in numbers)

    def of_methods(self) -> Rows:
        """Return what the cells scored where each column is a method."""
        if self.asked.metric in self.names:
            raise UsageError(
                f"each row of {self.found.source} is a run, by --metric {self.asked.metric}: say "
                "which column names its method with --by, or --factors"
            )
        taken = {self.pair, self.dataset}
        methods = [name for name in self.names if name not in taken]
        if words := [name for name in methods if not self._numeric(name)]:
            row, value = self._no_number(words[0])
            raise UsageError(
                f"{self.found.place(row)}: {words[0]} is {shortened(str(value))!r}, which is no "
                f"score: if a row is a run, say which column names its method, such as --by "
                f"{words[0]}"
            )
        datasets = self.values(self.dataset) if self.dataset else [""] * len(self.found.rows)
        pairs = self.values(self.pair) if self.pair else None
        runs: dict[str, dict[Key, dict[Seed, float | str]]] = {}
        for name in methods:
            for row, value in enumerate(self.values(name)):
                dataset = self.text(str(self.dataset), row, datasets[row]) if self.dataset else ""
                scored = runs.setdefault(dataset, {}).setdefault((name,), {})
                seed: Seed = row
                if pairs is not None:
                    seed = _seed(self.text(str(self.pair), row, pairs[row]))
                if seed in scored:
                    raise DataError(
                        f"{self.found.place(row)}: {self.pair} {seed} stands there twice"
                    )
                number = self.number(name, row, value)
                if number is not None:
                    scored[seed] = number
        return {
            dataset: {key: _scored(key, scored) for key, scored in cells.items() if scored}
            for dataset, cells in runs.items()
        }

    def _no_number(self, column: str) -> tuple[int, Any]:
        for row, value in enumerate(self.values(column)):
            try:
                self.number(column, row, value)
            except DataError:
                return row, value
        return 0, ""

    def of_moments(self) -> Rows:
        """Return the cells where each row has a mean, a deviation and a number of runs."""
        assert self.moments
        means, sds, ns = (self.values(self.moments[what]) for what in MOMENTS)
        cells: Rows = {}
        for row, dataset, key in self.keys():
            mean, sd, n = (
                self.number(self.moments[what], row, value[row])
                for what, value in zip(MOMENTS, (means, sds, ns), strict=True)
            )
            place = self.found.place(row)
            if mean is None or not math.isfinite(mean):
                raise DataError(f"{place}: {' '.join(key)} has no mean: leave the row out")
            if n is None or n < 1 or n != int(n):
                raise DataError(f"{place}: {self.moments['n']} must be a number of runs, 1 or more")
            if n == 1:
                sd = math.nan
            elif sd is None or not 0 <= sd < math.inf:
                raise DataError(
                    f"{place}: {self.moments['sd']} must be the standard deviation of the runs, "
                    "0 or more"
                )
            table = cells.setdefault(dataset, {})
            if key in table:
                raise DataError(f"{place}: {' '.join(key)} stands there twice")
            estimate = Estimate(int(n), mean, sd, math.nan, math.nan)
            table[key] = Scored(self._label(key), {}, moments=estimate)
        return cells

    def _label(self, key: Key) -> str:
        if not self.factors:
            return key[0]
        return ", ".join(f"{f}={v}" for f, v in zip(self.factors, key, strict=True))

    def table(self, dataset: str, cells: Mapping[Key, Scored]) -> Table:
        """Return a dataset's cells, the baseline first, as they are compared."""
        if len(cells) > MOST_CELLS:
            raise DataError(
                f"{self.found.source} has {len(cells):,} methods, more than {MOST_CELLS:,}: name "
                "the column of the methods with --by, or those of factors with --factors"
            )
        base = self._base(dataset, list(cells))
        named = [_with(cells[base], self._label(base), {})]
        for key in sorted(filter(base.__ne__, cells), key=lambda key: self._order(key, base)):
            levels = self._levels(key, base)
            label = " + ".join(_leveled(f, level, cells, self.factors) for f, level in levels)
            levels_of = {_key(factor): level for factor, level in levels}
            named.append(_with(cells[key], label, levels_of))
        paired = bool(self._paired_by()) and _share(named)
        return Table(
            named,
            self.found.name,
            self._paired_by() if paired else "",
            dataset,
            self.found.digest,
        )

    def _paired_by(self) -> str:
        if self.moments or self.asked.pair == "none":
            return ""
        if self.pair:
            return self.pair
        # A row of a table with a column a method is what its cells have in common.
        return "" if self.by or self.factors else "row"

    def _base(self, dataset: str, keys: Sequence[Key]) -> Key:
        """Return the baseline's key. Raises UsageError where it isn't said and can't be told."""
        source = self.found.source + (f" ({self.dataset} {dataset})" if dataset else "")
        if self.factors:
            wanted = self._base_levels(keys)
            if wanted in keys:
                return wanted
            raise DataError(
                f"{source} has no run of the baseline, {self._label(wanted)}: say which it is with "
                "--baseline, such as --baseline "
                f"'{','.join(f'{f}={v}' for f, v in zip(self.factors, keys[0], strict=True))}'"
            )
        names = [key[0] for key in keys]
        if self.asked.baseline:
            if self.asked.baseline in names:
                return (self.asked.baseline,)
            meant = closest(self.asked.baseline, names)
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
            raise UsageError(f"{source} has no method {self.asked.baseline!r}: {hint}")
        if "baseline" in names:
            return ("baseline",)
        raise UsageError(
            f"which method of {source} is the baseline? Say --baseline {names[0]}, or another of "
            f"{shortened(', '.join(names))}"
        )

    def _base_levels(self, keys: Sequence[Key]) -> Key:
        said: dict[str, str] = {}
        for part in filter(None, (self.asked.baseline or "").split(",")):
            factor, sign, level = (text.strip() for text in part.partition("="))
            if not sign or factor not in self.factors:
                raise UsageError(
                    f"--baseline {shortened(self.asked.baseline or '')!r}: of factors it takes "
                    f"their levels, such as {self.factors[0]}={keys[0][0]}"
                )
            said[factor] = _named(level)
        levels = []
        for i, factor in enumerate(self.factors):
            there = list(dict.fromkeys(key[i] for key in keys))
            off = [level for level in there if level.lower() in OFF]
            if factor not in said and len(off) != 1:
                raise UsageError(
                    f"which level of {factor} is the baseline's? Say --baseline {factor}={there[0]}"
                    f", or another of {shortened(', '.join(there))}"
                )
            levels.append(said.get(factor, *off))
        return tuple(levels)

    def _order(self, key: Key, base: Key) -> tuple[object, ...]:
        """Return where a cell stands: by how many factors it differs in, then in their order;
        methods stay as they were found.
        """
        if not self.factors:
            return ()
        differs = [i for i, (level, off) in enumerate(zip(key, base, strict=True)) if level != off]
        return len(differs), differs

    def _levels(self, key: Key, base: Key) -> list[tuple[str, str]]:
        """Return the factors, or the method, that make a cell other than the baseline."""
        if not self.factors:
            return [(key[0], key[0])]
        parts = zip(self.factors, key, base, strict=True)
        return [(factor, level) for factor, level, off in parts if level != off]


def _leveled(factor: str, level: str, cells: Mapping[Key, Scored], factors: Sequence[str]) -> str:
    """Return "dropout=0.5", or "norm" where it is on or off."""
    if not factors:
        return factor
    there = {key[factors.index(factor)] for key in cells}
    return factor if level.lower() in ON and len(there) == 2 else f"{factor}={level}"


def _key(name: str) -> str:
    """Return what a factor or method is called: as our technique, where it is one."""
    own = re.sub(r"[\s-]+", "_", name.strip().lower())
    return own if own in techniques() else name


def _named(value: Any) -> str:
    """Return a cell as a name: numbers that are equal alike, nothing for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    if NUMBER.fullmatch(text):
        number = float(text)
        return f"{number:g}" if float(f"{number:g}") == number else text
    return text


def _seed(name: str) -> Seed:
    return int(name) if re.fullmatch(r"-?\d{1,18}", name) else name


def _scored(key: Key, runs: Mapping[Seed, float | str]) -> Scored:
    """Return a cell by its runs' scores, or why they have none; what is not finite is none."""
    finite: dict[Seed, float] = {}
    lost: dict[Seed, str] = {}
    for seed, score in runs.items():
        if isinstance(score, str):
            lost[seed] = score
        elif math.isfinite(score):
            finite[seed] = score
        else:
            lost[seed] = f"its score is {score}"
    return Scored(" ".join(key), {}, finite, lost)


def _with(cell: Scored, label: str, levels: Mapping[str, str]) -> Scored:
    return Scored(label, levels, cell.runs, cell.lost, cell.moments)


def _share(cells: Sequence[Scored]) -> bool:
    """Whether any cell has a pair with the baseline, the first."""
    base, *others = ({*cell.runs, *cell.lost} for cell in cells)
    return any(base & other for other in others)
