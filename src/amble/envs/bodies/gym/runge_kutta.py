"""One stage of MuJoCo's RK4 for all simulations, compiled: what lies between two evaluations of the dynamics.

Axes: B simulations, q positions, v velocities. The equations stand in `contact.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from amble.native.compiled import entry, fingerprint, kernel


class Joints(NamedTuple):
    """Where the joints' numbers stand: position and velocity of each that adds, and of each that turns."""

    adds: np.ndarray
    """(n, 2); a free joint's translation is three of them."""
    turns: np.ndarray
    """(n, 2) first numbers of a quaternion (w, x, y, z) and of its angular velocity (body's axes)."""


class Step(NamedTuple):
    """A step's memory."""

    q: np.ndarray
    """(B, q) where it began."""
    v: np.ndarray
    """(B, v)"""
    k: np.ndarray
    """(B, v) of the stage before"""
    mean_k: np.ndarray
    """(B, v) Σ b k so far"""
    mean_f: np.ndarray
    """(B, v) Σ b F so far"""


@kernel
def turn(q, x, y, z, out):
    """q · exp(u/2) into `out` (4,): the quaternion q, made a unit, turned by u = (x, y, z) rad in its own axes."""
    norm = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    w, a, b, c = q[0] / norm, q[1] / norm, q[2] / norm, q[3] / norm
    angle = np.sqrt(x * x + y * y + z * z)
    cosine = np.cos(0.5 * angle)
    # Below 1e-15 MuJoCo turns about x by the angle as it is: to its precision, not at all.
    share = np.sin(0.5 * angle) / max(angle, 1e-15)
    x, y, z = share * x, share * y, share * z
    out[0] = w * cosine - a * x - b * y - c * z
    out[1] = w * x + a * cosine + b * z - c * y
    out[2] = w * y + b * cosine + c * x - a * z
    out[3] = w * z + c * cosine + a * y - b * x


@kernel
def correct_turn(u, v):
    """v ← dexp⁻¹(u) v, both (3,); u × (u × v) is u (u·v) − v (u·u)."""
    square = u[0] * u[0] + u[1] * u[1] + u[2] * u[2]
    half = 0.5 * np.sqrt(max(square, 1e-18))
    share = (1.0 - half / np.tan(half)) / (4.0 * half * half)
    along = u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
    x = 0.5 * (u[1] * v[2] - u[2] * v[1]) + share * (u[0] * along - v[0] * square)
    y = 0.5 * (u[2] * v[0] - u[0] * v[2]) + share * (u[1] * along - v[1] * square)
    z = 0.5 * (u[0] * v[1] - u[1] * v[0]) + share * (u[2] * along - v[2] * square)
    v[0] += x
    v[1] += y
    v[2] += z


@kernel
def _move(q, u, joints, out):
    """q ⊕ u, positions of one simulation."""
    for i in range(joints.adds.shape[0]):
        at = joints.adds[i, 0]
        out[at] = q[at] + u[joints.adds[i, 1]]
    for i in range(joints.turns.shape[0]):
        at, of = joints.turns[i, 0], joints.turns[i, 1]
        turn(q[at : at + 4], u[of], u[of + 1], u[of + 2], out[at : at + 4])


def _compiled() -> tuple[Callable[..., Any], ...]:
    sources = fingerprint(__file__)

    @entry("the steps of Gymnasium's bodies", seconds=4)
    def next_stage(c, b, joints, step, acceleration, qpos, qvel):
        """Put every simulation where the next stage is evaluated.

        Args:
            c: h times the stage's coefficient.
            b: the weight of the stage before, whose F is `acceleration`.
            joints: of the model.
            step: the step's memory.
            acceleration: (B, v).
            qpos: (B, q) written.
            qvel: (B, v) written.
        """
        _ = sources
        joints, step = Joints(*joints), Step(*step)
        u = np.empty(qvel.shape[1])
        for i in range(qvel.shape[0]):
            k = step.k[i]
            for j in range(u.size):
                step.mean_k[i, j] += b * k[j]
                step.mean_f[i, j] += b * acceleration[i, j]
                u[j] = c * k[j]
                qvel[i, j] = k[j] = step.v[i, j] + c * acceleration[i, j]
            _move(step.q[i], u, joints, qpos[i])
            for turned in range(joints.turns.shape[0]):
                of = joints.turns[turned, 1]
                correct_turn(u[of : of + 3], k[of : of + 3])

    @entry("the steps of Gymnasium's bodies", seconds=4)
    def finish(h, b, joints, step, acceleration, qpos, qvel):
        """Put every simulation where the step of h seconds ends; the rest as for `next_stage`."""
        _ = sources
        joints, step = Joints(*joints), Step(*step)
        u = np.empty(qvel.shape[1])
        for i in range(qvel.shape[0]):
            for j in range(u.size):
                u[j] = h * (step.mean_k[i, j] + b * step.k[i, j])
                qvel[i, j] = step.v[i, j] + h * (step.mean_f[i, j] + b * acceleration[i, j])
            _move(step.q[i], u, joints, qpos[i])

    return next_stage, finish


next_stage, finish = _compiled()
