"""The vision transformer against PyTorch's encoder layer, and with batch norm against its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regbench.models import models
from regbench.models.transformer import Settings
from tests.networks import Drops, Network, Reference, multiply_adds

IMAGE = (2, 4, 6)
SMALL: dict[str, Any] = {"patch": 2, "heads": 2, "head_width": 3, "hidden": 5, "layers": 2}
FEATURES, HEADS, TOKENS = 6, 2, 6
PLACES = ["pre", "post"]


def embedded(p: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """Tokens (B, T, features): a convolution whose stride is the patch, and the positions."""
    maps = F.conv2d(images.permute(0, 3, 1, 2), p["patches.weight"], stride=2)
    tokens = maps.flatten(2).transpose(1, 2)
    return tokens + p["patches.positions"].T[: tokens.shape[1]]


def classified(p: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
    return F.linear(tokens.mean(1), p["output.weight"], p["output.bias"])


def torchs(place: str, activation: str = "gelu") -> Reference:
    """PyTorch's encoder layers, with layer norm."""

    def logits(p: Mapping[str, Tensor], images: Tensor, seed: int) -> Tensor:
        x = embedded(p, images)
        layer = nn.TransformerEncoderLayer(
            FEATURES,
            HEADS,
            5,
            0.0,
            activation,
            batch_first=True,
            norm_first=place == "pre",
            dtype=torch.float64,
        )
        for n in (1, 2):
            block = f"block{n}"
            given = {
                "self_attn.in_proj_weight": p[f"{block}.attention.qkv.weight"],
                "self_attn.in_proj_bias": torch.zeros(3 * FEATURES, dtype=torch.float64),
                "self_attn.out_proj.weight": p[f"{block}.attention.project.weight"],
                "self_attn.out_proj.bias": p[f"{block}.attention.project.bias"],
                "linear1.weight": p[f"{block}.mlp.expand.weight"],
                "linear1.bias": p[f"{block}.mlp.expand.bias"],
                "linear2.weight": p[f"{block}.mlp.project.weight"],
                "linear2.bias": p[f"{block}.mlp.project.bias"],
                "norm1.weight": p[f"{block}.attention.scale"],
                "norm1.bias": p[f"{block}.attention.shift"],
                "norm2.weight": p[f"{block}.mlp.scale"],
                "norm2.bias": p[f"{block}.mlp.shift"],
            }
            x = torch.func.functional_call(layer, given, (x,))
        if place == "pre":
            x = F.layer_norm(x, (FEATURES,), p["last.scale"], p["last.shift"])
        return classified(p, x)

    return logits


def by_hand(place: str, norm: str | None, rate: float = 0.0) -> Reference:
    """The same from single functions: with another norm or none, and with dropout."""

    def logits(p: Mapping[str, Tensor], images: Tensor, seed: int) -> Tensor:
        drops = Drops(seed, rate)

        def dropped(
            x: Tensor, at: str
        ) -> Tensor:  # the mask has a row a feature; tokens of an image are neighbours
            return (
                x * drops(at, (x.shape[2], x.shape[0] * x.shape[1])).T.view(x.shape) if rate else x
            )

        def normalized(x: Tensor, at: str) -> Tensor:
            if norm is None:
                return x
            scale, shift = p[f"{at}.scale"], p[f"{at}.shift"]
            if norm == "layer_norm":
                return F.layer_norm(x, (FEATURES,), scale, shift)
            return F.batch_norm(x.flatten(0, 1), None, None, scale, shift, True).view(x.shape)

        def attention(x: Tensor, at: str) -> Tensor:
            q, k, v = (
                (x @ p[f"{at}.qkv.weight"].T).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
            )
            heads = torch.softmax(q @ k.transpose(2, 3) / 3**0.5, 3) @ v
            return F.linear(
                heads.transpose(1, 2).flatten(2),
                p[f"{at}.project.weight"],
                p.get(f"{at}.project.bias"),
            )

        def mlp(x: Tensor, at: str) -> Tensor:
            hidden = F.gelu(F.linear(x, p[f"{at}.expand.weight"], p[f"{at}.expand.bias"]))
            return F.linear(
                dropped(hidden, f"{at}.hidden"),
                p[f"{at}.project.weight"],
                p.get(f"{at}.project.bias"),
            )

        x = dropped(embedded(p, images), "patches")
        for n in (1, 2):
            for at, inner in ((f"block{n}.attention", attention), (f"block{n}.mlp", mlp)):
                if place == "pre":
                    x = x + dropped(inner(normalized(x, at), at), at)
                else:
                    x = normalized(x + dropped(inner(x, at), at), at)
        return classified(p, normalized(x, "last") if place == "pre" else x)

    return logits


@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_it_is_pytorchs_encoder_layer_for_each_run(
    place: str, seeds: list[int], activation: str
) -> None:
    network = Network(
        "transformer",
        IMAGE,
        {"layer_norm": {}},
        seeds,
        **SMALL,
        norm_place=place,
        activation=activation,
    )
    network.check(torchs(place, activation))


@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_norms_stand_before_or_behind_attention_and_mlp(
    place: str, norm: str | None, seeds: list[int]
) -> None:
    network = Network(
        "transformer", IMAGE, {norm: {}} if norm else {}, seeds, **SMALL, norm_place=place
    )
    network.check(by_hand(place, norm))


@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm"])
@pytest.mark.parametrize("place", PLACES)
def test_dropout_stands_behind_positions_and_linear_layers(place: str, norm: str | None) -> None:
    used = {"dropout": {"p": 0.3}} | ({norm: {}} if norm else {})
    Network("transformer", IMAGE, used, **SMALL, norm_place=place).check(by_hand(place, norm, 0.3))


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm"])
def test_batches_read_as_many_rows_as_the_lengths_say_in_turn(norm: str) -> None:
    network = Network("transformer", IMAGE, {norm: {}}, seeds=[3], **SMALL, lengths=[4, 2])
    images, reference = network.images(5), by_hand("pre", norm)
    p = {p.name: p.tensor[0] for p in network.stack.parameters}
    for rows in (4, 2, 4):
        (logits,) = network.forward(images)
        torch.testing.assert_close(logits.T, reference(p, images[0, :, :rows], 3))
    network.stack.training = False
    torch.testing.assert_close(network.forward(images), network.forward(images, length=4))


@pytest.mark.parametrize("lengths", [[3], [2, 6]])
def test_lengths_are_whole_patches_of_the_image(lengths: list[int]) -> None:
    assert models()["transformer"].misfit(Settings(patch=2, lengths=lengths), IMAGE)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_batch_norm_has_a_variance_over_the_tokens_of_a_single_image(
    place: str, batch: int
) -> None:
    network = Network("transformer", IMAGE, {"batch_norm": {}}, **SMALL, norm_place=place)
    network.check(by_hand(place, "batch_norm"), batch=batch)


def test_evaluation_uses_a_batch_norms_running_statistics() -> None:
    network = Network("transformer", IMAGE, {"batch_norm": {"momentum": 1.0}}, **SMALL)
    images = network.images(8)
    trained = network.forward(images)
    network.stack.training = False
    share = 8 * TOKENS / (8 * TOKENS - 1)  # of the unbiased variance, which the running one is
    for _, variance in network.stack.techniques[0].running.values():  # type: ignore[attr-defined]
        variance /= share
    torch.testing.assert_close(network.forward(images), trained)
    alone = torch.cat([network.forward(images[:, i : i + 1]) for i in range(8)], 2)
    torch.testing.assert_close(alone, trained)


def test_positions_are_no_weights() -> None:
    kinds = {p.name: p.kind for p in Network("transformer", IMAGE, **SMALL).stack.parameters}
    assert kinds["patches.positions"] == "bias"
    assert kinds["patches.weight"] == "weight"


@pytest.mark.parametrize("place", PLACES)
def test_a_bias_that_a_batch_norm_takes_out_again_is_not_there(place: str) -> None:
    stack = Network("transformer", IMAGE, {"batch_norm": {}}, **SMALL, norm_place=place).stack
    biases = [p.name for p in stack.parameters if p.name.endswith(".bias")]
    assert biases == ["block1.mlp.expand.bias", "block2.mlp.expand.bias", "output.bias"]


def test_macs_are_those_that_pytorch_counts() -> None:
    network = Network("transformer", IMAGE, seeds=[0], **SMALL)
    assert models()["transformer"].macs(network.settings, IMAGE, 4) == multiply_adds(network)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ((1, 28, 28), None),
        ((3, 32, 32), None),
        ((1, 14, 14), "patches of 4 x 4 don't tile 14x14 images; sizes that do: 2, 7, 14"),
        ((1, 9, 9), "patches of 4 x 4 don't tile 9x9 images; no patch size does"),
    ],
)
def test_patches_tile_the_image(image: tuple[int, int, int], reason: str | None) -> None:
    assert models()["transformer"].misfit(Settings(), image) == reason
