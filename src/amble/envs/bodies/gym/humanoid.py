"""Gymnasium's Humanoid-v5 and HumanoidStandup-v5, which observe alike.

| observation | length (default model) | |
|---|---|---|
| qpos, qvel | 22 + 23 | without x and y |
| cinert | 130 | inertia about the body's centre of mass, of all bodies but the world |
| cvel | 78 | velocities about it |
| qfrc_actuator | 17 | forces of the actuators, without the root's 6 |
| cfrc_ext | 78 | external forces |

Everything but the state is as `mj_step` leaves it, of the last evaluation within the last substep.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict, Unpack

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

_ROOT = 6  # degrees of freedom that no actuator moves


class _Included(TypedDict):
    """What is observed beside the state."""

    cinert: bool
    cvel: bool
    qfrc_actuator: bool
    cfrc_ext: bool


class _Humanoid(JudgedVectorEnv):
    """The observation and the first states of both tasks."""

    camera_config: ClassVar[CameraConfig] = {
        "trackbodyid": 1,
        "distance": 4.0,
        "lookat": np.array((0.0, 0.0, 2.0)),
        "elevation": -20.0,
    }
    contact_forces = True
    judged_by = ("qpos", "cfrc_ext")
    _reset_noise_scale: float

    def __init__(
        self,
        num_envs: int,
        xml_file: str,
        frame_skip: int,
        *,
        exclude: bool,
        included: _Included,
        **common: Unpack[Common],
    ):
        self._included = included
        super().__init__(num_envs, xml_file, frame_skip, skip=2 * int(exclude), **common)
        self._tendons = self._derived("ten_length"), self._derived("ten_velocity")

    def observed(self) -> list[Part]:
        """See `JudgedVectorEnv.observed`."""
        m, bodies = self.model, self.model.nbody - 1
        parts = [
            Part("cinert", 10, 10 * bodies),
            Part("cvel", 6, 6 * bodies),
            Part("qfrc_actuator", _ROOT, m.nv - _ROOT),
            Part("cfrc_ext", 6, 6 * bodies),
        ]
        included: Mapping[str, Any] = self._included
        return [*super().observed(), *(part for part in parts if included[part.field])]

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """The default state, with U(−s, s) added to everything."""
        scale, m = self._reset_noise_scale, self.model
        return m.qpos0 + self._uniform(n, m.nq, scale), self._uniform(n, m.nv, scale)

    def _contact_cost(
        self, forces: Float[np.ndarray, "n f"], weight: float, limits: Range
    ) -> Float[np.ndarray, "n"]:
        """clip(w ‖f‖²), f the external forces on all bodies."""
        low, high = limits
        return np.clip(weight * squared(forces), low, high)

    def _places(self, rows: Rows) -> Info:
        length, velocity = self._tendons
        return {
            **ground_places(self.qpos[rows]),
            "tendon_length": length[rows].copy(),
            "tendon_velocity": velocity[rows].copy(),
        }


class HumanoidVectorEnv(_Humanoid):
    """r = w_forward (X' − X)/dt + healthy_reward · healthy − w_ctrl ‖a‖² − clip(w_contact ‖f‖²).

    X is the centre of mass of all bodies. Healthy: the height strictly within its range.
    """

    judged_by = ("qpos", "cfrc_ext", "xipos")

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "humanoid.xml",
        frame_skip: int = 5,
        forward_reward_weight: float = 1.25,
        ctrl_cost_weight: float = 0.1,
        contact_cost_weight: float = 5e-7,
        contact_cost_range: Range = (-np.inf, 10.0),
        healthy_reward: float = 5.0,
        terminate_when_unhealthy: bool = True,
        healthy_z_range: Range = (1.0, 2.0),
        reset_noise_scale: float = 1e-2,
        exclude_current_positions_from_observation: bool = True,
        include_cinert_in_observation: bool = True,
        include_cvel_in_observation: bool = True,
        include_qfrc_actuator_in_observation: bool = True,
        include_cfrc_ext_in_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._forward_reward_weight = forward_reward_weight
        self._ctrl_cost_weight = ctrl_cost_weight
        self._contact_cost_weight = contact_cost_weight
        self._contact_cost_range = contact_cost_range
        self._healthy_reward = healthy_reward
        self._terminate_when_unhealthy = terminate_when_unhealthy
        self._healthy_z_range = healthy_z_range
        self._reset_noise_scale = reset_noise_scale
        included: _Included = {
            "cinert": include_cinert_in_observation,
            "cvel": include_cvel_in_observation,
            "qfrc_actuator": include_qfrc_actuator_in_observation,
            "cfrc_ext": include_cfrc_ext_in_observation,
        }
        exclude = exclude_current_positions_from_observation
        super().__init__(num_envs, xml_file, frame_skip, exclude=exclude, included=included, **common)
        self._mass = self.model.body_mass.copy()
        self._total_mass = self._mass.sum()

    def _mass_centre(self, state: Fields) -> Float[np.ndarray, "n 2"]:
        centres = state["xipos"].reshape(-1, self.model.nbody, 3)
        return (self._mass @ centres)[:, :2] / self._total_mass

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        x_velocity, y_velocity = ((self._mass_centre(after) - self._mass_centre(before)) / self.dt).T
        forward = self._forward_reward_weight * x_velocity
        low, high = self._healthy_z_range
        z = after["qpos"][:, 2]
        healthy = (low < z) & (z < high)
        bonus = healthy * self._healthy_reward
        effort = self._ctrl_cost_weight * squared(actions.astype(float))
        contact = self._contact_cost(after["cfrc_ext"], self._contact_cost_weight, self._contact_cost_range)
        info = {
            "x_velocity": x_velocity,
            "y_velocity": y_velocity,
            "reward_survive": bonus,
            "reward_forward": forward,
            "reward_ctrl": -effort,
            "reward_contact": -contact,
        }
        terminated = ~healthy if self._terminate_when_unhealthy else np.zeros(len(actions), bool)
        return forward + bonus - (effort + contact), terminated, info

    def alive_between(self) -> tuple[Float[np.ndarray, "qv"], Float[np.ndarray, "qv"]] | None:
        """See `JudgedVectorEnv.alive_between`."""
        if not self._terminate_when_unhealthy:
            return None
        bounds = np.full((2, self.model.nq + self.model.nv), np.nan)
        bounds[:, 2] = self._healthy_z_range
        return bounds[0], bounds[1]


class HumanoidStandupVectorEnv(_Humanoid):
    """r = z'/h − w_ctrl ‖a‖² − clip(w_impact ‖f‖²) + 1, h the timestep. Never terminates.

    Gymnasium takes `uph_cost_weight` and leaves it unused; so does this.
    """

    camera_config: ClassVar[CameraConfig] = {
        **_Humanoid.camera_config,
        "lookat": np.array((0.0, 0.0, 0.8925)),
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "humanoidstandup.xml",
        frame_skip: int = 5,
        uph_cost_weight: float = 1.0,
        ctrl_cost_weight: float = 0.1,
        impact_cost_weight: float = 0.5e-6,
        impact_cost_range: Range = (-np.inf, 10.0),
        reset_noise_scale: float = 1e-2,
        exclude_current_positions_from_observation: bool = True,
        include_cinert_in_observation: bool = True,
        include_cvel_in_observation: bool = True,
        include_qfrc_actuator_in_observation: bool = True,
        include_cfrc_ext_in_observation: bool = True,
        **common: Unpack[Common],
    ):
        self._ctrl_cost_weight = ctrl_cost_weight
        self._impact_cost_weight = impact_cost_weight
        self._impact_cost_range = impact_cost_range
        self._reset_noise_scale = reset_noise_scale
        included: _Included = {
            "cinert": include_cinert_in_observation,
            "cvel": include_cvel_in_observation,
            "qfrc_actuator": include_qfrc_actuator_in_observation,
            "cfrc_ext": include_cfrc_ext_in_observation,
        }
        exclude = exclude_current_positions_from_observation
        super().__init__(num_envs, xml_file, frame_skip, exclude=exclude, included=included, **common)

    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """See `JudgedVectorEnv.judge`."""
        up = after["qpos"][:, 2] / self.model.opt.timestep
        effort = self._ctrl_cost_weight * squared(actions.astype(float))
        impact = self._contact_cost(after["cfrc_ext"], self._impact_cost_weight, self._impact_cost_range)
        info = {"reward_linup": up, "reward_quadctrl": -effort, "reward_impact": -impact}
        return up - effort - impact + 1, np.zeros(len(actions), bool), info

    def _places(self, rows: Rows) -> Info:
        places = super()._places(rows)
        del places["distance_from_origin"]
        return {**places, "z_distance_from_origin": self.qpos[rows, 2] - self.model.qpos0[2]}
