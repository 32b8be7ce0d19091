"""Collecting rollouts: the policy acts in B environments for T decisions. Axes: O observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from amble.algorithms.rollout import Rollout
from amble.envs.boundary import final_observations
from amble.errors import AmbleError
from amble.nets.actor_critic import Policy
from amble.nets.normaliser import RunningMoments


@dataclass(frozen=True)
class Episodes:
    """The episodes that ended in one rollout: undiscounted returns (n,) and lengths in decisions (n,)."""

    returns: np.ndarray
    lengths: np.ndarray


class Collector:
    """Steps the environments with the policy, writing into buffers that are allocated once."""

    def __init__(
        self, env: VectorEnv, policy: Policy, decisions: int, rng: torch.Generator, device: torch.device
    ):
        self.env, self.policy, self.decisions, self.rng, self.device = env, policy, decisions, rng, device
        shape = (decisions, env.num_envs)
        size = int(np.prod(env.single_observation_space.shape or ()))
        dimensions = policy.head.outputs if policy.actions.is_continuous else 1
        self._buffers = Rollout(
            observation=torch.empty(*shape, size),
            action=policy.actions.empty(*shape),
            log_prob=torch.empty(*shape, dimensions),
            reward=torch.empty(shape),
            terminated=torch.empty(shape, dtype=torch.bool),
            truncated=torch.empty(shape, dtype=torch.bool),
            next_observation=torch.empty(env.num_envs, size),
            cut=[],
        )
        self._raw = torch.empty(decisions, env.num_envs, size)
        self._observation: np.ndarray | None = None
        self._return = np.zeros(env.num_envs)
        self._length = np.zeros(env.num_envs, np.int64)

    def begin(self, seed: int | None) -> None:
        """Begin new episodes everywhere."""
        self._observation, _ = self.env.reset(seed=seed)
        self._return[:] = 0.0
        self._length[:] = 0

    def warm_up(self, decisions: int) -> None:
        """Let the normaliser see what the untrained policy meets; nothing is learned from it."""
        normaliser = self.policy.normaliser
        if normaliser is None:
            return
        noise = self.policy.head.noise((decisions, self.env.num_envs), self.rng)
        for t in range(decisions):
            observation = torch.as_tensor(self._observation, dtype=torch.float32, device=self.device)
            normaliser.update(observation)
            with torch.no_grad():
                action = self.policy.head.sample(
                    self.policy(normaliser(observation)), noise[t].to(self.device)
                )
            self._observation, *_ = self.env.step(self.policy.actions.to_env(action))

    @torch.no_grad()
    def collect(self) -> tuple[Rollout, Episodes]:
        """T decisions of every environment with the policy as it stands.

        The rollout's tensors are written anew by the next call.
        """
        if self._observation is None:
            raise AmbleError("Collector: begin was not called before collect.")
        data, policy = self._buffers, self.policy
        data.cut.clear()
        ended: list[tuple[np.ndarray, np.ndarray]] = []
        noise = policy.head.noise(tuple(data.reward.shape), self.rng)
        for t in range(self.decisions):
            self._raw[t] = torch.as_tensor(self._observation)
            observation = policy.normalised(self._raw[t])
            output = policy(observation)
            action = policy.head.sample(output, noise[t])
            data.observation[t], data.action[t] = observation, action
            data.log_prob[t] = policy.head.log_probs(output, action)

            observed, reward, terminated, truncated, info = self.env.step(policy.actions.to_env(action))
            self._check(t, observed, reward)
            data.reward[t] = torch.as_tensor(reward)
            data.terminated[t] = torch.as_tensor(terminated)
            data.truncated[t] = torch.as_tensor(truncated)
            self._observation = observed
            self._return += reward
            self._length += 1
            done = terminated | truncated
            if done.any():
                ended.append((self._return[done], self._length[done]))
                self._return[done], self._length[done] = 0.0, 0
                if truncated.any():
                    data.cut.append(self._final(t, truncated, info))
        data.next_observation[:] = policy.normalised(torch.as_tensor(self._observation, dtype=torch.float32))
        returns, lengths = zip(*ended, strict=True) if ended else ((), ())
        return data, Episodes(
            np.concatenate([[], *returns]), np.concatenate([np.zeros(0, np.int64), *lengths])
        )

    def update_normaliser(self) -> None:
        """Take the last rollout's observations into the policy's normaliser, once its update is done."""
        if isinstance(self.policy.normaliser, RunningMoments):
            self.policy.normaliser.update(self._raw)

    def _final(self, t: int, truncated: np.ndarray, info: dict[str, Any]) -> tuple[int, Tensor, Tensor]:
        rows = np.flatnonzero(truncated)
        final = final_observations(info, truncated, self.env.single_observation_space)
        return t, torch.as_tensor(rows), self.policy.normalised(torch.as_tensor(final, dtype=torch.float32))

    def _check(self, t: int, observation: np.ndarray, reward: np.ndarray) -> None:
        """Stop a number that is not finite before it reaches normaliser and policy."""
        if np.isfinite(observation).all() and np.isfinite(reward).all():
            return
        bad = ~(np.isfinite(observation).all(axis=1) & np.isfinite(reward))
        index = int(np.flatnonzero(bad)[0])
        what = "reward" if not np.isfinite(reward[index]) else "observation"
        raise AmbleError(
            f"Environment {index} gave a {what} that is not finite at decision {t} of this rollout "
            f"(decision {self._length[index]} of its episode); {int(bad.sum())} of {len(bad)} environments are "
            "affected. "
            "Look at the environment: the policy's own numbers were finite."
        )
