"""Importance weights: samples of one policy used for another. Axes: N samples, A action, K outcomes.

q is the distribution that was sampled (the old policy), p the one that is asked about (the new policy), ρ = p/q.
"""

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


def importance_mean(f: Float[Tensor, "*n"], ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E18: E_p[f] from samples of q, the mean of f ρ. Unbiased, whatever q is, as long as q > 0 where f p ≠ 0."""
    return (f * ratio).mean()


def importance_variance(f: Float[Tensor, "*n"], ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E19 from samples of q: the variance of f ρ. That of `importance_mean` is N times smaller."""
    return (f * ratio).var(correction=0)


def exact_importance_variance(
    f: Float[Tensor, "*n K"], log_p: Float[Tensor, "*n K"], log_q: Float[Tensor, "*n K"]
) -> Float[Tensor, "*n"]:
    """E19 where there are K outcomes: Var_q[f p/q] = E_p[f² p/q] - (E_p f)²; inf where q = 0 and f p ≠ 0."""
    counts = (f != 0) & (log_p > -torch.inf)
    root = f * torch.exp(log_p - 0.5 * torch.where(counts, log_q, 0.0))  # f p / √q
    return root.square().sum(dim=-1) - (f * log_p.exp()).sum(dim=-1).square()


def ratio_variance(ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Var_q ρ over the samples at hand, E19 with f = 1."""
    return ratio.var(correction=0)


def effective_sample_size(ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """(Σρ)² / Σρ²: how many samples of p itself would tell as much, from 1 up to N where all ρ are equal.

    Source: Kong 1992, "A note on importance sampling using standardized weights".
    """
    relative = ratio.double() / ratio.max()
    return (relative.sum().square() / relative.square().sum()).to(ratio.dtype)


def effective_sample_share(ratio: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """`effective_sample_size` as a share of N, about 1 / (1 + Var ρ)."""
    return effective_sample_size(ratio) / ratio.numel()


def predicted_ratio_variance_gaussian(
    mean_p: Float[Tensor, "*n A"],
    log_std_p: Float[Tensor, "*#n A"],
    mean_q: Float[Tensor, "*n A"],
    log_std_q: Float[Tensor, "*#n A"],
) -> Float[Tensor, "*n"]:
    """Var_q ρ of diagonal Gaussians, in closed form, of each sample's state; inf where any 2σq² ≤ σp².

    E_q[ρ²] = Π_a σq² / (σp √(2σq² - σp²)) · exp( (μp - μq)² / (2σq² - σp²) ), less (E_q ρ)² = 1. It is exp(D₂) - 1
    with Rényi's divergence D₂(p ‖ q), and exp(distance²/σ²) - 1 where the two σ are equal.
    Source: Gil, Alajaji, Linder 2013, "Rényi divergence measures for commonly used univariate distributions".
    """
    log_std_p, log_std_q = log_std_p.double(), log_std_q.double()
    room = 2 - torch.exp(2 * (log_std_p - log_std_q))  # (2σq² - σp²) / σq²
    distance = ((mean_p - mean_q).double() * torch.exp(-log_std_q)).square()
    log_moment = log_std_q - log_std_p - 0.5 * torch.log(room) + distance / room
    divergence = torch.where(room > 0, log_moment, torch.inf).sum(dim=-1)
    return torch.expm1(torch.clamp(divergence, min=0)).to(mean_p.dtype)


def predicted_ratio_variance_categorical(
    log_p: Float[Tensor, "*n K"], log_q: Float[Tensor, "*n K"]
) -> Float[Tensor, "*n"]:
    """Var_q ρ = Σ_k p_k²/q_k - 1 of each sample's state; inf where q cannot draw what p can.

    Args:
        log_p: normalised log-probabilities; -inf for what cannot be drawn.
        log_q: the same of the distribution that was sampled.
    """
    log_term = torch.where(log_p > -torch.inf, 2 * log_p.double() - log_q.double(), -torch.inf)
    return torch.expm1(torch.clamp(torch.logsumexp(log_term, dim=-1), min=0)).to(log_p.dtype)
