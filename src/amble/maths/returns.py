"""Returns: what a trajectory pays from each decision on. Axes: T decisions, B environments."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def discounted_return(reward: Float[Tensor, "T *B"], gamma: float) -> Float[Tensor, "*B"]:
    """E1: R(τ) = Σ_{t≥0} γᵗ r_t of one whole trajectory a column."""
    discount = gamma ** torch.arange(len(reward), dtype=torch.float64)
    weight = discount.to(reward.dtype).reshape(-1, *[1] * (reward.ndim - 1))
    return (weight * reward).sum(dim=0)


def reward_to_go(
    reward: Float[Tensor, "T B"], done: Bool[Tensor, "T B"], gamma: float
) -> Float[Tensor, "T B"]:
    """E11: G_t = Σ_{t'≥t} γ^{t'-t} r_{t'}, up to the end of the episode that t lies in.

    Args:
        reward: r_t.
        done: whether an episode ended with decision t; nothing after it counts for what came before.
        gamma: γ.
    """
    to_go = torch.zeros_like(reward)
    g_tp1 = torch.zeros_like(reward[0])
    for t in reversed(range(len(reward))):
        g_tp1 = reward[t] + gamma * torch.where(done[t], 0.0, g_tp1)
        to_go[t] = g_tp1
    return to_go
