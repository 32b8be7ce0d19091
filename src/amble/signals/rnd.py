"""Random network distillation: states pay until a network knows what a fixed random one says of them.

Burda et al. 2018, arXiv:1810.12894. Axes: T, B as in a rollout, O observation, F features.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.reward_signals import RewardSignal
from amble.algorithms.rollout import Rollout
from amble.config import RndReward
from amble.maths.curiosity import distillation_error
from amble.nets.actor_critic import Policy
from amble.nets.network import NetShape
from amble.signals.curiosity import ADAM_EPSILON
from amble.signals.passes import passes
from amble.signals.row_net import RowNet


class RndNets(nn.Module):
    """The fixed network f and the one that learns it, f̂, of the same shape."""

    def __init__(self, policy: Policy, shape: NetShape, *, normalise: bool, rng: torch.Generator):
        super().__init__()
        features = shape.hidden[-1]
        self.target = RowNet(policy.layout, shape, features, normalise=normalise, rng=rng)
        self.predictor = RowNet(policy.layout, shape, features, normalise=normalise, rng=rng)
        self.target.requires_grad_(requires_grad=False)

    def forward(self, rows: Float[Tensor, "*n O"]) -> Float[Tensor, "*n"]:
        """What is not known yet of each state."""
        return distillation_error(self.predictor(rows), self.target(rows))


class Rnd(RewardSignal):
    """strength · ‖f̂(s_{t+1}) - f(s_{t+1})‖²."""

    ends, sees_ends = False, True

    def __init__(self, policy: Policy, settings: RndReward, shape: NetShape, rng: torch.Generator):
        super().__init__("rnd", settings.gamma, settings.strength)
        self.nets = RndNets(policy, shape, normalise=settings.network_settings.normalize, rng=rng)
        optimiser = Optimiser(
            self.nets.predictor.parameters(),
            settings.learning_rate,
            epsilon=ADAM_EPSILON,
            max_grad_norm=None,
        )
        self.networks, self.optimisers = {self.name: self.nets}, {self.name: optimiser}

    @torch.no_grad()
    def reward(self, rollout: Rollout) -> Float[Tensor, "T B"]:
        """See `RewardSignal.reward`."""
        return self.strength * self.nets(rollout.followed())

    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """See `Aside.learn`."""
        rows = rollout.followed().flatten(0, 1)

        def loss(index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            error = self.nets(rows[index]).mean()
            return error, {"rnd_loss": error}

        figures = passes(
            loss,
            len(rows),
            self.optimisers[self.name],
            rng,
            epochs=epochs,
            batch_size=batch_size,
            device=rows.device,
        )
        self.nets.target.take_in(rows)
        self.nets.predictor.take_in(rows)
        return figures
