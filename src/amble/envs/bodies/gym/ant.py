"""Gymnasium's Ant-v5."""

from typing import ClassVar, Unpack

import numpy as np
from jaxtyping import Float, Shaped

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


class AntVectorEnv(JudgedVectorEnv):
    """r = w_forward (x' − x)/dt + healthy_reward · healthy − w_ctrl ‖a‖² − w_contact ‖clip(f)‖².

    x is the main body's, f the external forces on all bodies (`cfrc_ext`), clipped to `contact_force_range`;
    their rows but the world's end the observation. Healthy: the state is finite and the height within its range.
    """

    camera_config: ClassVar[CameraConfig] = {"distance": 4.0}
    contact_forces = True
    judged_by = ("qpos", "qvel", "xpos", "cfrc_ext")

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "ant.xml",
        frame_skip: int = 5,
        forward_reward_weight: float = 1.0,
        ctrl_cost_weight: float = 0.5,
        contact_cost_weight: float = 5e-4,
        healthy_reward: float = 1.0,
        main_body: int | str = 1,
        terminate_when_unhealthy: bool = True,
        healthy_z_range: Range = (0.2, 1.0),
        contact_force_range: Range = (-1.0, 1.0),
        reset_noise_scale: float = 0.1,
        exclude_current_positions_from_observation: bool = True,
        include_cfrc_ext_in_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._contact_cost_weight = contact_cost_weight
        self._healthy_reward = healthy_reward
        self._terminate_when_unhealthy = terminate_when_unhealthy
        self._healthy_z_range = healthy_z_range
        self._contact_force_range = contact_force_range
        self._reset_noise_scale = reset_noise_scale
        self._include_contact = include_cfrc_ext_in_observation
        skip = 2 * int(exclude_current_positions_from_observation)
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)
        at = 3 * self._body_id(main_body)
        self._main_body = slice(at, at + 2)

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        moved = after["xpos"][:, self._main_body] - before["xpos"][:, self._main_body]
        x_velocity, y_velocity = (moved / self.dt).T
        forward = x_velocity * self._forward_reward_weight
        low, high = self._healthy_z_range
        z = after["qpos"][:, 2]
        finite = np.isfinite(after["qpos"]).all(axis=1) & np.isfinite(after["qvel"]).all(axis=1)
        healthy = finite & (low <= z) & (z <= high)
        bonus = healthy * self._healthy_reward
        effort = self._ctrl_cost_weight * squared(actions)
        least, most = self._contact_force_range
        contact = self._contact_cost_weight * squared(np.clip(after["cfrc_ext"], least, most))
        info = {
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_forward": forward,
            "reward_ctrl": -effort,
            "reward_contact": -contact,
            "reward_survive": bonus,
        }
        terminated = ~healthy if self._terminate_when_unhealthy else np.zeros(len(actions), bool)
        return forward + bonus - (effort + contact), terminated, info

    def observed(self) -> list[Part]:
        """See `JudgedVectorEnv.observed`."""
        parts = super().observed()
        if self._include_contact:
            low, high = self._contact_force_range
            parts.append(Part("cfrc_ext", 6, 6 * (self.model.nbody - 1), low, high))
        return parts

    def alive_between(self) -> tuple[Float[np.ndarray, "qv"], Float[np.ndarray, "qv"]] | None:
        """See `JudgedVectorEnv.alive_between`."""
        if not self._terminate_when_unhealthy:
            return None
        size = self.model.nq + self.model.nv
        low, high = np.full(size, -np.inf), np.full(size, np.inf)
        low[2], high[2] = np.nextafter(
            self._healthy_z_range, (-np.inf, np.inf)
        )  # here the bounds are healthy
        return low, high

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """The default state, with U(−s, s) added to positions (quaternion too) and N(0, s²) to velocities."""
        scale, m = self._reset_noise_scale, self.model
        qpos = m.qpos0 + self._uniform(n, m.nq, scale)
        return qpos, scale * self.np_random.standard_normal((n, m.nv))

    def _places(self, rows: Rows) -> Info:
        return ground_places(self.qpos[rows])
