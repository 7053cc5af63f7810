"""Configs that come along: what `regbench init` writes, and what `regbench demo` trains."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def starter() -> str:
    """Return a commented config to start from, which shows the defaults."""
    return (HERE / "starter.yaml").read_text(encoding="utf-8")


def demo() -> Path:
    """Return the file of the config that `regbench demo` trains."""
    return HERE / "demo.yaml"
