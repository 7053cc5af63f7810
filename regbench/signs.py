"""Signs that an encoding lacks, and what stands in their place there.

Not every terminal, pipe or file speaks UTF-8: a Korean Windows speaks cp949, a bare container
ASCII. Output must not end in an error over a minus sign, after hours of training.
"""

from __future__ import annotations

import codecs
import io
from functools import cache, partial
from typing import IO, TextIO

INSTEAD: dict[str, tuple[str, ...]] = {
    "−": ("-",), "–": ("-",), "—": ("-",), "·": ("-",), "•": ("-",), "±": ("+/-",), "×": ("x",),
    "→": ("->",),
    "²": ("^2",), "Δ": ("d",), "†": ("*",), "✓": ("√", "ok"), "✗": ("×", "x"), "▲": ("^",),
    "▼": ("v",),
    "…": ("...",), "‘": ("'",), "’": ("'",), "“": ('"',), "”": ('"',), "\xa0": (" ",),
    "●": ("o",), "◐": ("~",), "─": ("-",), "━": ("=",), "│": ("|",), "┃": ("|",),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╇╸╺", ("+",)),
}  # fmt: skip
"""Sign to what may stand in its place, the best first; the last can be written in ASCII."""


def encodes(text: str, encoding: str) -> bool:
    """Whether an encoding has every character of a text."""
    try:
        text.encode(encoding)
    except UnicodeError:
        return False
    return True


def encoding(stream: IO[str]) -> str:
    """Return what a stream is written in; one that takes text as it is has none."""
    return getattr(stream, "encoding", None) or "utf-8"


def settle(stream: TextIO | None) -> None:
    """Let a stream write whatever it is given: signs that it lacks as others, other characters as
    `\\uXXXX`.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_handler(stream.encoding))


def spelt(text: str, encoding: str) -> str:
    """Return a text as a settled stream of this encoding writes it."""
    return text.encode(encoding, _handler(encoding)).decode(encoding)


@cache
def _handler(encoding: str) -> str:
    """Return the name of the error handler for an encoding: the error itself need not name it."""
    name = f"regbench-signs-{encoding}"
    codecs.register_error(name, partial(_replace, encoding=encoding))
    return name


def _replace(error: UnicodeError, encoding: str) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(
        _instead(sign, encoding) for sign in error.object[error.start : error.end]
    ), error.end


def _instead(sign: str, encoding: str) -> str:
    escaped = sign.encode("ascii", "backslashreplace").decode()
    return next((other for other in INSTEAD.get(sign, ()) if encodes(other, encoding)), escaped)
