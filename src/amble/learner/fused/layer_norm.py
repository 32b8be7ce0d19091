"""Layer norm forward and backward, as torch.nn.LayerNorm has it. Axes: n samples of a minibatch, H units of a layer.

Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
"""

from __future__ import annotations

import math

import numpy as np

from amble.native.compiled import sum_kernel

_EPSILON = np.float32(1e-5)
_ZERO = np.float32(0.0)


@sum_kernel
def layer_norm(y, gain, shift, normal, inverse_std):
    """y ← g ⊙ x̂ + b with x̂ = (y - μ) / σ, μ = mean(y) and σ = √(mean((y - μ)²) + 1e-5) of each row.

    Args:
        y: (n, H) what the layer computed; overwritten.
        gain: (H,) g.
        shift: (H,) b.
        normal: (n, H) x̂, written for `layer_norm_backward`.
        inverse_std: (n,) 1/σ, likewise.
    """
    share = np.float32(1.0 / gain.size)
    for i in range(y.shape[0]):
        mean = _ZERO
        for j in range(gain.size):
            mean += y[i, j]
        mean *= share
        variance = _ZERO
        for j in range(gain.size):
            away = y[i, j] - mean
            normal[i, j] = away
            variance += away * away
        by_std = np.float32(1.0 / math.sqrt(variance * share + _EPSILON))
        inverse_std[i] = by_std
        for j in range(gain.size):
            x = normal[i, j] * by_std
            normal[i, j] = x
            y[i, j] = gain[j] * x + shift[j]


@sum_kernel
def layer_norm_backward(delta, gain, normal, inverse_std, d_gain, d_shift):
    """∂L/∂g = Σₙ δ ⊙ x̂, ∂L/∂b = Σₙ δ and δ ← (γ - mean(γ) - x̂ mean(γ ⊙ x̂)) / σ, with γ = g ⊙ δ = ∂L/∂x̂.

    For ∂x̂ᵢ/∂yⱼ = (1[i = j] - 1/H - x̂ᵢ x̂ⱼ/H) / σ: moving y along 1, or along x̂ but for the 1e-5, leaves x̂ where it is.

    Args:
        delta: (n, H) ∂L by what `layer_norm` gave; overwritten with ∂L by what it was given.
        gain: (H,) g.
        normal: (n, H) x̂.
        inverse_std: (n,) 1/σ.
        d_gain: (H,) written.
        d_shift: (H,) written.
    """
    share = np.float32(1.0 / gain.size)
    d_gain[:] = _ZERO
    d_shift[:] = _ZERO
    for i in range(delta.shape[0]):
        mean = along = _ZERO
        for j in range(gain.size):
            by_normal = gain[j] * delta[i, j]
            mean += by_normal
            along += by_normal * normal[i, j]
            d_gain[j] += delta[i, j] * normal[i, j]
            d_shift[j] += delta[i, j]
        mean *= share
        along *= share
        for j in range(gain.size):
            delta[i, j] = inverse_std[i] * (gain[j] * delta[i, j] - mean - normal[i, j] * along)
