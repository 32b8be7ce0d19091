"""Steps one environment for an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from amble.errors import AmbleError, UsageError
from amble.spinup.drawing import drawer
from amble.spinup.epoch import Trajectories


class Collector:
    """Collects epochs of `steps` decisions from one environment.

    Args:
        env: a Gymnasium environment whose step gives (obs, reward, terminated, truncated, info).
        steps: decisions of an epoch.
        max_ep_len: episodes are cut after so many decisions, if the environment does not cut them sooner.
        seed: of the environment's first reset.
    """

    def __init__(self, env: Any, steps: int, max_ep_len: int, seed: int):
        if not hasattr(env, "step") or hasattr(env, "num_envs"):
            raise UsageError(
                f"env_fn gave {type(env).__name__}; expected one Gymnasium environment, "
                'e.g. env_fn=lambda: gymnasium.make("HalfCheetah-v5").'
            )
        self.env, self.steps, self.max_ep_len = env, steps, max_ep_len
        self.discrete = isinstance(env.action_space, spaces.Discrete)
        self._seed: int | None = seed
        shape = env.observation_space.shape
        if shape is None:
            raise UsageError(
                f"the observation space {env.observation_space} is not one array. "
                "Wrap the environment with gymnasium.wrappers.FlattenObservation."
            )
        self._observation = np.zeros((steps, *shape), np.float32)
        self._action = np.zeros((steps, *env.action_space.shape), np.int64 if self.discrete else np.float32)
        self._reward = np.zeros(steps, np.float32)

    def collect(self, actor_critic: Any) -> Trajectories:
        """One epoch with the policy as it stands; the trajectory that its end cuts is not gone on with."""
        steps, max_ep_len = self.steps, self.max_ep_len
        observation, action_of, reward_of = self._observation, self._action, self._reward
        draw = drawer(actor_critic, steps, discrete=self.discrete)
        lengths: list[int] = []
        terminal: list[bool] = []
        final: list[np.ndarray] = []
        episode_returns: list[float] = []
        episode_lengths: list[int] = []

        obs, episode_return, length = self._reset(), 0.0, 0
        for t in range(steps):
            action = draw(obs)
            observation[t], action_of[t] = obs, action
            obs, reward, terminated, truncated = self._step(action)
            reward_of[t] = reward
            episode_return += reward
            length += 1
            over = terminated or truncated or length == max_ep_len
            if over:
                episode_returns.append(float(episode_return))
                episode_lengths.append(length)
            if over or t == steps - 1:
                lengths.append(length)
                terminal.append(bool(terminated))
                final.append(np.array(obs, np.float32))
                if t < steps - 1:
                    obs, episode_return, length = self._reset(), 0.0, 0
        trajectories = Trajectories(
            observation=torch.from_numpy(observation.copy()),
            action=torch.from_numpy(action_of.copy()),
            reward=torch.from_numpy(reward_of.copy()),
            lengths=lengths,
            terminated=terminal,
            final_observation=torch.from_numpy(np.stack(final)),
            episode_returns=episode_returns,
            episode_lengths=episode_lengths,
        )
        _check_finite(trajectories)
        return trajectories

    def _reset(self) -> np.ndarray:
        given = self.env.reset(seed=self._seed)
        self._seed = None
        if not (isinstance(given, tuple) and len(given) == 2):
            raise UsageError(_OLD.format(name="reset", expected="(obs, info)", came=type(given).__name__))
        return given[0]

    def _step(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        given = self.env.step(action)
        if len(given) != 5:
            expected = "(obs, reward, terminated, truncated, info)"
            raise UsageError(_OLD.format(name="step", expected=expected, came=f"{len(given)} values"))
        return given[:4]


_OLD = (
    "env.{name} gave {came}, expected Gymnasium's {expected}. "
    "An environment of the old Gym does not tell an end from a time limit; make it with gymnasium."
)


def _check_finite(t: Trajectories) -> None:
    """Refuses an epoch with a NaN or an infinity in it, before the nets have learned it.

    What is observed at a terminal state is never learned from, so it may be anything.
    """
    last = torch.tensor(t.lengths).cumsum(0) - 1
    ends = torch.full((len(t.reward),), 0.0)
    ends[last] = torch.where(torch.tensor(t.terminated), 0.0, t.final_observation.flatten(1).sum(1))
    for name, numbers in (
        ("observation", t.observation.flatten(1).sum(1)),
        ("reward", t.reward),
        ("final observation", ends),
    ):
        bad = (~torch.isfinite(numbers)).nonzero()
        if len(bad):
            raise AmbleError(
                f"the {name} of step {int(bad[0])} of this epoch is not finite. The environment's numbers have "
                "run away: look at what it does there, or cut its episodes sooner with max_ep_len."
            )
