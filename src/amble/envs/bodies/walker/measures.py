"""The Walker's signals, under names that any two-legged body could use.

Forward, right and up are those of an upright frame that faces the goal. Heights are above the ground. Sides are in the
order left, right. Axes: B environments, S substeps, F = 2 sides, D = 26 hinges.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from amble.envs.bodies.published import BodySignals, Read
from amble.envs.bodies.walker.actions import ACTION_NAMES
from amble.envs.bodies.walker.measuring import Measures, measures
from amble.envs.bodies.walker.observation import OBSERVATION_NAMES
from amble.envs.bodies.walker.skeleton import PART_ORDER
from amble.rewards.signals import YES_NO, Signal

SIDES = ("left", "right")
_FRU = ("forward", "right", "up")
_EFFORT = {"joint_torque", "power", "energy"}
_FEET = {"foot_load", "air_time", "contact_time", "landing_air_time", "duty_factor"}
_DUTY_SECONDS = 2.0
_LEAD = 0.1
"""Standing heights by which a foot must be ahead of the other to take the lead."""


class WalkerSignals(BodySignals):
    """Signals of a `WalkerVectorEnv`."""

    observation_names = OBSERVATION_NAMES
    action_names = ACTION_NAMES

    def __init__(self, env: Any):
        s = env.settings
        self._parts = env.signals.bodies
        self._index = {part: env.signals.names.index(part) for part in PART_ORDER}
        self._feet = _feet(env)
        self._hinges = tuple(env.model.joint(j).name for j in range(1, env.model.njnt))
        self._knees = [1 + self._hinges.index("shinL_x"), 1 + self._hinges.index("shinR_x")]
        self._seconds = s.decision_seconds
        self._standing = s.skeleton.start_height - s.skeleton.ground_height
        self.measured = self.nothing(env)
        """For `driven.py`, which measures in every substep."""
        self._leader: Float[np.ndarray, "B"] = np.zeros(env.num_envs)
        """1 where the left foot led at the last decision's end, -1 the right, 0 neither yet."""
        self._led: Float[np.ndarray, "B"] = np.zeros(env.num_envs)
        """s that it had led by then."""
        super().__init__(env, substeps=s.substeps, substep_seconds=s.timestep)

    @staticmethod
    def nothing(env: Any) -> Measures:
        """For `driven.py` where nothing is measured."""
        s = env.settings
        return measures(
            env.num_envs,
            env.model.njnt - 1,
            _feet(env),
            seconds=s.timestep,
            substeps=s.substeps,
            memory=_DUTY_SECONDS,
        )

    def watch(self, names: Iterable[str]) -> None:
        """Measure these from now on, besides what is watched already."""
        super().watch(names)
        effort, feet = bool(self._watched & _EFFORT), bool(self._watched & _FEET)
        self.measured = self.measured._replace(effort=effort, feet=feet)

    def before(self, actions: Float[np.ndarray, "B A"]) -> None:
        """A decision is about to be carried out."""
        super().before(actions)
        if "lead_time" in self._watched:
            self._led, self._leader = self._lead_time(), self._leading()
        m = self.measured
        m.torque[:], m.power[:], m.load[:], m.landing[:] = 0.0, 0.0, 0.0, 0.0

    def forget(self, ids: Int[np.ndarray, "n"]) -> None:
        """New episodes begin there."""
        super().forget(ids)
        m = self.measured
        m.air[ids], m.stance[ids], m.duty[ids] = 0.0, 0.0, 0.5
        self._leader[ids], self._led[ids] = 0.0, 0.0

    def _more(self) -> Iterable[tuple[Signal, Read]]:
        env, task, parts, at = self.env, self.env.task, self._parts, self._index
        position, quaternion, spatial = parts.position, parts.quaternion, parts.spatial
        hips, chest, head = at["hips"], at["chest"], at["head"]
        hands, feet = [at["handL"], at["handR"]], self._feet
        yield (
            Signal("velocity", "m/s", "mean of all parts, toward the goal, to its right, up", _FRU),
            self._velocity,
        )
        yield (
            Signal("velocity_error", "m/s", "distance of that velocity from the goal's", taken="substeps"),
            lambda: task.velocity_error,
        )
        yield (
            Signal("speed", "m/s", "mean of all parts, along the ground, any way"),
            lambda: np.hypot(*task.velocity[:2]),
        )
        yield Signal("goal_speed", "m/s", "that the episode asks for"), lambda: task.goal_speed
        yield (
            Signal("goal_distance", "m", "from the hips to the target along the ground"),
            lambda: np.hypot(
                task.target[:, 0] - position[:, hips, 0], task.target[:, 1] - position[:, hips, 1]
            ),
        )
        yield (
            Signal("facing", "1", "cosine of the angle between head and goal direction", taken="substeps"),
            lambda: task.facing,
        )
        yield (
            Signal(
                "heading_error", "rad", "the way the hips face, positive to the right of the goal's direction"
            ),
            self._heading_error,
        )
        yield (
            Signal("spin_rate", "rad/s", "of the hips about the vertical, positive turning right"),
            lambda: spatial[:, hips, 2],
        )
        yield (
            Signal("upright", "1", "cosine of the chest's lean from the vertical"),
            lambda: _up(quaternion[:, chest]),
        )
        yield Signal("body_height", "m", "of the hips"), lambda: position[:, hips, 2]
        yield Signal("head_height", "m", "of the head's middle"), lambda: position[:, head, 2]
        yield (
            Signal("standing_height", "m", "of the hips in the start pose, the same throughout"),
            lambda: np.full(env.num_envs, self._standing),
        )
        yield Signal("hand_height", "m", "of each hand", SIDES), lambda: position[:, hands, 2]
        yield (
            Signal("knee_height", "m", "of each knee's axis", SIDES),
            lambda: parts.anchor[:, self._knees, 2],
        )
        yield Signal("foot_height", "m", "of each foot's lowest point", SIDES), self._clearance
        yield (
            Signal("foot_pitch", "rad", "of each foot, positive with the heel above the toes", SIDES),
            lambda: np.arcsin(np.clip(-_forward_up(quaternion[:, feet]), -1.0, 1.0)),
        )
        yield Signal("foot_speed", "m/s", "of each foot along the ground", SIDES), self._foot_speed
        yield (
            Signal("foot_ahead", "m", "of each foot before the hips, the way they face", SIDES),
            self._foot_ahead,
        )
        yield (
            Signal("lead_time", "s", "since the foot that is ahead has passed the other"),
            self._lead_time,
        )
        yield (
            Signal("foot_contact", YES_NO, "whether each foot is on the ground", SIDES),
            lambda: env.contact[:, feet],
        )
        yield (
            Signal("foot_load", "1", "share of the decision that each foot was on the ground", SIDES, "mean"),
            lambda: self.measured.load,
        )
        yield (
            Signal("air_time", "s", "since each foot left the ground; 0 on it", SIDES),
            lambda: self.measured.air,
        )
        yield (
            Signal("contact_time", "s", "since each foot came down; 0 in the air", SIDES),
            lambda: self.measured.stance,
        )
        yield (
            Signal(
                "landing_air_time", "s", "of the flight that each foot ended in this decision; else 0", SIDES
            ),
            lambda: self.measured.landing,
        )
        yield (
            Signal(
                "duty_factor",
                "1",
                f"share of the last {_DUTY_SECONDS:.0f} s or so that each foot was down",
                SIDES,
            ),
            lambda: self.measured.duty,
        )
        yield (
            Signal("part_contact", YES_NO, "whether each part is on the ground", env.signals.names),
            lambda: env.contact,
        )
        yield from self._joints()
        yield (
            Signal("joint_torque", "N·m", "|τ| of each joint's drive", self._hinges, "mean"),
            lambda: self.measured.torque,
        )
        yield Signal("power", "W", "Σ|τ·ω| over the joints", taken="mean"), lambda: self.measured.power
        yield (
            Signal("energy", "J", "Σ|τ·ω|·Δt, what the decision took"),
            lambda: self.measured.power * self._seconds,
        )
        weight = float(env.model.body("hips").subtreemass[0] * env.settings.gravity)
        yield (
            Signal("body_weight", "N", "m·g of the body as built, the same throughout"),
            lambda: np.full(env.num_envs, weight),
        )

    def _velocity(self) -> Float[np.ndarray, "B 3"]:
        vx, vy, vz = self.env.task.velocity
        fx, fy = self.env.task.goal_forward
        return np.stack([fx * vx + fy * vy, fx * vy - fy * vx, vz], axis=1)

    def _heading(self) -> tuple[Float[np.ndarray, "B"], Float[np.ndarray, "B"]]:
        """The way the hips face, its level part."""
        w, x, y, z = self._parts.quaternion[:, self._index["hips"]].T
        return 2 * (x * z + w * y), 2 * (y * z - w * x)

    def _heading_error(self) -> Float[np.ndarray, "B"]:
        hx, hy = self._heading()
        fx, fy = self.env.task.goal_forward
        return np.arctan2(fx * hy - fy * hx, fx * hx + fy * hy)

    def _clearance(self) -> Float[np.ndarray, "B F"]:
        parts, feet = self._parts, self._feet
        reach = (np.abs(parts.axes[:, feet, 6:]) * parts.extent[feet]).sum(axis=2)
        return parts.centre[:, feet, 2] - reach - parts.radius[feet]

    def _foot_speed(self) -> Float[np.ndarray, "B F"]:
        parts, feet = self._parts, self._feet
        arm = parts.centre[:, feet] - parts.centre_of_mass[:, None]
        velocity = parts.spatial[:, feet, 3:] + np.cross(parts.spatial[:, feet, :3], arm)
        return np.hypot(velocity[..., 0], velocity[..., 1])

    def _foot_ahead(self) -> Float[np.ndarray, "B F"]:
        parts, feet = self._parts, self._feet
        heading = np.stack(self._heading(), axis=1)
        heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-9)
        arm = parts.centre[:, feet, :2] - parts.position[:, [self._index["hips"]], :2]
        return np.einsum("bfc,bc->bf", arm, heading)

    def _leading(self) -> Float[np.ndarray, "B"]:
        """1 where the left foot leads, -1 the right, 0 neither yet: who has led leads until it is passed."""
        left, right = self._foot_ahead().T
        clear = np.abs(left - right) > _LEAD * self._standing
        return np.where(clear, np.sign(left - right), self._leader)

    def _lead_time(self) -> Float[np.ndarray, "B"]:
        return np.where(self._leading() == self._leader, self._led + self._seconds, 0.0)


def _up(q: Float[np.ndarray, "B 4"]) -> Float[np.ndarray, "B"]:
    """The vertical component of a part's own up, Unity's y: the second column of its rotation matrix."""
    w, x, y, z = q.T
    return 2 * (y * z + w * x)


def _forward_up(q: Float[np.ndarray, "B F 4"]) -> Float[np.ndarray, "B F"]:
    """The vertical component of the way each part faces: the third column of its rotation matrix."""
    return 1 - 2 * (np.square(q[..., 1]) + np.square(q[..., 2]))


def _feet(env: Any) -> Int[np.ndarray, "F"]:
    return np.array([env.signals.names.index(foot) for foot in ("footL", "footR")])
