"""What a policy lived through: T decisions of B environments. Axes: O observation, N = T·B."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from amble.nets.actor_critic import Critic


@dataclass
class Rollout:
    """One iteration's data, collected by one fixed policy; observations are normalised as that policy saw them."""

    observation: Float[Tensor, "T B O"]
    action: Shaped[Tensor, "T B ..."]
    """As the head drew them, before they were clipped for the environment."""
    log_prob: Float[Tensor, "T B D"]
    """Of the stored action, by independent dimension; the joint one is the sum over D."""
    reward: Float[Tensor, "T B"]
    terminated: Bool[Tensor, "T B"]
    truncated: Bool[Tensor, "T B"]
    next_observation: Float[Tensor, "B O"]
    """What followed the last decision; the first of a new episode where one ended there."""
    cut: list[tuple[int, Tensor, Tensor]]
    """Where episodes were cut and not terminated: (t, environments (n,), their final observations (n, O))."""

    @property
    def size(self) -> int:
        """N = T·B."""
        return self.reward.numel()

    @torch.no_grad()
    def values(self, critic: Critic) -> tuple[Float[Tensor, "T B"], Float[Tensor, "T B"]]:
        """V(s_t), and V of the state that each decision led to: of the *final* observation at a time limit.

        Behind a terminal state the second holds the value of the next episode's start, which nobody may read.
        """
        value = critic.value(self.observation)
        next_value = torch.cat([value[1:], critic.value(self.next_observation)[None]])
        for t, environments, final in self.cut:
            next_value[t, environments] = critic.value(final)
        return value, next_value
