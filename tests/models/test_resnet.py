"""The residual network against PyTorch's functions put together by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from regbench.models import models
from tests.networks import Drops, Network, Reference, multiply_adds

IMAGE = (2, 7, 6)
CHANNELS = [3, 4]
NORMS = [None, "batch_norm", "layer_norm"]


def by_hand(
    block: str, norm: str | None, blocks: int = 1, rate: float = 0.0, activation: Any = F.relu
) -> Reference:
    """The network written out. Long, since its blocks are closures over its settings."""

    def logits(p: Mapping[str, Tensor], images: Tensor, seed: int) -> Tensor:
        drops = Drops(seed, rate)

        def dropped(x: Tensor, at: str) -> Tensor:  # masks lie with the channels last
            batch, channels, height, width = x.shape
            return (
                x * drops(at, (batch, height, width, channels)).permute(0, 3, 1, 2) if rate else x
            )

        def convolved(x: Tensor, at: str, stride: int = 1, groups: int = 1) -> Tensor:
            w = p[f"{at}.weight"]
            padding = 0 if w.shape[2] == 2 else w.shape[2] // 2
            return F.conv2d(x, w, p.get(f"{at}.bias"), stride, padding, groups=groups)

        def normalized(x: Tensor, at: str) -> Tensor:
            if norm is None:
                return x
            scale, shift = p[f"{at}.scale"], p[f"{at}.shift"]
            if norm == "batch_norm":
                return F.batch_norm(x, None, None, scale, shift, True)
            if block == "basic":
                return F.layer_norm(x, x.shape[1:], scale, shift)
            return F.layer_norm(x.movedim(1, -1), x.shape[1:2], scale, shift).movedim(-1, 1)

        def basic(x: Tensor, at: str, stride: int) -> Tensor:
            y = dropped(
                activation(normalized(convolved(x, f"{at}.first", stride), f"{at}.first")),
                f"{at}.first",
            )
            y = normalized(convolved(y, f"{at}.second"), f"{at}.second")
            if f"{at}.shortcut.weight" in p:
                x = normalized(convolved(x, f"{at}.shortcut", stride), f"{at}.shortcut")
            return activation(x + y)

        def depthwise7(x: Tensor, at: str) -> Tensor:
            y = normalized(convolved(x, f"{at}.depthwise", groups=x.shape[1]), f"{at}.depthwise")
            return x + convolved(
                dropped(activation(convolved(y, f"{at}.expand")), f"{at}.hidden"), f"{at}.project"
            )

        x = normalized(convolved(images.permute(0, 3, 1, 2), "stem"), "stem")
        x = activation(x) if block == "basic" else x
        for stage in range(1, len(CHANNELS) + 1):
            if stage > 1 and block == "depthwise7":
                x = convolved(normalized(x, f"stage{stage}.down"), f"stage{stage}.down", 2)
            for n in range(1, blocks + 1):
                at = f"stage{stage}.block{n}"
                x = (
                    basic(x, at, 2 if stage > 1 and n == 1 else 1)
                    if block == "basic"
                    else depthwise7(x, at)
                )
        x = x.mean((2, 3))
        return F.linear(
            normalized(x, "pooled") if block == "depthwise7" else x,
            p["output.weight"],
            p["output.bias"],
        )

    return logits


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("block", ["basic", "depthwise7"])
@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_it_is_pytorchs_convolutions_and_norms_for_each_run(
    block: str, norm: str | None, seeds: list[int]
) -> None:
    network = Network(
        "resnet", IMAGE, {norm: {}} if norm else {}, seeds, channels=CHANNELS, block=block, blocks=2
    )
    network.check(by_hand(block, norm, 2))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("block", ["basic", "depthwise7"])
def test_dropout_stands_inside_the_blocks(block: str, norm: str | None) -> None:
    used = {"dropout": {"p": 0.3}} | ({norm: {}} if norm else {})
    network = Network("resnet", IMAGE, used, channels=CHANNELS, block=block, activation="gelu")
    network.check(by_hand(block, norm, rate=0.3, activation=F.gelu))


def test_a_bias_that_a_batch_norm_takes_out_again_is_not_there() -> None:
    network = Network(
        "resnet", IMAGE, {"batch_norm": {}}, channels=CHANNELS, block="depthwise7", blocks=2
    )
    biases = [p.name for p in network.stack.parameters if p.name.endswith("project.bias")]
    assert biases == ["stage1.block1.project.bias", "stage2.block1.project.bias"]


def test_a_small_batch_has_a_variance_over_its_pixels() -> None:
    for batch in (1, 2):
        network = Network("resnet", IMAGE, {"batch_norm": {}}, channels=CHANNELS)
        network.check(by_hand("basic", "batch_norm"), batch=batch)


def test_behind_the_pooling_a_batch_of_one_has_none_and_running_statistics_stand_in() -> None:
    network = Network("resnet", IMAGE, {"batch_norm": {}}, channels=CHANNELS, block="depthwise7")
    network.forward(network.images(1)).square().sum().backward()
    assert all(torch.isfinite(p.gradient).all() for p in network.stack.parameters)
    mean, variance = network.stack.techniques[0].running["pooled"]  # type: ignore[attr-defined]
    assert mean.abs().max() == 0
    assert (variance - 1).abs().max() == 0


@pytest.mark.parametrize(("block", "shape"), [("basic", (3, 7, 6)), ("depthwise7", (3,))])
def test_a_layer_norm_runs_over_the_image_in_basic_blocks_and_over_channels_in_depthwise_ones(
    block: str, shape: tuple[int, ...]
) -> None:
    network = Network("resnet", IMAGE, {"layer_norm": {}}, channels=CHANNELS, block=block)
    assert network.stack.named["stem.scale"].tensor.shape[1:] == shape


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("block", ["basic", "depthwise7"])
def test_macs_are_those_that_pytorch_counts(block: str, blocks: int) -> None:
    network = Network("resnet", IMAGE, seeds=[0], channels=[3, 4, 5], block=block, blocks=blocks)
    assert models()["resnet"].macs(network.settings, IMAGE, 4) == multiply_adds(network)


def test_stages_that_halve_the_images_to_nothing_are_a_misfit_of_depthwise_blocks_alone() -> None:
    resnet = models()["resnet"]
    deep = {"channels": [2, 2, 2, 2]}
    assert resnet.misfit(resnet.Settings(**deep), (1, 5, 5)) is None
    reason = resnet.misfit(resnet.Settings(**deep, block="depthwise7"), (1, 5, 5))
    assert reason == "4 stages halve 5x5 images to nothing; use at most 3"
