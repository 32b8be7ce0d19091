"""Layers, shapes and starting weights."""

import math

import torch
from torch import nn

from amble.nets.memory import RecurrentNet
from amble.nets.mlp import mlp, recurrent


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


def test_layer_norm_stands_before_every_activation() -> None:
    net = mlp(5, [8, 6], 2, activation="tanh", head_gain=1.0, rng=torch.Generator(), layer_norm=True)
    kinds = [type(layer) for layer in net]
    assert kinds == [nn.Linear, nn.LayerNorm, nn.Tanh] * 2 + [nn.Linear]
    gains = [layer.weight for layer in net if isinstance(layer, nn.LayerNorm)]
    assert [tuple(gain.shape) for gain in gains] == [(8,), (6,)]


def test_layer_norm_takes_the_scale_out_of_the_input() -> None:
    """Biases begin at 0, so 1000 times the input gives the same activations; without layer norm they are not."""
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    for layer_norm in (True, False):
        net = mlp(
            5,
            [8],
            2,
            activation="relu",
            head_gain=1.0,
            rng=torch.Generator().manual_seed(0),
            layer_norm=layer_norm,
        )
        assert torch.allclose(net(x), net(1000 * x), rtol=1e-3, atol=1e-4) == layer_norm


def test_layer_norm_before_a_memory() -> None:
    net = recurrent(
        5, [8], 2, activation="tanh", head_gain=1.0, memory_size=6, rng=torch.Generator(), layer_norm=True
    )
    assert isinstance(net, RecurrentNet)
    assert [type(layer) for layer in net.body.children()] == [nn.Linear, nn.LayerNorm, nn.Tanh]


def test_the_same_weights_are_drawn_with_layer_norm() -> None:
    first, second = (
        mlp(
            5,
            [8, 6],
            2,
            activation="tanh",
            head_gain=1.0,
            rng=torch.Generator().manual_seed(0),
            layer_norm=layer_norm,
        )
        for layer_norm in (False, True)
    )
    for net_layer, other in zip(
        (layer for layer in first if isinstance(layer, nn.Linear)),
        (layer for layer in second if isinstance(layer, nn.Linear)),
        strict=True,
    ):
        assert torch.equal(net_layer.weight, other.weight)
