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
        self.starts: dict[str, dict[str, Tensor | float]] = {"scale": {}, "shift": {}}
        """Where the scales and the shifts start, by the names of the parameters."""

    def prepare(self, site: Site) -> None:
        """Create scale and shift, one of each a unit, or a place of the feature maps, or a
        channel.
        """
        self.starts["scale"][f"{site.name}.scale"] = site.scale
        self.starts["shift"][f"{site.name}.shift"] = 0.0
        shape = site.shape[:1] if site.over == "channels" else site.shape
        self.stack.parameter(f"{site.name}.scale", shape, "norm", fill=site.scale)
        self.stack.parameter(f"{site.name}.shift", shape, "norm", fill=0.0)

    def adopt(self, layer: str, tensors: Mapping[str, Tensor]) -> None:
        """Take note of where a layer norm of the module's own starts."""
        for kind, name in (("scale", "weight"), ("shift", "bias")):
            if name in tensors:
                self.starts[kind][f"{layer}.{name}"] = tensors[name].detach().clone()

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

        proof = {}
        for kind, starts in self.starts.items():
            moved = [p.tensor - starts[p.name] for p in parameters if p.name in starts]
            if moved:  # a module's own may have none
                all_of_a_run = torch.cat([m.flatten(1) for m in moved], 1)
                proof[f"{kind}_moved"] = all_of_a_run.abs().mean(1).tolist()
        return proof
