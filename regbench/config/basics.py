"""Reading what every config has, whatever it trains: its name, its seeds, their rounds."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from regbench.config.reader import Reader, S
from regbench.config.sections import LONGEST_NAME, NAME, NAME_BYTES, SEEDS
from regbench.config.wording import shown


class BasicsReader(Reader):
    """Reads the parts that all configs have."""

    def optional(self, kind: type[S], given: Mapping[str, Any], key: str) -> S | None:
        """Return a section that may be left out."""
        return self.section(kind, given[key], (key,)) if key in given else None

    def name(self, value: Any) -> str:
        """Return the sweep's name; by default the file's stem, with - for what a name can't hold.

        A stem too long for a name ends in digits that stand for the whole of it, so that two are
        told apart.
        """
        if value is None:
            stem = unicodedata.normalize("NFC", self.stem)
            name = re.sub(r"[^\w-]+", "-", stem.lower()).strip("-")
            if not re.search(r"\w", name.replace("_", "")):
                self.problem(
                    ("name",),
                    "the file's own name makes no name for the sweep",
                    "a line such as `name: mine`",
                )
            if len(name) > LONGEST_NAME or len(name.encode()) > NAME_BYTES:
                cut = name.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
                name = f"{cut}-{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
            return name
        if (
            not isinstance(value, str)
            or not re.fullmatch(NAME, value)
            or len(value.encode()) > NAME_BYTES
        ):
            allowed = (
                f"1 to {LONGEST_NAME} small letters, digits, - and _ "
                "(text that looks like a number goes between quotes)"
            )
            self.problem(("name",), f"name can't be {shown(value)}", allowed)
            return ""
        if value == "reference":
            self.problem(
                ("name",), "name can't be reference: results/reference/ holds what is committed"
            )
        return unicodedata.normalize("NFC", value)

    def seeds(self, value: Any) -> list[int]:
        """Return the list of seeds."""
        allowed = f"how many (1 to {SEEDS:,}), or a list of different whole numbers of at least 0"
        if type(value) is int and 1 <= value <= SEEDS:
            return list(range(value))
        if not isinstance(value, list) or not value:
            self.problem(("seeds",), f"seeds can't be {shown(value)}", allowed)
            return []
        seen: set[int] = set()
        for i, seed in enumerate(value):
            if type(seed) is not int or seed < 0:
                self.problem(
                    ("seeds", i), f"a seed can't be {shown(seed)}", "a whole number of at least 0"
                )
            elif seed in seen:
                self.problem(("seeds", i), f"seed {seed} is listed twice; leave one out")
            else:
                seen.add(seed)
        if len(value) > SEEDS:
            self.problem(("seeds",), f"{len(value):,} seeds are too many", allowed)
        return value

    def rounds(self, value: Any, seeds: list[int]) -> list[int]:
        """Return how many seeds each round has."""
        allowed = (
            f"a list of whole numbers of at least 1 whose sum is the number of seeds, {len(seeds)}"
        )
        whole = isinstance(value, list) and all(type(n) is int and n >= 1 for n in value)
        if not whole or (seeds and sum(value) != len(seeds)):
            self.problem(("rounds",), f"rounds can't be {shown(value)}", allowed)
            return [len(seeds)]
        return list(value)
