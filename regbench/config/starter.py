"""What `regbench init` writes: a commented config to start from."""

from __future__ import annotations

from pathlib import Path


def starter() -> str:
    """Return a commented config to start from, which shows the defaults."""
    return (Path(__file__).parent / "starter.yaml").read_text(encoding="utf-8")
