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
    """E11: G_t = Σ_{t'≥t} γ^{t'-t} r_{t'} = r_t + γ G_{t+1}, up to the end of the episode that t lies in.

    Args:
        reward: r_t.
        done: whether an episode ended with decision t; nothing after it counts for what came before.
        gamma: γ.
    """
    g_tp1 = reward[-1]
    to_go = [g_tp1]
    # Two operations a decision, on rows cut beforehand: each costs as much as the arithmetic of hundreds of B.
    for r_t, done_t in zip(reversed(reward[:-1].unbind()), reversed(done[:-1].unbind()), strict=True):
        g_tp1 = torch.where(done_t, r_t, torch.add(r_t, g_tp1, alpha=gamma))
        to_go.append(g_tp1)
    return torch.stack(to_go[::-1])
