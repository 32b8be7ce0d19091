"""The losses of one sample with their derivatives: `amble.maths.surrogates` and `importance`, differentiated by hand.

Comparisons are written so that a NaN comes out as a NaN.
"""

from __future__ import annotations

import math

from amble.native.compiled import kernel

_LIMIT = 20.0
_NOISE = 1e-5


@kernel
def ratio(log_prob, log_prob_old):
    """E18: x = log π_θ - log π_θk held within ±20, ρ = exp x, and ∂ρ/∂log π_θ = ρ within, 0 where it is held."""
    x = log_prob - log_prob_old
    if x > _LIMIT:
        return _LIMIT, math.exp(_LIMIT), 0.0
    if x < -_LIMIT:
        return -_LIMIT, math.exp(-_LIMIT), 0.0
    rho = math.exp(x)
    return x, rho, rho


@kernel
def kl_term(x):
    """One sample's part of the estimate of KL(π_θk ‖ π_θ): (ρ - 1) - log ρ with x = log ρ (E21, Schulman's k3)."""
    return math.expm1(x) - x


@kernel
def clipped_surrogate(rho, advantage, epsilon):
    """E22 as a loss, -min( ρA, clip(ρ, 1-ε, 1+ε) A ), and its ∂/∂ρ: -A, but 0 where the clip holds the smaller one."""
    clipped = rho
    if rho < 1 - epsilon:
        clipped = 1 - epsilon
    elif rho > 1 + epsilon:
        clipped = 1 + epsilon
    free, held = rho * advantage, clipped * advantage
    if held < free:
        return -held, 0.0
    return -free, -advantage


@kernel
def surrogate(rho, advantage):
    """E20 as a loss, -ρA, and its ∂/∂ρ."""
    return -rho * advantage, -advantage


@kernel
def policy_gradient(log_prob, weight):
    """E9 as a loss, -log π Φ, and its ∂/∂log π."""
    return -log_prob * weight, -weight


@kernel
def squared_error(value, target):
    """E23's L_v of a sample, (return - V)², and its ∂/∂V = -2 (return - V)."""
    error = target - value
    return error * error, -2 * error


@kernel
def clipped_squared_error(value, target, value_old, epsilon):
    """max( (R - V)², (R - V')² ) with V' = V_old + clip(V - V_old, ±ε), and its ∂/∂V: V' follows V within ε only."""
    moved = value - value_old
    follows = abs(moved) <= epsilon
    near = value if follows else value_old + math.copysign(epsilon, moved)
    far_loss, far_slope = squared_error(value, target)
    near_loss, near_slope = squared_error(near, target)
    if near_loss <= far_loss:
        return far_loss, far_slope
    return near_loss, near_slope if follows else 0.0


@kernel
def standardise(x, out):
    """out ← (x - mean) / std over all elements, as `amble.maths.statistics.standardise` does."""
    n, total, largest = x.size, 0.0, 0.0
    for i in range(n):
        total += x[i]
        largest = max(largest, abs(x[i]))
    mean, squares = total / n, 0.0
    for i in range(n):
        squares += (x[i] - mean) ** 2
    spread, least = math.sqrt(squares / n), _NOISE * largest + 1e-12
    spread = max(spread, least)
    for i in range(n):
        out[i] = (x[i] - mean) / spread
