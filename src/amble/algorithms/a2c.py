"""Synchronous advantage actor-critic: one gradient step of the whole loss a short rollout. The lecture's E14, E16, E23.

Mnih et al. 2016, arXiv:1602.01783, without the asynchrony (that is `a3c.py`). λ = 1 makes the advantage the n-step
return less V, n = T.
"""

from __future__ import annotations

import torch
from torch import Tensor

from amble.algorithms.algorithm import Algorithm, Figures, GradientStep, Problem, beta_at, rate_at
from amble.algorithms.diagnostics import ImportanceDiagnostics
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Rollout, Samples, horizon_ends, known
from amble.config import A2CHyperparameters
from amble.maths.advantages import gae
from amble.maths.statistics import explained_variance, standardise
from amble.maths.surrogates import policy_gradient_loss, value_loss
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic


class A2C(Algorithm):
    """Actor and critic step together, each rollout is used once.

    Attributes:
        step: takes the gradient step; torch's unless another is put here.
    """

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        settings: A2CHyperparameters,
        problem: Problem,
        rng: torch.Generator,
    ):
        super().__init__(policy, problem, rng, critic=critic)
        self.critic, self.settings = critic, settings
        self.optimiser = Optimiser(
            self.parameters,
            settings.learning_rate,
            epsilon=settings.adam_epsilon,
            max_grad_norm=settings.max_grad_norm,
        )
        self.optimisers = {"": self.optimiser}
        self.step: GradientStep = self._torch_step

    def update(self, rollout: Rollout, env_steps: int) -> Figures:
        """Improve policy and critic by one rollout; see `Algorithm.update`."""
        self.optimiser.learning_rate = rate_at(env_steps, self.settings, self.problem)
        beta = beta_at(env_steps, self.settings, self.problem)
        samples, figures = self.samples(rollout)
        diagnostics = ImportanceDiagnostics(self.policy, samples)
        return {
            **self.step(samples, beta),
            **figures,
            "learning_rate": self.optimiser.learning_rate,
            "beta": beta,
            **diagnostics.figures(),
        }

    def describe(self) -> str:
        """In a few words, what becomes of a rollout."""
        return "one step a rollout"

    def samples(self, rollout: Rollout) -> tuple[Samples, dict[str, float]]:
        """The rollout with its advantages and what V learns, and figures about the critic."""
        s, problem = self.settings, self.problem
        value, next_value = rollout.values(self.critic)
        advantage = gae(
            problem.reward_strength * rollout.reward,
            value,
            next_value,
            rollout.terminated,
            rollout.truncated | horizon_ends(rollout, problem.time_horizon),
            gamma=problem.gamma,
            lam=s.lambd,
        )
        value_target = advantage + value
        self.critic.take_in(value_target)
        if s.advantage_normalization == "rollout":
            advantage = standardise(advantage)
        figures = {
            "explained_variance": explained_variance(value, value_target),
            "value_mean": float(value.mean()),
        }
        return rollout.as_samples(advantage, self.critic.to_units(value_target)), figures

    def _torch_step(self, samples: Samples, beta: float) -> dict[str, float]:
        """`GradientStep` by torch, for any network on any device."""
        loss, losses = self.loss(samples, beta)
        norm, stepped = self.optimiser.step(loss)
        return {**losses, "grad_norm": norm, "skipped_steps": float(not stepped)}

    def loss(self, samples: Samples, beta: float) -> tuple[Tensor, dict[str, float]]:
        """E23: L = L_π + c_v L_v - β H, with L_π = -mean(log π(a|s) A)."""
        head = self.policy.head
        output = self.policy(samples.observation, samples.policy_memory)
        policy_loss = policy_gradient_loss(head.log_probs(output, samples.action).sum(-1), samples.advantage)
        entropy = head.entropies(output).sum(-1).mean()
        value = self.critic(samples.observation, samples.critic_memory)
        loss_v = value_loss(value, known(samples.value_target))
        loss = policy_loss + self.settings.value_coefficient * loss_v - beta * entropy
        policy_figure, value_figure, entropy_figure = torch.stack(
            [policy_loss.detach(), loss_v.detach(), entropy.detach()]
        ).tolist()
        return loss, {"policy_loss": policy_figure, "value_loss": value_figure, "entropy": entropy_figure}
