"""Every stacked layer equals PyTorch's own, run by run, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from regbench.nn import functions

RUNS, BATCH, UNITS = 3, 7, 5


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def leaves(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    return [random(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]


def gradients(loss: torch.Tensor, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, tensors))


def test_linear_is_torch_linear_for_each_run() -> None:
    x, w, b = leaves((RUNS, 4, BATCH), (RUNS, UNITS, 4), (RUNS, UNITS))
    expected = torch.stack([F.linear(x[m].T, w[m], b[m]).T for m in range(RUNS)])
    torch.testing.assert_close(functions.linear(x, w, b), expected)


@pytest.mark.parametrize("runs", [[3], [1, 2], [2, 1], [1, 1, 1]])
def test_runs_that_share_images_get_the_layer_and_gradients_of_runs_that_do_not(
    runs: list[int],
) -> None:
    images = random(len(runs), 4, BATCH)
    w, b = leaves((RUNS, UNITS, 4), (RUNS, UNITS))
    own = images.repeat_interleave(torch.tensor(runs), 0)
    weight = random(RUNS, UNITS, BATCH, seed=9)
    shared, alone = functions.shared_linear(images, w, b, runs), functions.linear(own, w, b)
    torch.testing.assert_close(shared, alone)
    for a, e in zip(
        gradients((shared * weight).sum(), [w, b]),
        gradients((alone * weight).sum(), [w, b]),
        strict=True,
    ):
        torch.testing.assert_close(a, e)


def test_batch_norm_of_units_is_torch_batch_norm() -> None:
    x, scale, shift = leaves((RUNS, UNITS, BATCH), (RUNS, UNITS), (RUNS, UNITS))
    mean, variance = random(RUNS, UNITS, seed=7), random(RUNS, UNITS, seed=8).abs()
    mean2, variance2 = mean.clone(), variance.clone()
    weight = random(RUNS, UNITS, BATCH, seed=9)
    ours = functions.batch_norm_units(x, scale, shift, mean, variance, True, 0.1, 1e-5)
    theirs = torch.stack(
        [
            F.batch_norm(x[m].T, mean2[m], variance2[m], scale[m], shift[m], True, 0.1, 1e-5).T
            for m in range(RUNS)
        ]
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(mean, mean2)
    torch.testing.assert_close(variance, variance2)
    all_of = [x, scale, shift]
    for a, e in zip(
        gradients((ours * weight).sum(), all_of),
        gradients((theirs * weight).sum(), all_of),
        strict=True,
    ):
        torch.testing.assert_close(a, e)


def test_batch_norm_in_evaluation_uses_the_running_statistics() -> None:
    x, scale, shift = leaves((RUNS, UNITS, BATCH), (RUNS, UNITS), (RUNS, UNITS))
    mean, variance = random(RUNS, UNITS, seed=7), random(RUNS, UNITS, seed=8).abs()
    before = mean.clone(), variance.clone()
    ours = functions.batch_norm_units(x, scale, shift, mean, variance, False, 0.1, 1e-5)
    theirs = torch.stack(
        [F.batch_norm(x[m].T, mean[m], variance[m], scale[m], shift[m]).T for m in range(RUNS)]
    )
    torch.testing.assert_close(ours, theirs)
    assert torch.equal(mean, before[0])
    assert torch.equal(variance, before[1])


def test_layer_norm_of_units_is_torch_layer_norm() -> None:
    x, scale, shift = leaves((RUNS, UNITS, BATCH), (RUNS, UNITS), (RUNS, UNITS))
    weight = random(RUNS, UNITS, BATCH, seed=9)
    ours = functions.layer_norm_units(x, scale, shift, 1e-5)
    theirs = torch.stack(
        [F.layer_norm(x[m].T, (UNITS,), scale[m], shift[m], 1e-5).T for m in range(RUNS)]
    )
    torch.testing.assert_close(ours, theirs)
    all_of = [x, scale, shift]
    for a, e in zip(
        gradients((ours * weight).sum(), all_of),
        gradients((theirs * weight).sum(), all_of),
        strict=True,
    ):
        torch.testing.assert_close(a, e)


def maps(runs: int, channels: int) -> torch.Tensor:
    return random(BATCH, runs * channels, 6, 4)


def test_a_stacked_convolution_is_one_convolution_a_run() -> None:
    x, w, b = maps(RUNS, 2), random(RUNS, 3, 2, 3, 3, seed=1), random(RUNS, 3, seed=2)
    expected = torch.cat(
        [F.conv2d(x[:, 2 * m : 2 * m + 2], w[m], b[m], padding=1) for m in range(RUNS)], 1
    )
    torch.testing.assert_close(functions.convolution(x, w, b), expected)


def test_batch_norm_of_maps_is_torch_batch_norm_a_channel() -> None:
    x, scale, shift = maps(RUNS, 2), random(RUNS, 2, seed=1), random(RUNS, 2, seed=2)
    mean, variance = random(RUNS, 2, seed=7), random(RUNS, 2, seed=8).abs()
    layers = [nn.BatchNorm2d(2, dtype=torch.float64) for _ in range(RUNS)]
    with torch.no_grad():
        for m, layer in enumerate(layers):
            layer.weight.copy_(scale[m]), layer.bias.copy_(shift[m])
            layer.running_mean.copy_(mean[m]), layer.running_var.copy_(variance[m])
    expected = torch.cat([layer(x[:, 2 * m : 2 * m + 2]) for m, layer in enumerate(layers)], 1)
    ours = functions.batch_norm_maps(x, scale, shift, mean, variance, True, 0.1, 1e-5)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(mean, torch.stack([layer.running_mean for layer in layers]))
    torch.testing.assert_close(variance, torch.stack([layer.running_var for layer in layers]))


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("runs", [1, 3])
def test_layer_norm_of_maps_is_torch_layer_norm_over_channels_height_and_width(
    memory: torch.memory_format, runs: int
) -> None:
    x = maps(runs, 2).contiguous(memory_format=memory).requires_grad_()
    scale, shift = leaves((runs, 2, 6, 4), (runs, 2, 6, 4))
    weight = random(*x.shape, seed=9)
    ours = functions.layer_norm_maps(x, scale, shift, 1e-5)
    theirs = torch.cat(
        [F.layer_norm(x[:, 2 * m : 2 * m + 2], (2, 6, 4), scale[m], shift[m]) for m in range(runs)],
        1,
    )
    torch.testing.assert_close(ours, theirs)
    all_of = [x, scale, shift]
    for a, e in zip(
        gradients((ours * weight).sum(), all_of),
        gradients((theirs * weight).sum(), all_of),
        strict=True,
    ):
        torch.testing.assert_close(a, e)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("runs", [1, 3])
def test_layer_norm_of_positions_is_torch_layer_norm_over_the_channels_of_each(
    memory: torch.memory_format, runs: int
) -> None:
    x = maps(runs, 5).contiguous(memory_format=memory).requires_grad_()
    scale, shift = leaves((runs, 5), (runs, 5))
    weight = random(*x.shape, seed=9)
    ours = functions.layer_norm_positions(x, scale, shift, 1e-5)
    theirs = torch.cat(
        [
            F.layer_norm(
                x[:, 5 * m : 5 * m + 5].permute(0, 2, 3, 1), (5,), scale[m], shift[m]
            ).permute(0, 3, 1, 2)
            for m in range(runs)
        ],
        1,
    )
    torch.testing.assert_close(ours, theirs)
    all_of = [x, scale, shift]
    for a, e in zip(
        gradients((ours * weight).sum(), all_of),
        gradients((theirs * weight).sum(), all_of),
        strict=True,
    ):
        torch.testing.assert_close(a, e)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_batch_of_one_is_normalized_by_the_running_statistics_and_a_batch_of_two_by_its_own(
    batch: int,
) -> None:
    x, scale, shift = (
        random(RUNS, UNITS, batch),
        random(RUNS, UNITS, seed=1),
        random(RUNS, UNITS, seed=2),
    )
    mean, variance = random(RUNS, UNITS, seed=7), random(RUNS, UNITS, seed=8).abs()
    own = x.mean(2), x.var(2, unbiased=False)
    used_mean, used_variance = (mean.clone(), variance.clone()) if batch == 1 else own
    expected = (
        (x - used_mean[..., None]) / (used_variance[..., None] + 1e-5).sqrt() * scale[..., None]
    )
    before = mean.clone()
    ours = functions.batch_norm_units(x, scale, shift, mean, variance, True, 0.1, 1e-5)
    torch.testing.assert_close(ours, expected + shift[..., None])
    assert torch.equal(mean, before) == (batch == 1)


def test_maps_of_one_pixel_in_a_batch_of_one_are_normalized_by_the_running_statistics() -> None:
    x, ones, zeros = (
        random(1, RUNS * 2, 1, 1),
        torch.ones(RUNS, 2).double(),
        torch.zeros(RUNS, 2).double(),
    )
    ours = functions.batch_norm_maps(x, ones, zeros, zeros, ones, True, 0.1, 1e-5)
    torch.testing.assert_close(ours, x / (1 + 1e-5) ** 0.5)
    assert zeros.abs().max() == 0


@pytest.mark.parametrize("runs", [1, 3])
def test_attention_is_torchs_multi_head_attention_within_each_image(runs: int) -> None:
    heads, width, tokens, batch = 2, 6, 5, 3
    (qkv,) = leaves((runs, 3 * width, batch * tokens))
    weight = random(runs, width, batch * tokens, seed=9)
    ours = functions.attention(qkv, heads, tokens)
    theirs = []
    for of_run in qkv:
        q, k, v = of_run.unflatten(1, (batch, tokens)).permute(1, 2, 0).chunk(3, 2)
        identity = torch.eye(width, dtype=torch.float64)
        y, _ = F.multi_head_attention_forward(
            *(x.transpose(0, 1) for x in (q, k, v)),
            width,
            heads,
            torch.eye(width).double().repeat(3, 1),
            None,
            None,
            None,
            False,
            0.0,
            identity,
            None,
        )
        theirs.append(y.permute(2, 1, 0).flatten(1))
    expected = torch.stack(theirs)
    torch.testing.assert_close(ours, expected)
    (a,), (e,) = (
        gradients((ours * weight).sum(), [qkv]),
        gradients((expected * weight).sum(), [qkv]),
    )
    torch.testing.assert_close(a, e)


@pytest.mark.parametrize(
    ("kernel", "stride", "groups"), [(3, 2, 1), (1, 2, 1), (2, 2, 1), (7, 1, 4)]
)
def test_strided_and_depthwise_convolutions_are_one_convolution_a_run(
    kernel: int, stride: int, groups: int
) -> None:
    x, w, b = (
        maps(RUNS, 4),
        random(RUNS, 4, 4 // groups, kernel, kernel, seed=1),
        random(RUNS, 4, seed=2),
    )
    expected = torch.cat(
        [
            F.conv2d(
                x[:, 4 * m : 4 * m + 4],
                w[m],
                b[m],
                stride,
                0 if kernel == 2 else kernel // 2,
                groups=groups,
            )
            for m in range(RUNS)
        ],
        1,
    )
    torch.testing.assert_close(functions.convolution(x, w, b, stride, groups), expected)


def test_flattened_maps_keep_a_run_together_with_channels_fastest() -> None:
    x = maps(RUNS, 2)
    flat = functions.flatten_maps(x, RUNS)
    for m in range(RUNS):
        assert torch.equal(flat[m], x[:, 2 * m : 2 * m + 2].permute(0, 2, 3, 1).flatten(1).T)


def test_cross_entropy_is_the_nll_of_each_image() -> None:
    logits, targets = random(RUNS, 10, BATCH), torch.arange(RUNS * BATCH).view(RUNS, BATCH) % 10
    expected = torch.stack(
        [F.cross_entropy(logits[m].T, targets[m], reduction="none") for m in range(RUNS)]
    )
    torch.testing.assert_close(functions.cross_entropy(logits, targets), expected)
