"""Environments so small that what must be learned in them is known, and one that fails on command.

Registered by importing: `probes:ValueOnly-v0` and so on. Each observes one number unless it says otherwise; with
`continuous`, actions are one number in [-1, 1], else 0 or 1.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Probe(gymnasium.Env):
    """One decision, reward 1. The parts that differ are `observe`, `reward` and `over`."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)

    def __init__(self, continuous: bool = False):
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32) if continuous else spaces.Discrete(2)
        self.continuous = continuous
        self.t = 0
        self.sign = 1.0

    def observe(self) -> float:
        return 0.0

    def reward(self, action: float) -> float:
        """Given t, the decisions before this one."""
        return 1.0

    def over(self) -> tuple[bool, bool]:
        """Terminated, truncated; given t, the decisions so far."""
        return True, False

    def _see(self) -> np.ndarray:
        return np.array([self.observe()], np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.t, self.sign = 0, self.np_random.choice([-1.0, 1.0])
        return self._see(), {}

    def step(self, action):
        reward = self.reward(float(action[0] if self.continuous else action))
        self.t += 1
        return self._see(), reward, *self.over(), {}


class ValueOnly(Probe):
    """V = 1."""


class SeenValue(Probe):
    """The reward is what is observed, ±1: V(s) = s."""

    def observe(self) -> float:
        return self.sign

    def reward(self, action: float) -> float:
        return self.sign


class Discounting(Probe):
    """Two decisions, observed as 0 and 1; the second pays 1. V(1) = 1, V(0) = γ."""

    def observe(self) -> float:
        return float(self.t)

    def reward(self, action: float) -> float:
        return float(self.t)

    def over(self) -> tuple[bool, bool]:
        return self.t == 2, False


class PaidAction(Probe):
    """1 pays 1 and 0 pays -1; continuous: a pays 1 - (a - ½)²."""

    def reward(self, action: float) -> float:
        return 1 - (action - 0.5) ** 2 if self.continuous else 2 * action - 1


class SeenAction(Probe):
    """The same with the sign that is observed: at -1, 0 pays 1; continuous: a pays 1 - (a - s/2)²."""

    def observe(self) -> float:
        return self.sign

    def reward(self, action: float) -> float:
        return 1 - (action - 0.5 * self.sign) ** 2 if self.continuous else self.sign * (2 * action - 1)


class Endless(Probe):
    """Reward 1 for ever, cut off after `limit` decisions: V = 1/(1-γ), and nothing seen tells how long is left."""

    def __init__(self, continuous: bool = False, limit: int = 5):
        super().__init__(continuous)
        self.limit = limit

    def over(self) -> tuple[bool, bool]:
        return False, self.t == self.limit


class Clock(Probe):
    """Observes 100·(episode + 1) + t and pays t; every second episode is cut off, the others end; nothing is drawn.

    `trouble` makes the observation or the reward of decision `at` the number `bad`: "observation", "reward",
    "reset" (every reset's observation), "final" (the last observation of an episode).
    """

    def __init__(
        self, continuous: bool = True, length: int = 3, trouble: str = "", at: int = 2, bad: str = "nan"
    ):
        super().__init__(continuous)
        self.length, self.trouble, self.at, self.bad = length, trouble, at, float(bad)
        self.episode, self.decision = -1, -1

    def observe(self) -> float:
        last = self.t == self.length
        if self.decision == self.at and self.trouble == "observation":
            return self.bad
        if (self.trouble == "final" and last) or (self.trouble == "reset" and self.t == 0):
            return self.bad
        return 100.0 * (self.episode + 1) + self.t

    def reward(self, action: float) -> float:
        self.decision += 1
        return self.bad if self.trouble == "reward" and self.decision == self.at else float(self.t)

    def over(self) -> tuple[bool, bool]:
        last = self.t == self.length
        return last and self.episode % 2 == 1, last and self.episode % 2 == 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        if seed is not None:
            self.episode, self.decision = -1, -1
        self.episode += 1
        return super().reset(seed=seed)


class Choices(gymnasium.Env):
    """One decision; each right answer pays 1. What there is to answer depends on `kind`:

    multi: (2, 0) of 3 and of 2 choices. binary: (1, 0, 1). masked: 1 of 3, where 2 pays 10 but is not allowed, and
    ends in an error.
    """

    RIGHT = {"multi": (2, 0), "binary": (1, 0, 1), "masked": (1,)}

    def __init__(self, kind: str = "multi"):
        self.kind = kind
        box = spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = {
            "multi": spaces.MultiDiscrete([3, 2]),
            "binary": spaces.MultiBinary(3),
            "masked": spaces.Discrete(3),
        }[kind]
        mask = spaces.Dict({"seen": box, "action_mask": spaces.MultiBinary(3)})
        self.observation_space = mask if kind == "masked" else box

    def _see(self) -> Any:
        seen = np.ones(1, np.float32)
        if self.kind != "masked":
            return seen
        return {"seen": seen, "action_mask": np.array([1, 1, 0], np.int8)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return self._see(), {}

    def step(self, action):
        if self.kind == "masked" and action == 2:
            raise ValueError("an action that is not allowed was taken")
        return self._see(), float(np.sum(np.atleast_1d(action) == self.RIGHT[self.kind])), True, False, {}


class Hybrid(Probe):
    """A number and a choice of 3: (a, c) pays 1 - (a - s/2)², and 1 more where c is 1 at s = -1 and 2 at s = 1."""

    def __init__(self):
        super().__init__()
        self.action_space = spaces.Tuple([spaces.Box(-1.0, 1.0, (1,), np.float32), spaces.Discrete(3)])

    def observe(self) -> float:
        return self.sign

    def step(self, action):
        number, choice = action
        right = choice == (2 if self.sign > 0 else 1)
        return self._see(), 1 - (float(number[0]) - 0.5 * self.sign) ** 2 + float(right), True, False, {}


class Picture(Probe):
    """SeenAction, where the sign is seen as a picture of 20×20 whose left or right half is white."""

    observation_space = spaces.Box(0, 255, (20, 20, 1), np.uint8)

    def reward(self, action: float) -> float:
        return self.sign * (2 * action - 1)

    def _see(self) -> np.ndarray:
        picture = np.zeros((20, 20, 1), np.uint8)
        picture[:, slice(0, 10) if self.sign < 0 else slice(10, 20)] = 255
        return picture


for probe in (
    ValueOnly,
    SeenValue,
    Discounting,
    PaidAction,
    SeenAction,
    Endless,
    Clock,
    Choices,
    Hybrid,
    Picture,
):
    if f"{probe.__name__}-v0" not in gymnasium.registry:
        gymnasium.register(f"{probe.__name__}-v0", entry_point=probe)
