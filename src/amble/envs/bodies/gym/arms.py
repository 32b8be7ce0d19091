"""Gymnasium's Reacher-v5 and Pusher-v5: arms that bring something to a goal. Neither terminates."""

from collections.abc import Callable
from typing import ClassVar, Unpack

import numpy as np
from jaxtyping import Bool, Float, Shaped

from amble.envs.bodies.base import Rows
from amble.envs.bodies.gym.base import Advanced, CameraConfig, Common, GymVectorEnv, norms, squared

Draw = Callable[[int], Float[np.ndarray, "n 2"]]
Accepted = Callable[[Float[np.ndarray, "n 2"]], Bool[np.ndarray, "n"]]

_JOINTS = 7  # of the Pusher's arm
_REST_SPEED = 0.005  # to either side, of a joint at the beginning


class ReacherVectorEnv(GymVectorEnv):
    """r = −w_dist ‖fingertip − target‖ − w_control ‖a‖².

    | observation | |
    |---|---|
    | 0–1, 2–3 | cosines, sines of the two joints |
    | 4–5 | target (x, y), m |
    | 6–7 | speeds of the two joints, rad/s |
    | 8–9 | fingertip − target (x, y), m |
    """

    length: ClassVar[int] = 50
    camera_config: ClassVar[CameraConfig] = {"trackbodyid": 0}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "reacher.xml",
        frame_skip: int = 2,
        reward_dist_weight: float = 1.0,
        reward_control_weight: float = 1.0,
        **common: Unpack[Common],
    ):
        self._reward_dist_weight = reward_dist_weight
        self._reward_control_weight = reward_control_weight
        super().__init__(num_envs, xml_file, frame_skip, **common)
        places = self._derived("xpos")
        self._fingertip = places[:, self._body_id("fingertip")]
        self._target = places[:, self._body_id("target")]

    def _observation_length(self) -> int:
        return 6 + self.model.nq

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        self._simulate(actions)
        distance = -norms(self._fingertip - self._target) * self._reward_dist_weight
        effort = -squared(actions) * self._reward_control_weight
        self._info = {"reward_dist": distance, "reward_ctrl": effort}
        return distance + effort, self._never(), self._never()

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        joints, at = self.qpos[rows, :2], 2 + self.model.nq
        np.cos(joints, out=out[:, :2])
        np.sin(joints, out=out[:, 2:4])
        out[:, 4:at] = self.qpos[rows, 2:]
        out[:, at : at + 2] = self.qvel[rows, :2]
        np.subtract(self._fingertip[rows, :2], self._target[rows, :2], out=out[:, at + 2 :])

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """Joints at U(−0.1, 0.1), the target anywhere within 0.2 m, at rest."""
        m = self.model
        qpos = self._uniform(n, m.nq, 0.1) + m.qpos0
        qvel = self._uniform(n, m.nv, _REST_SPEED)
        qpos[:, -2:] = drawn_until(
            n, lambda k: self._uniform(k, 2, 0.2), lambda goal: np.hypot(*goal.T) < 0.2
        )
        qvel[:, -2:] = 0.0
        return qpos, qvel


class PusherVectorEnv(GymVectorEnv):
    """r = −w_dist ‖object − goal‖ − w_control ‖a‖² − w_near ‖object − fingertips‖.

    | observation | |
    |---|---|
    | 0–6, 7–13 | the arm's joints, rad, and their speeds, rad/s |
    | 14–16, 17–19, 20–22 | fingertips, object, goal (x, y, z), m |
    """

    length: ClassVar[int] = 100
    camera_config: ClassVar[CameraConfig] = {"trackbodyid": -1, "distance": 4.0}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "pusher_v5.xml",
        frame_skip: int = 5,
        reward_near_weight: float = 0.5,
        reward_dist_weight: float = 1.0,
        reward_control_weight: float = 0.1,
        **common: Unpack[Common],
    ):
        self._reward_near_weight = reward_near_weight
        self._reward_dist_weight = reward_dist_weight
        self._reward_control_weight = reward_control_weight
        super().__init__(num_envs, xml_file, frame_skip, **common)
        places = self._derived("xpos")
        self._tips, self._object, self._goal = (
            places[:, self._body_id(name)] for name in ("tips_arm", "object", "goal")
        )

    def _observation_length(self) -> int:
        return 2 * _JOINTS + 9

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        self._simulate(actions)
        near = -norms(self._object - self._tips) * self._reward_near_weight
        distance = -norms(self._object - self._goal) * self._reward_dist_weight
        effort = -squared(actions) * self._reward_control_weight
        self._info = {"reward_dist": distance, "reward_ctrl": effort, "reward_near": near}
        return distance + effort + near, self._never(), self._never()

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        out[:, :_JOINTS] = self.qpos[rows, :_JOINTS]
        out[:, _JOINTS : 2 * _JOINTS] = self.qvel[rows, :_JOINTS]
        at = 2 * _JOINTS
        out[:, at : at + 3] = self._tips[rows]
        out[:, at + 3 : at + 6] = self._object[rows]
        out[:, at + 6 :] = self._goal[rows]

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """The default pose, the goal at 0, the object in front of it and more than 0.17 m away."""
        m = self.model
        qpos = np.tile(m.qpos0, (n, 1))
        qpos[:, -4:-2] = drawn_until(
            n,
            lambda k: self.np_random.uniform((-0.3, -0.2), (0.0, 0.2), (k, 2)),
            lambda place: np.hypot(*place.T) > 0.17,
        )
        qpos[:, -2:] = 0.0
        qvel = self._uniform(n, m.nv, _REST_SPEED)
        qvel[:, -4:] = 0.0
        return qpos, qvel


def drawn_until(n: int, draw: Draw, accepted: Accepted) -> Float[np.ndarray, "n 2"]:
    """Draw `n` points and draw those again that are not accepted, until all are."""
    points = draw(n)
    while (bad := np.flatnonzero(~accepted(points))).size:
        points[bad] = draw(bad.size)
    return points
