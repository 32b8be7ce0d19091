"""A Gaussian squashed into (-1, 1): a = tanh(u), u ~ N(μ, σ²). Axes: N samples, A action dimensions.

Densities take u rather than a: float32 has no number between 1 - 6e-8 and 1 to come back from. The entropy has no
closed form; -`log_density` of the policy's own samples estimates it.
Source: Haarnoja et al. 2018, arXiv:1801.01290, appendix C.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from amble.maths import gaussian


def log_slope(u: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """log da/du = log(1 - tanh² u) = 2 (log 2 - u - softplus(-2u)), finite however far out u is."""
    return 2 * (math.log(2) - u - softplus(-2 * u))


def log_density(
    u: Float[Tensor, "*n A"], mean: Float[Tensor, "*n A"], log_std: Float[Tensor, "*#n A"]
) -> Float[Tensor, "*n A"]:
    """log π(a) at a = tanh(u) of each dimension: log N(u; μ, σ²) - log da/du. The joint one is their sum."""
    return gaussian.log_density(u, mean, log_std) - log_slope(u)


def kl_divergence(
    mean_p: Float[Tensor, "*n A"],
    log_std_p: Float[Tensor, "*#n A"],
    mean_q: Float[Tensor, "*n A"],
    log_std_q: Float[Tensor, "*#n A"],
) -> Float[Tensor, "*n"]:
    """E21's D_KL(p ‖ q): that of the two Gaussians, since da/du is the same for both and cancels."""
    return gaussian.kl_divergence(mean_p, log_std_p, mean_q, log_std_q)
