"""The step: the gradient's norm, its limit, and Adam. Axes: P parameters."""

from __future__ import annotations

import math

import numpy as np

from amble.native.compiled import kernel, sum_kernel

_BETA1, _BETA2 = 0.9, 0.999


@sum_kernel
def norm(gradient):
    """‖g‖₂. Summed in float32, so that it is inf where a square is: Adam's second moment would never come back."""
    total = np.float32(0.0)
    for i in range(gradient.size):
        total += gradient[i] * gradient[i]
    return math.sqrt(total)


@kernel
def adam(theta, gradient, first, second, rate, epsilon, count, limit, length):
    """θ ← θ - α m̂ / (√v̂ + ε), m and v being running means of g and g², without the bias of their start at 0.

    Source: Kingma, Ba 2015, arXiv:1412.6980, algorithm 1, with torch's order of operations.

    Args:
        theta: (P,) moved.
        gradient: (P,) g, which is scaled down to a norm of `limit` where it is longer.
        first: (P,) m, moved.
        second: (P,) v, moved.
        rate: α.
        epsilon: ε.
        count: of steps, this one included.
        limit: of the gradient's norm; inf for none.
        length: ‖g‖₂.
    """
    scale = np.float32(min(1.0, limit / (length + 1e-6)))
    step = np.float32(rate / (1 - _BETA1**count))
    unbias = np.float32(1 / math.sqrt(1 - _BETA2**count))
    floor = np.float32(epsilon)
    new1, old2, new2 = np.float32(1 - _BETA1), np.float32(_BETA2), np.float32(1 - _BETA2)
    for i in range(theta.size):
        g = gradient[i] * scale
        m = first[i] + (g - first[i]) * new1
        v = second[i] * old2 + g * g * new2
        first[i] = m
        second[i] = v
        theta[i] -= step * m / (np.sqrt(v) * unbias + floor)
