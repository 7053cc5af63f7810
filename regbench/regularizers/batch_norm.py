"""Batch normalization: each unit's activations get mean 0 and variance 1 over the batch, then a
scale and a shift.

Ioffe & Szegedy 2015, Algorithms 1 and 2. Evaluation uses running averages (`momentum` is PyTorch's:
the share of the new batch), with the unbiased variance. A convolution's channel is one unit: its
statistics run over batch, height and width. In a recurrent layer each time step has statistics of
its own, and all share scale and shift (Cooijmans et al. 2017, Recurrent Batch Normalization).
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


class BatchNorm(Technique):
    """Normalization over the batch."""

    key = "batch_norm"
    main = "place"
    order = 30
    kinds = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
    paper = "Ioffe & Szegedy 2015, Batch Normalization"
    conflicts = {"layer_norm": "batch_norm and layer_norm would both normalize the same place"}
    cards = {
        "en": Card(
            name="batch norm",
            key_idea="normalizes each unit's activations over the mini-batch",
            applied_to="layer activations",
            strengths={
                "speed": "faster training",
                "covariate_shift": "eases internal covariate shift (ICS)",
            },
            weaknesses={"small_batches": "weak at small batches", "in_rnns": "hard to use in RNNs"},
        ),
        "ko": Card(
            name="배치 정규화",
            key_idea="미니배치 단위로 뉴런별 활성화를 정규화",
            applied_to="층의 활성화",
            strengths={"speed": "학습이 빨라짐", "covariate_shift": "내부 공변량 변화(ICS) 완화"},
            weaknesses={"small_batches": "배치가 작으면 취약함", "in_rnns": "RNN에 쓰기 어려움"},
        ),
    }

    class Settings(Base):
        """Where it stands, how its running averages move, and the noise behind it."""

        later = frozenset({"noise", "own"})

        place: Literal["before_activation", "after_activation"] = Field(
            "before_activation", description="side of the activation function it stands on"
        )
        momentum: float = Field(
            0.1, gt=0, le=1, description="share of the newest batch in the running averages"
        )
        eps: float = Field(1e-5, gt=0, description="added to the variance")
        noise: float | None = Field(
            None,
            gt=0,
            description="half width of the noise behind it, which moves and stretches each unit "
            "anew at each step of training; it brings back the shift that the norm "
            "takes away",
        )
        own: bool | None = Field(
            None,
            description="in a module of yours: its own batch norms act, and none at the sites; "
            "without it they are taken out",
        )

        @model_validator(mode="after")
        def _own_alone(self) -> Self:
            check_own(self)
            return self

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.running: dict[str, tuple[Tensor, Tensor]] = {}

    @property
    def cancels_bias(self) -> bool:
        """Before the activation, the batch's mean holds the bias; its gradient would be rounding
        noise.
        """
        return bool(self.settings[0].place == "before_activation")

    def prepare(self, site: Site) -> None:
        """Create scale and shift, one of each a unit or channel, and running statistics of each
        time step.
        """
        units = site.shape[0]
        self.stack.parameter(f"{site.name}.scale", (units,), "norm", fill=site.scale)
        self.stack.parameter(f"{site.name}.shift", (units,), "norm", fill=0.0)
        self.running[site.name] = (
            self.stack.buffer(f"{site.name}.running_mean", (site.steps, units), fill=0.0),
            self.stack.buffer(f"{site.name}.running_variance", (site.steps, units), fill=1.0),
        )

    def adopt(self, layer: str, tensors: Mapping[str, Tensor]) -> None:
        """Take note of the running statistics of a batch norm of the module's own; where it keeps
        none, none moves.
        """
        none = self.stack.tensor([0.0] * self.stack.size).unsqueeze(1)
        mean, variance = tensors.get("running_mean", none), tensors.get("running_var", none + 1)
        self.running[layer] = mean, variance

    def norm(self, x: Tensor, site: Site) -> Tensor:
        """Normalize over the batch in training, by the running statistics in evaluation."""
        from regbench.nn import functions

        settings = self.settings[0]
        scale, shift = (
            self.stack.named[f"{site.name}.scale"],
            self.stack.named[f"{site.name}.shift"],
        )
        mean, variance = (running[:, site.step] for running in self.running[site.name])
        batch_norm = functions.batch_norm_maps if x.dim() == 4 else functions.batch_norm_units
        y = batch_norm(
            x,
            scale.tensor,
            shift.tensor,
            mean,
            variance,
            self.stack.training,
            settings.momentum,
            settings.eps,
        )
        return self.shaken(y, site) if settings.noise and self.stack.disturbs else y

    def shaken(self, y: Tensor, site: Site) -> Tensor:
        """Return y times a factor plus a summand, uniform in 1 +- noise and +- noise, one of each a
        unit and call.

        In the manner of Santurkar et al. 2018, section 2.2: noise that is not centred, of no fixed
        size, and another at each step. Runs of one seed share it.
        """
        width: float = self.settings[0].noise
        drawn = width * (
            2 * self.stack.masks.uniform(f"{site.name}.batch_norm", (2, site.shape[0])) - 1
        )
        shape = (1, -1, 1, 1) if y.dim() == 4 else (self.stack.size, -1, 1)
        factor, summand = (u.reshape(shape) for u in drawn.unbind(1))
        return y * (1 + factor) + summand

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return how far the running statistics moved from 0 and 1, averaged over all units."""
        import torch

        means, variances = (
            torch.cat([running.flatten(1) for running in sites], 1)
            for sites in zip(*self.running.values(), strict=True)
        )
        return {
            "running_mean_moved": means.abs().mean(1).tolist(),
            "running_variance_moved": (variances - 1).abs().mean(1).tolist(),
        }
