"""Layers forward and backward. Axes: n samples of a minibatch, I and O the width below and above a layer.

A network is a table with a row a layer: I, O, where its weight (O, I) and its bias (O,) begin in the flat vector, and
how wide all hidden layers before it are together, which is where its own output is kept: n times that many numbers in.
"""

from __future__ import annotations

import numpy as np

from amble.learner.fused.activations import activate
from amble.native.compiled import kernel

INPUTS, OUTPUTS, WEIGHT, BIAS, PLACE = range(5)


@kernel
def forward(x, theta, layers, activation, hidden, slope, output):
    """y = W x + b and the activation, layer by layer; the last layer has none.

    Args:
        x: (n, I) the input.
        theta: (P,) all parameters.
        layers: (layers, 5) the network's table.
        activation: its kind.
        hidden: the hidden layers' outputs, kept for `backward`.
        slope: their derivatives by what the layer computed.
        output: (n, O) of the last layer.
    """
    n, last = x.shape[0], layers.shape[0] - 1
    for k in range(last + 1):
        y = output if k == last else _block(hidden, layers, k, n)
        np.dot(x, _weight(theta, layers, k).T, y)
        bias = _bias(theta, layers, k)
        for i in range(n):
            for j in range(bias.size):
                y[i, j] += bias[j]
        if k < last:
            activate(activation, y.reshape(-1), _block(slope, layers, k, n).reshape(-1))
        x = y


@kernel
def backward(x, theta, gradient, layers, hidden, slope, delta, d_output):
    """∂L/∂W = δᵀ x, ∂L/∂b = Σₙ δ and ∂L/∂x = δ W, from the last layer to the first, with δ = ∂L/∂y.

    Args:
        x: (n, I) the input.
        theta: (P,) all parameters.
        gradient: (P,) written where this network's parameters are.
        layers: (layers, 5) the network's table.
        hidden: from `forward`.
        slope: from `forward`.
        delta: room for the hidden layers' δ.
        d_output: (n, O) ∂L/∂output.
    """
    n = x.shape[0]
    d_y = d_output
    for k in range(layers.shape[0] - 1, -1, -1):
        below = x if k == 0 else _block(hidden, layers, k - 1, n)
        np.dot(d_y.T, below, _weight(gradient, layers, k))
        bias = _bias(gradient, layers, k)
        for j in range(bias.size):
            bias[j] = np.float32(0.0)
        for i in range(n):
            for j in range(bias.size):
                bias[j] += d_y[i, j]
        if k > 0:
            d_below = _block(delta, layers, k - 1, n)
            np.dot(d_y, _weight(theta, layers, k), d_below)
            flat, steep = d_below.reshape(-1), _block(slope, layers, k - 1, n).reshape(-1)
            for i in range(flat.size):
                flat[i] *= steep[i]
            d_y = d_below


@kernel
def _weight(vector, layers, k):
    inputs, outputs, start = layers[k, INPUTS], layers[k, OUTPUTS], layers[k, WEIGHT]
    return vector[start : start + inputs * outputs].reshape(outputs, inputs)


@kernel
def _bias(vector, layers, k):
    start = layers[k, BIAS]
    return vector[start : start + layers[k, OUTPUTS]]


@kernel
def _block(memory, layers, k, n):
    start, width = layers[k, PLACE] * n, layers[k, OUTPUTS]
    return memory[start : start + width * n].reshape(n, width)
