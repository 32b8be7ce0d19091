"""Layers, shapes and starting weights."""

import math

import torch
from torch import nn

from amble.nets.mlp import mlp


def test_layers_and_shapes() -> None:
    net = mlp(5, [8, 6], 2, activation="elu", head_gain=1.0, rng=torch.Generator())
    kinds = [type(layer) for layer in net]
    assert kinds == [nn.Linear, nn.ELU, nn.Linear, nn.ELU, nn.Linear]
    assert [tuple(p.shape) for p in net.parameters()] == [(8, 5), (8,), (6, 8), (6,), (2, 6), (2,)]


def test_weights_are_orthogonal_with_their_gain_and_biases_0() -> None:
    """W Wᵀ = gain²·1 for a layer that narrows: √2 for hidden ones, the head's own for the last."""
    net = mlp(8, [6], 2, activation="tanh", head_gain=0.01, rng=torch.Generator().manual_seed(0))
    hidden, head = net[0], net[2]
    assert isinstance(hidden, nn.Linear)
    assert isinstance(head, nn.Linear)
    torch.testing.assert_close(hidden.weight @ hidden.weight.T, 2 * torch.eye(6))
    torch.testing.assert_close(head.weight @ head.weight.T, 1e-4 * torch.eye(2))
    assert math.isclose(hidden.weight.norm().item() ** 2, 12.0, rel_tol=1e-5)
    assert hidden.bias.abs().max() == head.bias.abs().max() == 0
