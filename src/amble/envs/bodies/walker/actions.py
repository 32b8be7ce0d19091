"""The Walker's 39 actions: joint targets first, joint strengths last.

Axes: B environments, D = 26 hinges in the model's order.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Float

from amble.envs.bodies.walker.model import hinge_name
from amble.envs.bodies.walker.skeleton import JOINTS

TARGET_ORDER = (
    ("chest", "xyz"), ("spine", "xyz"),
    ("thighL", "xy"), ("thighR", "xy"), ("shinL", "x"), ("shinR", "x"),
    ("footR", "xyz"), ("footL", "xyz"),
    ("armL", "xy"), ("armR", "xy"), ("forearmL", "x"), ("forearmR", "x"),
    ("head", "xy"),
)  # fmt: skip
STRENGTH_ORDER = (
    "chest", "spine", "head",
    "thighL", "shinL", "footL", "thighR", "shinR", "footR",
    "armL", "forearmL", "armR", "forearmR",
)  # fmt: skip

TARGET_NAMES = tuple(hinge_name(part, axis) for part, axes in TARGET_ORDER for axis in axes)
ACTION_NAMES = (
    *(f"{name}_target" for name in TARGET_NAMES),
    *(f"{part}_strength" for part in STRENGTH_ORDER),
)
ACTION_SIZE = len(ACTION_NAMES)


class ActionMap:
    """Turns actions in [-1, 1] into hinge targets and force limits, in the order of the model's hinges."""

    def __init__(self, model: mujoco.MjModel, max_force: float):
        hinges = [
            model.joint(j).name for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE
        ]
        strengths = len(TARGET_NAMES)
        self._target = np.array([TARGET_NAMES.index(name) for name in hinges])
        self._strength = np.array(
            [strengths + STRENGTH_ORDER.index(name.rsplit("_", 1)[0]) for name in hinges]
        )
        self.low: Float[np.ndarray, "D"] = np.array([model.joint(name).range[0] for name in hinges])
        self.high: Float[np.ndarray, "D"] = np.array([model.joint(name).range[1] for name in hinges])
        self._max_force = max_force

    def targets(self, actions: Float[np.ndarray, "B 39"]) -> Float[np.ndarray, "B D"]:
        """Hinge targets, rad: low + (a + 1)/2 · (high - low), a clamped to [-1, 1] as Unity's lerp does."""
        u = (np.clip(actions[:, self._target], -1.0, 1.0) + 1.0) / 2.0
        return self.low + u * (self.high - self.low)

    def force_limits(self, actions: Float[np.ndarray, "B 39"]) -> Float[np.ndarray, "B D"]:
        """Torque limits, N·m: (s + 1)/2 · max_force; a joint at s = -1 hangs limp."""
        return (np.clip(actions[:, self._strength], -1.0, 1.0) + 1.0) / 2.0 * self._max_force


def neutral_action(strength: float = 1.0) -> Float[np.ndarray, "39"]:
    """The action whose targets are all 0 rad, the start pose, at one strength for every joint."""
    action = np.full(ACTION_SIZE, strength)
    for joint in JOINTS:
        for axis in "xyz":
            limits = getattr(joint, axis)
            if limits is None:
                continue
            low, high = limits if axis == "x" else (-limits, limits)
            action[TARGET_NAMES.index(hinge_name(joint.child, axis))] = -(high + low) / (high - low)
    return action
