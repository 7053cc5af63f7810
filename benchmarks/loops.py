"""The peers that regbench's engine is measured against, each trained as its users would write
it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regbench.data import Images
from regbench.engine.pixels import channel_moments
from regbench.planning.plan import Run


def network(run: Run, image: tuple[int, int, int], classes: int) -> nn.Sequential:
    """A run's network out of torch.nn layers, images (B, C, H, W) in."""
    techniques = run.cell.techniques
    layers: list[nn.Module] = []
    channels, height, width = image

    def behind(units: int, maps: bool) -> None:
        if "batch_norm" in techniques:
            layers.append(nn.BatchNorm2d(units) if maps else nn.BatchNorm1d(units))
        if "layer_norm" in techniques:
            layers.append(nn.LayerNorm((units, height, width) if maps else units))
        layers.append(nn.ReLU())
        if "dropout" in techniques:
            layers.append(nn.Dropout(techniques["dropout"].p))  # type: ignore[attr-defined]

    for outputs in getattr(run.model, "channels", []):
        layers.append(
            nn.Conv2d(
                channels,
                outputs,
                run.model.kernel,
                padding="same",
                bias="batch_norm" not in techniques,
            )
        )
        behind(outputs, maps=True)
        layers.append(nn.MaxPool2d(2))
        channels, height, width = outputs, height // 2, width // 2
    layers.append(nn.Flatten())
    inputs = channels * height * width
    for outputs in run.model.widths:
        layers.append(nn.Linear(inputs, outputs, bias="batch_norm" not in techniques))
        behind(outputs, maps=False)
        inputs = outputs
    layers.append(nn.Linear(inputs, classes))
    return nn.Sequential(*layers)


def penalty(run: Run, weights: list[Tensor]) -> Tensor | float:
    """What the run's penalties add to the loss."""
    total: Tensor | float = 0.0
    for key, settings in run.cell.techniques.items():
        if key == "l1":
            total = total + settings.strength * sum(w.abs().sum() for w in weights)  # type: ignore[attr-defined]
        if key == "l2":
            total = total + settings.strength * sum((w * w).sum() for w in weights)  # type: ignore[attr-defined]
    return total


class Eager:
    """The tuned eager loop: tensors in memory, fused Adam, one run at a time; convolutions in
    channels_last.
    """

    def __init__(self, run: Run, images: Images, index: Any, labels: Any) -> None:
        torch.manual_seed(run.seed)
        self.run = run
        _, height, width, channels = images.train_images.shape
        self.image = (channels, height, width)
        self.maps = hasattr(run.model, "channels")
        self.net = network(run, self.image, len(images.classes))
        mean, deviation = channel_moments(images.train_images)
        self.x = self.scaled(images.train_images[index], mean, deviation)
        self.x_test = self.scaled(images.test_images, mean, deviation)
        if self.maps:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.y = torch.from_numpy(labels.astype(np.int64))
        self.y_test = torch.from_numpy(images.test_labels.astype(np.int64))
        self.weights = [p for p in self.net.parameters() if p.dim() > 1]
        self.optimizer = torch.optim.Adam(self.net.parameters(), run.train.optimizer.lr, fused=True)

    def scaled(self, pixels: Any, mean: Any, deviation: Any) -> Tensor:
        x = torch.from_numpy(((pixels / 255 - mean) / deviation).astype(np.float32)).permute(
            0, 3, 1, 2
        )
        return x.contiguous(
            memory_format=torch.channels_last if self.maps else torch.contiguous_format
        )

    def steps(self, count: int) -> float:
        """Take `count` steps; return the seconds they took."""
        batch, n = self.run.train.batch_size, len(self.y)
        began, done = time.perf_counter(), 0
        while done < count:
            for index in torch.randperm(n).split(batch):
                logits = self.net(self.x[index])
                loss = F.cross_entropy(logits, self.y[index]) + penalty(self.run, self.weights)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                done += 1
                if done == count:
                    break
        return time.perf_counter() - began

    def accuracy(self) -> float:
        """The test accuracy, as a share."""
        self.net.eval()
        with torch.no_grad():
            hits = (self.net(self.x_test).argmax(1) == self.y_test).double().mean().item()
        self.net.train()
        return hits


class Tutorial:
    """The tutorial's loop: a torchvision dataset of PIL images, transforms, DataLoader, Adam; all
    cores for one run.
    """

    def __init__(self, run: Run, images: Images, index: Any, labels: Any, workers: int) -> None:
        from PIL import Image
        from torchvision import datasets, transforms

        torch.manual_seed(run.seed)
        self.run = run
        _, height, width, channels = images.train_images.shape
        self.net = network(run, (channels, height, width), len(images.classes))
        mean, deviation = channel_moments(images.train_images)
        to_tensor = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize(mean.tolist(), deviation.tolist())]
        )

        class Digits(datasets.VisionDataset):  # type: ignore[misc]  # as torchvision.datasets.MNIST reads an image
            def __init__(self) -> None:
                super().__init__(root=None, transform=to_tensor)
                self.data, self.targets = (
                    images.train_images[index].squeeze(-1),
                    labels.astype(int).tolist(),
                )

            def __getitem__(self, i: int) -> tuple[Any, int]:
                return self.transform(Image.fromarray(self.data[i], mode=None)), self.targets[i]

            def __len__(self) -> int:
                return len(self.data)

        self.loader = torch.utils.data.DataLoader(
            Digits(),
            batch_size=run.train.batch_size,
            shuffle=True,
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
        )
        self.weights = [p for p in self.net.parameters() if p.dim() > 1]
        self.optimizer = torch.optim.Adam(self.net.parameters(), run.train.optimizer.lr)

    def epoch(self) -> tuple[float, int]:
        """Train for an epoch; return its seconds and steps."""
        began, steps = time.perf_counter(), 0
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.net(x), y) + penalty(self.run, self.weights)
            loss.backward()
            self.optimizer.step()
            steps += 1
        return time.perf_counter() - began, steps
