"""What PPO minimises. Axes: N samples, A action."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def clipped_surrogate(
    ratio: Float[Tensor, "*n"], advantage: Float[Tensor, "*n"], epsilon: float
) -> Float[Tensor, ""]:
    """E22 as a loss: -mean( min(ρ A, clip(ρ, 1-ε, 1+ε) A) ).

    Source: Schulman et al. 2017, arXiv:1707.06347, equation 7.
    """
    clipped = torch.clamp(ratio, 1 - epsilon, 1 + epsilon) * advantage
    return -torch.minimum(ratio * advantage, clipped).mean()


def value_loss(value: Float[Tensor, "N"], value_target: Float[Tensor, "N"]) -> Float[Tensor, ""]:
    """E23's L_v = mean( (return - V(s))² )."""
    return (value_target - value).square().mean()


def clipped_value_loss(
    value: Float[Tensor, "N"],
    value_target: Float[Tensor, "N"],
    value_old: Float[Tensor, "N"],
    epsilon: float,
) -> Float[Tensor, ""]:
    """ML-Agents' value loss: mean( max( (R - V)², (R - V_old - clip(V - V_old, ±ε))² ) ), ε in return units."""
    near = value_old + torch.clamp(value - value_old, -epsilon, epsilon)
    return torch.maximum((value_target - value).square(), (value_target - near).square()).mean()


def clip_fraction(ratio: Float[Tensor, "*n"], epsilon: float) -> Float[Tensor, ""]:
    """Share of the ratios outside [1-ε, 1+ε]."""
    return ((ratio - 1).abs() > epsilon).float().mean()
