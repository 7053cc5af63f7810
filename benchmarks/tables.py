"""`make tables` and `make check-tables`: every committed table and report, rebuilt from its CSV
without training.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from regbench.analysis.comparison import Comparison
from regbench.claims import claims, judge
from regbench.claims.verdicts import VERDICTS
from regbench.errors import UnfinishedError
from regbench.library import Results
from regbench.locale import languages, words
from regbench.report import blocks, claim_plots, claims_page, drawing, numbers
from regbench.report import claims as shown
from regbench.report import render as report
from regbench.report.overview import overview
from regbench.results.read import read

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "results/reference"
FIGURE = re.compile(r"(<!-- error (\S+) ([^>]+?) -->).*?(<!-- /error -->)")
"""A figure in a document's text: the test error of a sweep's cell."""
PLOT = re.compile(r'<svg( data-of="\w+")?.*?</svg>', re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
"""A number of JSON that is no whole one."""
OPENING = "quickstart"
"""The sweep whose picture the README opens with."""
LEAD = re.compile(r"(<!-- claims (\w+) -->\n).*?(<!-- /claims -->)", re.DOTALL)
"""How the claims came out, in a document's text."""
LANGUAGE = "en"
"""Of the pages: the letters in a Korean picture are those of a font of the machine."""


def claimed(found: shown.Found) -> Iterator[tuple[Path, str]]:
    """Yield the files that show the claims: documents, pages, pictures, and what the summary table
    cites.
    """
    folder = REFERENCE / "claims"
    yield VERDICTS, json.dumps(shown.verdicts(found), ensure_ascii=False, indent=2) + "\n"
    for lang in languages():
        spoken = words(lang)
        name = "claims.md" if lang == "en" else f"claims.{lang}.md"
        yield (
            ROOT / "docs" / name,
            claims_page.document(found, spoken, "../results/reference/claims/pictures"),
        )
        yield folder / f"report.{lang}.html", claims_page.page(found, spoken)
        for claim, judgement in found:
            if judgement:
                picture = drawing.alone(claim_plots.claim(claim, judgement, spoken).svg)
                yield (
                    folder / "pictures" / f"{claim.name}.{lang}.svg",
                    of(shown.headed(claim, judgement, spoken), picture),
                )


def of(text: str, picture: str) -> str:
    """Return a picture that bears which text it belongs to."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return picture.replace("<svg ", f'<svg data-of="{digest}" ', 1)


def built() -> Iterator[tuple[Path, str]]:
    """Yield every file that holds a table, with what it must hold."""
    folder = REFERENCE / "claims"
    all_of = claims.found(ROOT / "configs/claims")
    records = {claim.name: (claim, finished(claim, folder / claim.name)) for claim in all_of}
    level = judge.stepped(records)
    stated = [
        (claim, held and judge.concluded(claim, held, level)) for claim, held in records.values()
    ]
    yield from claimed(stated)
    results = Results(REFERENCE / OPENING)
    for lang in languages():
        text = report.render(results.comparisons(), "markdown", lang)
        picture = overview(results.comparison(), results.epochs, words(lang))
        assert picture
        yield REFERENCE / OPENING / f"overview.{lang}.svg", of(text, picture.file)
    folders = sorted(path.parent for path in REFERENCE.glob("*/runs.csv"))
    opened = {folder.name: Results(folder) for folder in folders}
    held = {name: results.comparisons() for name, results in opened.items()}
    yield REFERENCE / "README.md", contents(held)
    for name, conditions in held.items():
        folder = REFERENCE / name
        for lang in languages():
            yield folder / f"table.{lang}.md", report.render(conditions, "markdown", lang)
        yield folder / "table.json", report.render(conditions, "json")
        for mark, comparison in marked(conditions).items():
            yield (
                folder / f"report{mark}.{LANGUAGE}.html",
                opened[name].page(LANGUAGE, comparison.condition or None),
            )
            for lang in languages():
                picture = report.svg(comparison, lang, 140, f"regbench sweep {name}.yaml")
                yield folder / f"table{mark}.{lang}.svg", picture
    found = {name: conditions[0] for name, conditions in held.items() if len(conditions) == 1}
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = document.read_text(encoding="utf-8")
        for name in sorted(blocks.names(text, str(document)) & found.keys()):
            text, _ = blocks.fill(text, name, found[name], str(document))
        text = LEAD.sub(
            lambda match: f"{match[1]}{shown.lead(stated, words(match[2]))}\n{match[3]}", text
        )
        yield document, FIGURE.sub(partial(figure, found, between(document)), text)


def finished(claim: claims.Claim, directory: Path) -> judge.Held | None:
    """Return the records of a claim's experiments, None where they are not finished."""
    try:
        return judge.held(claim, directory)
    except UnfinishedError:
        return None


def between(document: Path) -> str:
    """Return what stands between the ends of an interval in the language of a document."""
    return "–" if document.name.endswith(".ko.md") else "to"


def figure(found: Mapping[str, Comparison], between: str, match: re.Match[str]) -> str:
    """Return a figure with its marks, made anew where its sweep is there."""
    if match[2] not in found:
        return match[0]
    return f"{match[1]}{error(found[match[2]], match[3], between)}{match[4]}"


def error(comparison: Comparison, label: str, between: str) -> str:
    """Return a cell's mean test error with its interval, in percent."""
    accuracy = next(cell.accuracy for cell in comparison.cells if cell.label == label)
    digits = numbers.decimals([100 * accuracy.half_width])
    mean, low, high = (
        numbers.number(100 * (1 - x), digits) for x in (accuracy.mean, accuracy.high, accuracy.low)
    )
    return f"{mean} ({low} {between} {high})"


def marked(conditions: Sequence[Comparison]) -> dict[str, Comparison]:
    """Return the comparison of each condition by what its files' names have: "" for the first, then
    ".2", ".3".
    """
    return {f".{i}" if i > 1 else "": comparison for i, comparison in enumerate(conditions, 1)}


def contents(found: Mapping[str, Sequence[Comparison]]) -> str:
    """Return the page that says what the reference sweeps are and what they took."""
    lines = [
        "# Reference results",
        "",
        "Trained by `make reproduce`, which trains them anew and says what differs. "
        "Tables and reports are rebuilt",
        "from the records by `make tables` and checked in CI.",
        "",
        "| sweep | runs | processor time | trained on | tables | report |",
        "| :--- | ---: | ---: | :--- | :--- | :--- |",
    ]
    for name, conditions in found.items():
        held = read(REFERENCE / name)
        of = held.environment
        minutes = held.runs["seconds"].sum() / 60
        machine = f"{of['processor']}, {of['workers']} workers, torch {of['torch']}"
        tables = ", ".join(f"[{lang}]({name}/table.{lang}.md)" for lang in languages())
        pages = [f"report{mark}.{LANGUAGE}.html" for mark in marked(conditions)]
        links = ", ".join(f"[{page}]({name}/{page})" for page in pages)
        lines.append(
            f"| [{name}]({name}) | {len(held.runs)} | {minutes:.0f} minutes | {machine} | "
            f"{tables} | {links} |"
        )
    lines += [
        "",
        "Processor time is that of all runs together; on two cores half of it passes on "
        "the wall, and a little more.",
        "",
    ]
    return "\n".join(lines)


def same(path: Path, old: str, new: str) -> bool:
    """Whether a file is what its records say.

    Of a plot only that it is there, and of what (`data-of`), since its letters are a font's; of
    JSON's numbers, which are whole, but for what another processor's logarithms change in the last
    digits.
    """
    if path.suffix == ".json":
        one, other = ([float(number) for number in NUMBER.findall(text)] for text in (old, new))
        alike = len(one) == len(other) and all(
            math.isclose(a, b, rel_tol=1e-9) for a, b in zip(one, other, strict=True)
        )
        return alike and NUMBER.sub("0", old) == NUMBER.sub("0", new)
    if path.suffix not in (".svg", ".html") or path.name.startswith("table."):
        return old == new
    return PLOT.sub(r"\1", old) == PLOT.sub(r"\1", new)


def main(mode: str) -> int:
    """Write the files, or name those that differ; return the exit code (3: some differ)."""
    different = 0
    for path, text in built():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text or (mode == "check" and same(path, old, text)):
            continue
        different += 1
        if mode == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
        else:
            name = str(path.relative_to(ROOT))
            print(
                f"{name} is not what its CSV says ({blocks.changes(old, text)}); `make "
                "tables` rebuilds it"
            )
            print("\n".join(blocks.difference(old, text, name).splitlines()[:12]))
    return 3 if different and mode == "check" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
