"""Curiosity: a model of the environment's dynamics pays for what it did not foresee.

Pathak et al. 2017, arXiv:1705.05363 ("Intrinsic Curiosity Module"). States are compared as features φ(s), which learn
to tell the action from the states before and after it: what no action has to do with need not be foreseen.
Axes: n decisions, T, B as in a rollout, O observation, E numbers of an action (`ActionFeatures`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.reward_signals import RewardSignal
from amble.algorithms.rollout import Rollout
from amble.config import CuriosityReward
from amble.maths.curiosity import capped, curiosity_loss, forward_error, inverse_error
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.nets.mlp import mlp
from amble.nets.network import NetShape
from amble.signals.passes import passes
from amble.signals.row_net import RowNet

_MODEL_WIDTH = 256
"""Of the one hidden layer of each model, as in ML-Agents."""
ADAM_EPSILON = 1e-8


class CuriosityNet(nn.Module):
    """φ, the forward model φ̂(s_{t+1}) of φ(s_t) and a_t, and the inverse model â_t of φ(s_t) and φ(s_{t+1})."""

    def __init__(self, policy: Policy, shape: NetShape, *, normalise: bool, rng: torch.Generator):
        super().__init__()
        features, actions = shape.hidden[-1], ActionFeatures(policy.actions).size
        self.features = RowNet(policy.layout, shape, features, normalise=normalise, rng=rng)

        def model(inputs: int, outputs: int) -> nn.Sequential:
            return mlp(inputs, [_MODEL_WIDTH], outputs, activation=shape.activation, head_gain=1.0, rng=rng)

        self.forward_model = model(features + actions, features)
        self.inverse_model = model(2 * features, actions)
        self.register_buffer("has_learned", torch.zeros((), dtype=torch.bool))
        self.has_learned: Tensor

    def foresee(
        self, before: Float[Tensor, "*n O"], action: Float[Tensor, "*n E"], after: Float[Tensor, "*n O"]
    ) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n E"]]:
        """The forward model's error, and what the inverse model takes the action for."""
        phi, phi_after = self.features(before), self.features(after)
        foreseen = self.forward_model(torch.cat([phi, action], dim=-1))
        return forward_error(foreseen, phi_after), self.inverse_model(torch.cat([phi, phi_after], dim=-1))


class Curiosity(RewardSignal):
    """min(½ ‖φ̂ - φ‖², 1/strength) · strength; 0 until something was learned."""

    ends, sees_ends = False, True

    def __init__(self, policy: Policy, settings: CuriosityReward, shape: NetShape, rng: torch.Generator):
        super().__init__("curiosity", settings.gamma, settings.strength)
        self.net = CuriosityNet(policy, shape, normalise=settings.network_settings.normalize, rng=rng)
        self._actions = ActionFeatures(policy.actions).to(policy.device)
        optimiser = Optimiser(
            self.net.parameters(), settings.learning_rate, epsilon=ADAM_EPSILON, max_grad_norm=None
        )
        self.networks, self.optimisers = {self.name: self.net}, {self.name: optimiser}

    @torch.no_grad()
    def reward(self, rollout: Rollout) -> Float[Tensor, "T B"]:
        """See `RewardSignal.reward`."""
        if not self.net.has_learned:
            return torch.zeros_like(rollout.reward)
        actions = self._actions.features(*self._actions.apart(rollout.action))
        error, _ = self.net.foresee(rollout.observation, actions, rollout.followed())
        return self.strength * capped(error, self.strength)

    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """See `Aside.learn`."""
        before, after = rollout.observation.flatten(0, 1), rollout.followed().flatten(0, 1)
        numbers, choices = self._actions.apart(rollout.action.flatten(0, 1))
        actions = self._actions.features(numbers, choices)

        def loss(index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            error, guessed = self.net.foresee(before[index], actions[index], after[index])
            taken = actions[index, : self._actions.continuous]
            inverse = inverse_error(guessed, taken, choices[index], self._actions.branches)
            figures = {"curiosity_forward_loss": error.mean(), "curiosity_inverse_loss": inverse.mean()}
            return curiosity_loss(error, inverse), figures

        figures = passes(
            loss,
            len(before),
            self.optimisers[self.name],
            rng,
            epochs=epochs,
            batch_size=batch_size,
            device=before.device,
        )
        self.net.features.take_in(before)
        self.net.has_learned.fill_(True)
        return figures
