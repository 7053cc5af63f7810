"""Layers over stacks.

Units: x (M, features, B), the batch last. Maps: x (B, M*channels, H, W), the runs' channels in
turn.

With the batch last, a stack's batch norm is a reduction over contiguous memory, and runs that see
the same images share them in their first layer without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """Return w x + b, (M, out, B), for x (M, in, B), w (M, out, in), b (M, out) or None."""
    return torch.bmm(w, x) if b is None else torch.baddbmm(b.unsqueeze(2), w, x)


class SharedLinear(torch.autograd.Function):
    """`linear` where neighbouring runs see the same images: x (S, in, B), `runs[s]` runs for each
    of its S batches.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, runs: Sequence[int]) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.runs, ctx.bias = runs, b is not None
        y = x.new_empty(w.shape[0], w.shape[1], x.shape[2])
        for s, w_s, y_s in zip(x, w.split(runs), y.split(runs), strict=True):
            torch.bmm(w_s, s.expand(len(w_s), -1, -1), out=y_s)
        return y if b is None else y.add_(b.unsqueeze(2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        dy = dy.contiguous()
        dw = torch.empty_like(w)
        for s, dy_s, dw_s in zip(x, dy.split(ctx.runs), dw.split(ctx.runs), strict=True):
            torch.bmm(dy_s, s.T.expand(len(dy_s), -1, -1), out=dw_s)
        return None, dw, dy.sum(2) if ctx.bias else None, None


def shared_linear(x: Tensor, w: Tensor, b: Tensor | None, runs: Sequence[int]) -> Tensor:
    """Return (M, out, B) for images x (S, in, B) that `runs[s]` neighbouring runs share; x gets no
    gradient.
    """
    if len(runs) == len(w):
        return linear(x, w, b)
    result: Tensor = SharedLinear.apply(x, w, b, runs)
    return result


class Standardize(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * scale + shift, over axis 1 (features) or 2 (batch) of x
    (M, features, B).

    Also returns mean and biased variance, without gradient. One pass of our own: under autograd the
    same formula takes several times as long, and torch's `batch_norm` twice.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, axis: int, eps: float
    ) -> tuple[Tensor, ...]:
        mean = x.mean(axis, keepdim=True)
        unit = x - mean
        variance = torch.linalg.vecdot(unit, unit, dim=axis).unsqueeze_(axis).div_(x.shape[axis])
        rstd = (variance + eps).rsqrt_()
        unit.mul_(rstd)
        ctx.save_for_backward(unit, rstd, scale)
        ctx.axis = axis
        ctx.mark_non_differentiable(mean, variance)
        return torch.addcmul(shift.unsqueeze(2), unit, scale.unsqueeze(2)), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        unit, rstd, scale = ctx.saved_tensors
        dscale, dshift = (dy * unit).sum(2), dy.sum(2)
        if ctx.axis == 2:
            # Sums over the batch commute with the scale, so the parameters' gradients serve again.
            dx = torch.addcmul(dy, unit, dscale.unsqueeze(2), value=-1 / dy.shape[2])
            dx.sub_(dshift.unsqueeze(2) / dy.shape[2]).mul_(rstd * scale.unsqueeze(2))
        else:
            dx = dy * scale.unsqueeze(2)
            along = (dx * unit).mean(1, keepdim=True)
            dx.sub_(dx.mean(1, keepdim=True)).addcmul_(unit, along, value=-1).mul_(rstd)
        return dx, dscale, dshift, None, None


def batch_norm_units(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalize x (M, units, B) over the batch; all others are (M, units); in training the running
    ones move.

    A batch of one has no variance: it is normalized by the running statistics, and they stay, as in
    evaluation.
    """
    if not training or x.shape[2] == 1:
        factor = scale * (running_variance + eps).rsqrt()
        return torch.addcmul((shift - running_mean * factor).unsqueeze(2), x, factor.unsqueeze(2))
    batch = x.shape[2]
    y, mean, variance = Standardize.apply(x, scale, shift, 2, eps)
    running_mean.lerp_(mean.squeeze(2), momentum)
    running_variance.lerp_(variance.squeeze(2) * (batch / (batch - 1)), momentum)
    return y  # type: ignore[no-any-return]


def batch_norm_maps(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalize maps x (B, M*channels, H, W) a channel; all others are (M, channels).

    Maps of one pixel in a batch of one have no variance, as in `batch_norm_units`.
    """
    training = training and x.numel() > x.shape[1]
    return F.batch_norm(
        x,
        running_mean.view(-1),
        running_variance.view(-1),
        scale.flatten(),
        shift.flatten(),
        training,
        momentum,
        eps,
    )


def layer_norm_units(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalize x (M, units, B) over the units of each image; scale and shift are (M, units)."""
    return Standardize.apply(x, scale, shift, 1, eps)[0]  # type: ignore[no-any-return]


def layer_norm_maps(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalize maps x (B, M*C, H, W) over each run's (C, H, W); scale and shift are (M, C, H,
    W).
    """
    runs, *shape = scale.shape
    if runs == 1:
        # A single run's maps lie with the channels last: read in that order they are one contiguous
        # row an image.
        rows, w, b = x.permute(0, 2, 3, 1), scale[0].permute(1, 2, 0), shift[0].permute(1, 2, 0)
        return F.layer_norm(rows, w.shape, w, b, eps).permute(0, 3, 1, 2)
    unit = F.layer_norm(x.unflatten(1, (runs, -1)), shape, eps=eps).flatten(1, 2)
    return torch.addcmul(shift.flatten(0, 1), unit, scale.flatten(0, 1))


def layer_norm_positions(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Normalize maps x (B, M*C, H, W) over each run's channels, a position at a time; scale and
    shift are (M, C).
    """
    runs, channels = scale.shape
    if runs == 1:
        return F.layer_norm(x.permute(0, 2, 3, 1), (channels,), scale[0], shift[0], eps).permute(
            0, 3, 1, 2
        )
    unit = F.layer_norm(x.unflatten(1, (runs, channels)).movedim(2, 4), (channels,), eps=eps)
    return (
        torch.addcmul(shift[:, None, None], unit, scale[:, None, None]).movedim(4, 2).flatten(1, 2)
    )


def convolution(x: Tensor, w: Tensor, b: Tensor | None, stride: int = 1, groups: int = 1) -> Tensor:
    """Return maps (B, M*out, H', W') for x (B, M*in, H, W), w (M, out, in/groups, k, k), b (M, out)
    or None.

    Odd kernels see zeros around the maps, so that a stride of 1 keeps their size; even ones see
    none.
    """
    bias = None if b is None else b.flatten()
    if w.shape[-1] == 1:
        # The same, without a stride: behind a 1 x 1 convolution of 3 to 4 channels_last channels
        # with stride 2, the weights' gradient writes outside its memory (oneDNN in torch 2.15, one
        # thread).
        x, stride = x[:, :, ::stride, ::stride], 1
    return F.conv2d(
        x, w.flatten(0, 1), bias, stride, (w.shape[-1] - 1) // 2, groups=groups * len(w)
    )


def flatten_maps(x: Tensor, size: int) -> Tensor:
    """Return units (M, H*W*C, B) for maps x (B, M*C, H, W): within a run, channels vary fastest."""
    batch, channels, height, width = x.shape
    x = x.view(batch, size, channels // size, height, width).permute(1, 3, 4, 2, 0)
    return x.reshape(size, -1, batch)


def attention(qkv: Tensor, heads: int, tokens: int) -> Tensor:
    """Return softmax(q k / sqrt(d)) v of every head, (M, heads*d, B*tokens), for qkv (M, 3*heads*d,
    B*tokens).

    Tokens see those of their own image (Vaswani et al. 2017, section 3.2). The heads are joined,
    and not projected.
    """
    runs = len(qkv)
    q, k, v = (
        qkv.view(runs, 3, heads, -1, qkv.shape[2] // tokens, tokens)
        .permute(1, 0, 4, 2, 5, 3)
        .flatten(1, 2)
    )
    y = F.scaled_dot_product_attention(q, k, v)
    joined: Tensor = (
        y.unflatten(0, (runs, -1)).permute(0, 2, 4, 1, 3).reshape(runs, -1, qkv.shape[2])
    )
    return joined


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the NLL of each image in nats, (M, B), for logits (M, classes, B) and targets (M,
    B).
    """
    return F.cross_entropy(logits, targets, reduction="none")
