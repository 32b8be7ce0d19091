"""The Walker's 243 observations, in Unity's order and frames.

"Cube frame" is an upright frame at the hips that faces the target; positions and directions in it are Unity's
(right, up, forward). Nothing is scaled or clipped: normalising is the trainer's work. Axes: n environments, P parts.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from amble.envs.bodies.walker.signals import Rows, Signals, in_cube, shortest_arc, to_unity
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


class Observer:
    """Writes observations; made once, with the places of every quantity for the model's order of parts."""

    def __init__(self, signals: Signals):
        self._signals = signals
        turning = [signals.names[i] for i in signals.turning]
        self._contact = np.array([index(f"{part}.ground_contact") for part in signals.names])
        self._vectors = self._contact + np.arange(1, 10)[:, None]  # velocity, angular velocity, position
        self._rotation = np.array([index(f"{part}.rotation.x") for part in turning]) + np.arange(4)[:, None]
        self._strength = np.array([index(f"{part}.strength") for part in turning])

    def observe(
        self,
        rows: Rows,
        *,
        goal_forward: Float[np.ndarray, "2 n"],
        goal_speed: Float[np.ndarray, "n"],
        target: Float[np.ndarray, "n 3"],
        contact: Bool[np.ndarray, "n P"],
        strength: Float[np.ndarray, "n 13"],
        out: Float[np.ndarray, "n 243"],
    ) -> None:
        """Write the observations of the environments `rows` into `out`; the signals must be current.

        Args:
            rows: which environments.
            goal_forward: the way each cube faces.
            goal_speed: target speeds, m/s.
            target: target positions in the world, m.
            contact: which parts touch the ground.
            strength: current force limit over its maximum, 0 … 1, by turning part.
            out: where to write, float32.
        """
        signals = self._signals
        hips = signals.hips_position(rows)
        velocity, spin = signals.motion(rows)
        n, parts = contact.shape
        vectors = np.stack(
            [velocity, spin, signals.positions(rows) - hips[..., None]], axis=1
        )  # (3, 3, n, P)
        # (which vector, component, n, P), in the cube's axes
        vectors = in_cube(
            vectors, np.broadcast_to(goal_forward[:, None, :, None], (2, 3, n, parts))
        ).swapaxes(0, 1)

        mean_velocity = vectors[0].mean(axis=-1)
        forward = to_unity(np.stack([*goal_forward, np.zeros(n)]))
        goal = np.zeros((3, n))
        goal[2] = goal_speed

        features = np.empty((OBSERVATION_SIZE, n), np.float32)
        features[0] = np.sqrt(np.square(goal - mean_velocity).sum(axis=0))
        features[1:4] = mean_velocity
        features[4:7] = goal
        features[7:11] = shortest_arc(to_unity(signals.hips_forward(rows)), forward)
        features[11:15] = shortest_arc(to_unity(signals.head_forward(rows)), forward)
        features[15:18] = in_cube(target.T - hips, goal_forward)
        features[self._contact] = contact.T
        features[self._vectors] = vectors.reshape(9, n, parts).swapaxes(1, 2)
        features[self._rotation] = signals.local_rotations(rows).swapaxes(1, 2)
        features[self._strength] = strength.T
        out[:] = features.T
