"""One stopwatch for every library: it reads the time whenever an environment step opens a new iteration."""

from __future__ import annotations

import time
from typing import Any

from gymnasium.vector import VectorEnv, VectorWrapper

from peers.trained import Act, Trained

FEWEST = 3
"""Iterations of a timed run, whatever its budget: one to warm up and two to be timed."""


class BudgetSpent(Exception):
    """Ends a library's loop from within its environment, at the first step of an iteration."""


class Clock:
    """Marks when each iteration began.

    The k-th mark is read as the first environment step of iteration k is asked for, one action after the iteration's
    beginning in every library, so the difference of two marks is whole iterations: rollout, update, and whatever the
    library does between them.
    """

    def __init__(self, decisions: int, seconds: float | None):
        """`decisions` of each environment make an iteration; `seconds` from the first on, None for no limit."""
        self.began = time.perf_counter()
        self.marks: list[float] = []
        self._decisions, self._seconds, self._count = decisions, seconds, 0

    def tick(self) -> None:
        """An environment step is about to be taken."""
        if self._count % self._decisions == 0:
            now = time.perf_counter()
            self.marks.append(now)
            if (
                self._seconds is not None
                and now - self.marks[0] >= self._seconds
                and len(self.marks) > FEWEST
            ):
                raise BudgetSpent
        self._count += 1

    def finish(self) -> None:
        """The library ended by itself, after its last update."""
        if self._count and self._count % self._decisions == 0:
            self.marks.append(time.perf_counter())

    def trained(self, act: Act) -> Trained:
        """The run that has ended; its iterations end where the next begins."""
        return Trained(self.marks[1] - self.began, self.marks[1:], act)


class ClockedVectorEnv(VectorWrapper):
    """Ticks at each step."""

    def __init__(self, env: VectorEnv, clock: Clock):
        super().__init__(env)
        self._clock = clock

    def step(self, actions: Any) -> Any:
        self._clock.tick()
        return self.env.step(actions)
