"""What PPO's advantage can be made of. Axes: T decisions, B environments.

The environment's own reward is one signal; those that learn beside the policy are the room `amble.signals`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Rollout


class Aside(ABC):
    """What learns beside policy and critic, by an optimiser of its own.

    Attributes:
        networks: that only this learns, by name.
        optimisers: by name.
    """

    def __init__(self):
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, Optimiser] = {}

    @abstractmethod
    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """Learn, once the policy has learned from a rollout.

        Args:
            rollout: the one.
            env_steps: environment steps taken before it; the schedules' clock.
            rng: orders the decisions; whatever else is drawn comes from it too.
            epochs: passes that the policy's update makes.
            batch_size: decisions of one minibatch of it.

        Returns:
            Its figures.
        """


class RewardSignal(Aside):
    """Pays for a rollout's decisions.

    Attributes:
        name: `extrinsic`, `curiosity`, …
        gamma: γ of its own value.
        strength: factor on what it pays.
        ends: whether nothing more comes from it behind a terminal state. Where not, what follows is worth V of the
            next episode's start: who is curious stays so.
        sees_ends: whether it looks at what terminal states showed (`Rollout.ends`).
    """

    ends = True
    sees_ends = False

    def __init__(self, name: str, gamma: float, strength: float):
        super().__init__()
        self.name, self.gamma, self.strength = name, gamma, strength

    @abstractmethod
    def reward(self, rollout: Rollout) -> Float[Tensor, "T B"]:
        """What it pays for each decision, strength included."""


class Extrinsic(RewardSignal):
    """The environment's own reward; there is nothing to learn."""

    def __init__(self, gamma: float, strength: float):
        super().__init__("extrinsic", gamma, strength)

    def reward(self, rollout: Rollout) -> Float[Tensor, "T B"]:
        """See `RewardSignal.reward`."""
        return self.strength * rollout.reward

    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """See `Aside.learn`."""
        return {}
