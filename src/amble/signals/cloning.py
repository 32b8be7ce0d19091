"""Behavioural cloning: after each update, gradient steps towards what a demonstration does.

Axes: n decisions, or S sequences of L decisions where the policy has a memory.
"""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.reward_signals import Aside
from amble.algorithms.rollout import Rollout
from amble.config import CloningSettings, PPOHyperparameters
from amble.maths.imitation import cloning_loss
from amble.maths.schedules import scheduled
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.nets.memory import Remembered
from amble.signals.demonstrations import Expert
from amble.signals.passes import passes

_FINAL_LEARNING_RATE = 1e-10


class Cloning(Aside):
    """Steps of the policy by an Adam of its own; they fade out over `steps` environment steps."""

    def __init__(
        self,
        policy: Policy,
        settings: CloningSettings,
        trainer: PPOHyperparameters,
        expert: Expert,
        sequence_length: int,
    ):
        """`sequence_length` matters to a policy with a memory: the demonstration is cut into sequences, each of which
        begins with nothing remembered, as in ML-Agents; what is left over at its end is not learned from."""
        super().__init__()
        self._policy, self._settings = policy, settings
        self._actions = ActionFeatures(policy.actions).to(policy.device)
        self._learning_rate = settings.strength * trainer.learning_rate
        length = min(sequence_length, len(expert)) if policy.memory_size else None
        self._batch_size = (settings.batch_size or trainer.batch_size) // (length or 1)
        self._observation, self._numbers, self._action = (
            _in_sequences(x, length) for x in (expert.observation, expert.numbers, expert.action)
        )
        self._remembered = None
        if length is not None:
            begins = _in_sequences(expert.begins, length)
            state = policy.nothing_remembered(len(begins))
            assert state is not None
            self._remembered = Remembered(state, begins)
        self._optimiser = Optimiser(
            policy.parameters(),
            self._learning_rate,
            epsilon=trainer.adam_epsilon,
            max_grad_norm=trainer.max_grad_norm,
        )
        self.optimisers = {"cloning": self._optimiser}

    def learn(
        self, rollout: Rollout, env_steps: int, rng: torch.Generator, *, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """See `Aside.learn`; nothing once it has faded out."""
        s = self._settings
        if 0 < s.steps <= env_steps:
            return {}
        if s.steps:
            self._optimiser.learning_rate = scheduled(
                "linear", self._learning_rate, _FINAL_LEARNING_RATE, env_steps, s.steps
            )
        decisions = self._numbers.shape[:-1].numel() // len(self._numbers)
        each = max(1, self._batch_size * decisions)
        return passes(
            self._loss,
            len(self._observation),
            self._optimiser,
            rng,
            epochs=s.num_epoch or epochs,
            batch_size=self._batch_size,
            device=self._observation.device,
            at_most=max(1, s.samples_per_update // each) if s.samples_per_update else None,
        )

    def _loss(self, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        policy, head = self._policy, self._policy.head
        remembered = None if self._remembered is None else self._remembered.take(index)
        output = policy(policy.normalised(self._observation[index]), remembered)
        numbers, _ = self._actions.apart(head.mode(output))
        log_probs = output[..., :0]
        if self._actions.branches:
            log_probs = head.log_probs(output, self._action[index])[..., self._actions.continuous :]
        loss = cloning_loss(numbers, self._numbers[index], log_probs)
        return loss, {"cloning_loss": loss}


def _in_sequences(x: Shaped[Tensor, "n ..."], length: int | None) -> Shaped[Tensor, "..."]:
    """(S, L, …), or x itself without a length."""
    return x if length is None else x[: len(x) // length * length].unflatten(0, (-1, length))
