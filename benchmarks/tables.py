"""`make tables` and `make check-tables`: every committed table, rebuilt from its CSV without training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from regbench import report
from regbench.cli import compared
from regbench.locale import languages
from regbench.report import blocks

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "results/reference"


def built() -> Iterator[tuple[Path, str]]:
    """Yield every file that holds a table, with what it must hold."""
    found = {folder.name: compared(folder) for folder in sorted(path.parent for path in REFERENCE.glob("*/runs.csv"))}
    for name, comparison in found.items():
        folder = REFERENCE / name
        for lang in languages():
            yield folder / f"table.{lang}.md", report.render(comparison, "markdown", lang)
            yield folder / f"table.{lang}.svg", report.svg(comparison, lang, 140, f"regbench sweep {name}.yaml")
        yield folder / "table.json", report.render(comparison, "json")
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = page.read_text(encoding="utf-8")
        for name in sorted(blocks.names(text) & found.keys()):
            text, _ = blocks.fill(text, name, found[name], str(page))
        yield page, text


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
            name = str(path.relative_to(ROOT))
            print(f"{name} is not what its CSV says ({blocks.changes(old, text)}); `make tables` rebuilds it")
            print("\n".join(blocks.difference(old, text, name).splitlines()[:12]))
    return 3 if different and mode == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
