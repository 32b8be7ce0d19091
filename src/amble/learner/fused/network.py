"""Layers forward and backward. Axes: n samples of a minibatch, I and O the width below and above a layer.

A network is a table with a row a layer: I, O, where its weight (O, I) and its bias (O,) begin in the flat vector, how
wide all hidden layers before it are together, which is where its own output is kept: n times that many numbers in, and
where gain and shift (O,) of the layer norm behind it begin in the flat vector, -1 without one.
"""

from __future__ import annotations

import numpy as np

from amble.learner.fused.activations import activate
from amble.learner.fused.layer_norm import layer_norm, layer_norm_backward
from amble.native.compiled import kernel

COLUMNS = 7
INPUTS, OUTPUTS, WEIGHT, BIAS, PLACE, GAIN, SHIFT = range(COLUMNS)


@kernel
def forward(x, theta, layers, activation, memory, output):
    """y = W x + b, layer norm where there is one, and the activation, layer by layer; the last layer is y alone.

    Args:
        x: (n, I) the input.
        theta: (P,) all parameters.
        layers: (layers, 7) the network's table.
        activation: its kind.
        memory: its `hidden`, `slope`, `normal` and `inverse_std` are kept for `backward`; see `Memory`.
        output: (n, O) of the last layer.
    """
    n, last = x.shape[0], layers.shape[0] - 1
    for k in range(last + 1):
        y = output if k == last else _block(memory.hidden, layers, k, n)
        np.dot(x, _weight(theta, layers, k).T, y)
        bias = _units(theta, layers, k, BIAS)
        for i in range(n):
            for j in range(bias.size):
                y[i, j] += bias[j]
        if layers[k, GAIN] >= 0:
            gain, shift = _units(theta, layers, k, GAIN), _units(theta, layers, k, SHIFT)
            layer_norm(
                y, gain, shift, _block(memory.normal, layers, k, n), memory.inverse_std[k * n : (k + 1) * n]
            )
        if k < last:
            activate(activation, y.reshape(-1), _block(memory.slope, layers, k, n).reshape(-1))
        x = y


@kernel
def backward(x, theta, gradient, layers, memory, d_output):
    """∂L/∂W = δᵀ x, ∂L/∂b = Σₙ δ and ∂L/∂x = δ W, from the last layer to the first, with δ = ∂L/∂y.

    Between two layers δ goes through the activation's slope and, where there is one, layer norm.

    Args:
        x: (n, I) the input.
        theta: (P,) all parameters.
        gradient: (P,) written where this network's parameters are.
        layers: (layers, 7) the network's table.
        memory: as `forward` left it; its `delta` is written.
        d_output: (n, O) ∂L/∂output.
    """
    n = x.shape[0]
    d_y = d_output
    for k in range(layers.shape[0] - 1, -1, -1):
        below = x if k == 0 else _block(memory.hidden, layers, k - 1, n)
        np.dot(d_y.T, below, _weight(gradient, layers, k))
        bias = _units(gradient, layers, k, BIAS)
        for j in range(bias.size):
            bias[j] = np.float32(0.0)
        for i in range(n):
            for j in range(bias.size):
                bias[j] += d_y[i, j]
        if k > 0:
            d_below = _block(memory.delta, layers, k - 1, n)
            np.dot(d_y, _weight(theta, layers, k), d_below)
            flat, steep = d_below.reshape(-1), _block(memory.slope, layers, k - 1, n).reshape(-1)
            for i in range(flat.size):
                flat[i] *= steep[i]
            if layers[k - 1, GAIN] >= 0:
                layer_norm_backward(
                    d_below,
                    _units(theta, layers, k - 1, GAIN),
                    _block(memory.normal, layers, k - 1, n),
                    memory.inverse_std[(k - 1) * n : k * n],
                    _units(gradient, layers, k - 1, GAIN),
                    _units(gradient, layers, k - 1, SHIFT),
                )
            d_y = d_below


@kernel
def _weight(vector, layers, k):
    inputs, outputs, start = layers[k, INPUTS], layers[k, OUTPUTS], layers[k, WEIGHT]
    return vector[start : start + inputs * outputs].reshape(outputs, inputs)


@kernel
def _units(vector, layers, k, what):
    start = layers[k, what]
    return vector[start : start + layers[k, OUTPUTS]]


@kernel
def _block(room, layers, k, n):
    start, width = layers[k, PLACE] * n, layers[k, OUTPUTS]
    return room[start : start + width * n].reshape(n, width)
