"""Vanilla policy gradient: one gradient, many weights. The lecture's E9 with E10 to E16.

Williams 1992, "Simple statistical gradient-following algorithms" (REINFORCE); Sutton et al. 2000, "Policy gradient
methods for reinforcement learning with function approximation" (the critics).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.algorithm import Algorithm, Figures, GradientStep, Problem, beta_at, rate_at
from amble.algorithms.critic_fit import Fit, fit
from amble.algorithms.diagnostics import ImportanceDiagnostics
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Rollout, Samples, horizon_ends
from amble.config import Estimator, PGHyperparameters
from amble.maths.advantages import gae, td_error
from amble.maths.estimators import advantage_weight, baseline, q_weight, total_return
from amble.maths.returns import reward_to_go
from amble.maths.statistics import explained_variance, standardise
from amble.maths.surrogates import policy_gradient_loss
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic, ExpectedQ, QCritic

NEEDS_VALUE: tuple[Estimator, ...] = ("baseline", "advantage", "td", "gae")
"""The estimators that learn V(s)."""
NEEDS_Q: tuple[Estimator, ...] = ("q", "advantage")
"""The estimators that learn Q(s, a)."""


@dataclass(frozen=True)
class _Judged:
    """A rollout in the critics' eyes; zeros where the estimator has no such critic."""

    weight: Float[Tensor, "T B"]
    """Φ, what each decision's log-probability is weighted by."""
    value: Float[Tensor, "T B"]
    value_target: Float[Tensor, "T B"]
    """The λ-return, what V learns."""
    q: Float[Tensor, "T B"]
    q_target: Float[Tensor, "T B"]
    """The λ-return on the values that Q implies, what Q learns; λ = 0 is expected SARSA, λ = 1 Monte Carlo."""


class PG(Algorithm):
    """One step up the gradient a rollout, weighted by what the estimator says of each decision.

    Attributes:
        step: takes the policy's gradient step; torch's unless another is put here.
        fit: takes the critics' gradient steps, likewise.
    """

    def __init__(
        self,
        policy: Policy,
        settings: PGHyperparameters,
        problem: Problem,
        rng: torch.Generator,
        *,
        critic: Critic | None = None,
        q_critic: QCritic | None = None,
    ):
        super().__init__(policy, problem, rng, critic=critic, q_critic=q_critic)
        self.settings, self.critic, self.q_critic = settings, critic, q_critic
        epsilon, limit = settings.adam_epsilon, settings.max_grad_norm
        self.optimisers = {
            name: Optimiser(
                network.parameters(),
                settings.learning_rate if name == "policy" else settings.critic_learning_rate,
                epsilon=epsilon,
                max_grad_norm=limit,
            )
            for name, network in self.networks.items()
        }
        self.step: GradientStep = self._torch_step
        self.fit: Fit = fit

    def update(self, rollout: Rollout, env_steps: int) -> Figures:
        """Improve the policy by one step, then fit the critics; see `Algorithm.update`."""
        optimiser = self.optimisers["policy"]
        optimiser.learning_rate = rate_at(env_steps, self.settings, self.problem)
        beta = beta_at(env_steps, self.settings, self.problem)

        judged = self._judge(rollout)
        weight = judged.weight
        if self.settings.advantage_normalization == "rollout":
            weight = standardise(weight)
        samples = rollout.as_samples(weight)
        diagnostics = ImportanceDiagnostics(self.policy, samples)

        figures: Figures = {
            **self.step(samples, beta),
            "learning_rate": optimiser.learning_rate,
            "beta": beta,
            **diagnostics.figures(),
        }
        if self.critic is not None:
            figures |= self._fit_critic(self.critic, rollout, samples, judged)
        if self.q_critic is not None:
            figures |= self._fit_q_critic(self.q_critic, rollout, samples, judged)
        return figures

    def describe(self) -> str:
        """In a few words, what becomes of a rollout."""
        return f"estimator {self.settings.estimator}, one step a rollout"

    def _torch_step(self, samples: Samples, beta: float) -> dict[str, float]:
        """`GradientStep` by torch: down L_π - β H, with L_π = -mean(log π(a|s) Φ)."""
        head = self.policy.head
        output = self.policy(samples.observation, samples.policy_memory)
        policy_loss = policy_gradient_loss(head.log_probs(output, samples.action).sum(-1), samples.advantage)
        entropy = head.entropies(output).sum(-1).mean()
        norm, stepped = self.optimisers["policy"].step(policy_loss - beta * entropy)
        return {
            "policy_loss": float(policy_loss.detach()),
            "entropy": float(entropy.detach()),
            "grad_norm": norm,
            "skipped_steps": float(not stepped),
        }

    def _judge(self, rollout: Rollout) -> _Judged:
        """What the critics say of a rollout, what they learn from it, and Φ of the estimator."""
        s, gamma = self.settings, self.problem.gamma
        reward = self.problem.reward_strength * rollout.reward
        terminated = rollout.terminated
        truncated = rollout.truncated | horizon_ends(rollout, self.problem.time_horizon)
        value = next_value = value_target = q = q_target = torch.zeros_like(reward)
        if self.critic is not None:
            value, next_value = rollout.values(self.critic)
            ahead = gae(reward, value, next_value, terminated, truncated, gamma=gamma, lam=s.lambd)
            value_target = value + ahead
        if self.q_critic is not None:
            expected, next_expected = rollout.values(ExpectedQ(self.q_critic, self.policy, self.rng))
            ahead = gae(reward, expected, next_expected, terminated, truncated, gamma=gamma, lam=s.lambd)
            q_target = expected + ahead
            with torch.no_grad():
                q = self.q_critic.value(rollout.observation, rollout.action)

        match s.estimator:
            # Without V nothing could go on from a horizon, so these two are not cut there.
            case "total_return":  # E10
                weight = total_return(reward, rollout.done, gamma)
            case "reward_to_go":  # E11
                weight = reward_to_go(reward, rollout.done, gamma)
            case "baseline":  # E12
                weight = baseline(reward, value, next_value, terminated, truncated, gamma=gamma)
            case "q":  # E13
                weight = q_weight(q)
            case "advantage":  # E14
                weight = advantage_weight(q, value)
            case "td":  # E15
                weight = td_error(reward, value, next_value, terminated, gamma)
            case "gae":  # E16
                weight = gae(reward, value, next_value, terminated, truncated, gamma=gamma, lam=s.lambd)
        return _Judged(weight, value, value_target, q, q_target)

    def _fit_critic(
        self, critic: Critic, rollout: Rollout, samples: Samples, judged: _Judged
    ) -> dict[str, float]:
        s = self.settings
        critic.take_in(judged.value_target)
        samples.value_target = rollout.samples(critic.to_units(judged.value_target))
        loss, skipped = self.fit(
            lambda batch: critic(batch.observation, batch.critic_memory),
            samples,
            self.optimisers["critic"],
            self.rng,
            epochs=s.critic_epochs,
            batch_size=s.batch_size // rollout.sequence_length,
        )
        return {
            "value_loss": loss,
            "skipped_value_steps": skipped,
            "value_mean": float(judged.value.mean()),
            "explained_variance": explained_variance(judged.value, judged.value_target),
        }

    def _fit_q_critic(
        self, q_critic: QCritic, rollout: Rollout, samples: Samples, judged: _Judged
    ) -> dict[str, float]:
        s = self.settings
        q_critic.take_in(judged.q_target)
        samples.value_target = rollout.samples(q_critic.to_units(judged.q_target))
        loss, skipped = self.fit(
            lambda batch: q_critic(batch.observation, batch.action),
            samples,
            self.optimisers["q_critic"],
            self.rng,
            epochs=s.critic_epochs,
            batch_size=s.batch_size,
        )
        return {
            "q_loss": loss,
            "skipped_q_steps": skipped,
            "q_mean": float(judged.q.mean()),
            "q_explained_variance": explained_variance(judged.q, judged.q_target),
        }
