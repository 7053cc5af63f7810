"""Configs that come along: what `regbench init` writes, and what `regbench demo` trains."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def starter(language: str = "en") -> str:
    """Return a config to start from, which shows the defaults, with comments in a language."""
    name = "starter.yaml" if language == "en" else f"starter.{language}.yaml"
    return (HERE / name).read_text(encoding="utf-8")


def demo() -> Path:
    """Return the file of the config that `regbench demo` trains."""
    return HERE / "demo.yaml"
