"""The HTML templates."""

from __future__ import annotations

from functools import cache

import jinja2


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("regbench.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(name: str, **values: object) -> str:
    """Return a template of this folder with its values; data are text, never
    markup.
    """
    return _environment().get_template(name).render(**values)
