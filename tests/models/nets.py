"""Modules as people write them, for tests.models.test_module."""

from __future__ import annotations

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Normed(nn.Module):
    def __init__(self, width: int = 9) -> None:
        super().__init__()
        self.fc1, self.bn, self.act1 = (
            nn.LazyLinear(width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(True),
        )
        self.fc2, self.act2 = nn.Linear(width, width), nn.Tanh()
        self.drop, self.out = nn.Dropout(0.0), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.bn(self.fc1(x.flatten(1))))
        return self.out(self.drop(self.act2(self.fc2(x))))


class Biased(nn.Module):
    """A bias before a batch norm, whose gradient is rounding alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.bn, self.act = nn.LazyLinear(64), nn.BatchNorm1d(64), nn.ReLU()
        self.more, self.out = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.bn(self.fc(x.flatten(1))))
        return self.out(self.act(self.more(x)))


class Bare(nn.Module):
    """Norms without parameters and running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act, self.out = nn.LazyLinear(9), nn.ReLU(), nn.Linear(9, 10)
        self.bn = nn.BatchNorm1d(9, affine=False, track_running_stats=False)
        self.ln = nn.LayerNorm(9, elementwise_affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.ln(self.act(self.bn(self.fc(x.flatten(1))))))


class LeNet5(nn.Module):
    """LeCun et al. 1998, as it is usually written in PyTorch, with ReLU and max-pools."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.LazyLinear(120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        return self.classifier(x.view(x.size(0), -1))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.LazyLinear(9), nn.Linear(9, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Attending(nn.Module):
    """One block of attention over the image's rows."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.LazyLinear(8)
        self.positions = nn.Parameter(torch.randn(1, 1, 8) / 3)
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.norm, self.fc1, self.act = nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU()
        self.fc2, self.out = nn.Linear(8, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.squeeze(1)) + self.positions
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + self.project((q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v)
        x = x + self.fc2(self.act(self.fc1(x)))
        return self.out(x.mean(1))


class Tied(nn.Module):
    """A matrix that is used twice, and a layer that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.again = nn.LazyLinear(9), nn.Linear(9, 9), nn.Linear(9, 9)
        self.again.weight, self.act = self.fc2.weight, nn.SiLU()
        self.frozen, self.out = nn.Linear(9, 9).requires_grad_(False), nn.Linear(9, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.act(self.fc2(self.act(self.fc1(x.flatten(1))))))
        return self.out(self.act(self.frozen(x)))


class Axes(nn.Module):
    """Features as the last axis of four, as the first of three, and as the first of five."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm, self.last = nn.Linear(1, 3), nn.LayerNorm(3), nn.GELU()
        self.conv1, self.second = nn.Conv1d(14, 4, 3), nn.Tanh()
        self.conv3, self.deep, self.out = nn.Conv3d(1, 2, 3), nn.Tanh(), nn.LazyLinear(10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.norm(self.fc(x.permute(0, 2, 3, 1))))  # (B, 14, 14, 3)
        x = self.second(self.conv1(x.mean(3)))  # (B, 4, 12)
        x = self.deep(self.conv3(x.view(len(x), 1, 4, 3, 4)))  # (B, 2, 2, 1, 2)
        return self.out(x.flatten(1))


class Replacing(nn.Module):
    """Running means of its own, which it replaces instead of changing them in place."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.LazyLinear(9), nn.ReLU(), nn.Linear(9, 10)
        self.register_buffer("mean", torch.zeros(9))

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc1(x.flatten(1)))
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return self.fc2(x - self.mean)


class Dropping(nn.Module):
    """The same dropout twice: its masks must not be one."""

    def __init__(self, p: float = 0.25) -> None:
        super().__init__()
        self.conv, self.maps, self.units = nn.Conv2d(1, 3, 3), nn.Dropout2d(p), nn.Dropout(p)
        self.fc1, self.fc2, self.act = nn.LazyLinear(9), nn.Linear(9, 9), nn.Tanh()
        self.out = nn.Linear(9, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.maps(self.conv(x))).flatten(1)
        x = self.units(self.act(self.fc1(x)))
        return self.out(self.units(self.act(self.fc2(x))))


class Twice(nn.Module):
    """One activation module for both layers, of different widths."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = nn.LazyLinear(9), nn.Linear(9, 8), nn.Linear(8, 10)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.act(self.fc2(self.act(self.fc1(x.flatten(1))))))


class Deciding(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2.0 if x.mean() > 0 else 1.0)


class Random(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.5, self.training))


class Drawing(Twice):
    """Notes in a file what it draws in training."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with Path(self.file).open("a") as file:
                file.write(f"{torch.rand(()).item()}\n")
        return super().forward(x)


class Counting(Twice):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 + random.random())


class Mlp(nn.Module):
    """regbench's mlp; an activation has the name of its site there."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.hidden1_, self.hidden1 = nn.Linear(196, 9, bias), nn.Tanh()
        self.hidden2_, self.hidden2 = nn.Linear(9, 8, bias), nn.Tanh()
        self.output = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden1(self.hidden1_(x.flatten(1)))
        return self.output(self.hidden2(self.hidden2_(x)))


class Cnn(nn.Module):
    """regbench's cnn, whose linear layers read the channels last."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.block1_, self.block1 = nn.Conv2d(1, 3, 3, padding=1, bias=bias), nn.Tanh()
        self.block2_, self.block2 = nn.Conv2d(3, 4, 3, padding=1, bias=bias), nn.Tanh()
        self.hidden1_, self.hidden1 = nn.Linear(36, 8, bias), nn.Tanh()
        self.output = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.block1(self.block1_(x)), 2)
        x = F.max_pool2d(self.block2(self.block2_(x)), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        return self.output(self.hidden1(self.hidden1_(x)))


class Everything(nn.Module):
    """Parameters of many kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 4, 8))
        self.weight = nn.Parameter(torch.zeros(4, 8))
        self.conv, self.bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.embedding, self.prelu = nn.Embedding(3, 4), nn.PReLU()
        self.attention, self.lstm = nn.MultiheadAttention(4, 2), nn.LSTM(3, 2)
