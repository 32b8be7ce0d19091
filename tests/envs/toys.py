"""Small environments that the tests of this room run, whole and broken.

Registered by importing: `toys:Countdown-v0`, `toys:Trouble-v0` and so on.
"""

import gc
import multiprocessing
import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Countdown(gymnasium.Env):
    """Observes (steps so far, a number drawn at reset, the last action); ends after `length` steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, length: int = 5, render_mode: str | None = None):
        self.length, self.render_mode = length, render_mode

    def _see(self, action: float = 0.0) -> np.ndarray:
        return np.array([self.count, self.drawn, action], np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.count, self.drawn = 0, self.np_random.random()
        return self._see(), {}

    def step(self, action):
        self.count += 1
        over = self.count >= self.length
        return self._see(action[0]), float(action[0] + self.count), over, False, {"count": self.count}


class Trouble(Countdown):
    """Does as its `trouble` says when it is stepped for the third time."""

    def __init__(self, trouble: str = "raise"):
        super().__init__(length=50)
        self.trouble = trouble

    def step(self, action):
        if self.count == 2 and action[1] > 0.5:
            if self.trouble == "die":
                os._exit(7)
            raise ZeroDivisionError("the toy broke")
        return super().step(action)


class Parts(Countdown):
    """Observes a dict."""

    observation_space = spaces.Dict({"a": Countdown.observation_space})

    def _see(self, action: float = 0.0):
        return {"a": super()._see(action)}


class Tidy(Countdown):
    """Collects garbage when it is made in a worker."""

    def __init__(self):
        super().__init__()
        if multiprocessing.parent_process() is not None:
            gc.collect()


for toy in (Countdown, Trouble, Parts, Tidy):
    if f"{toy.__name__}-v0" not in gymnasium.registry:
        gymnasium.register(f"{toy.__name__}-v0", entry_point=toy, max_episode_steps=30)
