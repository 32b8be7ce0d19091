"""Proximal policy optimisation. Schulman et al. 2017, arXiv:1707.06347; the lecture's E16, E18, E22, E23."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.algorithm import Algorithm, Figures, Problem, beta_at, rate_at
from amble.algorithms.diagnostics import ImportanceDiagnostics
from amble.algorithms.mirror import Mirror
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.reward_signals import Aside, Extrinsic, RewardSignal
from amble.algorithms.rollout import Rollout, Samples, horizon_ends, known, minibatches
from amble.algorithms.tally import Tally
from amble.config import PPOHyperparameters
from amble.maths.advantages import combined, gae
from amble.maths.importance import kl_estimate, ratio
from amble.maths.schedules import scheduled
from amble.maths.statistics import explained_variance, standardise
from amble.maths.surrogates import (
    adapted_coefficient,
    adapted_learning_rate,
    clip_fraction,
    clipped_surrogate,
    clipped_value_loss,
    kl_penalty_loss,
    value_loss,
)
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic

# Where ML-Agents' linear schedule ends.
_FINAL_EPSILON = 0.1


class Epoch(Protocol):
    """One pass over the rollout; `amble.learner` has another way of carrying it out than PPO's own."""

    def __call__(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        """A step of `optimiser` down E23's gradient for each minibatch.

        Args:
            samples: the rollout.
            order: which samples make each minibatch.
            epsilon: ε of the clip.
            beta: β of the entropy.

        Returns:
            Each step's losses, entropy, `kl`, `clip_fraction`, `ratio`, `grad_norm`; `skipped_steps` is 1 for one
            that was left out because loss or gradient was not finite, else 0.
        """
        ...


class PPO(Algorithm):
    """Several epochs of minibatches a rollout, the policy kept near the one that collected it.

    Attributes:
        signals: what the advantage is made of; each has a value of its own.
        asides: what learns after each update: the signals that do, and whatever else there is.
        mirror: what shows half of the samples to the update in a mirror; None for none.
        epoch: carries out an epoch's gradient steps; torch's loop unless another is put here.
    """

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        settings: PPOHyperparameters,
        problem: Problem,
        rng: torch.Generator,
        *,
        signals: Sequence[RewardSignal] = (),
        asides: Sequence[Aside] = (),
        mirror: Mirror | None = None,
    ):
        """As `Algorithm`. The critic has a value of each of the `signals`; without any, the problem's reward is it."""
        super().__init__(policy, problem, rng, critic=critic)
        self.critic, self.settings, self.mirror = critic, settings, mirror
        self.signals = list(signals) or [Extrinsic(problem.gamma, problem.reward_strength)]
        self.asides = [*self.signals, *asides]
        self.optimiser = Optimiser(
            self.parameters,
            settings.learning_rate,
            epsilon=settings.adam_epsilon,
            max_grad_norm=settings.max_grad_norm,
        )
        for aside in self.asides:
            self.networks |= aside.networks
            self.optimisers |= aside.optimisers
        self.optimisers["ppo" if self.optimisers else ""] = self.optimiser
        self.kl_coefficient = settings.kl_coefficient
        self.epoch: Epoch = self._torch_epoch

    def update(self, rollout: Rollout, env_steps: int) -> Figures:
        """Improve policy and critic by one rollout; see `Algorithm.update`."""
        s = self.settings
        epsilon, beta = self._follow_schedules(env_steps)
        desired_kl = self._desired_kl(env_steps)

        value, next_value = rollout.values(self.critic)
        rewards = [signal.reward(rollout) for signal in self.signals]
        advantages = self._advantages(rollout, rewards, value, next_value)
        value_target = self.critic.together(advantages) + value
        advantage = combined(advantages, s.advantage_combination)
        if s.advantage_normalization == "rollout":
            advantage = standardise(advantage)
        self.critic.take_in(value_target)
        samples = rollout.as_samples(
            advantage, self.critic.to_units(value_target), self.critic.to_units(value)
        )
        if self.mirror is not None:
            samples = self.mirror.half_of(samples, self.rng)
        if s.objective == "kl_penalty":
            samples.distribution_old = self._distribution(samples)

        diagnostics = ImportanceDiagnostics(self.policy, samples)
        before = self.optimiser.snapshot()
        tally, kl, epochs = Tally(), 0.0, 0
        for _ in range(s.num_epoch):
            steps = self.epoch(samples, self._minibatches(rollout, samples), epsilon, beta)
            tally.merge(steps)
            epochs += 1
            kl = steps.means()["kl"]
            self._adapt_learning_rate(kl, desired_kl)
            if s.target_kl is not None and not kl <= s.target_kl:
                break
        rolled_back = not self.optimiser.is_finite()
        if rolled_back:
            self.optimiser.go_back(before)
        coefficient = self.kl_coefficient
        self._adapt_kl_coefficient(kl, desired_kl)

        figures: Figures = {
            **tally.means(),
            "kl": kl,
            "epochs": epochs,
            "skipped_steps": int(tally.sums["skipped_steps"]),
            "rolled_back": float(rolled_back),
            **self._judgements(rewards, value, value_target),
            "learning_rate": self.optimiser.learning_rate,
            "epsilon": epsilon,
            "beta": beta,
            **({"kl_coefficient": coefficient} if s.objective == "kl_penalty" else {}),
            **diagnostics.figures(),
        }
        for aside in self.asides:
            figures |= aside.learn(rollout, env_steps, self.rng, epochs=s.num_epoch, batch_size=s.batch_size)
        return figures

    def describe(self) -> str:
        """In a few words, what becomes of a rollout."""
        words = f"minibatches of {self.settings.batch_size}, {self.settings.num_epoch} epochs"
        if self.mirror is not None:
            words += ", half of the samples in a mirror"
        if any(not isinstance(signal, Extrinsic) for signal in self.signals):
            words += ", paid by " + " and ".join(f"{one.name} (× {one.strength:g})" for one in self.signals)
        return words

    def _advantages(
        self,
        rollout: Rollout,
        rewards: Sequence[Float[Tensor, "T B"]],
        value: Float[Tensor, "T B *R"],
        next_value: Float[Tensor, "T B *R"],
    ) -> list[Float[Tensor, "T B"]]:
        """E16 of each reward, by its own V and γ."""
        ends = rollout.done | horizon_ends(rollout, self.problem.time_horizon)
        never = torch.zeros_like(rollout.terminated)
        values = zip(self.critic.apart(value), self.critic.apart(next_value), strict=True)
        return [
            gae(
                reward,
                v,
                next_v,
                rollout.terminated if signal.ends else never,
                ends,
                gamma=signal.gamma,
                lam=self.settings.lambd,
            )
            for signal, reward, (v, next_v) in zip(self.signals, rewards, values, strict=True)
        ]

    def _judgements(
        self,
        rewards: Sequence[Float[Tensor, "T B"]],
        value: Float[Tensor, "T B *R"],
        value_target: Float[Tensor, "T B *R"],
    ) -> Figures:
        """Figures about each value, and about each reward that is not the environment's."""
        figures: Figures = {}
        values = zip(self.critic.apart(value), self.critic.apart(value_target), strict=True)
        for signal, reward, (v, target) in zip(self.signals, rewards, values, strict=True):
            prefix = "" if isinstance(signal, Extrinsic) else f"{signal.name}_"
            if prefix:
                figures[f"{prefix}reward"] = float(reward.mean())
            figures[f"{prefix}explained_variance"] = explained_variance(v, target)
            figures[f"{prefix}value_mean"] = float(v.mean())
        return figures

    def _torch_epoch(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        """`Epoch` by torch, for any network on any device."""
        tally = Tally()
        for index in order:
            loss, figures = self._loss(samples.take(index), epsilon, beta)
            figures["grad_norm"], stepped = self.optimiser.step(loss)
            tally.add({**figures, "skipped_steps": float(not stepped)})
        return tally

    def _loss(self, batch: Samples, epsilon: float, beta: float) -> tuple[Tensor, dict[str, float]]:
        """E23: L = L_π + c_v L_v - β H, all from the stored actions."""
        s, head = self.settings, self.policy.head
        output = self.policy(batch.observation, batch.policy_memory)
        log_prob, log_prob_old = head.log_probs(output, batch.action), batch.log_prob
        entropies, advantage = head.entropies(output), batch.advantage
        if s.advantage_normalization == "minibatch":
            advantage = standardise(advantage)
        if s.ratio == "joint":
            rho, entropy = ratio(log_prob.sum(-1), log_prob_old.sum(-1)), entropies.sum(-1).mean()
        else:
            rho, entropy = ratio(log_prob, log_prob_old), entropies.mean()
            advantage = advantage[..., None].expand_as(rho)

        if batch.distribution_old is None:
            policy_loss = clipped_surrogate(rho, advantage, epsilon)
        else:
            divergence = head.kl(batch.distribution_old, head.distribution(output))
            policy_loss = kl_penalty_loss(rho, advantage, divergence, self.kl_coefficient)
        loss_v = self._value_loss(self.critic(batch.observation, batch.critic_memory), batch)
        loss = policy_loss + s.value_coefficient * loss_v - beta * entropy

        with torch.no_grad():
            # The dimensions are independent, so their KLs add up to that of the action; the ratio of all at once would
            # estimate it with a variance that grows exponentially with the dimensions.
            kl = kl_estimate(rho) * (1 if s.ratio == "joint" else rho.shape[-1])
            figures = torch.stack(
                [policy_loss, loss_v, entropy, kl, clip_fraction(rho, epsilon), rho.mean()]
            ).tolist()
        names = ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "ratio")
        return loss, dict(zip(names, figures, strict=True))

    def _value_loss(self, value: Float[Tensor, "N ..."], batch: Samples) -> Float[Tensor, ""]:
        """E23's L_v, the mean over the rewards where there are several."""
        if self.settings.value_clip is None:
            return value_loss(value, known(batch.value_target))
        target, old = known(batch.value_target), known(batch.value_old)
        return clipped_value_loss(value, target, old, self.settings.value_clip)

    def _minibatches(self, rollout: Rollout, samples: Samples):
        device = samples.observation.device
        return minibatches(
            len(samples), self.settings.batch_size // rollout.sequence_length, self.rng, device
        )

    @torch.no_grad()
    def _distribution(self, samples: Samples) -> Float[Tensor, "N *L P"]:
        return self.policy.head.distribution(self.policy(samples.observation, samples.policy_memory))

    def _follow_schedules(self, env_steps: int) -> tuple[float, float]:
        """Set α, unless it follows the KL; return ε and β."""
        s = self.settings
        beta = beta_at(env_steps, s, self.problem)
        if s.learning_rate_schedule != "adaptive":
            self.optimiser.learning_rate = rate_at(env_steps, s, self.problem)
        final = min(_FINAL_EPSILON, s.epsilon)
        return scheduled(s.epsilon_schedule, s.epsilon, final, env_steps, self.problem.max_steps), beta

    def _desired_kl(self, env_steps: int) -> float:
        """By its schedule; a KL goes with the square of the step, so the step is what falls linearly."""
        s = self.settings
        left = scheduled(s.desired_kl_schedule, 1.0, 0.0, env_steps, self.problem.max_steps)
        return s.desired_kl * left**2

    def _adapt_learning_rate(self, kl: float, desired: float) -> None:
        if self.settings.learning_rate_schedule == "adaptive":
            self.optimiser.learning_rate = adapted_learning_rate(self.optimiser.learning_rate, kl, desired)

    def _adapt_kl_coefficient(self, kl: float, desired: float) -> None:
        if self.settings.objective == "kl_penalty":
            self.kl_coefficient = adapted_coefficient(self.kl_coefficient, kl, desired)

    def optimiser_tensors(self) -> dict[str, Tensor]:
        """Adam's moments, and what adapts to the KL where something does."""
        s = self.settings
        if s.learning_rate_schedule != "adaptive" and s.objective != "kl_penalty":
            return super().optimiser_tensors()
        adapted = [self.optimiser.learning_rate, self.kl_coefficient]
        return {**super().optimiser_tensors(), "adapted": torch.tensor(adapted, dtype=torch.float64)}

    def restore_optimiser(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `optimiser_tensors` gave."""
        moments = dict(tensors)
        adapted = moments.pop("adapted", None)
        super().restore_optimiser(moments)
        if adapted is not None:
            self.optimiser.learning_rate, self.kl_coefficient = adapted.tolist()
