"""Small tasks whose best return is known: `tasks:Cue-v0` needs a memory, `tasks:PixelGrid-v0` eyes,
`tasks:FarCorner-v0` curiosity.

Registered by importing. `amble train --env tasks:Cue-v0` finds this file from within `benchmarks/`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Cue(gymnasium.Env[np.ndarray, np.int64]):
    """A cue of -1 or 1 is seen once; `delay` decisions later the matching one of two actions pays 1, the other 0.

    Observes (cue or 0, whether it is time to act). The best that a policy without memory can expect is 0.5.
    """

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, delay: int = 10):
        self.delay = delay

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.count, self.cue = 0, int(self.np_random.integers(2))
        return np.array([2 * self.cue - 1, 0.0], np.float32), {}

    def step(self, action: np.int64) -> Any:
        if self.count == self.delay:
            return np.zeros(2, np.float32), float(action == self.cue), True, False, {}
        self.count += 1
        return np.array([0.0, self.count == self.delay], np.float32), 0.0, False, False, {}


class PixelGrid(gymnasium.Env[np.ndarray, np.int64]):
    """A dot on a grid walks to another: up, right, down, left. Reaching it pays 1, every decision costs 0.01.

    Observes a picture of one pixel a cell, the dot in red and its goal in green. The shortest ways on 8×8 cells pay
    0.95 on average, a random walk cut after 40 decisions 0.0.
    """

    action_space = spaces.Discrete(4)

    def __init__(self, cells: int = 8):
        self.cells = cells
        self.observation_space = spaces.Box(0, 255, (cells, cells, 3), np.uint8)

    def _see(self) -> np.ndarray:
        picture = np.zeros((self.cells, self.cells, 3), np.uint8)
        picture[*self.goal, 1] = 255
        picture[*self.dot, 0] = 255
        return picture

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        places = self.np_random.choice(self.cells**2, 2, replace=False)
        self.dot, self.goal = np.array(np.unravel_index(places, (self.cells, self.cells))).T
        return self._see(), {}

    def step(self, action: np.int64) -> Any:
        move = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)][int(action)])
        self.dot = np.clip(self.dot + move, 0, self.cells - 1)
        there = bool((self.dot == self.goal).all())
        return self._see(), float(there) - 0.01, there, False, {}


class FarCorner(gymnasium.Env[np.ndarray, np.int64]):
    """A dot walks from one corner of a grid to the opposite one: up, right, down, left. Only reaching it pays, 1.

    Observes its row and its column, as categories. The shortest way takes 2·(cells - 1) decisions; of random walks cut
    after 64 decisions, one in 100 000 or so gets there on 16×16 cells.
    """

    action_space = spaces.Discrete(4)

    def __init__(self, cells: int = 16):
        self.cells = cells
        self.observation_space = spaces.MultiDiscrete([cells, cells])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.dot = np.zeros(2, np.int64)
        return self.dot.copy(), {}

    def step(self, action: np.int64) -> Any:
        move = ((-1, 0), (0, 1), (1, 0), (0, -1))[int(action)]
        self.dot = np.clip(self.dot + move, 0, self.cells - 1)
        there = bool((self.dot == self.cells - 1).all())
        return self.dot.copy(), float(there), there, False, {}


for name, entry_point, limit in (
    ("Cue-v0", Cue, None),
    ("PixelGrid-v0", PixelGrid, 40),
    ("FarCorner-v0", FarCorner, 64),
):
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=entry_point, max_episode_steps=limit)
