"""The HTML templates."""

from __future__ import annotations

import re
from functools import cache

import jinja2
from markupsafe import Markup, escape


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("regbench.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = code
    return environment


def code(text: str) -> Markup:
    """Return a text with what stands between backticks in the type of code.

    >>> code("see `a < b`")
    Markup('see <code>a &lt; b</code>')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def rendered(name: str, **values: object) -> str:
    """Return a template of this folder with its values; data are text, never
    markup.
    """
    return _environment().get_template(name).render(**values)
