"""Proximal policy optimisation. Schulman et al. 2017, arXiv:1707.06347; the lecture's E16, E18, E22, E23."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from amble.algorithms.rollout import Rollout
from amble.config import Hyperparameters
from amble.maths.advantages import gae
from amble.maths.importance import kl_estimate, ratio
from amble.maths.schedules import scheduled
from amble.maths.statistics import explained_variance, standardise
from amble.maths.surrogates import clip_fraction, clipped_surrogate, clipped_value_loss, value_loss
from amble.nets.actor_critic import Critic, Policy

# Where ML-Agents' linear schedules end.
_FINAL_LEARNING_RATE, _FINAL_BETA, _FINAL_EPSILON = 1e-10, 1e-5, 0.1


@dataclass
class _Samples:
    """A minibatch, or a whole rollout flattened to N samples."""

    observation: Float[Tensor, "N O"]
    action: Tensor
    log_prob: Float[Tensor, "N D"]
    advantage: Float[Tensor, "N"]
    value_target: Float[Tensor, "N"]
    value_old: Float[Tensor, "N"]

    def take(self, index: Tensor) -> _Samples:
        return _Samples(**{name: tensor[index] for name, tensor in vars(self).items()})


@dataclass
class _Tally:
    """Means over the gradient steps of one update."""

    sums: dict[str, float] = field(default_factory=dict[str, float])
    count: int = 0

    def add(self, figures: dict[str, float]) -> None:
        self.count += 1
        for name, figure in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + figure

    def means(self) -> dict[str, float]:
        return {name: total / self.count for name, total in self.sums.items()}


class PPO:
    """Improves a policy and its critic by one rollout at a time."""

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        settings: Hyperparameters,
        *,
        gamma: float,
        reward_strength: float,
        time_horizon: int,
        max_steps: int,
        rng: torch.Generator,
    ):
        self.policy, self.critic, self.settings = policy, critic, settings
        self.gamma, self.reward_strength, self.time_horizon = gamma, reward_strength, time_horizon
        self.max_steps, self.rng = max_steps, rng
        self.parameters: list[nn.Parameter] = [*policy.parameters(), *critic.parameters()]
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=settings.learning_rate, eps=settings.adam_epsilon, fused=True
        )

    def update(self, rollout: Rollout, env_steps: int) -> dict[str, float]:
        """Improve policy and critic by one rollout.

        Args:
            rollout: collected by the policy as it stands.
            env_steps: environment steps taken before it; the schedules' clock.

        Returns:
            Means over the gradient steps: losses, entropy (nats), KL of the last epoch, and the like.
        """
        s = self.settings
        epsilon, beta = self._schedule(env_steps)

        value, next_value = rollout.values(self.critic)
        advantage = gae(
            self.reward_strength * rollout.reward,
            value,
            next_value,
            rollout.terminated,
            rollout.truncated | self._horizon_ends(rollout),
            gamma=self.gamma,
            lam=s.lambd,
        )
        value_target = advantage + value
        if s.advantage_normalization == "rollout":
            advantage = standardise(advantage)
        self.critic.take_in(value_target)
        samples = _Samples(
            observation=rollout.observation.flatten(0, 1),
            action=rollout.action.flatten(0, 1),
            log_prob=rollout.log_prob.flatten(0, 1),
            advantage=advantage.flatten(),
            value_target=self.critic.to_units(value_target).flatten(),
            value_old=self.critic.to_units(value).flatten(),
        )

        before = self._snapshot()
        tally, kl, epochs, skipped = _Tally(), 0.0, 0, 0
        for _ in range(s.num_epoch):
            divergences: list[float] = []
            for index in self._minibatches(rollout.size):
                loss, figures = self._loss(samples.take(index), epsilon, beta)
                figures["grad_norm"], stepped = self._step(loss)
                skipped += not stepped
                tally.add(figures)
                divergences.append(figures["kl"])
            epochs += 1
            kl = sum(divergences) / len(divergences)
            if s.target_kl is not None and not kl <= s.target_kl:
                break
        rolled_back = not self._is_finite()
        if rolled_back:
            self._restore(before)

        return {
            **tally.means(),
            "kl": kl,
            "epochs": epochs,
            "skipped_steps": skipped,
            "rolled_back": float(rolled_back),
            "explained_variance": explained_variance(value, value_target),
            "value_mean": float(value.mean()),
            "learning_rate": self.optimiser.param_groups[0]["lr"],
            "epsilon": epsilon,
            "beta": beta,
        }

    def _loss(self, batch: _Samples, epsilon: float, beta: float) -> tuple[Tensor, dict[str, float]]:
        """E23: L = L_π + c_v L_v - β H, all from the stored actions."""
        s = self.settings
        output = self.policy(batch.observation)
        log_prob, log_prob_old = self.policy.head.log_probs(output, batch.action), batch.log_prob
        entropies, advantage = self.policy.head.entropies(output), batch.advantage
        if s.advantage_normalization == "minibatch":
            advantage = standardise(advantage)
        if s.ratio == "joint":
            rho, entropy = ratio(log_prob.sum(-1), log_prob_old.sum(-1)), entropies.sum(-1).mean()
        else:
            rho, entropy = ratio(log_prob, log_prob_old), entropies.mean()
            advantage = advantage[:, None].expand_as(rho)

        policy_loss = clipped_surrogate(rho, advantage, epsilon)
        value = self.critic(batch.observation)
        if s.value_clip is None:
            loss_v = value_loss(value, batch.value_target)
        else:
            loss_v = clipped_value_loss(value, batch.value_target, batch.value_old, s.value_clip)
        loss = policy_loss + s.value_coefficient * loss_v - beta * entropy

        with torch.no_grad():
            joint = rho if s.ratio == "joint" else ratio(log_prob.sum(-1), log_prob_old.sum(-1))
            figures = torch.stack(
                [policy_loss, loss_v, entropy, kl_estimate(joint), clip_fraction(rho, epsilon), rho.mean()]
            ).tolist()
        names = ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "ratio")
        return loss, dict(zip(names, figures, strict=True))

    def _step(self, loss: Tensor) -> tuple[float, bool]:
        """One Adam step; left out, moments untouched, where the loss or its gradient is not finite."""
        self.optimiser.zero_grad()
        loss.backward()
        limit = self.settings.max_grad_norm
        norm = float(nn.utils.clip_grad_norm_(self.parameters, float("inf") if limit is None else limit))
        # min and clamp pass no gradient for a NaN: a NaN loss can come with a gradient that looks sound.
        finite = norm < float("inf") and bool(torch.isfinite(loss))
        if finite:
            self.optimiser.step()
        return norm, finite

    def _minibatches(self, size: int) -> Iterator[Tensor]:
        """Every sample once, in a new order; minibatches of nearly equal size, so that none is left with one.

        A single sample is its own mean: its advantage, normalised over the minibatch, would be 0.
        """
        order = torch.randperm(size, generator=self.rng).to(self.parameters[0].device)
        yield from torch.tensor_split(order, max(1, size // max(self.settings.batch_size, 2)))

    def _schedule(self, env_steps: int) -> tuple[float, float]:
        s, clock = self.settings, (env_steps, self.max_steps)
        rate = scheduled(s.learning_rate_schedule, s.learning_rate, _FINAL_LEARNING_RATE, *clock)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        epsilon = scheduled(s.epsilon_schedule, s.epsilon, min(_FINAL_EPSILON, s.epsilon), *clock)
        return epsilon, scheduled(s.beta_schedule, s.beta, min(_FINAL_BETA, s.beta), *clock)

    def _horizon_ends(self, rollout: Rollout) -> Bool[Tensor, "T 1"]:
        """Where trajectories are cut and go on from V because they are `time_horizon` decisions long."""
        t = torch.arange(1, len(rollout.reward) + 1, device=rollout.reward.device)
        return (t % self.time_horizon == 0)[:, None]

    def optimiser_tensors(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, by place in `parameters`."""
        state = self.optimiser.state_dict()["state"]
        return {
            f"{place}.{name}": value for place, moments in state.items() for name, value in moments.items()
        }

    def restore_optimiser(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `optimiser_tensors` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            place, name = key.split(".", 1)
            state.setdefault(int(place), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})

    def _is_finite(self) -> bool:
        return all(bool(torch.isfinite(p).all()) for p in self.parameters)

    def _snapshot(self) -> tuple[list[Tensor], dict]:
        return [p.detach().clone() for p in self.parameters], copy.deepcopy(self.optimiser.state_dict())

    @torch.no_grad()
    def _restore(self, snapshot: tuple[list[Tensor], dict]) -> None:
        for parameter, saved in zip(self.parameters, snapshot[0], strict=True):
            parameter.copy_(saved)
        self.optimiser.load_state_dict(snapshot[1])
