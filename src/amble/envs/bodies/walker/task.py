"""The Walker's reward, falls and targets: walk at the target speed toward the target, looking at it.

Axes: n environments. The reward's parts are compiled, for one Walker each.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from amble.native.compiled import kernel


@kernel
def match_velocity(distance, goal_speed):
    """(1 - (d/v*)²)², d = clamp(|v - goal|, 0, v*): 1 at the goal velocity, 0 from v* away on.

    Args:
        distance: of the parts' mean velocity from the goal velocity, m/s.
        goal_speed: v*, the goal velocity's magnitude, m/s.
    """
    return (1.0 - min(distance / goal_speed, 1.0) ** 2) ** 2


@kernel
def look_at_target(head_x, head_y, goal_x, goal_y):
    """(head·goal + 1)/2: 1 looking straight at the target, 0 looking away.

    Release 21 drops the head's vertical part first, without normalising again. The goal direction is level, so
    that part never counted, and both releases give the same number.
    """
    return (head_x * goal_x + head_y * goal_y + 1.0) / 2.0


def draw_targets(
    rng: np.random.Generator, count: int, radius: float, height: float
) -> Float[np.ndarray, "n 3"]:
    """Target positions: uniform in a ball of `radius` metres around the start, then set to `height`."""
    direction = rng.normal(size=(count, 3))
    direction /= np.sqrt(np.square(direction).sum(axis=1, keepdims=True))
    position = direction * (radius * np.cbrt(rng.random((count, 1))))
    position[:, 2] = height
    return position
