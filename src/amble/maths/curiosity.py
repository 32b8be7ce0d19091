"""Rewards for what is new. Axes: N samples, F features, A continuous dimensions, D branches, E = A + their choices."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from amble.maths import categorical

_FORWARD_SHARE = 0.2
_SCALE = 10.0


def forward_error(predicted: Float[Tensor, "*n F"], actual: Float[Tensor, "*n F"]) -> Float[Tensor, "*n"]:
    """½ ‖φ̂(s_{t+1}) - φ(s_{t+1})‖²: what a model of the dynamics did not foresee, and curiosity's reward.

    Source: Pathak et al. 2017, arXiv:1705.05363, equations 5 and 6.
    """
    return 0.5 * (predicted - actual).square().sum(-1)


def inverse_error(
    predicted: Float[Tensor, "*n E"],
    numbers: Float[Tensor, "*n A"],
    choices: Int[Tensor, "*n D"],
    branches: Sequence[int],
) -> Float[Tensor, "*n"]:
    """‖â - a‖² - Σ_d log p̂(c_d): how badly the action is told from the states before and after it.

    Source: Pathak et al. 2017, arXiv:1705.05363, equations 2 and 3; the square is ML-Agents'.

    Args:
        predicted: â, then the logits of every branch.
        numbers: a, the continuous dimensions.
        choices: c, the choice of each branch.
        branches: how many choices each of the D branches has.
    """
    at = numbers.shape[-1]
    error = (predicted[..., :at] - numbers).square().sum(-1)
    for d, count in enumerate(branches):
        log_prob = categorical.log_probs(predicted[..., at : at + count])
        error = error - categorical.log_density(choices[..., d], log_prob)
        at += count
    return error


def curiosity_loss(forward: Float[Tensor, "*n"], inverse: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """10 · (0.2 · mean(forward error) + 0.8 · mean(inverse error)).

    Source: Pathak et al. 2017, arXiv:1705.05363, equation 7, with β = 0.2; the 10 is ML-Agents'.
    """
    return _SCALE * (_FORWARD_SHARE * forward.mean() + (1 - _FORWARD_SHARE) * inverse.mean())


def capped(reward: Float[Tensor, "*n"], strength: float) -> Float[Tensor, "*n"]:
    """min(r, 1/strength): ML-Agents' bound, so that a decision's curiosity counts for 1 at most."""
    return reward.clamp(max=1 / strength) if strength > 0 else reward


def distillation_error(
    predicted: Float[Tensor, "*n F"], target: Float[Tensor, "*n F"]
) -> Float[Tensor, "*n"]:
    """‖f̂(s) - f(s)‖²: what a network does not know yet of a fixed random one; RND's reward, and its loss in the mean.

    Source: Burda et al. 2018, arXiv:1810.12894, section 2.2.
    """
    return (predicted - target).square().sum(-1)
