"""Layer normalization: each image's activations in a layer get mean 0 and variance 1, then a
learned scale and shift.

Ba et al. 2016, eq. 3 and 4. On feature maps the statistics run over channels, height and width, and
every place has a scale and a shift of its own, as in PyTorch's `LayerNorm((C, H, W))`; or, where
the model's site asks for it, over the channels of each position alone (Liu et al. 2022, ConvNeXt),
with a scale and a shift a channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from regbench.regularizers.base import Card, Technique, check_own
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter, Site


PROOFS = {"scale_moved": (".scale", ".weight"), "shift_moved": (".shift", ".bias")}
"""Each proof with the endings of the parameters that it is about: ours, and a module's own."""


class LayerNorm(Technique):
    """Normalization over the units of one image."""

    key = "layer_norm"
    main = "place"
    order = 40
    kinds = ("LayerNorm",)
    paper = "Ba et al. 2016, Layer Normalization"
    conflicts = {"batch_norm": "batch_norm and layer_norm would both normalize the same place"}
    cards = {
        "en": Card(
            name="layer norm",
            key_idea="normalizes a layer's activations within each sample",
            applied_to="layer activations",
            strengths={
                "any_batch": "independent of the batch size",
                "sequences": "works in RNNs and transformers",
            },
            weaknesses={"behind_batch_norm": "sometimes behind batch norm"},
        ),
        "ko": Card(
            name="레이어 정규화",
            key_idea="샘플 하나 안에서 층의 활성화를 정규화",
            applied_to="층의 활성화",
            strengths={"any_batch": "배치 크기와 무관함", "sequences": "RNN·트랜스포머에 효과적"},
            weaknesses={"behind_batch_norm": "배치 정규화보다 성능이 낮을 때가 있음"},
        ),
    }

    class Settings(Base):
        """Where it stands."""

        later = frozenset({"own"})

        place: Literal["before_activation", "after_activation"] = Field(
            "before_activation", description="side of the activation function it stands on"
        )
        eps: float = Field(1e-5, gt=0, description="added to the variance")
        own: bool | None = Field(
            None,
            description="in a module of yours: its own layer norms act, and none at the sites; "
            "without it they are taken out",
        )

        @model_validator(mode="after")
        def _own_alone(self) -> Self:
            check_own(self)
            return self

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.starts: dict[str, Tensor | float] = {}

    def prepare(self, site: Site) -> None:
        """Create scale and shift, one of each a unit, or a place of the feature maps, or a
        channel.
        """
        self.starts |= {f"{site.name}.scale": site.scale, f"{site.name}.shift": 0.0}
        shape = site.shape[:1] if site.over == "channels" else site.shape
        self.stack.parameter(f"{site.name}.scale", shape, "norm", fill=site.scale)
        self.stack.parameter(f"{site.name}.shift", shape, "norm", fill=0.0)

    def adopt(self, layer: str, tensors: Mapping[str, Tensor]) -> None:
        """Take note of where a layer norm of the module's own starts."""
        for name in tensors.keys() & {"weight", "bias"}:
            self.starts[f"{layer}.{name}"] = tensors[name].detach().clone()

    def norm(self, x: Tensor, site: Site) -> Tensor:
        """Normalize within each image, in training and evaluation alike."""
        from regbench.nn import functions

        scale, shift = (
            self.stack.named[f"{site.name}.scale"],
            self.stack.named[f"{site.name}.shift"],
        )
        of_maps = (
            functions.layer_norm_positions if site.over == "channels" else functions.layer_norm_maps
        )
        layer_norm = of_maps if x.dim() == 4 else functions.layer_norm_units
        return layer_norm(x, scale.tensor, shift.tensor, self.settings[0].eps)

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return how far scales and shifts moved from their start: only a layer that acts has
        gradients there.
        """
        import torch

        own = {p.name: p.tensor for p in parameters if p.name in self.starts}
        return {
            proof: torch.cat(moved, 1).abs().mean(1).tolist()
            for proof, ends in PROOFS.items()
            if (moved := [(own[n] - self.starts[n]).flatten(1) for n in own if n.endswith(ends)])
        }
