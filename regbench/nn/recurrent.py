"""Recurrent layers over stacks.

As in PyTorch's packed sequences, x (M, features, N) holds the time steps in turn, and the sequences
of a step with the longest first: those that go on at step t are the first `sizes[t]` of the batch,
and N is the sum of the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from regbench.nn import functions
from regbench.nn.acts import Site
from regbench.nn.stack import Stack

GATES: Mapping[str, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""A cell's summed inputs for each unit of its state."""

State = tuple[Tensor, ...]
"""What goes from one time step to the next: the output h, (M, width, B), and an LSTM's cell state
c.
"""
Step = Callable[[Tensor, State, int], State]
"""A cell: the input's product, (M, gates * width, B), the state before, and the number of the step.
"""


def layer(
    stack: Stack, name: str, cell: str, inputs: int, width: int, steps: int, scale: float
) -> Callable[[Tensor, Sequence[int]], Tensor]:
    """Create a layer; it takes x (M or seeds, inputs, N) and the sizes, and returns its states (M,
    width, N).

    Parameters, their order and their start, uniform in +-1/sqrt(width), are those of PyTorch's RNN
    (tanh), GRU and LSTM. Norms stand where Cooijmans et al. 2017 and Ba et al. 2016 put them: on
    the sum of both products in a simple RNN; on each of the two in GRU and LSTM, here over all
    gates together; and in an LSTM on the new cell state before its tanh. Their shifts take the
    place of the biases. `steps`: how many time steps have statistics of their own; `scale`: where
    the norms' scales start. Long, since the three cells share the weights and the norms.
    """
    outputs = GATES[cell] * width
    kinds = ("input", inputs), ("recurrent", width)
    w_in, w = (
        stack.parameter(f"{name}.{kind}.weight", (outputs, size), "weight", fan_in=width).tensor
        for kind, size in kinds
    )
    b_in = b = None
    if not stack.normalizes:
        b_in, b = (
            stack.parameter(f"{name}.{kind}.bias", (outputs,), "bias", fan_in=width).tensor
            for kind, _ in kinds
        )

    def norm(kind: str, units: int) -> Callable[..., Tensor]:
        return stack.norm(Site(f"{name}.{kind}", (units,), steps=steps, scale=scale))

    # Where nothing acts on the products one by one, they are summed as they are made, and so are
    # their biases.
    joined = cell == "rnn" or (cell == "lstm" and not stack.normalizes)

    def product(h: Tensor) -> Tensor:
        return functions.linear(h, w, b)

    def simple() -> Step:
        norm_sum = norm("sum", outputs)

        def step(given: Tensor, state: State, t: int) -> State:
            return (torch.tanh(norm_sum(torch.baddbmm(given, w, state[0]), t)),)

        return step

    def gru() -> Step:
        norm_in, norm_h = norm("input", outputs), norm("recurrent", outputs)

        def step(given: Tensor, state: State, t: int) -> State:
            (h,) = state
            given, own = norm_in(given, t), norm_h(product(h), t)
            reset, update = torch.sigmoid(given[:, : 2 * width] + own[:, : 2 * width]).chunk(2, 1)
            new = torch.tanh(torch.addcmul(given[:, 2 * width :], reset, own[:, 2 * width :]))
            return (torch.lerp(new, h, update),)

        return step

    def lstm() -> Step:
        norm_in, norm_h, norm_c = (
            norm("input", outputs),
            norm("recurrent", outputs),
            norm("cell", width),
        )

        def step(given: Tensor, state: State, t: int) -> State:
            h, c = state
            summed = (
                torch.baddbmm(given, w, h) if joined else norm_in(given, t) + norm_h(product(h), t)
            )
            i, f, g, o = summed.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(norm_c(c, t)), c

        return step

    step = {"rnn": simple, "gru": gru, "lstm": lstm}[cell]()

    def forward(x: Tensor, sizes: Sequence[int]) -> Tensor:
        given = stack.product(
            x, w_in, b_in + b if joined and b_in is not None and b is not None else b_in
        )
        zeros = given.new_zeros(stack.size, width, sizes[0])
        state: State = (zeros, zeros) if cell == "lstm" else (zeros,)
        outputs = []
        for t, now in enumerate(given.split(list(sizes), 2)):
            if state[0].shape[2] > now.shape[2]:
                state = tuple(of_all[:, :, : now.shape[2]] for of_all in state)
            state = step(now, state, t)
            outputs.append(state[0])
        return torch.cat(outputs, 2)

    return forward
