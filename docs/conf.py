"""The documentation as a site: `make docs` builds it, once in English and once in Korean.

Both builds read the same pages; the Korean one (`-D language=ko`) takes X.ko.md for X.md.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.search import SearchLanguage

sys.path.insert(0, str(Path(__file__).parent))
from pages import DOCS, ROOT, for_site, twin

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "regbench"
language = "en"
locale_dirs = ["locale"]  # the theme's words that Sphinx has no Korean for
extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "**.ko.md", "**.ko.ipynb"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", "(?!regbench).*")]  # types of libraries, whose sites are far

myst_heading_anchors = 4
myst_links_external_new_tab = False
nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_execution_show_tb = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
smartquotes = False  # they make a dash of an option's two
default_role = "code"  # docstrings write code as Markdown does
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "regbench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

linkcheck_retries = 3
linkcheck_timeout = 20
linkcheck_workers = 4
linkcheck_anchors = False  # pages that draw themselves by script have none to find
linkcheck_ignore = [
    r"https?://(localhost|127\.0\.0\.1)",
    r"https://doi\.org/",  # publishers refuse what isn't a browser
]

NOT_YET = "이 페이지는 아직 한국어 번역이 없어 영어로 표시합니다."
TOUR = ROOT / "results/tour"
"""Where the tour trains."""


class Korean(SearchLanguage):
    """Search in Korean: a word is found whatever particle follows it."""

    lang = "ko"
    language_name = "Korean"
    particle = (
        "(?:입니다|합니다|됩니다|에서는|에서|에는|으로|부터|까지|마다|처럼|보다|"
        "은|는|이|가|을|를|의|에|로|와|과|도|만)$"
    )
    js_stemmer_code = f"""
var Stemmer = function () {{
  this.stemWord = (word) =>
    /^[가-힣]{{3,}}$/.test(word) ? word.replace(/{particle}/, "") : word;
}};
"""

    def stem(self, word: str) -> str:
        """Return a word without its particle; js_stemmer_code does the same to what is asked."""
        if re.fullmatch("[가-힣]{3,}", word):
            return re.sub(self.particle, "", word)
        return word.lower()


def read_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Take the page of the site's language, with links that lead to pages of that language."""
    korean = app.config.language == "ko"
    page = Path(app.env.doc2path(name))
    if korean and twin(page).exists():
        app.env.note_dependency(str(twin(page)))
        source[0] = twin(page).read_text(encoding="utf-8")
    if page.suffix == ".md":
        source[0] = for_site(source[0], DOCS, korean)
    else:
        notebook = nbformat.reads(source[0], as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = for_site(cell.source, DOCS, korean)
        source[0] = nbformat.writes(notebook)


def read_included(app: Sphinx, path: Path, name: str, source: list[str]) -> None:
    """Give what a page includes, which is the README, links that lead on from the page."""
    source[0] = for_site(source[0], (DOCS / path).resolve().parent, app.config.language == "ko")


def say_not_yet(app: Sphinx, doctree: nodes.document) -> None:
    """Say at the top of a page in Korean that it has no Korean yet."""
    page = Path(app.env.doc2path(app.env.docname))
    if app.config.language != "ko" or twin(page).exists():
        return
    title = doctree.next_node(nodes.title)
    if title:
        note = nodes.paragraph(NOT_YET, NOT_YET, classes=["not-yet"])
        title.parent.insert(title.parent.index(title) + 1, note)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what is ours."""
    app.add_search_language(Korean)
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", read_page)
    app.connect("include-read", read_included)
    app.connect("doctree-read", say_not_yet)
    if not TOUR.exists():
        app.connect("build-finished", lambda *_: shutil.rmtree(TOUR, ignore_errors=True))
    return {"parallel_read_safe": True}
