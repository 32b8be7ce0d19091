"""One choice out of K, from log-probabilities; -inf marks what cannot be chosen. Axes: N samples, K choices."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def log_probs(logits: Float[Tensor, "*n K"]) -> Float[Tensor, "*n K"]:
    """log p_k = l_k - log Σ_j exp l_j."""
    return torch.log_softmax(logits, dim=-1)


def log_density(choice: Int[Tensor, "*n"], log_prob: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
    """log p of the choice that was made."""
    return log_prob.gather(-1, choice.unsqueeze(-1)).squeeze(-1)


def entropy(log_prob: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
    """H = -Σ_k p_k log p_k in nats, from 0 up to log K."""
    prob = log_prob.exp()
    return -(prob * torch.where(prob > 0, log_prob, 0.0)).sum(dim=-1)


def kl_divergence(log_p: Float[Tensor, "*n K"], log_q: Float[Tensor, "*n K"]) -> Float[Tensor, "*n"]:
    """E21's D_KL(p ‖ q) = Σ_k p_k (log p_k - log q_k), where p_k = 0 adds nothing; inf where only q_k is 0."""
    p = log_p.exp()
    return (p * torch.where(p > 0, log_p - log_q, 0.0)).sum(dim=-1)
