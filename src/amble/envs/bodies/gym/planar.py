"""Gymnasium's planar runners: HalfCheetah-v5, Hopper-v5, Walker2d-v5 and Swimmer-v5.

Below, x is the first position, dt the seconds a decision, w the options ending in `_weight`, a the action.
"""

from typing import ClassVar, Unpack

import numpy as np
from jaxtyping import Bool, Float, Shaped

from amble.envs.bodies.base import Rows
from amble.envs.bodies.gym.base import (
    Advanced,
    CameraConfig,
    Common,
    GymVectorEnv,
    Info,
    Range,
    ground_places,
    squared,
)


class Runner(GymVectorEnv):
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

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        before = self.qpos[:, 0].copy()
        self._simulate(actions)
        x_velocity = (self.qpos[:, 0] - before) / self.dt
        forward = self._forward_reward_weight * x_velocity
        effort = self._ctrl_cost_weight * squared(actions)
        self._info = {
            **self._places(slice(None)),
            "x_velocity": x_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
        }
        return forward - effort, self._never(), self._never()


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

    def _healthy(self) -> Bool[np.ndarray, "B"]:
        low, high = self._healthy_z_range
        z = self.qpos[:, 1]
        healthy = (low < z) & (z < high)
        low, high = self._healthy_angle_range
        angle = self.qpos[:, 2]
        return healthy & (low < angle) & (angle < high)

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        before = self.qpos[:, 0].copy()
        self._simulate(actions)
        x_velocity = (self.qpos[:, 0] - before) / self.dt
        forward = self._forward_reward_weight * x_velocity
        healthy = self._healthy()
        bonus = healthy * self._healthy_reward
        effort = self._ctrl_cost_weight * squared(actions)
        self._info = {
            **self._places(slice(None)),
            "x_velocity": x_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
            "reward_survive": bonus,
        }
        terminated = ~healthy if self._terminate_when_unhealthy else self._never()
        return forward + bonus - effort, terminated, self._never()

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        super()._observe(rows, out)
        velocities = out[:, self.model.nq - self._skip :]
        np.clip(velocities, -10, 10, out=velocities)

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

    def _healthy(self) -> Bool[np.ndarray, "B"]:
        low, high = self._healthy_state_range
        state = self._state[:, 2:]
        return super()._healthy() & ((low < state) & (state < high)).all(axis=1)


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

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        before = self.qpos[:, :2].copy()
        self._simulate(actions)
        x_velocity, y_velocity = ((self.qpos[:, :2] - before) / self.dt).T
        forward = self._forward_reward_weight * x_velocity
        effort = self._ctrl_cost_weight * squared(actions)
        self._info = {
            **self._places(slice(None)),
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
        }
        return forward - effort, self._never(), self._never()

    def _places(self, rows: Rows) -> Info:
        return ground_places(self.qpos[rows])
