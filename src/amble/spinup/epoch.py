"""One epoch of experience, and what each action was worth. Axes: N samples, O observation, A action.

The epoch's N decisions are those of trajectories one after the other. A trajectory ends where the episode does
(terminated), at a time limit, or with the epoch itself; the last two are cut, and V of the final observation
stands for what was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from amble.maths.advantages import gae
from amble.maths.statistics import standardise


@dataclass(frozen=True)
class Trajectories:
    """What the environment gave."""

    observation: Float[Tensor, "N *O"]
    action: Shaped[Tensor, "N *A"]
    reward: Float[Tensor, "N"]
    lengths: list[int]
    """Decisions of each trajectory; their sum is N."""
    terminated: list[bool]
    """Of each trajectory: whether its end was a terminal state."""
    final_observation: Float[Tensor, "K *O"]
    """The observation after each trajectory's last decision; K trajectories."""
    episode_returns: list[float]
    """Of the episodes that ended, the epoch's cut not counted."""
    episode_lengths: list[int]


@dataclass(frozen=True)
class Epoch:
    """What an update learns from."""

    observation: Float[Tensor, "N *O"]
    action: Shaped[Tensor, "N *A"]
    log_prob: Float[Tensor, "N"]
    """log π_θk of the actions, under the policy that drew them."""
    advantage: Float[Tensor, "N"]
    """GAE(γ, λ), standardised over the epoch."""
    value_target: Float[Tensor, "N"]
    """Reward-to-go, with γ^l V of the final observation where the trajectory was cut."""
    value: Float[Tensor, "N"]


@torch.no_grad()
def judge(trajectories: Trajectories, actor_critic: Any, gamma: float, lam: float) -> Epoch:
    """Advantages (E16) and value targets (E11) of an epoch; V and log π in one call for all of it."""
    t = trajectories
    _, log_prob = actor_critic.pi(t.observation, t.action)
    value, final_value = actor_critic.v(t.observation), actor_critic.v(t.final_observation)

    # V of the state behind each decision: that of the next one, and at a trajectory's end of its final observation.
    last = torch.tensor(t.lengths).cumsum(0) - 1
    next_value = value.roll(-1)
    next_value[last] = final_value
    ended = torch.tensor(t.terminated)
    terminated = torch.zeros(len(value), dtype=torch.bool).index_put((last,), ended)
    truncated = torch.zeros(len(value), dtype=torch.bool).index_put((last,), ~ended)

    # One trajectory a column, as many steps backwards as the longest has: padding lies behind an end and is cut off.
    columns = [
        pad_sequence(list(x.split(t.lengths))) for x in (t.reward, value, next_value, terminated, truncated)
    ]
    inside = pad_sequence(list(torch.ones_like(terminated).split(t.lengths)))
    advantage = _lines(gae(*columns, gamma=gamma, lam=lam), inside)
    to_go = _lines(gae(*columns, gamma=gamma, lam=1.0), inside) + value
    return Epoch(t.observation, t.action, log_prob, standardise(advantage), to_go, value)


def _lines(columns: Float[Tensor, "T K"], inside: Bool[Tensor, "T K"]) -> Float[Tensor, "N"]:
    """The columns one after the other, without their padding."""
    return columns.T[inside.T]
