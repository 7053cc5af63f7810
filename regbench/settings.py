"""The base of every settings class: strict types, no unknown keys, immutable."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Settings(BaseModel):
    """A validated section of the config.

    `true` is not a number, "1" is not 1, and an unknown key is an error.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()
    """Settings that older records lack: where they are None nothing is said of them, so that ids
    stay as they were.
    """

    def within(self, folder: Path) -> Self:
        """Return the settings with a file that is told from `folder` told in full; most name
        none.
        """
        return self

    @model_serializer(mode="wrap")
    def _without_later(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            key: value
            for key, value in handler(self).items()
            if value is not None or key not in self.later
        }
