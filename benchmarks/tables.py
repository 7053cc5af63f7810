"""`make tables` and `make check-tables`: every committed table, rebuilt from its CSV without training."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from regbench import report
from regbench.cli import compared

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "results/reference"
BLOCK = re.compile(r"(<!-- table (\S+) (en|ko) -->\n).*?(<!-- /table -->)", re.DOTALL)
"""Where a document shows a table: between `<!-- table quickstart en -->` and `<!-- /table -->`."""


def built() -> Iterator[tuple[Path, str]]:
    """Yield every file that holds a table, with what it must hold."""
    blocks = {}
    for folder in sorted(path.parent for path in REFERENCE.glob("*/runs.csv")):
        comparison = compared(folder)
        for lang in ("en", "ko"):
            blocks[folder.name, lang] = markdown = report.render(comparison, "markdown", lang)
            yield folder / f"table.{lang}.md", markdown
            yield folder / f"table.{lang}.svg", report.svg(comparison, lang, 140, f"regbench sweep {folder.name}.yaml")
        yield folder / "table.json", report.render(comparison, "json")
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = page.read_text(encoding="utf-8")
        if BLOCK.search(text):
            yield page, BLOCK.sub(lambda m: f"{m[1]}{first_table(blocks[m[2], m[3]])}\n{m[4]}", text)


def first_table(markdown: str) -> str:
    """Return the lines of the first table, without what stands around it."""
    lines = markdown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    end = next((i for i, line in enumerate(lines[start:], start) if not line.startswith("|")), len(lines))
    return "\n".join(lines[start:end])


def main(mode: str) -> int:
    """Write the files, or name those that differ; return the exit code (3: some differ)."""
    different = 0
    for path, text in built():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        different += 1
        if mode == "write":
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
        else:
            changed = difflib.unified_diff(
                old.splitlines(), text.splitlines(), "committed", "rebuilt", lineterm="", n=0
            )
            print(f"{path.relative_to(ROOT)} is not what its CSV says; `make tables` rebuilds it")
            print("\n".join(line[:200] for line in list(changed)[:12]))
    return 3 if different and mode == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
