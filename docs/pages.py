"""The pages as the site has them: of one language, with links that lead where the site has things.

The sources stay what GitHub shows. A link to a page leads to the page of the site's language, and
its anchor to the heading that stands at the same place there; a file outside docs/ is linked at the
repository, or offered for download where no repository is known; a folder then is only named.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls")
REPOSITORY = (URLS or {}).get("Repository")

FENCE = re.compile(r"^(?P<fence>`{3,})[^`\n]*\n.*?^(?P=fence)`*$", re.DOTALL | re.MULTILINE)
LINK = re.compile(
    rf"(?P<code>{FENCE.pattern}|`[^`\n]+`)"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`\n]*`|[^\]`])*)\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)",
    re.DOTALL | re.MULTILINE,
)
OTHER_LANGUAGE = re.compile(r"^\[(한국어|English)\]\([\w-]+(\.ko)?\.md\)\n\n", re.MULTILINE)
"""The line of a page that leads to its twin: each page of the site has a switch."""


def twin(page: Path) -> Path:
    """The Korean page beside an English one, whether there is one or not."""
    return page.with_suffix(f".ko{page.suffix}")


@functools.cache
def anchors(page: Path) -> list[str]:
    """What the headings of a Markdown page are linked by on GitHub and in the site, in order."""

    def named() -> Iterator[str]:
        seen: dict[str, int] = {}
        for heading in re.findall(
            r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M
        ):
            name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            seen[name] = seen.get(name, -1) + 1
            yield f"{name}-{seen[name]}" if seen[name] else name

    return list(named())


def english(page: Path) -> Path:
    """The page that a page of either language is called by."""
    return page.with_name(re.sub(r"\.ko(\.\w+)$", r"\1", page.name))


def anchor_there(page: Path, anchor: str, korean: bool) -> str:
    """The anchor, in a page of the site's language, that an anchor of either language means."""
    shown, other = (twin(page), page) if korean else (page, twin(page))
    if shown.exists() and other.exists() and anchor not in anchors(shown):
        places = anchors(other)
        if anchor in places and len(places) == len(anchors(shown)):
            return anchors(shown)[places.index(anchor)]
    return anchor


def for_site(text: str, folder: Path, korean: bool) -> str:
    """The text of a page that lies in a folder, with its links as the site needs them."""

    def leading(link: re.Match[str]) -> str:
        path, anchor = link["path"], link["anchor"]
        if link["code"] or not path or ":" in path:
            return link[0]
        target = Path(os.path.normpath(folder / path))
        page = english(target)
        if page == ROOT / "README.md":
            path = "index.md"
        elif page.is_relative_to(DOCS) and page.suffix in (".md", ".ipynb"):
            path = page.relative_to(DOCS).as_posix()
            anchor = anchor and anchor_there(page, anchor, korean)
        elif REPOSITORY and not link["image"]:
            path = f"{REPOSITORY}/blob/HEAD/{target.relative_to(ROOT).as_posix()}"
        elif target.is_dir():
            return link["text"]
        else:
            path = ("" if link["image"] else "path:") + os.path.relpath(target, DOCS)
        return f"{link['image']}[{link['text']}]({path}{f'#{anchor}' if anchor else ''})"

    return LINK.sub(leading, OTHER_LANGUAGE.sub("", text))
