"""The networks between a row of observations and a head: plain layers, with an encoder before and a memory behind."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from amble.nets.memory import RecurrentNet

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
    layer_norm: bool = False,
) -> nn.Sequential:
    """Linear layers with an activation between them, orthogonal weights, zero biases.

    Args:
        inputs: width of the input.
        hidden: widths of the hidden layers.
        outputs: width of the output.
        activation: what stands behind every hidden layer.
        head_gain: gain of the last layer's weights; 0.01 starts a policy with means near 0.
        rng: where the weights are drawn from.
        layer_norm: whether every hidden layer is normalised before its activation; see `_hidden_layers`.
    """
    layers = _hidden_layers(inputs, hidden, activation, layer_norm, rng)
    layers.append(_linear([inputs, *hidden][-1], outputs, head_gain, rng))
    return nn.Sequential(*layers)


def recurrent(
    inputs: int,
    hidden: list[int],
    outputs: int,
    *,
    activation: Activation,
    head_gain: float,
    memory_size: int,
    rng: torch.Generator,
    layer_norm: bool = False,
) -> RecurrentNet:
    """The same with an LSTM of `memory_size`/2 units before the last layer."""
    body = nn.Sequential(*_hidden_layers(inputs, hidden, activation, layer_norm, rng))
    last = _linear(memory_size // 2, outputs, head_gain, rng)
    return RecurrentNet(body, [inputs, *hidden][-1], memory_size, last, rng)


def last_layer(net: nn.Module) -> nn.Linear:
    """The linear layer that a network of this file ends in."""
    last = net.outputs if isinstance(net, RecurrentNet) else next(reversed(list(net.children())))
    if not isinstance(last, nn.Linear):
        raise TypeError("a network ends in a linear layer")
    return last


def _hidden_layers(
    inputs: int, hidden: list[int], activation: Activation, layer_norm: bool, rng: torch.Generator
) -> list[nn.Module]:
    """f(W x + b), or with layer norm f(g ⊙ (y - mean(y)) / √(var(y) + 1e-5) + b') of y = W x + b, layer by layer.

    Mean and variance are over a layer's units, for each row; g begins at 1 and b' at 0.
    Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
    """
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise([inputs, *hidden]):
        layers.append(_linear(width_in, width_out, math.sqrt(2), rng))
        if layer_norm:
            layers.append(nn.LayerNorm(width_out))
        layers.append(_ACTIVATIONS[activation]())
    return layers


def _linear(inputs: int, outputs: int, gain: float, rng: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer
