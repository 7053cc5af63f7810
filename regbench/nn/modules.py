"""Modules of torch.nn as a stack: one network whose parameters carry a leading run axis.

A single run is an ordinary call of the module. Several are one call under `torch.func.vmap`, which
hides the run axis from the module; at the sites `Whole` brings it back, so that a technique meets
the activations of all runs in the layout of `regbench.nn.functions`.
"""

from __future__ import annotations

import fnmatch
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from regbench.errors import CodeError
from regbench.nn.acts import Acts, Site
from regbench.nn.randomness import stream
from regbench.nn.stack import Stack
from regbench.text import closest, either

ACTIVATIONS = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
    nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus,
    nn.Softsign, nn.Tanh,
)  # fmt: skip
"""The kinds of module behind which a module has its sites, where the config names none."""
NORMS = (
    nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm,
)  # fmt: skip
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
CONVOLUTION = nn.modules.conv._ConvNd
SHOWN = 12
"""Names that a sentence lists at most."""
Act = Callable[[Tensor], Tensor]


def kind_of(module: nn.Module, name: str, parameter: Tensor) -> Literal["weight", "bias", "norm"]:
    """Return the kind of a module's own parameter, called `name` in the whole.

    "weight": what is multiplied with activations, by its name and its two or more axes. All of a
    norm is "norm". The rest is "bias", and penalties leave it alone: biases, embeddings and learnt
    positions, which are added or looked up, and scales of a layer.
    """
    if isinstance(module, NORMS):
        return "norm"
    looked_up = isinstance(module, nn.Embedding | nn.EmbeddingBag)
    return "weight" if "weight" in name and parameter.dim() > 1 and not looked_up else "bias"


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """Seed what a module may draw from by itself (torch's, NumPy's and Python's global generators)
    with `number`, below 2**63, and put all of it back.
    """
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # torch.manual_seed would note a GPU that nobody uses, with the whole stack, at every step.
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)
    if gpus:
        torch.cuda.manual_seed_all(number)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])
        if gpus:
            torch.cuda.set_rng_state_all(gpus)


def drawn() -> tuple[Any, ...]:
    """Return what shows whether Python's or NumPy's global generator was drawn from."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), state[2]


def made(make: Callable[[], Any], seed: int, image: tuple[int, int, int]) -> nn.Module:
    """Return the module that `make` returns, with a seed's initial weights, whatever acts on it.

    Layers that learn their sizes from the first images are shown two black ones of shape `image`
    (channels, height, width). Raises CodeError where it is no module.
    """
    with seeded(int(stream(seed, "init/module").integers(1 << 63))):
        net = make()
        if not isinstance(net, nn.Module):
            what = f"what it makes is of type {type(net).__name__}, and no torch.nn.Module"
            raise CodeError(("model", "path"), what)
        if any(isinstance(p, nn.UninitializedParameter) for p in net.parameters()):
            with torch.no_grad():
                net.eval()(torch.zeros(2, *image))
    return net


class Whole(torch.autograd.Function):
    """`act` on the activations (M, B, ...) of all runs, called on those of one run under vmap.

    There vmap's rule stands for forward and backward: it calls `act` where autograd sees the stack.
    """

    @staticmethod
    def forward(x: Tensor, act: Act) -> Tensor:
        raise AssertionError("it is called under vmap, on what has a run axis")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise AssertionError("it is called under vmap, on what has a run axis")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], x: Tensor, act: Act) -> tuple[Tensor, int]:
        return act(x.movedim(in_dims[0], 0)), 0


class Dropping(nn.Module):
    """A dropout of the module's own, whose masks come from the stack's streams.

    `mask` is called with the place and the shape behind (M, ...), and returns what multiplies.
    """

    def __init__(
        self, owner: Yours, name: str, layer: nn.Module, mask: Callable[..., Tensor]
    ) -> None:
        super().__init__()
        self.name, self.mask = f"own/{name}", mask
        self.maps = not isinstance(layer, nn.Dropout)
        """Whether it drops whole channels."""
        self.owner = owner

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, ...) with zeros in it, in training."""
        if not self.owner.stack.disturbs:
            return x
        self.owner.calls[self.name] += 1
        return self.owner.over(self.dropped, x)

    def dropped(self, x: Tensor) -> Tensor:
        """Return x (M, B, ...) with zeros in it."""
        shape = tuple(x.shape[1:3] if self.maps else x.shape[1:])
        # A mask is valid until the next draw of its place.
        mask = self.mask(f"{self.name}:{self.owner.calls[self.name]}", shape)
        return x * mask.view(*mask.shape, *[1] * (x.dim() - mask.dim()))


class Yours:
    """A module of the user's as a stack: call it with images (seeds or 1, B, H, W, C), and it
    returns logits (M, classes, B).
    """

    def __init__(
        self,
        stack: Stack,
        nets: Sequence[nn.Module],
        image: tuple[int, int, int],
        classes: int,
        sites: Sequence[str] | None = None,
        own: Sequence[str] = (),
    ) -> None:
        """Take over the parameters and buffers of `nets`, one of each seed, alike but for numbers.

        sites: names of submodules, with wildcards, behind which norms and noise act; None: its
        activation modules. own: kinds of layers that act only where a technique says so. Raises
        CodeError for sites that there are not, or that make no sense.
        """
        self.stack, self.net, self.classes = stack, nets[0], classes
        self.calls: Counter[str] = Counter()
        """How often each site, and each dropout, was met in this forward pass."""
        adopted = [self._switch(net, own) for net in nets]
        self.buffers: dict[str, Tensor] = {}
        self._take(nets)
        for technique, layers in adopted[0].items():
            for layer in layers:
                self._adopt(technique, layer)
        self.sites: dict[tuple[str, int], tuple[Act, Act]] = {}
        """What acts before and behind a site's activation, at each call in a forward pass."""
        self.acts = any(t.normalizes or t.disturbs for t in stack.techniques)
        self._place(image, sites)
        self.net.to(stack.device if stack.device.type != "meta" else "cpu")
        stack.channels_first = True
        stack.varies = True  # a captured step would not run the user's code again

    def _switch(self, net: nn.Module, own: Sequence[str]) -> dict[Acts, list[str]]:
        """Put stand-ins for dropouts, and for layers that no technique leaves on; return the norms
        that act for a technique.
        """
        techniques = {kind: t for t in self.stack.techniques if t.own for kind in t.kinds}
        kept: dict[Acts, list[str]] = {t: [] for t in techniques.values()}
        stand_ins: dict[nn.Module, nn.Module] = {}
        for name, layer in list(net.named_modules(remove_duplicate=False)):
            kind = next((k for k in (*techniques, *own) if isinstance(layer, getattr(nn, k))), "")
            technique = techniques.get(kind)
            if layer not in stand_ins:
                if technique:
                    kept[technique].append(name)
                if kind and technique is None:
                    stand_ins[layer] = nn.Identity()
                elif type(layer) in DROPOUTS:
                    rates = [layer.p] * self.stack.size
                    mask = technique.mask if technique else partial(self._mask, rates)
                    stand_ins[layer] = Dropping(self, name, layer, mask)
                elif getattr(layer, "inplace", False):
                    layer.inplace = False  # what a site shows or keeps must not change behind it
            if layer in stand_ins and name:
                parent, _, last = name.rpartition(".")
                setattr(net.get_submodule(parent), last, stand_ins[layer])
        for technique, layers in kept.items():
            if not layers:
                what = f"own: the module has no layer of its own ({either(technique.kinds)})"
                raise CodeError(("techniques", technique.key), what)
        return kept

    def _mask(self, rates: Sequence[float], place: str, shape: tuple[int, ...]) -> Tensor:
        return self.stack.masks.draw(place, shape, rates)[0]

    def _take(self, nets: Sequence[nn.Module]) -> None:
        """Make the stack's parameters and buffers of those of the nets; frozen ones are buffers."""
        stack = self.stack

        def stacked(tensors: Sequence[Tensor]) -> Tensor:
            whole = torch.stack([t.detach() for t in tensors])
            whole = whole.to(stack.dtype) if whole.is_floating_point() else whole
            return stack.by_run(whole.to(stack.device)).clone()

        parameters = [dict(net.named_parameters()) for net in nets]
        buffers = [dict(net.named_buffers()) for net in nets]
        for name, example in parameters[0].items():
            tensor = stacked([of_net[name] for of_net in parameters])
            if example.requires_grad:
                module = self.net.get_submodule(name.rpartition(".")[0])
                stack.take(name, tensor, kind_of(module, name, example))
            else:
                self.buffers[name] = tensor
        self.buffers |= {name: stacked([b[name] for b in buffers]) for name in buffers[0]}
        # Names of their own: those of a technique's statistics may be the same.
        stack.buffers |= {f"module/{name}": tensor for name, tensor in self.buffers.items()}
        self.trained = [name for name, p in parameters[0].items() if p.requires_grad]
        self.net.to(stack.dtype)

    def _adopt(self, technique: Acts, layer: str) -> None:
        tensors = {name: self.stack.named[name].tensor for name in self.trained} | self.buffers
        start = f"{layer}."
        own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        technique.adopt(layer, own)

    def _place(self, image: tuple[int, int, int], patterns: Sequence[str] | None) -> None:
        """Find the sites by a forward pass over black images, and let the techniques act there."""
        modules = {name: module for name, module in self.net.named_modules() if name}
        chosen = [name for name, module in modules.items() if isinstance(module, ACTIVATIONS)]
        if patterns is not None:
            chosen = [name for p in patterns for name in named(p, modules)]
        elif not chosen and self.acts:
            what = (
                "no site: it has no activation module (a function such as F.relu is none); name "
                f"sites of {listed(modules)}"
            )
            raise CodeError(("model", "sites"), what)
        chosen = list(dict.fromkeys(chosen))
        for (name, call), (shape, last) in self._met(chosen, image).items():
            module = modules[name]
            if not self._fits(name, module, shape):
                continue
            site = Site(name if call == 1 else f"{name}:{call}", site_shape(shape, last))
            before, behind = self.stack.around(site)
            if not isinstance(module, ACTIVATIONS):
                before, behind = nothing, partial(in_turn, (before, behind))
            self.sites[name, call] = (
                partial(in_layout, before, last),
                partial(in_layout, behind, last),
            )
        for name in chosen:
            if self.acts and (name, 1) not in self.sites:
                raise CodeError(("model", "sites"), f"the module {name} is never called")
            modules[name].register_forward_pre_hook(partial(self._before, name))
            modules[name].register_forward_hook(partial(self._behind, name))

    def _met(
        self, sites: Sequence[str], image: tuple[int, int, int]
    ) -> dict[tuple[str, int], tuple[tuple[int, ...], bool]]:
        """Return, of each site and call in a forward pass, in their order, the shape that comes out
        and whether its features are the last axis: as a linear layer gives them, unlike a
        convolution, and what keeps a shape hands them on.
        """
        met: dict[tuple[str, int], tuple[tuple[int, ...], bool]] = {}
        last: dict[Tensor, bool] = {}  # by identity; kept, so that no other tensor gets it

        def see(name: str, module: nn.Module, args: tuple[Any, ...], y: Any) -> None:
            if not isinstance(y, Tensor):
                return
            x = args[0] if args and isinstance(args[0], Tensor) else y
            if isinstance(module, nn.Linear | CONVOLUTION):
                last[y] = isinstance(module, nn.Linear)
            elif x in last and x.shape == y.shape:
                last[y] = last[x]
            if name in sites:
                calls = sum(known == name for known, _ in met)
                met[name, calls + 1] = tuple(y.shape), last.get(y, y.dim() < 4)

        modules = self.net.named_modules()
        hooks = [module.register_forward_hook(partial(see, name)) for name, module in modules]
        self.stack.noisy = False  # the masks' streams begin with the first step
        with seeded(0), torch.no_grad():
            self.net.train()(torch.zeros(2, *image, dtype=self.stack.dtype))
        self.stack.noisy = None
        for hook in hooks:
            hook.remove()
        return met

    def _fits(self, name: str, module: nn.Module, shape: tuple[int, ...]) -> bool:
        """Return whether techniques can act on what comes out of a module, of this shape.

        Raises CodeError where one is to do so and can't.
        """
        if self.acts and len(shape) < 2:
            what = f"{name} gives {len(shape)} axes, and a site has a batch and features"
            raise CodeError(("model", "sites"), what)
        for technique in self.stack.techniques:
            if technique.place == "after_activation" and not isinstance(module, ACTIVATIONS):
                what = (
                    f"place after_activation: the site {name} is a {type(module).__name__}, and no "
                    "activation module; leave place out, and it acts on what comes out"
                )
                raise CodeError(("techniques", technique.key), what)
        return len(shape) > 1

    def _before(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.calls[name] += 1
        return (self._acted(name, 0, args[0]), *args[1:])

    def _behind(self, name: str, module: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor:
        return self._acted(name, 1, y)

    def _acted(self, name: str, side: int, x: Tensor) -> Tensor:
        """Return what the techniques make of x (B, ...) at a site; the stack is asked only where
        one acts, or a probe looks.
        """
        if not (self.acts or self.stack.watch):
            return x
        if (name, self.calls[name]) not in self.sites:
            times = "no site" if self.calls[name] == 1 else f"called {self.calls[name]} times"
            what = f"{name} is {times} here, unlike in a forward pass of training"
            raise CodeError(("model", "sites"), what)
        return self.over(self.sites[name, self.calls[name]][side], x)

    def over(self, act: Act, x: Tensor) -> Tensor:
        """Return, for the activations x (B, ...) of a run, what `act` makes of (M, B, ...)."""
        if self.stack.size == 1:
            return act(x.unsqueeze(0)).squeeze(0)
        whole: Tensor = Whole.apply(x, act)
        return whole

    def __call__(self, x: Tensor) -> Tensor:
        """Return logits (M, classes, B) for images (seeds or 1, B, H, W, C)."""
        stack = self.stack
        x = stack.images(x)
        x = x.expand(stack.size, *x.shape[1:]) if len(x) == 1 else stack.by_run(x)
        x = in_rows(x.permute(0, 1, 4, 2, 3))
        if self.net.training != stack.training:
            self.net.train(stack.training)
        parameters = {name: stack.named[name].tensor for name in self.trained}
        if stack.size == 1:
            # squeeze, and not [0], whose gradient would be written into zeros of the whole shape.
            own = [{n: t.squeeze(0) for n, t in of.items()} for of in (parameters, self.buffers)]
            with seeded(self._number()):
                logits, moved = self._run(own[0], own[1], x.squeeze(0))
            logits, moved = logits.unsqueeze(0), {n: t.unsqueeze(0) for n, t in moved.items()}
        else:
            logits, moved = vmap(self._run)(parameters, self.buffers, x)
        with torch.no_grad():
            for name, buffer in moved.items():
                self.buffers[name].copy_(buffer)
        return logits.transpose(1, 2)

    def _number(self) -> int:
        """Return the seed of what the module draws by itself in this forward pass."""
        if not self.stack.disturbs:
            return 0
        high, low = (self.stack.masks.uniform("module", (2,))[0].double() * 2**24).tolist()
        return int(high) << 24 | int(low)

    def _run(
        self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits (B, classes) of a run's images x (B, C, H, W), and the buffers that the
        module replaced; those that it changed in place are changed.
        """
        self.calls.clear()
        tensors = {**parameters, **buffers}
        logits = functional_call(self.net, tensors, (x,))
        if not isinstance(logits, Tensor) or logits.shape != (len(x), self.classes):
            raise CodeError(("model", "path"), self._no_logits(logits, len(x)))
        return logits, {
            name: tensors[name] for name in buffers if tensors[name] is not buffers[name]
        }

    def _no_logits(self, y: Any, batch: int) -> str:
        """Say what the module returns instead of logits."""
        returned = f"a {type(y).__name__}"
        if isinstance(y, Tensor):
            sizes = ["B" if n == batch and i == 0 else str(n) for i, n in enumerate(y.shape)]
            returned = f"({', '.join(sizes)})"
        return f"it returns {returned} for {self.classes} classes; logits are (B, classes)"


def nothing(x: Tensor) -> Tensor:
    """Return x."""
    return x


def in_rows(x: Tensor) -> Tensor:
    """Return x as it lies in a plain loop, the last axis in one piece: a module's own `view` counts
    on it. `contiguous` leaves strides of axes of one as they are, and convolutions look at them.
    """
    return x.reshape(-1).view(x.shape)


def in_turn(acts: Sequence[Act], x: Tensor) -> Tensor:
    """Return what the first makes of x, and the next of that."""
    for act in acts:
        x = act(x)
    return x


def site_shape(shape: tuple[int, ...], last: bool) -> tuple[int, ...]:
    """Return an image's shape at a site where a batch has `shape`: (features,) where they are the
    `last` axis, (channels, height, width) where they are the first behind the batch.
    """
    return shape[-1:] if last else (shape[1], *maps(shape[2:]))


def maps(sizes: Sequence[int]) -> tuple[int, int]:
    """Return the height and width that stand for any number of axes behind the channels."""
    return (sizes[0] if sizes else 1), math.prod(sizes[1:])


def in_layout(act: Act, last: bool, x: Tensor) -> Tensor:
    """Return what `act`, which takes units or maps of a stack, makes of x: (M, B, ..., features),
    or (M, B, channels, ...) where these are not the last axis.
    """
    runs, batch, *shape = x.shape
    if act is nothing:
        return x
    if last:
        units = x.movedim(-1, 1).flatten(2)
        y = act(units).unflatten(2, (batch, *shape[:-1])).movedim(1, -1)
    else:
        whole = x.reshape(runs, batch, shape[0], *maps(shape[1:])).transpose(0, 1).flatten(1, 2)
        y = act(whole).unflatten(1, (runs, -1)).transpose(0, 1)
    return in_rows(y).view(x.shape)


def named(pattern: str, modules: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of modules that a pattern with wildcards stands for.

    Raises CodeError where there is none.
    """
    if names := fnmatch.filter(modules, pattern):
        return names
    meant = closest(pattern, modules)
    hint = f"; did you mean {meant}?" if meant else ""
    what = f"there is no module {pattern!r} in it; there are {listed(modules)}{hint}"
    raise CodeError(("model", "sites"), what)


def listed(modules: Mapping[str, nn.Module]) -> str:
    """Return the names of modules, the first of very many."""
    names = list(modules)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
