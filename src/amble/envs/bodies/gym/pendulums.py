"""Gymnasium's InvertedPendulum-v5 and InvertedDoublePendulum-v5: a cart keeps its poles up."""

from typing import ClassVar, Unpack

import numpy as np
from jaxtyping import Float, Shaped

from amble.envs.bodies.base import Rows
from amble.envs.bodies.gym.base import Advanced, CameraConfig, Common, GymVectorEnv


class InvertedPendulumVectorEnv(GymVectorEnv):
    """r = 1 while the pole stands. Terminates where it leans by more than 0.2 rad."""

    camera_config: ClassVar[CameraConfig] = {"trackbodyid": 0, "distance": 2.04}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "inverted_pendulum.xml",
        frame_skip: int = 2,
        reset_noise_scale: float = 0.01,
        **common: Unpack[Common],
    ):
        self._reset_noise_scale = reset_noise_scale
        super().__init__(num_envs, xml_file, frame_skip, **common)

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        self._simulate(actions)
        standing = np.isfinite(self._state).all(axis=1) & (np.abs(self.qpos[:, 1]) <= 0.2)
        reward = standing.astype(np.float64)
        self._info = {"reward_survive": reward.copy()}
        return reward, ~standing, self._never()

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """The default state, with U(−s, s) added to everything."""
        scale, m = self._reset_noise_scale, self.model
        return m.qpos0 + self._uniform(n, m.nq, scale), self._uniform(n, m.nv, scale)


class InvertedDoublePendulumVectorEnv(GymVectorEnv):
    """r = healthy_reward · standing − 0.01 x² − (y − 2)² − 10⁻³ ω₁² − 5·10⁻³ ω₂².

    x and y are the tip's; it stands, and the episode goes on, while y > 1. Tip and constraint force are those
    of the last evaluation within the last substep, as `mj_step` leaves them.

    | observation | |
    |---|---|
    | 0 | cart, m |
    | 1–2, 3–4 | sines, cosines of the two angles |
    | 5–7 | velocities of cart and angles, clipped to ±10 |
    | 8 | constraint force on the cart, clipped to ±10 |
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        xml_file: str = "inverted_double_pendulum.xml",
        frame_skip: int = 5,
        healthy_reward: float = 10.0,
        reset_noise_scale: float = 0.1,
        **common: Unpack[Common],
    ):
        self._healthy_reward = healthy_reward
        self._reset_noise_scale = reset_noise_scale
        super().__init__(num_envs, xml_file, frame_skip, **common)
        self._tip = self._derived("site_xpos")[:, 0]
        self._constraint = self._derived("qfrc_constraint")

    def _observation_length(self) -> int:
        return 2 * self.model.nq + self.model.nv

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        self._simulate(actions)
        x, _, y = self._tip.T
        fallen = y <= 1
        w1, w2 = self.qvel[:, 1], self.qvel[:, 2]
        distance = 0.01 * x**2 + (y - 2) ** 2
        velocity = 1e-3 * w1**2 + 5e-3 * w2**2
        bonus = self._healthy_reward * ~fallen
        self._info = {
            "reward_survive": bonus,
            "distance_penalty": -distance,
            "velocity_penalty": -velocity,
        }
        return bonus - distance - velocity, fallen, self._never()

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        nq, nv = self.model.nq, self.model.nv
        angles = self.qpos[rows, 1:]
        out[:, 0] = self.qpos[rows, 0]
        np.sin(angles, out=out[:, 1:nq])
        np.cos(angles, out=out[:, nq : 2 * nq - 1])
        np.clip(self.qvel[rows], -10, 10, out=out[:, 2 * nq - 1 : 2 * nq - 1 + nv])
        np.clip(self._constraint[rows, :1], -10, 10, out=out[:, 2 * nq - 1 + nv :])

    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """The default state, with U(−s, s) added to positions and N(0, s²) to velocities."""
        scale, m = self._reset_noise_scale, self.model
        qpos = m.qpos0 + self._uniform(n, m.nq, scale)
        return qpos, self.np_random.standard_normal((n, m.nv)) * scale
