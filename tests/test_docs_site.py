"""The documentation hangs together in both languages, on GitHub and as the site that is built."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
KOREAN = sorted([*DOCS.glob("*.ko.md"), ROOT / "README.ko.md"])
TWINS = {".md": ".ko.md", ".ipynb": ".ko.ipynb"}
MARKDOWN = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])

CODE = re.compile(r"^(`{3,}).*?^\1`*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^( *`{3,}).*?^\1`*$", re.DOTALL | re.MULTILINE)


def headings(page: Path) -> list[tuple[str, str]]:
    """The headings of a page: how deep, and what links to them end in on GitHub."""
    text, seen, found = FENCE.sub("", page.read_text(encoding="utf-8")), dict[str, int](), []
    for marks, heading in re.findall("^(#+) (.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        found.append((marks, f"{slug}-{seen[slug]}" if seen[slug] else slug))
    return found


def english(page: Path) -> Path:
    return page.with_name(page.name.replace(".ko.md", ".md"))


def listed(page: Path) -> list[str]:
    return re.findall(r"^[\w-]+\.(?:md|ipynb)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_page_is_listed_once_in_both_languages() -> None:
    pages = {path.name for path in [*DOCS.glob("*.md"), *DOCS.glob("*.ipynb")]}
    own = {name for name in pages if ".ko." not in name} - {"index.md"}
    assert sorted(listed(DOCS / "index.md")) == sorted(own)
    assert listed(DOCS / "index.ko.md") == listed(DOCS / "index.md")


@pytest.mark.parametrize("page", KOREAN, ids=lambda page: page.name)
def test_a_korean_page_is_the_twin_of_an_english_one_heading_by_heading(page: Path) -> None:
    assert english(page).exists()
    assert [depth for depth, _ in headings(page)] == [depth for depth, _ in headings(english(page))]


WRITTEN = [
    page for page in KOREAN if page.name not in ("index.ko.md", "claims.ko.md", "README.ko.md")
]


def code(page: Path) -> list[str]:
    """The blocks of code of a page, without their comments."""
    text = page.read_text(encoding="utf-8")
    blocks = [re.sub(r"[ \t]*# .*", "", block[0]) for block in FENCE.finditer(text)]
    if page.name.startswith("walks."):  # which quote in their language: tests/test_walks.py
        return [block for block in blocks if not block.startswith("```text\n")]
    return blocks


def rows(page: Path) -> list[list[str]]:
    """What the rows of the tables of a page begin with, by the headings that they stand under."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [
        [(re.match(r"\| (`[^`]+`)?", row) or [""])[0] for row in re.findall(r"^\|.*", part, re.M)]
        for part in re.split("^#", text, flags=re.MULTILINE)
    ]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_a_korean_page_has_the_code_and_the_rows_of_its_twin_and_each_leads_to_the_other(
    page: Path,
) -> None:
    assert code(page) == code(english(page))
    assert rows(page) == rows(english(page))
    for one, words, other in (
        (page, "English", english(page)),
        (english(page), "한국어", page),
    ):
        third = one.read_text(encoding="utf-8").splitlines()[2]
        assert third == f"[{words}]({other.name})"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_a_korean_page_links_to_korean_pages_where_there_are_any(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s:]+\.md)(?:#[^)]*)?\)", text):
        twin = (page.parent / target).with_suffix(".ko.md")
        assert target.endswith(".ko.md") or target == english(page).name or not twin.exists()


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]*))?\)", text):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in dict(map(reversed, headings(there))), f"{target}#{anchor}"


def as_in_the_site(text: str, folder: Path, korean: bool) -> str:
    found = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    done: str = module.for_site(text, folder, korean)
    return done


@pytest.mark.parametrize(
    ("folder", "link", "english_site", "korean_site"),
    [
        (ROOT, "docs/claims.md", "claims.md", "claims.md"),
        (DOCS, "claims.ko.md", "claims.md", "claims.md"),
        (
            DOCS,
            "claims.md#the-note-sentence-by-sentence",
            "claims.md#the-note-sentence-by-sentence",
            "claims.md#노트의-문장마다",
        ),
        (
            DOCS,
            "claims.ko.md#노트의-문장마다",
            "claims.md#the-note-sentence-by-sentence",
            "claims.md#노트의-문장마다",
        ),
        (DOCS, "../README.ko.md", "index.md", "index.md"),
        (DOCS, "https://mlflow.org", "https://mlflow.org", "https://mlflow.org"),
    ],
)
def test_a_link_to_a_page_leads_to_that_place_in_the_sites_own_language(
    folder: Path, link: str, english_site: str, korean_site: str
) -> None:
    assert as_in_the_site(f"[it]({link})", folder, False) == f"[it]({english_site})"
    assert as_in_the_site(f"[it]({link})", folder, True) == f"[it]({korean_site})"
    assert as_in_the_site(f"`[it]({link})`", folder, True) == f"`[it]({link})`"


@pytest.mark.parametrize("line", ["[한국어](config.ko.md)", "[English](config.md)"])
def test_the_line_that_leads_to_the_other_language_is_not_in_the_site(line: str) -> None:
    assert as_in_the_site(f"# It\n\n{line}\n\nText.", DOCS, True) == "# It\n\nText."


def references(page: Path) -> Iterator[str]:
    for found in re.findall(r'(?:href|src)="([^"]*)"', page.read_text(encoding="utf-8")):
        if not urlsplit(found).scheme:
            yield unquote(found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "myst_nb", "furo"):
        if not importlib.util.find_spec(name):
            pytest.skip(f"{name} is not installed: `make docs` installs it and builds the site")
    folder = tmp_path_factory.mktemp("site")
    for language in ("en", "ko"):
        options = ["-b", "html", "-D", f"language={language}", "-W", "--keep-going", "--no-color"]
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder / language)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        (folder / f"{language}.log").write_text(done.stdout, encoding="utf-8")
    return folder


def test_the_site_has_every_page_in_both_languages_and_a_switch_between_them(site: Path) -> None:
    names = [Path(name).stem for name in ["index.md", *listed(DOCS / "index.md")]]
    for language, other in (("en", "ko"), ("ko", "en")):
        for name in names:
            text = (site / language / f"{name}.html").read_text(encoding="utf-8")
            assert f'<html class="no-js" lang="{language}"' in text
            assert f'href="../{other}/{name}.html"' in text


def test_the_korean_site_has_korean_pages_and_says_where_there_are_none(site: Path) -> None:
    for name in listed(DOCS / "index.md"):
        text = (site / "ko" / f"{Path(name).stem}.html").read_text(encoding="utf-8")
        twin = (DOCS / name).with_suffix(TWINS[Path(name).suffix])
        assert ('class="not-yet"' in text) is not twin.exists()
        english_text = (site / "en" / f"{Path(name).stem}.html").read_text(encoding="utf-8")
        assert 'class="not-yet"' not in english_text


def test_the_korean_site_has_no_english_words_around_its_pages(site: Path) -> None:
    text = (site / "ko/claims.html").read_text(encoding="utf-8")
    for word in ("On this page", "Back to top", "Skip to content", ">Next<", ">Previous<"):
        assert word not in text


def test_every_link_and_picture_of_the_site_is_there(site: Path) -> None:
    for page in [*site.glob("en/*.html"), *site.glob("ko/*.html")]:
        for found in references(page):
            path = urlsplit(found).path
            there = page.parent / path if path else page
            assert there.exists(), f"{page.name}: {found}"
            anchor = unquote(urlsplit(found).fragment)
            if anchor and there.suffix == ".html":
                assert f'id="{anchor}"' in there.read_text(encoding="utf-8"), found


def test_the_tour_is_run_as_the_site_is_built_and_shows_its_picture(site: Path) -> None:
    for language in ("en", "ko"):
        log = (site / f"{language}.log").read_text(encoding="utf-8")
        assert re.search(r"tour\.ipynb: Executed notebook in", log)
        text = (site / language / "tour.html").read_text(encoding="utf-8")
        assert re.search(r'<img[^>]* src="_images/[0-9a-f]{64}\.svg"', text)
