"""What a stack and a technique tell each other: sites, parameters, and the hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Site:
    """A place where norms and noise act, most often behind a hidden layer; `shape` is one image's
    (or token's) there.

    `over`: what a layer norm's statistics run over on feature maps, the whole image or the channels
    of one position. `scale`: where a norm's scale starts. `steps`: time steps that a recurrent
    layer passes here; they share scale and shift, and statistics over the batch are those of one
    `step`.
    """

    name: str
    shape: tuple[int, ...]
    over: Literal["image", "channels"] = "image"
    scale: float = 1.0
    steps: int = 1
    step: int = 0


@dataclass(frozen=True)
class Parameter:
    """One trained tensor (M, ...). Penalties act on kind "weight" alone unless asked otherwise."""

    name: str
    tensor: Tensor
    kind: Literal["weight", "bias", "norm"]

    @property
    def gradient(self) -> Tensor:
        """The gradient of the last backward pass, shape of the tensor."""
        assert self.tensor.grad is not None, f"{self.name} took no part in the loss"
        return self.tensor.grad

    def column(self, vector: Tensor) -> Tensor:
        """Return vector (M,) as (M, 1, ...), to be broadcast against the tensor."""
        return vector.view(-1, *[1] * (self.tensor.dim() - 1))


class Seeded(Protocol):
    """What noise has to know of a stack: its runs, by seed, and where their tensors are."""

    size: int
    seeds: list[int]
    runs_per_seed: list[int]
    device: torch.device
    dtype: torch.dtype

    def by_run(self, x: Tensor) -> Tensor: ...
    def tensor(self, numbers: Sequence[float]) -> Tensor: ...


class Acts(Protocol):
    """What a stack asks of a technique, and a step lets it do (regbench.regularizers.base)."""

    key: ClassVar[str]

    @property
    def place(self) -> str: ...
    @property
    def normalizes(self) -> bool: ...
    @property
    def disturbs(self) -> bool: ...
    @property
    def cancels_bias(self) -> bool: ...
    @property
    def own(self) -> bool: ...

    kinds: ClassVar[tuple[str, ...]]

    def adopt(self, layer: str, tensors: Mapping[str, Tensor]) -> None: ...
    def mask(self, place: str, shape: tuple[int, ...]) -> Tensor: ...
    def prepare(self, site: Site) -> None: ...
    def input(self, x: Tensor) -> Tensor: ...
    def norm(self, x: Tensor, site: Site) -> Tensor: ...
    def noise(self, x: Tensor, site: Site) -> Tensor: ...
    def penalty(self, parameters: Sequence[Parameter]) -> Tensor | None: ...
    def gradients(self, parameters: Sequence[Parameter]) -> None: ...
    def before_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None: ...
    def after_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None: ...
    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]: ...
