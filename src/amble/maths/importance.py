"""Importance weights: samples of one policy used for another. Axes: N samples, A action."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_LIMIT = 20.0
"""exp(20) ≈ 5e8: far past every clip range, and still finite with its gradient in float32."""


def ratio(log_prob: Float[Tensor, "*n"], log_prob_old: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """E18: ρ = π_θ(a|s) / π_θk(a|s) = exp(log π_θ - log π_θk); the exponent is held within ±20."""
    return torch.exp(torch.clamp(log_prob - log_prob_old, -_LIMIT, _LIMIT))


def kl_estimate(ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Estimate of E21, the mean of (ρ - 1) - log ρ over samples of the old policy: never negative, low variance.

    E[ρ] = 1, so its mean is E[-log ρ] = KL(π_θk ‖ π_θ). Source: Schulman 2020, "Approximating KL divergence", k3.
    """
    return (ratio - 1 - torch.log(ratio)).mean()
