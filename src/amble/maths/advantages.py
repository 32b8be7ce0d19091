"""How much better an action was than expected. Axes: T decisions, B environments.

Values are indexed as the rewards are: `value[t]` is V(s_t), `next_value[t]` is V of the state that decision t led
to, which at the end of an episode is its *final* observation and not the first one of the next episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from amble.maths.returns import reward_to_go


def td_error(
    reward: Float[Tensor, "T B"],
    value: Float[Tensor, "T B"],
    next_value: Float[Tensor, "T B"],
    terminated: Bool[Tensor, "T B"],
    gamma: float,
) -> Float[Tensor, "T B"]:
    """E15: δ_t = r_t + γ V(s_{t+1}) - V(s_t), where V = 0 behind a terminal state.

    A time limit is no terminal state: there V of the final observation stands for the rewards that were cut off.
    What stands in `next_value` at a terminal state is never read, so not even a NaN there does harm.
    """
    return reward + gamma * torch.where(terminated, 0.0, next_value) - value


def gae(
    reward: Float[Tensor, "T B"],
    value: Float[Tensor, "T B"],
    next_value: Float[Tensor, "T B"],
    terminated: Bool[Tensor, "T B"],
    truncated: Bool[Tensor, "T B"],
    *,
    gamma: float,
    lam: float,
) -> Float[Tensor, "T B"]:
    """E16: A_t = Σ_l (γλ)^l δ_{t+l}, backwards as A_t = δ_t + γλ A_{t+1}, stopping at every episode's end.

    It is the reward-to-go (E11) of δ, discounted by γλ.
    λ = 0 is the TD error (E15), λ = 1 the reward-to-go less the value (E12, bootstrapped where it was cut).
    Source: Schulman et al. 2016, arXiv:1506.02438, equation 16.

    Args:
        reward: r_t.
        value: V(s_t).
        next_value: V of the state that decision t led to; at a truncation that of the final observation.
        terminated: the episode ended in a terminal state with decision t.
        truncated: the episode was cut with decision t.
        gamma: γ.
        lam: λ.
    """
    delta = td_error(reward, value, next_value, terminated, gamma)
    return reward_to_go(delta, terminated | truncated, gamma * lam)


def combined(advantages: Sequence[Float[Tensor, "T B"]], how: Literal["sum", "mean"]) -> Float[Tensor, "T B"]:
    """A = Σ_k A_k of several rewards, or their mean as in ML-Agents; how much each counts is in its A_k already."""
    if len(advantages) == 1:
        return advantages[0]
    total = torch.stack(list(advantages)).sum(dim=0)
    return total if how == "sum" else total / len(advantages)
