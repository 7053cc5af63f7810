"""LaTeX tables: well formed, escaped, and compiled where a TeX is present."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.report import render as report
from regbench.report.latex import escaped
from tests.sample import ROUGH, lose, records, sweep


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


def test_what_means_something_to_tex_is_shown_as_it_is() -> None:
    assert escaped(r"50% of a_b & {c} #1 $x$ ~ ^ \ <p>") == (
        r"50\% of a\_b \& \{c\} \#1 \$x\$ \textasciitilde{} \textasciicircum{} \textbackslash{} "
        r"\textless{}p\textgreater{}"
    )
    assert escaped("+6.6 ± 2.2") == r"+6.6 $\pm$ 2.2"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no TeX here: nothing to compile with")
def test_the_tables_compile_to_a_pdf(comparisons: list[Comparison], tmp_path: Path) -> None:
    body = "\n\\clearpage\n".join(report.render(comparison, "latex") for comparison in comparisons)
    packages = "booktabs,array,amssymb,graphicx"
    head = f"\\documentclass{{article}}\n\\usepackage{{{packages}}}\n\\begin{{document}}\n"
    (tmp_path / "tables.tex").write_text(head + body + "\n\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").read_bytes().startswith(b"%PDF")
