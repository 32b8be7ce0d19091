"""The diagonal Gaussian's densities. Axes: N samples, A action dimensions.

log σ is one vector for all samples, or each sample's own.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

_LOG_2PI = math.log(2 * math.pi)


def log_density(
    x: Float[Tensor, "*n A"], mean: Float[Tensor, "*n A"], log_std: Float[Tensor, "*#n A"]
) -> Float[Tensor, "*n A"]:
    """log N(x; μ, σ²) of each dimension: -½((x - μ)/σ)² - log σ - ½ log 2π. The joint one is their sum."""
    return -0.5 * ((x - mean) * torch.exp(-log_std)).square() - log_std - 0.5 * _LOG_2PI


def entropy(log_std: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """H = log σ + ½ log 2πe of each dimension, in nats."""
    return log_std + 0.5 * (_LOG_2PI + 1)


def kl_divergence(
    mean_p: Float[Tensor, "*n A"],
    log_std_p: Float[Tensor, "*#n A"],
    mean_q: Float[Tensor, "*n A"],
    log_std_q: Float[Tensor, "*#n A"],
) -> Float[Tensor, "*n"]:
    """E21's D_KL(p ‖ q) of diagonal Gaussians: Σ_a log σq/σp + (σp² + (μp - μq)²) / 2σq² - ½."""
    variance_ratio = torch.exp(2 * (log_std_p - log_std_q))
    distance = ((mean_p - mean_q) * torch.exp(-log_std_q)).square()
    return (log_std_q - log_std_p + 0.5 * (variance_ratio + distance - 1)).sum(dim=-1)
