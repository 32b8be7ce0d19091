"""Plain multi-layer perceptrons."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

Activation = Literal["silu", "tanh", "relu", "elu"]
_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "elu": nn.ELU,
}


def mlp(
    inputs: int,
    hidden: list[int],
    outputs: int,
    *,
    activation: Activation,
    head_gain: float,
    rng: torch.Generator,
) -> nn.Sequential:
    """Linear layers with an activation between them, orthogonal weights, zero biases.

    Args:
        inputs: width of the input.
        hidden: widths of the hidden layers.
        outputs: width of the output.
        activation: what stands behind every hidden layer.
        head_gain: gain of the last layer's weights; 0.01 starts a policy with means near 0.
        rng: where the weights are drawn from.
    """
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise([inputs, *hidden]):
        layers += [_linear(width_in, width_out, math.sqrt(2), rng), _ACTIVATIONS[activation]()]
    layers.append(_linear([inputs, *hidden][-1], outputs, head_gain, rng))
    return nn.Sequential(*layers)


def _linear(inputs: int, outputs: int, gain: float, rng: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer
