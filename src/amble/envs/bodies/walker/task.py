"""The Walker's reward, falls and targets: walk at the target speed toward the target, looking at it.

Axes: B or n environments.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def match_velocity(
    velocity: Float[np.ndarray, "3 B"], goal: Float[np.ndarray, "3 B"], goal_speed: Float[np.ndarray, "B"]
) -> Float[np.ndarray, "B"]:
    """(1 - (d/v*)²)², d = clamp(|v - goal|, 0, v*): 1 at the goal velocity, 0 from v* away on.

    Args:
        velocity: mean velocity of the parts, m/s.
        goal: goal velocity, m/s.
        goal_speed: v*, the goal velocity's magnitude, m/s.
    """
    distance = np.sqrt(np.square(velocity - goal).sum(axis=0))
    return np.square(1.0 - np.square(np.minimum(distance / goal_speed, 1.0)))


def look_at_target(
    head_forward: Float[np.ndarray, "3 B"], goal_forward: Float[np.ndarray, "2 B"]
) -> Float[np.ndarray, "B"]:
    """(head·goal + 1)/2: 1 looking straight at the target, 0 looking away.

    Release 21 drops the head's vertical part first, without normalising again. The goal direction is level, so
    that part never counted, and both releases give the same number.
    """
    return ((head_forward[:2] * goal_forward).sum(axis=0) + 1.0) / 2.0


def draw_targets(
    rng: np.random.Generator, count: int, radius: float, height: float
) -> Float[np.ndarray, "n 3"]:
    """Target positions: uniform in a ball of `radius` metres around the start, then set to `height`."""
    direction = rng.normal(size=(count, 3))
    direction /= np.sqrt(np.square(direction).sum(axis=1, keepdims=True))
    position = direction * (radius * np.cbrt(rng.random((count, 1))))
    position[:, 2] = height
    return position
