"""One network from a flat row of observations to its outputs: encoder → layers → memory → linear.

Axes: n rows, O observation, S sequences of L decisions, M numbers remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.nets.encoders import Encoder, EncoderKind
from amble.nets.memory import RecurrentNet, Remembered
from amble.nets.mlp import Activation, mlp, recurrent
from amble.nets.observations import ObservationLayout


@dataclass(frozen=True)
class NetShape:
    """What actor and critic have in common."""

    hidden: list[int]
    """Widths of the hidden layers."""
    activation: Activation = "tanh"
    encoder: EncoderKind = "simple"
    """Of image observations; see `amble.nets.encoders`."""
    memory_size: int = 0
    """Numbers carried from decision to decision; 0 for none."""
    layer_norm: bool = False
    """Before the activation of every hidden layer; see `amble.nets.mlp`."""


def build(
    layout: ObservationLayout, shape: NetShape, outputs: int, *, head_gain: float, rng: torch.Generator
) -> tuple[Encoder | None, nn.Sequential | RecurrentNet]:
    """An encoder, None where the observation is one vector already, and the layers behind it."""
    encoder = None
    if layout.size != layout.vectors:
        encoder = Encoder(layout, shape.encoder, shape.hidden[-1] if shape.hidden else 64, rng)
    inputs = layout.size if encoder is None else encoder.outputs
    if shape.memory_size:
        net = recurrent(
            inputs,
            shape.hidden,
            outputs,
            activation=shape.activation,
            head_gain=head_gain,
            memory_size=shape.memory_size,
            rng=rng,
            layer_norm=shape.layer_norm,
        )
    else:
        net = mlp(
            inputs,
            shape.hidden,
            outputs,
            activation=shape.activation,
            head_gain=head_gain,
            rng=rng,
            layer_norm=shape.layer_norm,
        )
    return encoder, net


def run(
    encoder: Encoder | None,
    net: nn.Module,
    normalised: Float[Tensor, "*n O"],
    remembered: Remembered | None,
) -> Float[Tensor, "*n outputs"]:
    """The outputs for rows, or along the sequences that `remembered` belongs to."""
    x = normalised if encoder is None else encoder(normalised)
    return net(x) if remembered is None else net(x, remembered)


def step(
    encoder: Encoder | None,
    net: nn.Module,
    normalised: Float[Tensor, "*n O"],
    state: Float[Tensor, "*n M"] | None,
) -> tuple[Float[Tensor, "*n outputs"], Float[Tensor, "*n M"] | None]:
    """The outputs for one decision a row, and what is remembered after it (None without a memory)."""
    x = normalised if encoder is None else encoder(normalised)
    if isinstance(net, RecurrentNet):
        if state is None:
            raise TypeError("a network with a memory is told what it remembers")
        return net.step(x, state)
    return net(x), None


def nothing_remembered(
    memory_size: int, rows: tuple[int, ...], device: torch.device
) -> Float[Tensor, "*n M"] | None:
    """The state in which an episode begins; None without a memory."""
    return torch.zeros(*rows, memory_size, device=device) if memory_size else None
