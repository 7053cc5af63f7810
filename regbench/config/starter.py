"""What `regbench init` writes: a commented config to start from."""

from __future__ import annotations

from pathlib import Path


def starter(language: str = "en") -> str:
    """Return a config to start from, which shows the defaults, with comments in a language."""
    name = "starter.yaml" if language == "en" else f"starter.{language}.yaml"
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
