"""A vector environment whose reward is made of named terms; the task's own reward stays beside it.

`step` returns the reward of the terms, and `info["reference_reward"]` (B,) is what the task itself pays. Our own bodies
publish signals of their state and let terms and rules look at it before an ended episode is reset; of any other
environment there are observation, action, reward and what `info` holds. Axes: B environments, O observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from jaxtyping import Bool, Float

from amble.config import RewardSettings
from amble.envs.boundary import final_observations
from amble.errors import UsageError
from amble.rewards.engine import RewardEngine
from amble.rewards.signals import Signal, SignalSource

_INFO = "info."


def signal_source(env: VectorEnv) -> SignalSource:
    """What publishes the signals of `env`; it takes one trial step where only that tells what there is.

    The environment is to be reset afterwards.
    """
    publish = getattr(env.unwrapped, "publish", None)
    if publish is None:
        return ArraySignals(env)
    return publish()


class RewardedVectorEnv(VectorWrapper):
    """`env` with the reward of a run file in place of its own.

    Attributes:
        engine: computes the reward, and keeps the ledger.
        reference: (B,) what the task itself paid for the last decision.
    """

    def __init__(self, env: VectorEnv, settings: RewardSettings, max_steps: int | None = None):
        """Bind the terms to the environment's signals.

        Args:
            env: behind our boundary.
            settings: the run file's `rewards`.
            max_steps: of the run, for schedules; None: not asked.

        Raises:
            UsageError: a term, signal or rule is not to be had here; it names key and nearest name.
        """
        super().__init__(env)
        source = signal_source(env)
        self._outside = source if isinstance(source, ArraySignals) else None
        if self._outside is not None and settings.terminations:
            first = next(iter(settings.terminations))
            raise UsageError(
                f"rewards.terminations.{first}: this environment's episodes cannot be ended from outside; rules are "
                "for Amble's own bodies and Gymnasium's MuJoCo tasks in their array form."
            )
        self.engine = RewardEngine(settings, source, max_steps)
        self.reference: Float[np.ndarray, "B"] = np.zeros(env.num_envs)
        if self._outside is None:
            env.unwrapped.referee = self._judge  # pyright: ignore[reportAttributeAccessIssue]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode in every environment."""
        self.engine.ledger.restart()
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Carry out one decision."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        if self._outside is not None:
            self.reference = np.asarray(reward, np.float64)
            self._outside.take(actions, observation, self.reference, terminated, truncated, info)
            reward, _ = self.engine.judge(self.reference, np.asarray(terminated))
        self.engine.ledger.close(np.asarray(terminated) | np.asarray(truncated))
        return observation, reward, terminated, truncated, {**info, "reference_reward": self.reference}

    def _judge(
        self, reward: Float[np.ndarray, "B"], terminated: Bool[np.ndarray, "B"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        self.reference = reward
        return self.engine.judge(reward, terminated)


class ArraySignals(SignalSource):
    """Observation, action, reward and info of any environment, as they come out of its step."""

    substeps = 1
    substep_seconds = None

    def __init__(self, env: VectorEnv):
        self.num_envs, self._space = env.num_envs, env.single_observation_space
        self._values: dict[str, np.ndarray] = {}
        self._watched: set[str] = set()
        self._signals: dict[str, Signal] = {
            "reward": Signal("reward", "1", "the task's own reward of the decision")
        }
        for name, space, about in (
            (
                "observation",
                env.single_observation_space,
                "what the policy sees next; an ended episode's last",
            ),
            ("action", env.single_action_space, "what it was told to do"),
        ):
            if isinstance(space, spaces.Box):
                labels = tuple(str(i) for i in range(int(np.prod(space.shape))))
                self._signals[name] = Signal(name, "various", about, labels)
            elif isinstance(space, spaces.Discrete):
                self._signals[name] = Signal(name, "number", about)
        for key in _trial(env):
            name = _INFO + key
            self._signals[name] = Signal(
                name, "various", f"what the environment says of itself in info[{key!r}]"
            )

    @property
    def signals(self) -> Mapping[str, Signal]:
        """All that can be read, by name."""
        return self._signals

    def watch(self, names: Iterable[str]) -> None:
        """Keep these from now on, besides what is watched already."""
        self._watched |= set(names)

    def read(self, name: str) -> np.ndarray:
        """The signal as the last step left it."""
        return self._values[name]

    def take(
        self,
        actions: Any,
        observation: Any,
        reward: Float[np.ndarray, "B"],
        terminated: Any,
        truncated: Any,
        info: dict[str, Any],
    ) -> None:
        """A step has come back."""
        values, done = self._values, np.asarray(terminated) | np.asarray(truncated)
        values["reward"] = reward
        if "action" in self._watched:
            values["action"] = self._rows(np.asarray(actions), "action")
        if "observation" in self._watched:
            seen = np.array(observation)
            if done.any():
                seen[done] = final_observations(info, done, self._space)
            values["observation"] = self._rows(seen, "observation")
        for name in self._watched:
            if name.startswith(_INFO):
                values[name] = _of_last_step(name.removeprefix(_INFO), info, done)

    def _rows(self, array: np.ndarray, name: str) -> np.ndarray:
        return array.reshape(self.num_envs, -1) if self._signals[name].labels else array


def _of_last_step(key: str, info: dict[str, Any], done: Bool[np.ndarray, "B"]) -> Float[np.ndarray, "B"]:
    """info[key] of the step just taken: an ended episode's stands in `final_info`, where there is one."""
    value = np.full(len(done), np.nan)
    if key in info:
        value[:] = info[key]
    final = info.get("final_info")
    if isinstance(final, dict) and key in final:
        value[done] = np.asarray(final[key], np.float64)[done]
    return value


def _trial(env: VectorEnv) -> list[str]:
    """The keys of `info` that hold one number an environment, of one step with a random action."""
    env.reset(seed=0)
    env.action_space.seed(0)
    *_, info = env.step(env.action_space.sample())
    return sorted(
        key
        for key, value in info.items()
        if not key.startswith("_")
        and isinstance(value, np.ndarray)
        and value.shape == (env.num_envs,)
        and value.dtype.kind in "fiub"
    )
