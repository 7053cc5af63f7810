"""The few kinds of error that a person meets. Each message says what, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LONGEST = 1000
"""Characters of a sentence that a person gets to read."""
ARGUMENTS = {
    name: name.replace("-", "_")
    for name in (
        *("out", "data-dir", "executor", "address", "workers", "device", "patience", "fail-fast"),
        *("extend", "until-decided", "where", "by", "pair", "metric", "dataset", "baseline"),
        *("factors", "lower-is-better", "margin", "confidence", "runs", "name"),
    )
} | {"tracker": "trackers"}
"""Options of the command line that are arguments of `import regbench`'s functions."""
OPTION = re.compile(
    rf"(?<![\w-])--(?P<name>{'|'.join(ARGUMENTS)})(?![\w-])"
    r"(?: (?P<value>'[^']*'|ray\b|[^\s:;,]+(?=[:;,]|$| out\b)))?"
)
"""An option and its value; a word of the sentence is no value."""
DESCRIBED = 400
"""Characters of somebody else's error that are kept: nobody reads a C++ library's backtrace."""


def sentence(text: str) -> str:
    """Return `text` as a terminal may show it: what can't be printed is spelt out, and it is cut in
    the middle.
    """
    # A key of a megabyte, say: the place stands in front, the remedy at the end.
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def describe(error: BaseException) -> str:
    """Return `error` as one line: its type and its message, cut at `DESCRIBED` characters."""
    line = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())
    return line if len(line) <= DESCRIBED else line[: DESCRIBED - 3] + "..."


def in_python(text: str) -> str:
    """Return a sentence about options of the command line as one about arguments.

    >>> in_python("--data-dir: leave it out, or give --executor serial and --workers 1")
    "`data_dir`: leave it out, or give executor='serial' and workers=1"
    """

    def argument(match: re.Match[str]) -> str:
        name, value = ARGUMENTS[match["name"]], match["value"]
        if value is None:
            return f"`{name}`"
        plain = value.startswith("'") or re.fullmatch(r"-?[\d.]+", value)
        value = value if plain else repr(value)
        return f"{name}=[{value}]" if name == "trackers" else f"{name}={value}"

    return OPTION.sub(argument, text)


class Place(NamedTuple):
    """A point in a file (line and column from 1), or a whole source such as an option of the
    command line (line 0).
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Problem(NamedTuple):
    """Something that the user has to mend.

    >>> import regbench as rb
    >>> (problem,) = rb.check({"model": {"name": "mlp"}, "techniques": {"dropout": 0.5}})
    >>> problem.message.split(";")[0], problem.place.line
    ('dataset is missing', 0)
    """

    place: Place
    message: str

    def __str__(self) -> str:
        return sentence(f"{self.place}: {self.message}")


class RegbenchError(Exception):
    """Something that the user can mend; shown as one sentence, without a traceback.

    The sentence is written for the command line; of an exception a Python caller is the reader.
    """

    exit_code = 1

    def __str__(self) -> str:
        return sentence(in_python(super().__str__()))

    def typed(self) -> str:
        """Return the sentence for who typed a command, with its options."""
        return sentence(super().__str__())


class UsageError(RegbenchError):
    """Arguments or options that make no sense together, or on this machine."""

    exit_code = 2


def refuse(*rules: tuple[bool, str]) -> None:
    """Raise UsageError with the first sentence whose condition holds: options that can't be obeyed
    together.
    """
    for holds, sentence in rules:
        if holds:
            raise UsageError(sentence)


class ConfigError(RegbenchError):
    """A config that can't be used; `problems` holds every problem with its place."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = list(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class CodeError(RegbenchError):
    """Code of the user's that can't be used; `loc` is the setting of the config at fault."""

    exit_code = 2

    def __init__(self, loc: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.loc = loc


class DataError(RegbenchError):
    """A dataset that is missing, damaged or not what it says it is."""


class RecordsError(RegbenchError):
    """A results directory that can't be read, written or trusted."""


class UnfinishedError(RecordsError):
    """A results directory whose sweep has not begun or not come to its end."""


class TrainingError(RegbenchError):
    """A run that can't be trained as asked (out of memory, a device that is not there)."""


class TrackerError(RegbenchError):
    """A tracker that did not take what it was given."""
