"""A policy's episodes as a demonstration file of ML-Agents. Axes: n records, A continuous actions, D branches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32, Int32

import amble.envs
from amble.errors import UsageError
from amble.export.policy import agent_spec, mask_values
from amble.export.sensors import sensor_values
from amble.nets.actions import ActionMap
from amble.nets.actor_critic import Policy
from amble.training.files import write_file
from amble.training.policy import PortablePolicy, env_kwargs
from amble.unity.demonstrations import Demonstration, encode
from amble.unity.spec import NO_PROPERTY, TRANSLATION, ActionSpec, BehaviorSpec, ObservationSpec

_EPISODES = 10


def record(run: Path, path: Path, *, seed: int | None = None, episodes: int | None = None) -> Path:
    """Play whole episodes of a run's policy, by its likeliest actions, and write them as a demonstration.

    Actions are recorded as the environment takes them; choices count from 0.

    Args:
        run: a run's directory; its `policy/` is played. `RUN@STEP` for that of a checkpoint.
        path: the `.demo` to write.
        seed: of the episodes; 0 if None.
        episodes: how many; 10 if None.

    Returns:
        `path`.
    """
    path = Path(path)
    if path.suffix.lower() != ".demo":
        raise UsageError(
            f"{path}: ML-Agents knows a demonstration by its ending; name a file that ends in .demo."
        )
    portable = PortablePolicy.of_run(run)
    name = str(portable.spec["behavior"])
    env = amble.envs.make(portable.spec["env_id"], 1, **env_kwargs(portable.spec))
    recorder = _Recorder(portable.policy)
    try:
        observation, _ = env.reset(seed=seed or 0)
        portable.forget()
        left, reward = episodes or _EPISODES, 0.0
        while left:
            action = portable.act(observation)
            recorder.add(portable.policy.layout.flat(observation, 1), reward, action)
            observation, rewards, terminated, truncated, info = env.step(action)
            reward, done = float(rewards[0]), terminated | truncated
            if done[0]:
                final = portable.policy.layout.final(info, done)
                recorder.add(final, reward, None, interrupted=not terminated[0])
                portable.forget(done)
                left, reward = left - 1, 0.0
    finally:
        env.close()
    write_file(path, encode(recorder.demonstration(name)))
    return path


class _Recorder:
    """Collects records in memory."""

    def __init__(self, policy: Policy):
        self._policy, self._agent = policy, agent_spec(policy)
        self._rows: list[np.ndarray] = []
        self._rewards: list[float] = []
        self._ends: list[tuple[bool, bool]] = []
        self._actions: list[tuple[np.ndarray, np.ndarray]] = []

    def add(
        self, rows: Float32[np.ndarray, "1 O"], reward: float, action: Any, *, interrupted: bool = False
    ) -> None:
        """One record; without an action it is an episode's last."""
        self._rows.append(rows.copy())
        self._rewards.append(reward)
        self._ends.append((action is None, interrupted))
        if action is None:
            nothing = np.zeros((1, self._agent.continuous), np.float32)
            self._actions.append((nothing, np.zeros((1, len(self._agent.branches)), np.int32)))
        else:
            self._actions.append(_as_unity(self._policy.actions, action))

    def demonstration(self, behavior: str) -> Demonstration:
        """All that was added."""
        rows, agent = np.concatenate(self._rows), self._agent
        done, interrupted = np.array(self._ends, np.bool_).T
        continuous, discrete = (np.concatenate(kind) for kind in zip(*self._actions, strict=True))
        masks = mask_values(self._policy, rows)
        return Demonstration(
            name=behavior,
            behavior=behavior,
            spec=BehaviorSpec(
                tuple(
                    ObservationSpec(shape, f"obs_{i}", _properties(shape))
                    for i, shape in enumerate(agent.sensors)
                ),
                ActionSpec(agent.continuous, tuple(agent.branches)),
            ),
            observations=tuple(sensor_values(self._policy, rows).values()),
            reward=np.array(self._rewards, np.float32),
            done=done,
            interrupted=interrupted,
            continuous=continuous,
            discrete=discrete,
            allowed=np.ones((len(rows), 0), np.bool_) if masks is None else masks > 0.5,
        )


def _properties(shape: tuple[int, ...]) -> tuple[int, ...]:
    """An image is said to be (C, H, W)."""
    return (NO_PROPERTY, TRANSLATION, TRANSLATION) if len(shape) == 3 else (NO_PROPERTY,) * len(shape)


def _as_unity(actions: ActionMap, action: Any) -> tuple[Float32[np.ndarray, "n A"], Int32[np.ndarray, "n D"]]:
    """Actions of an environment as continuous numbers and choices that count from 0."""
    numbers, choices = np.zeros((1, 0), np.float32), np.zeros((1, 0), np.int32)
    kinds = zip(actions.parts, action, strict=True) if actions.parts else [(actions, action)]
    for part, value in kinds:
        if isinstance(part.space, spaces.Box):
            numbers = np.asarray(value, np.float32).reshape(len(value), -1)
        else:
            counted = value - part.space.start if isinstance(part.space, _COUNTED) else value
            choices = np.asarray(counted, np.int32).reshape(len(value), -1)
    return numbers, choices


_COUNTED = (spaces.Discrete, spaces.MultiDiscrete)
