"""A run trained the plain way: one network of torch.nn layers, torch.optim, penalties in the loss,
autograd.

It shares with regbench the documented random streams and nothing of the engine: layers, layout,
penalties or loop.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regbench import data
from regbench.nn.randomness import stream

ACTIVATIONS = {"relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Net(nn.Module):
    def __init__(self, run: Any, image: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.run, self.layers, self.norms = run, nn.ModuleDict(), nn.ModuleDict()
        self.technique = run.cell.techniques
        self.draws: dict[str, np.random.Generator] = {}
        inputs, height, width = image
        self.blocks = []
        for i, outputs in enumerate(getattr(run.model, "channels", []), start=1):
            self.add(
                f"block{i}",
                nn.Conv2d(inputs, outputs, run.model.kernel, padding="same"),
                (outputs, height, width),
            )
            self.blocks.append(f"block{i}")
            inputs, height, width = outputs, height // 2, width // 2
        sizes = [inputs * height * width, *run.model.widths]
        self.hidden = []
        for i, (ins, outs) in enumerate(itertools.pairwise(sizes), start=1):
            self.add(f"hidden{i}", nn.Linear(ins, outs), (outs,))
            self.hidden.append(f"hidden{i}")
        self.add("output", nn.Linear(sizes[-1], classes), None)

    def add(self, name: str, layer: nn.Linear | nn.Conv2d, site: tuple[int, ...] | None) -> None:
        bound = 1 / math.sqrt(layer.weight[0].numel())
        for kind, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            draw, shape = stream(self.run.seed, f"init/{name}.{kind}"), tuple(tensor.shape)
            if sd := getattr(self.run.model, "init", None):
                tensor.data = torch.from_numpy(
                    draw.normal(0, sd, shape) if kind == "weight" else np.zeros(shape)
                )
            else:
                tensor.data = torch.from_numpy(draw.uniform(-bound, bound, shape))
        norm = self.technique.get("batch_norm")
        dropout = self.technique.get("dropout")
        between = dropout and dropout.place == "before_norm"
        if site and norm and norm.place == "before_activation" and not between:
            layer.bias = None  # the norm's mean would take it out again
        self.layers[name] = layer
        if site and (settings := self.technique.get("batch_norm")):
            make = nn.BatchNorm2d if len(site) == 3 else nn.BatchNorm1d
            self.norms[name] = make(site[0], settings.eps, settings.momentum, dtype=torch.float64)
        if site and (settings := self.technique.get("layer_norm")):
            self.norms[name] = nn.LayerNorm(site, settings.eps, dtype=torch.float64)

    def mask(self, place: str, shape: tuple[int, ...], rate: float) -> Tensor:
        draws = self.draws.setdefault(place, stream(self.run.seed, f"dropout/{place}"))
        threshold = round(rate * 65536)
        kept = (
            draws.integers(65536, size=math.prod(shape), dtype=np.uint16).reshape(shape)
            >= threshold
        )
        return torch.from_numpy(kept / (1 - threshold / 65536))

    def drop(self, x: Tensor, name: str) -> Tensor:
        rate = self.technique["dropout"].p
        if x.dim() == 2:
            return x * self.mask(name, tuple(x.T.shape), rate).T
        return x * self.mask(name, tuple(x.permute(0, 2, 3, 1).shape), rate).permute(0, 3, 1, 2)

    def normalize(self, x: Tensor, name: str) -> Tensor:
        y = self.norms[name](x)
        noise = getattr(self.technique.get("batch_norm"), "noise", None)
        if not (noise and self.training):
            return y
        place = f"{name}.batch_norm"
        draws = self.draws.setdefault(place, stream(self.run.seed, f"dropout/{place}"))
        factor, summand = noise * (2 * draws.random((2, y.shape[1])) - 1)
        shape = (1, -1, 1, 1) if y.dim() == 4 else (1, -1)
        return y * torch.from_numpy(1 + factor).view(shape) + torch.from_numpy(summand).view(shape)

    def behind(self, x: Tensor, name: str) -> Tensor:
        dropout = self.technique.get("dropout") if self.training else None
        norm = dict(self.norms.items()).get(name)
        settings = self.technique.get("batch_norm") or self.technique.get("layer_norm")
        early = dropout and norm and dropout.place == "before_norm"
        if norm and settings.place == "before_activation":
            x = self.normalize(self.drop(x, name) if early else x, name)
        x = ACTIVATIONS[self.run.model.activation](x)
        if norm and settings.place == "after_activation":
            x = self.normalize(self.drop(x, name) if early else x, name)
        return self.drop(x, name) if dropout and not early else x

    def forward(self, images: Tensor) -> Tensor:
        dropout = self.technique.get("dropout")
        if self.training and dropout and dropout.input:
            images = images * self.mask("input", tuple(images.shape), dropout.input)
        x = images.permute(0, 3, 1, 2)
        for name in self.blocks:
            x = F.max_pool2d(self.behind(self.layers[name](x), name), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        for name in self.hidden:
            x = self.behind(self.layers[name](x), name)
        return self.layers["output"](x)

    def weights(self, include: str = "weights") -> list[nn.Parameter]:
        return (
            list(self.parameters())
            if include == "all"
            else [layer.weight for layer in self.layers.values()]
        )

    def penalty(self) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        if settings := self.technique.get("l1"):
            total = total + settings.strength * sum(
                w.abs().sum() for w in self.weights(settings.include)
            )
        if settings := self.technique.get("l2"):
            total = total + settings.strength * sum(
                (w**2).sum() for w in self.weights(settings.include)
            )
        return total


def optimizer(settings: Any, net: Net) -> torch.optim.Optimizer:
    plain: dict[str, Any] = {"foreach": False, "fused": False}
    if settings.name == "sgd":
        return torch.optim.SGD(
            net.parameters(),
            settings.lr,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            **plain,
        )
    more = {"weight_decay": settings.weight_decay} if settings.name == "adamw" else {}
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    return make(
        net.parameters(),
        settings.lr,
        (settings.beta1, settings.beta2),
        settings.eps,
        **more,
        **plain,
    )


def train_plainly(run: Any, images: data.Images) -> dict[str, float]:
    """Return the metric columns of the run's record, in float64 throughout."""
    scaled = images.train_images / 255
    mean, deviation = scaled.mean((0, 1, 2)), scaled.std((0, 1, 2))
    x = torch.from_numpy((scaled - mean) / deviation)
    x_test = torch.from_numpy((images.test_images / 255 - mean) / deviation)
    _, height, width, channels = images.train_images.shape
    d, t = run.dataset, run.train
    split = data.split(
        images.train_labels,
        len(images.classes),
        run.seed,
        d.train_size,
        d.validation_share,
        d.label_noise,
    )
    y = torch.from_numpy(split.train_labels.astype(np.int64))
    net = Net(run, (channels, height, width), len(images.classes))
    step = optimizer(t.optimizer, net)
    order = stream(run.seed, "batch order")
    technique = run.cell.techniques
    for _ in range(t.epochs):
        for batch in torch.from_numpy(order.permutation(len(y))).split(t.batch_size):
            l1 = technique.get("l1")
            proximal = l1 and l1.step == "proximal"
            loss = F.cross_entropy(net(x[split.train][batch]), y[batch])
            loss = (
                loss
                + net.penalty()
                - (
                    l1.strength * sum(w.abs().sum() for w in net.weights(l1.include))
                    if proximal
                    else 0
                )
            )
            step.zero_grad()
            loss.backward()
            with torch.no_grad():
                if settings := technique.get("weight_decay"):
                    for w in net.weights(settings.include):
                        w -= t.optimizer.lr * settings.strength * w
                step.step()
                if proximal:
                    for w in net.weights(l1.include):
                        w.copy_(F.softshrink(w, t.optimizer.lr * l1.strength))
                if settings := technique.get("max_norm"):
                    for w in net.weights():
                        for unit in w:
                            unit *= min(1, settings.c / unit.norm())

    return measured(net, split, images, x, x_test)


def measured(
    net: Net, split: data.Split, images: data.Images, x: torch.Tensor, x_test: torch.Tensor
) -> dict[str, float]:
    """Return the metric columns of a trained network."""
    net.eval()
    result: dict[str, float] = {"penalty": net.penalty().item()}
    y = torch.from_numpy(split.train_labels.astype(np.int64))
    y_all = torch.from_numpy(images.train_labels.astype(np.int64))
    y_test = torch.from_numpy(images.test_labels.astype(np.int64))
    with torch.no_grad():
        for part, inputs, labels in (
            ("train", x[split.train], y),
            ("validation", x[split.validation], y_all[split.validation]),
            ("test", x_test, y_test),
        ):
            logits = net(inputs)
            result[f"{part}_nll"] = F.cross_entropy(logits, labels).item()
            result[f"{part}_accuracy"] = (logits.argmax(1) == labels).double().mean().item()
        flat = torch.cat([w.flatten() for w in net.weights()])
    result["gap"] = result["train_accuracy"] - result["test_accuracy"]
    result["train_loss"] = result["train_nll"] + result["penalty"]
    result["weight_norm"] = flat.norm().item()
    result["exact_zeros"] = (flat == 0).double().mean().item()
    result["near_zeros"] = (flat.abs() < 1e-3).double().mean().item()
    result["parameters"] = sum(p.numel() for p in net.parameters())
    return result
