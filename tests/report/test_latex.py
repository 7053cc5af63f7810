"""LaTeX tables: well formed, escaped, and compiled where a TeX is present."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.analysis.opened import Opened
from regbench.report import render as report
from regbench.report.latex import escaped
from tests.sample import ROUGH, lose, records, sweep

QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> list[Comparison]:
    plan, config = sweep(tmp_path_factory.mktemp("a"))
    rough, rough_config = sweep(tmp_path_factory.mktemp("b"), ROUGH)
    return [
        compare(records(plan), plan, config.analysis),
        compare(lose(records(rough)), rough, rough_config.analysis),
    ]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_table_has_booktabs_rules_and_as_many_cells_as_columns(
    comparisons: list[Comparison], lang: str
) -> None:
    for comparison in comparisons:
        text = report.render(comparison, "latex", lang)
        found = re.findall(
            r"\\begin\{tabular\}\{@\{\}(.*?)@\{\}\}\n\\toprule\n(.*?)\\bottomrule", text, re.DOTALL
        )
        assert len(found) >= 3
        for spec, body in found:
            columns = len(re.findall(r"[rl](?=[rlp]|$)|p\{", re.sub(r">\{[^}]*\}", "", spec)))
            rows = [line for line in body.splitlines() if line.endswith(r"\\")]
            assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {columns - 1}
            assert r"\midrule" in body
        assert r"\texttt{regbench claims}" in text
        assert "`" not in text


def test_what_means_something_to_tex_is_shown_as_it_is() -> None:
    assert escaped(r"50% of a_b & {c} #1 $x$ ~ ^ \ <p>") == (
        r"50\% of a\_b \& \{c\} \#1 \$x\$ \textasciitilde{} \textasciicircum{} \textbackslash{} "
        r"\textless{}p\textgreater{}"
    )
    assert escaped("+6.6 ± 2.2") == r"+6.6 $\pm$ 2.2"


PAPER = r"""
\documentclass[twocolumn]{article}
\usepackage{booktabs,array,amssymb,adjustbox%s}
\setlength{\columnsep}{%s}
\begin{document}
Text of a paper.
%s
\end{document}
"""


@pytest.mark.parametrize("gap", ["10pt", "31pt"])  # article's own columns, and ACL's of 219 pt
@pytest.mark.parametrize(
    ("engine", "lang"), [("pdflatex", "en"), ("pdflatex", "ko"), ("xelatex", "ko")]
)
def test_the_tables_fit_into_a_paper_of_two_columns(
    comparisons: list[Comparison], tmp_path: Path, engine: str, lang: str, gap: str
) -> None:
    if not shutil.which(engine):
        pytest.skip(f"no {engine} here: nothing to compile with")
    if lang == "ko" and not found("kotex.sty"):
        pytest.skip("no kotex here: nothing to set Korean with")
    if not found("adjustbox.sty"):
        pytest.skip("no adjustbox here, which the tables need")
    quickstart = Opened(QUICKSTART).comparison()
    body = "\n\\clearpage\n".join(
        # Labels are of one output; a paper has one of each.
        re.sub(r"\\label\{.*?\}", "", report.render(comparison, "latex", lang))
        for comparison in (*comparisons, quickstart)
    )
    korean = ",kotex" if lang == "ko" else ""
    (tmp_path / "paper.tex").write_text(PAPER.strip() % (korean, gap, body), encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")
    log = (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert re.findall(r"Overfull \\hbox.*|.*too large for page.*|Missing character.*", log) == []


def found(package: str) -> bool:
    return (
        bool(shutil.which("kpsewhich"))
        and not subprocess.run(["kpsewhich", package], capture_output=True, check=False).returncode
    )


def test_what_is_narrow_takes_a_column_and_what_is_wide_the_page() -> None:
    text = report.render(Opened(QUICKSTART).comparison(), "latex")
    floats = dict(
        re.findall(r"\\begin\{(table\*?)\}.*?\\label\{(tab:[\w-]+)\}", text, re.DOTALL)[i][::-1]
        for i in range(text.count(r"\label{"))
    )
    assert floats == {
        "tab:alone": "table",
        "tab:cards": "table*",
        "tab:summary": "table*",
        "tab:cells": "table*",
        "tab:cells-2": "table*",
        "tab:effects": "table",
        "tab:interactions": "table*",
        "tab:skips": "table",
    }


def test_every_sign_of_the_tables_is_one_that_tex_has(comparisons: list[Comparison]) -> None:
    for comparison in (*comparisons, Opened(QUICKSTART).comparison()):
        for lang in ("en", "ko"):
            text = report.render(comparison, "latex", lang)
            assert set(re.sub("[ -~\n가-힣]", "", text)) == set()
