"""The report page: complete, harmless, and opened in a real browser."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import pandas as pd
import pytest

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Failure
from regbench.analysis.opened import Opened
from regbench.config.sections import Replicates
from regbench.locale import words
from regbench.report import page, tables
from regbench.report.answer import answer
from tests.command import regbench
from tests.sample import records as sampled
from tests.sample import sweep

NOTHING = pd.DataFrame({"cell": [], "seed": [], "epoch": [], "weights": [], "filters": []})
QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for lang in ("en", "ko"):
        found[lang] = folder / f"{lang}.html"
        done = regbench("report", QUICKSTART, "--lang", lang, "--out", found[lang])
        assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{found[lang]}\n")
    return found


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_table_and_picture_is_there_and_nothing_is_fetched(
    pages: dict[str, Path], lang: str
) -> None:
    text = pages[lang].read_text(encoding="utf-8")
    comparison = Opened(QUICKSTART).comparison()
    for table in tables.everything(comparison, words(lang)):
        assert escape(table.title, quote=False) in text
    for key in ("forest", "interactions", "curves", "pareto", "weights", "filters"):
        assert f'<h2 id="{key}">' in text
        assert text.count(f'id="{key}"') == 1
    assert f'<html lang="{lang}">' in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org/)|<link|@import|src=\"(?!data:)", text)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert not any(re.search(r"\s", found) for found in ids)
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= set(ids)


def test_it_begins_with_the_answer_a_small_table_and_one_picture(pages: dict[str, Path]) -> None:
    text = pages["en"].read_text(encoding="utf-8")
    told, comparison = words("en"), Opened(QUICKSTART).comparison()
    marks = [
        answer([comparison], told)[0],
        f">{told('answer.brief')}</h2>",
        '<h2 id="forest">',
        '<h2 id="table-2">',
        '<h2 id="curves">',
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_a_picture_that_shows_some_techniques_only_says_so(tmp_path: Path) -> None:
    comparison = Opened(QUICKSTART).comparison()
    assert "are shown" not in page.note("curves", comparison, words("en"))
    (result,) = comparison.summary["dropout"]
    many = replace(comparison, summary={str(i): (result,) for i in range(9)})
    assert page.note("curves", many, words("en")).endswith(
        "The first 7 of 9 techniques alone are shown."
    )
    assert "are shown" not in page.note("forest", many, words("en"))


def test_what_comes_from_records_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    comparison = replace(
        Opened(QUICKSTART).comparison(), failures=(Failure("baseline", "failed", (0,), evil),)
    )
    text = page.html([comparison], NOTHING, NOTHING, NOTHING, words("en"), evil, {"command": evil})
    assert evil not in text
    assert text.count(escape(evil)) >= 3


def test_the_name_of_a_cell_is_text_in_tables_and_pictures() -> None:
    evil = "a <script>alert(1)</script> --> $x^ b"
    comparison = Opened(QUICKSTART).comparison()
    old = comparison.cells[0].label
    cells = tuple(
        replace(cell, label=evil) if cell.label == old else cell for cell in comparison.cells
    )
    by_seed = {evil if label == old else label: runs for label, runs in comparison.by_seed.items()}
    renamed = replace(comparison, cells=cells, by_seed=by_seed)
    text = page.html([renamed], NOTHING, NOTHING, NOTHING, words("en"), "name", {})
    assert "alert(1)</script>" not in text
    assert escape(evil) in text


def test_a_sweep_without_epochs_and_details_still_has_a_page() -> None:
    text = page.html(
        [Opened(QUICKSTART).comparison()], NOTHING, NOTHING, NOTHING, words("ko"), "quickstart", {}
    )
    assert '<h2 id="curves">' not in text
    assert '<h2 id="forest">' in text


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("status", ["ok", "failed", "missing"])
def test_a_sweep_that_went_badly_still_has_a_page(tmp_path: Path, status: str, seeds: int) -> None:
    text = (
        f"dataset: {{name: mnist5k}}\nmodel: {{name: mlp}}\ntechniques: {{l2: 0.1}}\nseeds: "
        f"{seeds}\n"
    )
    plan, config = sweep(tmp_path, text)
    runs = sampled(plan)[: 0 if status == "missing" else None]
    if status == "failed":
        runs = runs.assign(status="failed", test_accuracy=math.nan, seconds=math.nan)
    comparison = compare(runs, plan, config.analysis)
    shown = page.html(
        [replace(comparison, factorial=None)], NOTHING, NOTHING, NOTHING, words("en"), "bad", {}
    )
    assert ('<h2 id="forest">' in shown) == (status == "ok")
    assert '<section id="failed">' in shown or status == "ok"
    assert not re.search(r"\bnan\b", shown)


def test_a_place_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    done = regbench("report", QUICKSTART, "--out", tmp_path / "nowhere" / "page.html")
    assert (done.returncode, "can't write" in done.stderr, "--out" in done.stderr) == (
        2,
        True,
        True,
    )


CHECK = """
<script>
const problems = [];
addEventListener("error", event => problems.push("error: " + event.message));
addEventListener("securitypolicyviolation", event => problems.push("blocked: " + event.blockedURI));
addEventListener("load", () => {
  for (const entry of performance.getEntriesByType("resource"))
    problems.push("fetched: " + entry.name);
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) problems.push(`wide: ${root.scrollWidth} in ${innerWidth}`);
  for (const box of innerWidth < 1100 ? document.querySelectorAll(".scroll") : [])
    if (box.scrollWidth > box.clientWidth) problems.push(`scrolls: ${box.scrollWidth}`);
  for (const bar of document.querySelectorAll("td.bar span")) {
    const blank = document.createRange();
    blank.setStart(bar.firstChild, 0);
    blank.setEnd(bar.firstChild, 1);
    if (blank.toString() === " " && !blank.getBoundingClientRect().width)
      problems.push("a bar has lost its place: " + bar.textContent);
  }
  const notes = document.querySelector("details li").checkVisibility();
  if (notes !== PRINTED) problems.push("notes " + (notes ? "unfolded" : "folded"));
  const table = document.querySelectorAll("table")[2];
  const shown = () => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[0].innerText));
  const before = shown();
  table.tHead.rows[0].cells[0].firstElementChild.click();
  table.tHead.rows[0].cells[0].firstElementChild.click();
  const after = shown();
  const sorted = [...before].sort((a, b) => b - a);
  if (after.join() !== sorted.join()) problems.push("not sorted: " + after);
  const found = problems.join("; ") || "no problem";
  parent.postMessage(`${innerWidth} wide, ${before.length} rows: ` + found, "*");
});
</script>
"""
# A window of Chromium is no narrower than 500, a frame is.
FRAME = """<!doctype html><pre id="checked"></pre>
<script>
const checked = document.getElementById("checked");
addEventListener("message", event => checked.textContent += event.data);
</script>
<iframe src="checked.html" style="border: 0; width: {width}px; height: 800px"></iframe>
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to open the page with")
@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(("width", "medium"), [(390, "screen"), (1280, "screen"), (1030, "print")])
def test_a_browser_opens_it_without_an_error_or_a_request_and_cuts_no_table(
    pages: dict[str, Path], tmp_path: Path, lang: str, width: int, medium: str
) -> None:
    file = tmp_path / "checked.html"
    check = CHECK.replace("PRINTED", str(medium == "print").lower())
    text = pages[lang].read_text(encoding="utf-8").replace("<title>", f"{check}<title>", 1)
    if medium == "print":  # as wide as a printed page, with its style
        text = text.replace("@media print", "@media all")
    file.write_text(text, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1400,900",
    ]
    folder = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [*command, folder, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert re.findall(r'<pre id="checked">(.*)</pre>', done.stdout) == [
        f"{width} wide, 24 rows: no problem"
    ]


def test_the_page_opens_in_the_browser_and_where_there_is_none_its_path_is_said(
    tmp_path: Path,
) -> None:
    browser, page_ = tmp_path / "browser", tmp_path / "page.html"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    command = ("report", QUICKSTART.with_name("ioffe-2015-figure-1"), "--out", page_, "--open")
    done = regbench(*command, BROWSER=str(browser))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{page_}\n", "")
    assert (tmp_path / "opened").read_text(encoding="utf-8") == page_.as_uri()
    code = "import sys, pathlib; from regbench.commands.results import browse; "
    code += "browse(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"BROWSER": "", "PATH": str(tmp_path / "nothing"), "DISPLAY": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, str(page_)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == f"regbench: no browser can be opened from here; the page is {page_}\n"


def test_on_a_phone_a_row_is_a_card_that_says_what_its_numbers_are(pages: dict[str, Path]) -> None:
    text = pages["en"].read_text(encoding="utf-8")
    ranking = tables.ranking(Opened(QUICKSTART).comparison(), words("en"))
    heads = [column.title for column in ranking.columns]
    rows = [re.findall('data-of="([^"]*)"', row) for row in unescape(text).split("<tr>")]
    assert rows.count(heads) == len(ranking.rows) == 24


def test_what_is_replicated_stands_beside_the_sweeps_own_numbers() -> None:
    comparison = Opened(QUICKSTART).comparison()
    said = Replicates(
        source="A & B 2016", theirs={"en": "<b>faster</b>", "ko": "빠름"}, differs={"en": "smaller"}
    )
    english, korean = (
        page.html([comparison], NOTHING, NOTHING, NOTHING, words(lang), "x", {}, said)
        for lang in ("en", "ko")
    )
    assert "Beside A &amp; B 2016" in english
    assert "&lt;b&gt;faster&lt;/b&gt;" in english
    assert "빠름" in korean
    assert "smaller" in korean, "where a language has no words, another's stand there"
    assert 'id="replicates"' not in page.html(
        [comparison], NOTHING, NOTHING, NOTHING, words("en"), "x", {}
    )
