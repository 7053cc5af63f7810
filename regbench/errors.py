"""The few kinds of error that a person meets. Each message says what, where, and what to do."""

from __future__ import annotations

LONGEST = 1000
"""Characters of a sentence that a person gets to read."""
DESCRIBED = 400
"""Characters of somebody else's error that are kept: nobody reads a C++ library's backtrace."""


def sentence(text: str) -> str:
    """Return `text` as a terminal may show it: what can't be printed is spelt out, and it is cut in
    the middle.
    """
    if (
        len(text) > LONGEST
    ):  # a key of a megabyte, say: the place stands in front, the remedy at the end
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def describe(error: BaseException) -> str:
    """Return `error` as one line: its type and its message, cut at `DESCRIBED` characters."""
    line = " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())
    return line if len(line) <= DESCRIBED else line[: DESCRIBED - 3] + "..."


class RegbenchError(Exception):
    """Something that the user can mend; shown as one sentence, without a traceback."""

    exit_code = 1

    def __str__(self) -> str:
        return sentence(super().__str__())


class UsageError(RegbenchError):
    """Arguments or options that make no sense together, or on this machine."""

    exit_code = 2


class ConfigError(RegbenchError):
    """A config that can't be used; `problems` holds every one of them, already placed as
    file:line:column.
    """

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


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
