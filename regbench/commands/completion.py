"""What a shell offers behind TAB of what only files know: read plainly and at once, without torch
or pandas.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer import _completion_classes as shells

if TYPE_CHECKING:
    from typer._click.shell_completion import CompletionItem

ASKED = "_REGBENCH_COMPLETE"
"""What a shell sets in the environment to ask, such as to complete_bash."""
MOST_FOLDERS, DEPTH = 1000, 3
"""So many folders are looked at, so deep below the one that is typed."""
MOST_ROWS = 100_000
"""So many runs are looked through for the names of cells."""
CONFIG = re.compile(rb"^(dataset|function)\s*:", re.MULTILINE)


class Paths:
    """A shell that completes paths itself."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what is offered, less what stands for the shell's own completion of paths."""
        items: list[CompletionItem] = super().get_completions(args, incomplete)  # type: ignore[misc]
        return [item for item in items if item.type == "plain"]


class Bash(Paths, shells.BashComplete):
    """Bash, which takes what is offered as it would be typed."""

    def format_completion(self, item: CompletionItem) -> str:
        """Return an item with what means something to the shell escaped, outside quotes."""
        quoted = os.environ["COMP_WORDS"].split("\n")[-1].startswith(("'", '"'))
        return item.value if quoted else re.sub(r"([^\w@%+:,./~=-])", r"\\\1", item.value)


class Zsh(Paths, shells.ZshComplete):
    """Zsh, which escapes what is offered by itself."""


def answered(app: Callable[..., Any]) -> None:
    """Print what a shell asks for and leave: nothing at all where that can't be told."""
    for shell in (Bash, Zsh):
        setattr(shells, f"{shell.__name__}Complete", shell)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stderr = nowhere
        try:
            app(prog_name="regbench", complete_var=ASKED)
        except Exception:  # half a command line may be anything
            sys.exit(0)
        finally:
            sys.stderr = sys.__stderr__


def folders(incomplete: str) -> list[str]:
    """Return the folders below what is typed that hold results, then the others beside them."""
    beside = [*_below(incomplete, 1)]
    found = sorted(name for name in _below(incomplete, DEPTH) if _holds_results(name))
    others = [name for name in beside if not any(f"{one}/".startswith(f"{name}/") for one in found)]
    return [*found, *sorted(others)] if found else []


def configs(incomplete: str) -> list[str]:
    """Return the YAML files below what is typed that are configs."""
    places = [str(Path(incomplete).parent) if "/" in incomplete else "."]
    places += [name for name in _below(incomplete, DEPTH - 1) if not _holds_results(name)]
    files = (
        str(file)
        for place in places
        for file in _entries(place)
        if file.suffix in (".yaml", ".yml")
    )
    return sorted(f for f in files if f.startswith(incomplete) and _is_config(f))


def cells(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the cells of the results directory that was named, as its tables name them."""
    labels = dict.fromkeys(label.split(" @ ")[0] for label in _labels(ctx))
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for label in labels:
        for part in label.split(" + "):
            forms[part.partition("(")[0]].add(part)
    short = [
        " + ".join(
            name if len(forms[name := part.partition("(")[0]]) == 1 else part
            for part in label.split(" + ")
        )
        for label in labels
    ]
    begun = [name for name in dict.fromkeys(short) if name.startswith(incomplete)]
    return begun or [*labels]


def conditions(ctx: typer.Context) -> list[str]:
    """Return the conditions of the results directory that was named."""
    return [*dict.fromkeys(label.partition(" @ ")[2] for label in _labels(ctx) if " @ " in label)]


def _labels(ctx: typer.Context) -> list[str]:
    """Return the cells of the runs in the directory that was named."""
    # Behind an option that still lacks its value, what was named is among the loose arguments.
    directory = ctx.params.get("directory") or next(iter(ctx.args), None)
    if directory is None:
        return []
    with (Path(directory) / "runs.csv").open(encoding="utf-8", newline="") as opened:
        return [row["cell"] for row in islice(csv.DictReader(opened), MOST_ROWS)]


def _below(incomplete: str, depth: int) -> Iterator[str]:
    """Yield the folders that begin with what is typed, and those in them."""
    parent = incomplete[: incomplete.rfind("/") + 1]
    level, seen = [parent], 0
    for _ in range(depth):
        deeper = []
        for place in level:
            for entry in _entries(place or "."):
                name = place + entry.name
                hidden = entry.name.startswith(".") and not incomplete.endswith(entry.name)
                if hidden or not entry.is_dir() or not name.startswith(incomplete):
                    continue
                seen += 1
                if seen > MOST_FOLDERS:
                    return
                yield name
                deeper.append(f"{name}/")
        level = deeper


def _entries(folder: str) -> list[Path]:
    """Return what is in a folder; nothing where it can't be read."""
    try:
        return sorted(Path(folder).iterdir())
    except OSError:
        return []


def _holds_results(folder: str) -> bool:
    return Path(folder, "runs.csv").is_file()


def _is_config(file: str) -> bool:
    with Path(file).open("rb") as opened:
        return bool(CONFIG.search(opened.read(4096)))
