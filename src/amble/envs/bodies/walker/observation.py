"""The Walker's 243 observations, in Unity's order and frames.

"Cube frame" is an upright frame at the hips that faces the target; positions and directions in it are Unity's
(right, up, forward). Nothing is scaled or clipped: normalising is the trainer's work. `passes.observe` writes them.
Axes: P parts.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from jaxtyping import Int

from amble.envs.bodies.walker.passes import Places
from amble.envs.bodies.walker.signals import Signals
from amble.envs.bodies.walker.skeleton import PART_ORDER, WELDED


def _layout() -> tuple[str, ...]:
    xyz, xyzw = "xyz", "xyzw"
    names = ["speed_error"]
    names += [f"mean_velocity.{c}" for c in xyz]
    names += [f"goal_velocity.{c}" for c in xyz]
    names += [f"hips_to_goal.{c}" for c in xyzw]
    names += [f"head_to_goal.{c}" for c in xyzw]
    names += [f"target_position.{c}" for c in xyz]
    for part in PART_ORDER:
        names += [f"{part}.ground_contact"]
        for quantity in ("velocity", "angular_velocity", "position"):
            names += [f"{part}.{quantity}.{c}" for c in xyz]
        if part != "hips" and part not in WELDED:
            names += [f"{part}.rotation.{c}" for c in xyzw] + [f"{part}.strength"]
    return tuple(names)


OBSERVATION_NAMES = _layout()
"""A name for each of the 243 places."""
OBSERVATION_SIZE = len(OBSERVATION_NAMES)


def index(name: str) -> int:
    """Place of a named observation."""
    return OBSERVATION_NAMES.index(name)


def places(signals: Signals, hinges: dict[str, int]) -> Places:
    """Where each quantity stands, for the model's order of parts.

    Args:
        signals: which parts there are.
        hinges: the place of a hinge of each turning part among the force limits.
    """

    def of(quantity: str, parts: Collection[str]) -> Int[np.ndarray, "P"]:
        return np.array([index(f"{part}.{quantity}") if part in parts else -1 for part in signals.names])

    return Places(
        contact=of("ground_contact", signals.names),
        rotation=of("rotation.x", hinges),
        strength=of("strength", hinges),
        hinge=np.array([hinges.get(part, -1) for part in signals.names]),
    )
