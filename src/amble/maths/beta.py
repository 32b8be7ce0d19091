"""The Beta distribution of a number between 0 and 1. Axes: N samples, A action dimensions.

B(α, β) = Γ(α)Γ(β)/Γ(α+β); ψ is the digamma function, the derivative of log Γ.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def log_density(
    x: Float[Tensor, "*n A"], alpha: Float[Tensor, "*n A"], beta: Float[Tensor, "*n A"]
) -> Float[Tensor, "*n A"]:
    """(α-1) log x + (β-1) log(1-x) - log B(α, β) of each dimension. The joint one is their sum."""
    return torch.xlogy(alpha - 1, x) + torch.xlogy(beta - 1, 1 - x) - _log_beta(alpha, beta)


def entropy(alpha: Float[Tensor, "*n A"], beta: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """H = log B - (α-1) ψ(α) - (β-1) ψ(β) + (α+β-2) ψ(α+β) of each dimension in nats; 0 for α = β = 1."""
    total = alpha + beta
    return (
        _log_beta(alpha, beta)
        - (alpha - 1) * torch.digamma(alpha)
        - (beta - 1) * torch.digamma(beta)
        + (total - 2) * torch.digamma(total)
    )


def kl_divergence(
    alpha_p: Float[Tensor, "*n A"],
    beta_p: Float[Tensor, "*n A"],
    alpha_q: Float[Tensor, "*n A"],
    beta_q: Float[Tensor, "*n A"],
) -> Float[Tensor, "*n"]:
    """E21's D_KL(p ‖ q): Σ_a log Bq/Bp + (αp-αq) ψ(αp) + (βp-βq) ψ(βp) - (αp-αq+βp-βq) ψ(αp+βp)."""
    more_alpha, more_beta = alpha_p - alpha_q, beta_p - beta_q
    each = (
        _log_beta(alpha_q, beta_q)
        - _log_beta(alpha_p, beta_p)
        + more_alpha * torch.digamma(alpha_p)
        + more_beta * torch.digamma(beta_p)
        - (more_alpha + more_beta) * torch.digamma(alpha_p + beta_p)
    )
    return each.sum(dim=-1)


def predicted_ratio_variance(
    alpha_p: Float[Tensor, "*n A"],
    beta_p: Float[Tensor, "*n A"],
    alpha_q: Float[Tensor, "*n A"],
    beta_q: Float[Tensor, "*n A"],
) -> Float[Tensor, "*n"]:
    """Var_q[p/q], E19 with f = 1, of each sample's state; inf where any αq ≥ 2αp or βq ≥ 2βp.

    ∫ p²/q = B(2αp - αq, 2βp - βq) B(αq, βq) / B(αp, βp)² of each dimension; their product less 1 is the variance.
    """
    alphas, betas = (alpha_p.double(), alpha_q.double()), (beta_p.double(), beta_q.double())
    alpha, beta = 2 * alphas[0] - alphas[1], 2 * betas[0] - betas[1]
    is_finite = (alpha > 0) & (beta > 0)
    moment = _log_beta(alpha, beta) + _log_beta(alphas[1], betas[1]) - 2 * _log_beta(alphas[0], betas[0])
    divergence = torch.where(is_finite, moment, torch.inf).sum(dim=-1)
    return torch.expm1(torch.clamp(divergence, min=0)).to(alpha_p.dtype)


def _log_beta(alpha: Float[Tensor, "*n A"], beta: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """log B(α, β)."""
    return torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
