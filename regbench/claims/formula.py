"""Arithmetic that a claim is stated in: text that a person writes, of which nothing but numbers can
come.

A statistic is computed seed by seed: `test_accuracy(dropout) - test_accuracy(plain)`. A measure of
an arm is an array (seeds,), or (seeds, k) where the arm stands for a row of k cells; functions such
as `most` take the row away. A rule compares statistics with numbers: `gain > 0.5 and cost < 2`. A
comparison holds where the whole interval is on its side.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regbench.analysis.stats import Array, Estimate

OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
LONGEST, DEEPEST = 800, 100
"""Characters of a formula, and levels of it: what reads it goes down call by call."""


def slope(y: Array) -> Array:
    """Return the least-squares slope along each row of y (seeds, k), a step from cell to cell as
    the unit: (seeds,).
    """
    x = np.arange(y.shape[-1]) - (y.shape[-1] - 1) / 2
    return np.asarray(y @ x / (x @ x))


def rank_correlation(y: Array) -> Array:
    """Return Spearman's rank correlation of each row of y (seeds, k) with its order, (seeds,): 1 if
    it only rises.
    """
    from scipy.stats import rankdata

    ranks = rankdata(y, axis=-1)
    centred = ranks - ranks.mean(-1, keepdims=True)
    x = np.arange(y.shape[-1]) - (y.shape[-1] - 1) / 2
    spread = np.sqrt((centred**2).sum(-1) * (x @ x))
    return np.asarray(centred @ x / np.where(spread > 0, spread, np.nan))


def chosen(y: Array, by: Array) -> Array:
    """Return y (seeds, k) at the cell where `by` (seeds, k) has the highest mean over the seeds,
    (seeds,).

    So a setting is chosen once for all seeds, and by what it is chosen (validation) need not be
    what is told (test). A cell that lacks a seed is not chosen; where all do, nothing is known.
    Raises ValueError for anything but two rows of the same cells.
    """
    if y.ndim != 2 or y.shape != by.shape:
        raise ValueError("chosen(y, by) takes two rows of as many cells")
    means = by.mean(0)
    if not np.isfinite(means).any():
        return np.full(len(y), np.nan)
    return y[:, np.argmax(np.where(np.isfinite(means), means, -np.inf))]


def off(y: Array, by: Array, cells: Array) -> Array:
    """Return y (seeds, k) at the cells so many before and behind the one that `chosen` takes: the
    mean of those that there are, (seeds,); NaN where there is neither.

    So it is told what a setting costs that is off by as much, on either side.
    """
    step = int(cells)
    if y.ndim != 2 or y.shape != by.shape or step < 1:
        raise ValueError("off(y, by, cells) takes two rows of as many cells, and a number of cells")
    means = by.mean(0)
    place = int(np.argmax(np.where(np.isfinite(means), means, -np.inf)))
    there = [i for i in (place - step, place + step) if 0 <= i < y.shape[1]]
    return y[:, there].mean(1) if there and np.isfinite(means).any() else np.full(len(y), np.nan)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "log": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "mean": lambda y: y.mean(-1),
    "least": lambda y: y.min(-1),
    "most": lambda y: y.max(-1),
    "first": lambda y: y[..., 0],
    "last": lambda y: y[..., -1],
    "span": lambda y: y.max(-1) - y.min(-1),
    "share": lambda y: np.asarray(y, dtype=float).mean(-1),
    "row": lambda *ys: np.stack(np.broadcast_arrays(*ys), axis=-1),
    "slope": slope,
    "rank_correlation": rank_correlation,
    "chosen": chosen,
    "off": off,
}
"""What a formula may call beside measures: of numbers, or of a row of cells (`row` makes one of
numbers).
"""
OF_ROWS = ("mean", "least", "most", "first", "last", "span", "share", "slope", "rank_correlation")
"""What takes a row of cells away."""
COUNTS = {"row": range(1, 100), "chosen": range(2, 3), "off": range(3, 4)}
"""How many arguments a function takes, where it is not one."""


def parsed(text: str) -> ast.expr:
    """Return a formula's tree. Raises ValueError, in words, for what is no arithmetic."""
    if len(text) > LONGEST:
        raise ValueError(f"a formula has at most {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"{text!r} can't be read as arithmetic") from None
    if _depth(tree) > DEEPEST:
        raise ValueError(f"a formula has at most {DEEPEST} levels")
    for node in ast.walk(tree):
        known = isinstance(
            node,
            ast.BinOp
            | ast.UnaryOp
            | ast.Call
            | ast.Name
            | ast.Compare
            | ast.BoolOp
            | ast.And
            | ast.Or
            | ast.Load,
        )
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
        if not (known or number or type(node) in OPERATORS):
            raise ValueError(
                f"{ast.unparse(node) if isinstance(node, ast.expr) else text!r} has no "
                "place in a formula"
            )
        if isinstance(node, ast.Call) and (node.keywords or not isinstance(node.func, ast.Name)):
            raise ValueError(f"{ast.unparse(node)} is no call of a function by its name")
    return tree


def _depth(tree: ast.AST) -> int:
    """Return how deep a tree is, without going down it call by call."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def names(tree: ast.expr) -> tuple[set[str], set[str]]:
    """Return the functions that a formula calls and the other names in it."""
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    others = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in functions
    }
    return called, others


def value(tree: ast.expr, measure: Callable[[str, str], Array]) -> NDArray[Any]:
    """Return a statistic, a value a seed, (seeds,). `measure(name, arm)` gives an arm's values,
    (seeds,) or (seeds, k).

    Numbers that can't be computed (0/0, a missing run) are NaN. Raises ValueError where a formula
    calls what is neither a function nor a measure of an arm.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(tree, measure))


def _value(node: ast.expr, measure: Callable[[str, str], Array]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)  # of Python's own, 9**9**9 would take for ever
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](_value(operand, measure))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, measure), _value(right, measure))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            a, b = _value(left, measure), _value(right, measure)
            # Of a run that diverged it is not known on which side it would have been.
            return np.where(np.isnan(a) | np.isnan(b), np.nan, OPERATORS[type(op)](a, b))
        case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=arm)]) if name not in FUNCTIONS:
            return measure(name, arm)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS and len(
            arguments
        ) in COUNTS.get(name, (1,)):
            values = [np.asarray(_value(argument, measure)) for argument in arguments]
            if name in OF_ROWS and values[0].ndim != 2:
                # It would take the seeds for a row, and leave one number for all of them.
                raise ValueError(f"{ast.unparse(node)}: {name} takes a row of cells")
            return FUNCTIONS[name](*values)
    raise ValueError(f"{ast.unparse(node)} is neither a function nor a measure of an arm")


Bounds = tuple[float, float]
ANYWHERE: Bounds = (-math.inf, math.inf)
SHARES: Mapping[str, Bounds] = {
    **dict.fromkeys(("gap", "clean_gap"), (-1.0, 1.0)),
    **dict.fromkeys(("weight_norm", "seconds", "parameters"), (0.0, math.inf)),
    **dict.fromkeys(("train_nll", "validation_nll", "test_nll"), (0.0, math.inf)),
    **dict.fromkeys(("train_accuracy", "validation_accuracy", "test_accuracy"), (0.0, 1.0)),
    **dict.fromkeys(("test_ece", "memorised", "exact_zeros", "near_zeros"), (0.0, 1.0)),
}
"""Between what the columns of runs.csv lie."""
KEEP = ("mean", "least", "most", "first", "last", "chosen", "off")
"""Functions whose value lies where their first argument does."""


def bounds(tree: ast.expr) -> Bounds:
    """Return between which numbers a statistic lies whatever is measured (interval arithmetic), so
    that its interval needs to reach no further.
    """
    match tree:
        case ast.Constant(value=int() | float() as number):
            return float(number), float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            low, high = bounds(operand)
            return -high, -low
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(type(op), bounds(left), bounds(right))
        case ast.Compare():
            return 0.0, 1.0
        case ast.Call(func=ast.Name(id=name), args=[ast.Name()]) if name not in FUNCTIONS:
            return SHARES.get(name, ANYWHERE)
        case ast.Call(func=ast.Name(id="rank_correlation")):
            return -1.0, 1.0
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            inside = [bounds(argument) for argument in arguments]
            low, high = min(low for low, _ in inside), max(high for _, high in inside)
            if name in KEEP:
                return inside[0]
            if name in ("row", "share"):
                return low, high
            if name == "span":
                return 0.0, high - low
            if name == "abs":
                return max(0.0, low, -high), max(abs(low), abs(high))
            if name == "sqrt":
                return math.sqrt(max(0.0, low)), math.sqrt(high) if high >= 0 else math.inf
    return ANYWHERE


def _combined(op: type, a: Bounds, b: Bounds) -> Bounds:
    """Return between what the results of arithmetic lie; an unknown end is infinite."""
    if op is ast.Pow or (op is ast.Div and b[0] <= 0 <= b[1]):
        return ANYWHERE
    with np.errstate(all="ignore"):
        ends = [OPERATORS[op](np.float64(x), np.float64(y)) for x in a for y in b]
    # 0 times infinity is 0 here: what grows without end never gets there.
    if op is ast.Mult:
        ends = [0.0 if math.isnan(end) else end for end in ends]
    if any(math.isnan(end) for end in ends):
        return ANYWHERE
    return float(min(ends)), float(max(ends))


def holds(tree: ast.expr, statistics: Mapping[str, Estimate]) -> bool:
    """Whether a rule holds: each comparison of a statistic with a number for the statistic's whole
    interval.

    An interval that is not known (one seed, or none) holds nothing. Raises ValueError for anything
    but comparisons of a statistic with a number, joined by `and` and `or`.
    """
    match tree:
        case ast.BoolOp(op=op, values=parts):
            return (all if isinstance(op, ast.And) else any)(
                [holds(part, statistics) for part in parts]
            )
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Gt()], comparators=[n]) if (
            name in statistics and fixed(n)
        ):
            return bool(statistics[name].low > value(n, _no_measure))
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Lt()], comparators=[n]) if (
            name in statistics and fixed(n)
        ):
            return bool(statistics[name].high < value(n, _no_measure))
    raise ValueError(
        f"{ast.unparse(tree)} is no comparison of a statistic with a number, such as gain > 0.5"
    )


def ways(tree: ast.expr) -> int:
    """Return in how many ways a rule can hold by error: a rule that asks for all of several holds
    wrongly only where one of them does, whichever is untrue; of alternatives each may.
    """
    match tree:
        case ast.BoolOp(op=op, values=parts):
            return (max if isinstance(op, ast.And) else sum)(map(ways, parts))
    return 1


def thresholds(tree: ast.expr) -> Iterator[tuple[str, bool, float]]:
    """Yield the comparisons of a rule: the statistic, whether it must lie above, and the number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
            number = float(value(node.comparators[0], _no_measure))
            yield node.left.id, isinstance(node.ops[0], ast.Gt), number


def fixed(tree: ast.expr) -> bool:
    """Whether a formula names nothing."""
    return not any(names(tree))


def _no_measure(name: str, arm: str) -> Array:
    raise ValueError(f"{name}({arm}): a rule compares statistics with numbers only")
