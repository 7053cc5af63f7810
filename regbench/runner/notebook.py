"""How far a sweep is, in a notebook: lines that stay, and a display that is drawn in its place."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType

WIDTH = 100
"""Columns of the display."""
EVERY = 0.5
"""Seconds from one drawing to the next."""


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Notebook:
    """The output of one cell: what is said, and while something is drawn, `frame`."""

    def __init__(self, frame: Callable[[], RenderableType]) -> None:
        self._frame = frame
        self._lines: list[str] = []
        self._handle: Any = None
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None

    def start(self) -> None:
        """Draw the frame from now on, again and again."""
        self._ended = threading.Event()
        self._draw()
        threading.Thread(target=self._redraw, args=(self._ended,), daemon=True).start()

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._lines.append(text)
        self._draw()

    def stop(self) -> None:
        """Take the frame away; the lines stay."""
        if self._ended:
            self._ended.set()
            self._ended = None
            self._draw()

    def _redraw(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY):
            self._draw()

    def _draw(self) -> None:
        from IPython.display import display

        with self._lock:
            parts = list(self._lines)
            if self._ended:
                console = Console(
                    file=io.StringIO(), width=WIDTH, color_system=None, force_jupyter=False
                )
                with console.capture() as drawn:
                    console.print(self._frame())
                parts.append(drawn.get().rstrip())
            shown = {"text/plain": "\n".join(parts)}
            if self._handle is None:
                self._handle = display(shown, raw=True, display_id=True)
            else:
                self._handle.update(shown, raw=True)
