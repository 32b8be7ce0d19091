"""How a weight moves with the run."""

from collections.abc import Sequence

import numpy as np


def factor_at(points: Sequence[Sequence[float]], env_steps: int) -> float:
    """The factor at `env_steps`: linear between the points (env steps, factor), constant outside; 1 without points."""
    if not points:
        return 1.0
    steps, factors = zip(*points, strict=True)
    return float(np.interp(env_steps, steps, factors))
