"""What a model that looks at pictures asks of its inputs."""

from __future__ import annotations


def no_picture(image: tuple[int, int, int]) -> str | None:
    """Return why inputs of this shape (channels, height, width) are no picture, or None."""
    inputs, height, width = image
    if (height, width) != (1, 1):
        return None
    return f"a row of {inputs} values has no height and width to look at; use mlp or linear"
