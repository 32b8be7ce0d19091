"""The Walker's reward, falls and targets: walk at the target speed toward the target, looking at it.

The reward's two factors are terms that anybody's reward may hold (`rewards/library`), compiled here for one Walker at a
time without any fused or reordered operation: a product of the same terms in a run file gives the same bits.
Axes: n environments.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from amble.native.compiled import exact_kernel
from amble.rewards.library import tracking

match_velocity = exact_kernel(tracking.match_velocity)
"""Of the distance from the goal velocity and the goal speed, for one Walker."""
look_at_target = exact_kernel(tracking.look_at_target)
"""Of the cosine between the head's and the goal's direction, for one Walker.

Release 21 drops the head's vertical part first, without normalising again. The goal direction is level, so that part
never counted, and both releases give the same number.
"""


@exact_kernel
def paid(reward, match, look):
    """What a decision's reward is after one more substep."""
    return reward + match * look


def draw_targets(
    rng: np.random.Generator, count: int, radius: float, height: float
) -> Float[np.ndarray, "n 3"]:
    """Target positions: uniform in a ball of `radius` metres around the start, then set to `height`."""
    direction = rng.normal(size=(count, 3))
    direction /= np.sqrt(np.square(direction).sum(axis=1, keepdims=True))
    position = direction * (radius * np.cbrt(rng.random((count, 1))))
    position[:, 2] = height
    return position
