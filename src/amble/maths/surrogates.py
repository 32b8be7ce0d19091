"""What policies and critics minimise. Axes: N samples, A action."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def policy_gradient_loss(log_prob: Float[Tensor, "*n"], weight: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E9 as a loss: -mean( log π_θ(a|s) Φ ). Its gradient is -∇J's estimate, over decisions rather than episodes.

    Args:
        log_prob: log π_θ(a|s) of the action that was taken, summed over its dimensions, with its graph.
        weight: Φ of `estimators`, a number to the gradient.
    """
    return -(log_prob * weight.detach()).mean()


def surrogate(ratio: Float[Tensor, "*n"], advantage: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E20's L(θ_k, θ) = mean( ρ A ), to be maximised; at θ = θ_k its gradient is the policy gradient E9."""
    return (ratio * advantage).mean()


def kl_penalty_loss(
    ratio: Float[Tensor, "*n"], advantage: Float[Tensor, "*n"], kl: Float[Tensor, "..."], coefficient: float
) -> Float[Tensor, ""]:
    """PPO with a penalty in the clip's place: -mean(ρ A) + β · mean KL.

    Source: Schulman et al. 2017, arXiv:1707.06347, equation 8.

    Args:
        ratio: ρ.
        advantage: A of the old policy.
        kl: KL of each sample's state, or already their mean.
        coefficient: β.
    """
    return -surrogate(ratio, advantage) + coefficient * kl.mean()


def adapted_coefficient(coefficient: float, kl: float, target: float) -> float:
    """The next β: half where the KL stayed under target/1.5, double where it passed 1.5·target or is NaN.

    Source: Schulman et al. 2017, arXiv:1707.06347, section 4.
    """
    if not kl <= 1.5 * target:
        return 2 * coefficient
    return coefficient / 2 if kl < target / 1.5 else coefficient


def adapted_learning_rate(
    rate: float, kl: float, target: float, limits: tuple[float, float] = (1e-5, 1e-2)
) -> float:
    """The next learning rate: ÷ 1.5 where the KL passed 2·target or is NaN, × 1.5 where it is under target/2.

    A KL of exactly 0 tells only that nothing was learned yet, so it changes nothing. Source: rsl_rl's rule,
    Rudin et al. 2022, arXiv:2109.11978, section 2.

    Args:
        rate: the learning rate so far.
        kl: mean KL of the last step.
        target: the KL to aim for.
        limits: least and greatest rate.
    """
    if not kl <= 2 * target:
        return max(limits[0], rate / 1.5)
    return min(limits[1], rate * 1.5) if 0 < kl < target / 2 else rate


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
