"""The 3DBall task, B platforms at a time.

Axes: B environments, n a subset of them. All numbers that the policy sees are Unity's; `model` says how its
axes lie in MuJoCo.

| observation | |     | action (each clipped to ±1) | |
|---|---|---|---|---|
| 0 | z of the platform's quaternion |  | 0 | turn about the platform's own z, 2° a physics step |
| 1 | x of the platform's quaternion |  | 1 | turn about the platform's own x, 2° a physics step |
| 2–4 | ball − platform (x, y, z), m | | | |
| 5–7 | ball's velocity (x, y, z), m/s | | | |
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator, Mapping
from typing import ClassVar

import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from jaxtyping import Bool, Float, Int

from amble.envs.bodies.ball.model import ANGULAR_DRAG, RADIUS, TIMESTEP, ball_model
from amble.envs.bodies.base import BodyVectorEnv, Rows
from amble.envs.bodies.published import BodySignals, MuJoCoSignals, Read
from amble.envs.bodies.single import SingleBodyEnv
from amble.envs.parameters import Limits
from amble.errors import UsageError
from amble.rewards.signals import Signal

SUBSTEPS = 5  # physics steps a decision
TIME_LIMIT = 1000  # decisions, 5000 physics steps, 100 s
TURN = np.radians(2.0)  # the most the platform turns in one physics step
TILT_LIMIT = 0.25  # quaternion component beyond which it turns no further, 2 · asin(0.25) = 29°
REWARD_ON, REWARD_FALLEN = 0.1, -1.0  # a decision
DROP_HEIGHT = 4.0  # m above the platform's centre
DROP_RANGE = 1.5  # m to either side
START_TILT = np.radians(10.0)
LARGEST = 3.0  # scale at which the ball starts on the platform's face
LOWEST, FURTHEST = -2.0, 3.0  # m: where the ball counts as fallen

_MOCAP_QUAT = int(mujoco.mjtState.mjSTATE_MOCAP_QUAT)
_UNITY_XYZ = [1, 2, 0]  # MuJoCo's coordinates in the order of Unity's
_MUJOCO_QUAT = [0, 3, 1, 2]  # Unity's quaternion (w, x, y, z) in the order of MuJoCo's


class BallVectorEnv(BodyVectorEnv):
    """B balls on B platforms.

    An episode ends when the ball falls (reward −1), or is cut off after 1000 decisions; every other decision
    earns 0.1, so that the best return is 100. `mass` (kg) and `scale` (radius 0.5 · scale m) are the ball's.
    """

    metadata = {**BodyVectorEnv.metadata, "render_fps": round(1 / (SUBSTEPS * TIMESTEP))}  # noqa: RUF012
    camera = "side"
    adjustable: ClassVar[Mapping[str, Limits]] = {
        "mass": Limits(above=0.0),
        "scale": Limits(above=0.0, most=LARGEST),
        "gravity": Limits(),
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        render_mode: str | None = None,
        threads: int = 0,
        mass: float = 1.0,
        scale: float = 1.0,
        gravity: float = 9.81,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
    ):
        for name, value in {"mass": mass, "scale": scale}.items():
            if not (np.isfinite(value) and value > 0):
                raise UsageError(f"3DBall: {name} must be a positive number, got {value!r}.")
        # The ball starts 1.5 m above the platform's face, and the face may be tilted by 10° two ways.
        if scale > LARGEST:
            raise UsageError(
                f"3DBall: a ball of scale {scale} starts inside the platform; {LARGEST} is the most."
            )
        if not np.isfinite(gravity):
            raise UsageError(f"3DBall: gravity must be a finite number of m/s², got {gravity!r}.")
        super().__init__(
            ball_model(mass, scale, gravity),
            num_envs,
            single_observation_space=spaces.Box(-np.inf, np.inf, (8,), np.float32),
            single_action_space=spaces.Box(-1.0, 1.0, (2,), np.float32),
            time_limit=TIME_LIMIT,
            render_mode=render_mode,
            threads=threads,
            autoreset_mode=autoreset_mode,
        )
        self._qpos, self._qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self._mass, self._radius = np.full(num_envs, float(mass)), np.full(num_envs, RADIUS * scale)
        self._tilt: Float[np.ndarray, "4 B"] = np.zeros((4, num_envs))  # Unity's w, x, y, z of the platforms
        self._tilts: Float[np.ndarray, "B S 4"] = np.zeros(
            (num_envs, SUBSTEPS, 4)
        )  # MuJoCo's, by physics step
        self._track = {"qpos": np.zeros((num_envs, SUBSTEPS, self.model.nq))}

    def _adjust(self, ids: Int[np.ndarray, "n"], values: Mapping[str, Float[np.ndarray, "n"]]) -> None:
        """Mass, radius and gravity of each ball, and what a model of such a ball has besides."""
        expand, ball, geom = self.batch.expand, self.model.body("ball").id, self.model.geom("ball").id
        if "gravity" in values:
            expand("opt.gravity")[ids, 2] = -values["gravity"]
        self._mass[ids] = values.get("mass", self._mass[ids])
        self._radius[ids] = values["scale"] * RADIUS if "scale" in values else self._radius[ids]
        mass, radius = self._mass[ids], self._radius[ids]
        if "scale" in values:
            expand("geom_size")[ids, geom, 0] = radius
            expand("geom_rbound")[ids, geom] = radius
            expand("geom_aabb")[ids, geom, 3:] = radius[:, None]
            expand("bvh_aabb")[ids, self.model.body_bvhadr[ball], 3:] = radius[:, None]
        if "scale" in values or "mass" in values:
            inertia = 0.4 * mass * radius**2
            expand("body_mass")[ids, ball] = mass
            expand("body_inertia")[ids, ball] = inertia[:, None]
            expand("dof_damping")[ids, 3:6] = ANGULAR_DRAG * inertia[:, None]
            self.batch.set_const(ids)

    def _reset_bodies(self, ids: Int[np.ndarray, "n"]) -> None:
        """Tilt the platforms and hold the balls above them.

        As in Unity the ball's spin outlives its episode (an explicit reset has put it to 0).
        """
        n = len(ids)
        about_x, about_z = self.np_random.uniform(-START_TILT, START_TILT, (2, n))
        level = np.zeros((4, n))
        level[0] = 1.0
        self._tilt[:, ids] = turn_z(turn_x(level, about_x), about_z)
        self.batch.bind("mocap_quat")[ids, 0] = self._tilt[_MUJOCO_QUAT][:, ids].T

        aside = self.np_random.uniform(-DROP_RANGE, DROP_RANGE, (n, 2))
        self._qpos[ids, :2] = aside
        self._qpos[ids, 2] = DROP_HEIGHT
        self._qvel[ids, :3] = 0.0
        # A solver's warm start from another episode would differ in the last bits.
        self.batch.bind("qacc_warmstart")[ids] = 0.0
        self.batch.bind("time")[ids] = 0.0

    def _advance(
        self, actions: Float[np.ndarray, "B A"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        """Turn each platform five times, with one physics step after each turn."""
        # The platform does not feel the ball, so its five attitudes are known before the physics runs.
        angle = TURN * np.clip(actions, -1.0, 1.0, dtype=np.float64)
        for substep in range(SUBSTEPS):
            self._tilt = tilted(self._tilt, about_z=angle[:, 0], about_x=angle[:, 1])
            self._tilts[:, substep] = self._tilt[_MUJOCO_QUAT].T
        self._tilt /= np.sqrt((self._tilt**2).sum(axis=0))
        self.batch.rollout(SUBSTEPS, self._tilts, _MOCAP_QUAT, ("qpos",), out=self._track)

        ball = self._track["qpos"][:, :, :3]  # (B, S, 3), MuJoCo's axes: z is up
        aside = np.abs(ball[:, :, :2]).max(axis=2)
        terminated = np.logical_or(ball[:, :, 2].min(axis=1) < LOWEST, aside.max(axis=1) > FURTHEST)
        reward = np.where(terminated, np.float32(REWARD_FALLEN), np.float32(REWARD_ON))
        return reward, terminated, np.zeros(self.num_envs, bool)

    def _publish(self) -> BodySignals:
        return BallSignals(self, substeps=1, substep_seconds=SUBSTEPS * TIMESTEP)

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        _, x, _, z = self._tilt
        out[:, 0] = z[rows]
        out[:, 1] = x[rows]
        out[:, 2:5] = self._qpos[rows, :3][:, _UNITY_XYZ]
        out[:, 5:8] = self._qvel[rows, :3][:, _UNITY_XYZ]


class BallSignals(MuJoCoSignals):
    """Those of the ball, the root, and how far the platform leans."""

    def _more(self) -> Iterator[tuple[Signal, Read]]:
        yield from super()._more()
        env, axes = self.env, ("x", "y", "z")
        yield (
            Signal("ball_offset", "m", "ball − platform's centre, y up", axes),
            lambda: env._qpos[:, _UNITY_XYZ],
        )
        yield Signal("ball_velocity", "m/s", "y up", axes), lambda: env._qvel[:, _UNITY_XYZ]
        yield (
            Signal("platform_lean", "rad", "angle between the platform's up and the vertical"),
            # cos = 1 − 2(x² + z²) of its unit quaternion
            lambda: np.arccos(np.clip(1 - 2 * (env._tilt[1] ** 2 + env._tilt[3] ** 2), -1.0, 1.0)),
        )


class BallEnv(SingleBodyEnv):
    """One ball on one platform: see `BallVectorEnv`."""

    vector_class: ClassVar[type[BodyVectorEnv]] = BallVectorEnv


def tilted(
    q: Float[np.ndarray, "4 B"], about_z: Float[np.ndarray, "B"], about_x: Float[np.ndarray, "B"]
) -> Float[np.ndarray, "4 B"]:
    """Turn platforms about their own z, then about their own x, each only while its limit allows it."""
    q = turn_z(q, np.where(_may_turn(q[3], about_z), about_z, 0.0))
    return turn_x(q, np.where(_may_turn(q[1], about_x), about_x, 0.0))


def _may_turn(component: Float[np.ndarray, "B"], angle: Float[np.ndarray, "B"]) -> Bool[np.ndarray, "B"]:
    return np.where(angle > 0, component < TILT_LIMIT, component > -TILT_LIMIT)


def turn_z(q: Float[np.ndarray, "4 B"], angle: Float[np.ndarray, "B"]) -> Float[np.ndarray, "4 B"]:
    """Multiply quaternions (w, x, y, z) from the right with a turn about z: q · (c, 0, 0, s)."""
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    w, x, y, z = q
    return np.stack([w * c - z * s, x * c + y * s, y * c - x * s, z * c + w * s])


def turn_x(q: Float[np.ndarray, "4 B"], angle: Float[np.ndarray, "B"]) -> Float[np.ndarray, "4 B"]:
    """Multiply quaternions (w, x, y, z) from the right with a turn about x: q · (c, s, 0, 0)."""
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    w, x, y, z = q
    return np.stack([w * c - x * s, x * c + w * s, y * c + z * s, z * c - y * s])
