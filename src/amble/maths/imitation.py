"""Losses and rewards of imitation. Axes: N samples, A continuous dimensions, D branches, Z of a bottleneck."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

_ALMOST_1 = 1 - 1e-7
_TINY = 1e-7


def imitation_reward(estimate: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """-log(1 - D·(1 - 1e-7)), D in (0, 1) being how sure the discriminator is that it sees a demonstration.

    From 0 up to 16.1; never negative, so that a policy it pays also stays alive.
    Source: Ho, Ermon 2016, arXiv:1606.03476, with ML-Agents' sign and bound.
    """
    return -torch.log(1 - estimate * _ALMOST_1)


def discriminator_loss(expert: Float[Tensor, "*n"], policy: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """-mean(log D(expert)) - mean(log(1 - D(policy))), of logits: D = σ(logit).

    Source: Ho, Ermon 2016, arXiv:1606.03476, algorithm 1, the expert called 1.
    """
    return -logsigmoid(expert).mean() - logsigmoid(-policy).mean()


def gradient_penalty(gradient: Float[Tensor, "n I"]) -> Float[Tensor, ""]:
    """mean((‖∇_x D‖ - 1)²) at points x between the two kinds of samples.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, equation 3.
    """
    return ((gradient.square().sum(-1) + _TINY).sqrt() - 1).square().mean()


def bottleneck_kl(
    expert_mean: Float[Tensor, "n Z"], policy_mean: Float[Tensor, "n Z"], std: Float[Tensor, "Z"]
) -> Float[Tensor, ""]:
    """Mean over both kinds of samples of KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ_z (μ² + σ² - 1 - log σ²), in nats.

    Source: Peng et al. 2019, arXiv:1810.00821, equation 9.
    """
    spread = 0.5 * (std.square() - 1 - 2 * std.log()).sum()
    means = expert_mean.square().sum(-1).mean() + policy_mean.square().sum(-1).mean()
    return spread + 0.25 * means


def dual_step(beta: float, kl: float, information: float, rate: float) -> float:
    """β ← max(0, β + α (KL - I_c)): the price of information rises while more than I_c passes the bottleneck.

    Source: Peng et al. 2019, arXiv:1810.00821, equation 11.
    """
    return max(0.0, beta + rate * (kl - information))


def cloning_loss(
    numbers: Float[Tensor, "*n A"],
    expert_numbers: Float[Tensor, "*n A"],
    expert_log_probs: Float[Tensor, "*n D"],
) -> Float[Tensor, ""]:
    """mean((a - a*)²) - mean(log π(c*|s)): the likeliest numbers against the demonstration's, its choices' likelihood.

    The square, not the density, so that the policy's noise stays its own: a demonstration without noise would take
    all of it away, and with it what the reward is learned by. Either part is left out where the action has none such.

    Args:
        numbers: a, what the policy would do, each dimension's range being [-1, 1].
        expert_numbers: a*, in the same range.
        expert_log_probs: log π of the demonstration's choices, by branch.
    """
    loss = numbers.new_zeros(())
    if numbers.shape[-1]:
        loss = loss + (numbers - expert_numbers).square().mean()
    if expert_log_probs.shape[-1]:
        loss = loss - expert_log_probs.mean()
    return loss
