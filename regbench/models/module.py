"""A module of torch.nn of your own, or of an installed package: images in, logits out.

It is somebody's code: `build` and `macs` run it, and so only what trains, or checks that a config
can be trained, may call them.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator

from regbench import code
from regbench.errors import CodeError, describe
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = False
"""Unless the setting `stacked`, which is filled in where the module is tried, says so."""
PLACES = True
FOREIGN = True
"""Whether building it runs code that a config names: planning and reading must not."""
BATCH = 4
"""Images that it is tried on: a batch norm of two tells only which is larger."""
GRADIENT = "gradient of "
"""What stands before a parameter's name where its gradient is meant."""


class Settings(Base):
    """Which module, what it is made with, and where norms and noise act in it."""

    name: Literal["module"] = "module"
    path: str = Field(
        ...,
        description="file.py:Name, relative to the config file, or package.module:Name: a class or "
        "function that returns a module",
    )
    args: dict[str, Any] = Field({}, description="its keyword arguments")
    sites: list[str] | None = Field(
        None,
        min_length=1,
        description="names of its modules where norms and noise act, with * as a wildcard; none: "
        "its activation modules",
    )
    stacked: bool | None = Field(
        None,
        description="whether runs train together, under torch.func.vmap; none: where it has no "
        "convolution and gives the same numbers so",
    )
    own: list[str] | None = Field(
        None, description="kinds of its layers that techniques with own: true switch; filled in"
    )
    code: str | None = Field(
        None, description="digits that stand for the file or the package; filled in by the sweep"
    )

    @field_validator("path")
    @classmethod
    def _names_something(cls, path: str) -> str:
        if not re.fullmatch(code.NAMED, path):
            raise ValueError(
                f"{path!r} names nothing; allowed: file.py:Name or package.module:Name"
            )
        return path

    def within(self, folder: Path) -> Self:
        """Return the settings with a file that is told from `folder` told in full."""
        return self.model_copy(update={"path": code.located(self.path, folder)})


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return None: only `settled`, which runs it, tells whether it takes images of this shape."""
    return None


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[[Tensor], Tensor]:
    """Import and make the module; it takes images (seeds or 1, B, H, W, C) and returns logits (M,
    classes, B).

    Raises CodeError for what can be told of the module, whatever else its code raises as it is.
    """
    from regbench.nn import modules

    make = maker(settings)
    nets = [modules.made(make, seed, image) for seed in stack.seeds]
    return modules.Yours(stack, nets, image, classes, settings.sites, settings.own or ())


def maker(settings: Settings) -> Callable[[], Any]:
    """Return what makes the module; its code is imported.

    Raises CodeError where that can't be done, or the arguments are not its.
    """
    make = code.imported(settings.path, settings.code)
    with suppress(ValueError):  # of some that are written in C nothing is known
        try:
            inspect.signature(make).bind(**settings.args)
        except TypeError as error:
            what = f"{code.shown(settings.path)} can't be made with these args: {error}"
            raise CodeError(("model", "args"), what) from error
    # A copy for each: a module may keep what it is made with, and change it.
    return lambda: make(**copy.deepcopy(settings.args))


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height, width).

    As torch counts them: of matrix products and convolutions.
    """
    return _macs(settings.model_dump_json(), image, classes)


@cache
def _macs(settings: str, image: tuple[int, int, int], classes: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from regbench.nn.stack import Stack

    stack = Stack([0], {})
    forward = build(stack, Settings.model_validate_json(settings), image, classes)
    stack.training = False
    channels, height, width = image
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward(torch.zeros(1, 1, height, width, channels))
    return int(counter.get_total_flops() // 2)


def blame(error: BaseException, settings: Settings) -> str:
    """Return "net.py:12: ", the line of the module's code that an error went through last, or
    "".
    """
    return code.blame(error, settings.path)


def shown(settings: Settings) -> str:
    """Return how sentences name it."""
    return code.shown(settings.path)


def digest(settings: Settings) -> str:
    """Return what the code is known by. Raises CodeError where it isn't there."""
    return code.digest(settings.path)


def tried(
    settings: Settings,
    image: tuple[int, int, int],
    classes: int,
    techniques: Mapping[Any, Any],
    runs: int = 1,
) -> dict[str, Tensor]:
    """Take a step's forward and backward pass, and one in evaluation, of as many seeds; return what
    came out, by name: logits, gradients and buffers.

    techniques: class to settings. Raises CodeError, with the line where it fails.
    """
    import torch

    from regbench.nn.modules import seeded
    from regbench.nn.stack import Stack

    stack = Stack(range(runs), {kind: [own] * runs for kind, own in techniques.items()})
    channels, height, width = image
    with seeded(0):
        x = torch.rand(1, BATCH, height, width, channels)
    try:
        forward = build(stack, settings, image, classes)
        logits = forward(x)
        logits.square().sum().backward()
        buffers = {name: buffer.clone() for name, buffer in stack.buffers.items()}
        stack.training = False
        with torch.no_grad():
            forward(x)
    except CodeError:
        raise
    except (Exception, SystemExit) as error:  # whatever stands in somebody else's code
        shape = "x".join(map(str, image))
        what = f"with images of {shape}: {blame(error, settings)}{describe(error)}"
        raise CodeError(("model", "path"), what) from error
    idle = [p.name for p in stack.parameters if p.tensor.grad is None]
    if idle:
        what = f"{', '.join(idle[:3])} takes no part in what it returns"
        raise CodeError(("model", "path"), f"{what}; leave it out, or freeze it")
    gradients = {f"{GRADIENT}{p.name}": p.gradient for p in stack.parameters}
    return {"logits": logits.detach()} | gradients | buffers


def apart(settings: Settings, image: tuple[int, int, int], classes: int) -> str:
    """Return why runs of the module can't, or had better not, train together; "" where they can."""
    import torch

    from regbench.nn.modules import CONVOLUTION, drawn, made

    net = made(maker(settings), 0, image)
    if settings.stacked is None and any(isinstance(m, CONVOLUTION) for m in net.modules()):
        return "it has convolutions, and together they take longer than one by one"
    try:
        before = drawn()
        together = tried(settings, image, classes, {}, runs=2)
        if drawn() != before:
            return "it draws random numbers by itself"
        alone = tried(settings, image, classes, {})
    except CodeError as error:
        return str(error)
    largest = max(float(t.abs().max()) for name, t in alone.items() if name.startswith(GRADIENT))
    for name, of_both in together.items():
        ours, theirs = of_both[0].double(), alone[name][0].double()
        # Of what runs backward through batch norms of few images little but the size is sure, and
        # the gradient of a bias before one is rounding alone.
        size = max(float(theirs.abs().max()), 1e-3 * largest * name.startswith(GRADIENT))
        if not torch.allclose(ours, theirs, rtol=0, atol=1e-2 * size):
            return f"together it gives other numbers than alone ({name})"
    return ""
