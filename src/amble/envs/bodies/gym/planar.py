"""Gymnasium's planar runners: HalfCheetah-v5, Hopper-v5, Walker2d-v5 and Swimmer-v5.

Below, x is the first position, dt the seconds a decision, w the options ending in `_weight`, a the action.
"""

from typing import ClassVar, Unpack

import numpy as np
from jaxtyping import Bool, Float, Shaped

from amble.envs.bodies.base import Rows
from amble.envs.bodies.gym.base import (
    CameraConfig,
    Common,
    Fields,
    Info,
    Judged,
    JudgedVectorEnv,
    Part,
    Range,
    ground_places,
    squared,
)


class Runner(JudgedVectorEnv):
    """The reward of running: forward speed less effort, and a bonus while healthy.

    r = w_forward (x' − x)/dt + bonus · healthy − w_ctrl ‖a‖²

    Terminates where the body is not healthy. First states: the default one, with U(−s, s) added to each
    position and U(−s, s), or N(0, s²) if `_normal_velocities`, to each velocity; s is `reset_noise_scale`.
    """

    _forward_reward_weight: float
    _ctrl_cost_weight: float
    _reset_noise_scale: float
    _normal_velocities: ClassVar[bool] = False

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        scale, m = self._reset_noise_scale, self.model
        qpos = m.qpos0 + self._uniform(n, m.nq, scale)
        if self._normal_velocities:
            return qpos, scale * self.np_random.standard_normal((n, m.nv))
        return qpos, self._uniform(n, m.nv, scale)

    def _places(self, rows: Rows) -> Info:
        return {"x_position": self.qpos[rows, 0].copy()}


class HalfCheetahVectorEnv(Runner):
    """r = w_forward (x' − x)/dt − w_ctrl ‖a‖². Never terminates."""

    camera_config: ClassVar[CameraConfig] = {"distance": 4.0}
    _normal_velocities = True

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "half_cheetah.xml",
        frame_skip: int = 5,
        forward_reward_weight: float = 1.0,
        ctrl_cost_weight: float = 0.1,
        reset_noise_scale: float = 0.1,
        exclude_current_positions_from_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._reset_noise_scale = reset_noise_scale
        skip = int(exclude_current_positions_from_observation)
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        x_velocity = (after["qpos"][:, 0] - before["qpos"][:, 0]) / self.dt
        forward = self._forward_reward_weight * x_velocity
        effort = self._ctrl_cost_weight * squared(actions)
        info = {"x_velocity": x_velocity, "reward_forward": forward, "reward_ctrl": -effort}
        return forward - effort, np.zeros(len(actions), bool), info


class _Upright(Runner):
    """Hopper and Walker2d: a height and an angle to keep; velocities are observed clipped to ±10."""

    camera_config: ClassVar[CameraConfig] = {
        "trackbodyid": 2,
        "distance": 4.0,
        "lookat": np.array((0.0, 0.0, 1.15)),
        "elevation": -20.0,
    }
    _healthy_reward: float
    _terminate_when_unhealthy: bool
    _healthy_z_range: Range
    _healthy_angle_range: Range

    def _healthy(self, state: Fields) -> Bool[np.ndarray, "n"]:
        low, high = self._healthy_z_range
        z = state["qpos"][:, 1]
        healthy = (low < z) & (z < high)
        low, high = self._healthy_angle_range
        angle = state["qpos"][:, 2]
        return healthy & (low < angle) & (angle < high)

    def alive_between(self) -> tuple[Float[np.ndarray, "qv"], Float[np.ndarray, "qv"]] | None:
        """See `JudgedVectorEnv.alive_between`."""
        if not self._terminate_when_unhealthy:
            return None
        bounds = np.full((2, self.model.nq + self.model.nv), np.nan)
        bounds[:, 1], bounds[:, 2] = self._healthy_z_range, self._healthy_angle_range
        return bounds[0], bounds[1]

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        x_velocity = (after["qpos"][:, 0] - before["qpos"][:, 0]) / self.dt
        forward = self._forward_reward_weight * x_velocity
        healthy = self._healthy(after)
        bonus = healthy * self._healthy_reward
        effort = self._ctrl_cost_weight * squared(actions)
        info = {
            "x_velocity": x_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
            "reward_survive": bonus,
        }
        terminated = ~healthy if self._terminate_when_unhealthy else np.zeros(len(actions), bool)
        return forward + bonus - effort, terminated, info

    def observed(self) -> list[Part]:
        """See `JudgedVectorEnv.observed`."""
        positions, velocities = super().observed()
        return [positions, velocities._replace(low=-10.0, high=10.0)]

    def _places(self, rows: Rows) -> Info:
        above = self.qpos[rows, 1] - self.model.qpos0[1]
        return {**super()._places(rows), "z_distance_from_origin": above}


class HopperVectorEnv(_Upright):
    """r = w_forward (x' − x)/dt + healthy_reward · healthy − w_ctrl ‖a‖².

    Healthy: height and angle strictly within their ranges, and every other position and velocity but x within
    `healthy_state_range`.
    """

    camera_config: ClassVar[CameraConfig] = {**_Upright.camera_config, "distance": 3.0}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "hopper.xml",
        frame_skip: int = 4,
        forward_reward_weight: float = 1.0,
        ctrl_cost_weight: float = 1e-3,
        healthy_reward: float = 1.0,
        terminate_when_unhealthy: bool = True,
        healthy_state_range: Range = (-100.0, 100.0),
        healthy_z_range: Range = (0.7, float("inf")),
        healthy_angle_range: Range = (-0.2, 0.2),
        reset_noise_scale: float = 5e-3,
        exclude_current_positions_from_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._healthy_reward = healthy_reward
        self._terminate_when_unhealthy = terminate_when_unhealthy
        self._healthy_state_range = healthy_state_range
        self._healthy_z_range = healthy_z_range
        self._healthy_angle_range = healthy_angle_range
        self._reset_noise_scale = reset_noise_scale
        skip = int(exclude_current_positions_from_observation)
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)

    judged_by = ("qpos", "qvel")

    def _healthy(self, state: Fields) -> Bool[np.ndarray, "n"]:
        low, high = self._healthy_state_range
        others = np.concatenate([state["qpos"][:, 2:], state["qvel"]], axis=1)
        return super()._healthy(state) & ((low < others) & (others < high)).all(axis=1)

    def alive_between(self) -> tuple[Float[np.ndarray, "qv"], Float[np.ndarray, "qv"]] | None:
        """See `JudgedVectorEnv.alive_between`."""
        bounds = super().alive_between()
        if bounds is None:
            return None
        low, high = bounds
        low[2:] = np.fmax(low[2:], self._healthy_state_range[0])
        high[2:] = np.fmin(high[2:], self._healthy_state_range[1])
        return low, high


class Walker2dVectorEnv(_Upright):
    """r = w_forward (x' − x)/dt + healthy_reward · healthy − w_ctrl ‖a‖².

    Healthy: height and angle strictly within their ranges.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "walker2d_v5.xml",
        frame_skip: int = 4,
        forward_reward_weight: float = 1.0,
        ctrl_cost_weight: float = 1e-3,
        healthy_reward: float = 1.0,
        terminate_when_unhealthy: bool = True,
        healthy_z_range: Range = (0.8, 2.0),
        healthy_angle_range: Range = (-1.0, 1.0),
        reset_noise_scale: float = 5e-3,
        exclude_current_positions_from_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._healthy_reward = healthy_reward
        self._terminate_when_unhealthy = terminate_when_unhealthy
        self._healthy_z_range = healthy_z_range
        self._healthy_angle_range = healthy_angle_range
        self._reset_noise_scale = reset_noise_scale
        skip = int(exclude_current_positions_from_observation)
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)


class SwimmerVectorEnv(Runner):
    """r = w_forward (x' − x)/dt − w_ctrl ‖a‖². Never terminates; x and y are left out of the observation."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "swimmer.xml",
        frame_skip: int = 4,
        forward_reward_weight: float = 1.0,
        ctrl_cost_weight: float = 1e-4,
        reset_noise_scale: float = 0.1,
        exclude_current_positions_from_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._reset_noise_scale = reset_noise_scale
        skip = 2 * int(exclude_current_positions_from_observation)
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        x_velocity, y_velocity = ((after["qpos"][:, :2] - before["qpos"][:, :2]) / self.dt).T
        forward = self._forward_reward_weight * x_velocity
        effort = self._ctrl_cost_weight * squared(actions)
        info = {
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
        }
        return forward - effort, np.zeros(len(actions), bool), info

    def _places(self, rows: Rows) -> Info:
        return ground_places(self.qpos[rows])
