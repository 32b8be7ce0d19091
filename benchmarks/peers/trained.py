"""What each library's `train` gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Act = Callable[[np.ndarray], np.ndarray]
"""Observations (B, O) → actions of the deterministic policy (B, A), or (B,) where they are discrete."""


@dataclass(frozen=True)
class Trained:
    """A run that has ended."""

    first_iteration_seconds: float
    """From asking for the library, its import included, to the end of its first iteration."""
    ends: list[float]
    """When each iteration ended (seconds since some moment)."""
    act: Act

    def steps_per_second(self, rollout: int) -> float:
        """Environment steps a second of the second iteration and those after it; `rollout` steps make one."""
        return rollout * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])
