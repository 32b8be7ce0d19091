"""The drive: a first-order servo of 0.125 s, bounded by its force, limp at strength -1."""

import numpy as np
import pytest
from numba import njit

from amble.envs.bodies.walker import WalkerVectorEnv, neutral_action
from amble.envs.bodies.walker.actions import ACTION_NAMES
from amble.envs.bodies.walker.drive import drive_share


@njit
def share(error: float, speed: float, limit: float) -> float:
    return drive_share(error, speed, limit, 40_000.0, 5_000.0)


def test_share_is_one_below_the_limit() -> None:
    assert share(0.1, 0.0, 20_000) == 1.0  # wants 4 000


def test_share_is_the_limit_over_what_is_wanted() -> None:
    assert share(1.0, 0.0, 20_000) == 0.5  # wants 40 000
    assert share(-1.0, 2.0, 10_000) == 0.2  # wants -40 000 - 10 000


def test_share_of_a_limp_joint_is_zero() -> None:
    assert share(1.0, 3.0, 0.0) == 0.0
    assert share(0.0, 0.0, 0.0) == 0.0


def weightless(**settings) -> WalkerVectorEnv:
    env = WalkerVectorEnv(
        1, gravity=1e-9, random_yaw=False, self_collision=False, drag=0.0, threads=1, **settings
    )
    env.reset(seed=0)
    env.batch.qpos[:, 2] += 20.0
    return env


def hinge(env: WalkerVectorEnv, name: str) -> float:
    return float(env.batch.qpos[0, env.model.jnt_qposadr[env.model.joint(name).id]])


def test_a_free_limb_follows_its_target_with_a_time_constant_of_an_eighth_second() -> None:
    """Solved implicitly at h = 13.33 ms, e shrinks by 1/(1 + h/0.125) a substep: 0.603 in five, 0.599 exactly."""
    env = weightless()
    action = neutral_action()[None]
    action[0, ACTION_NAMES.index("forearmL_x_target")] = 2 * 20 / 160 - 1  # 20°, well under the force limit
    env.step(action.astype(np.float32))
    left = 1 - np.degrees(hinge(env, "forearmL_x")) / 20
    assert left == pytest.approx(0.603, abs=0.02)


def test_a_limp_joint_is_not_driven() -> None:
    env = weightless()
    action = neutral_action()[None]
    action[0, ACTION_NAMES.index("forearmL_x_target")] = 1.0
    action[0, ACTION_NAMES.index("forearmL_strength")] = -1.0
    env.step(action.astype(np.float32))
    assert abs(hinge(env, "forearmL_x")) < 1e-6


def test_a_limp_joint_swings_freely_and_a_driven_one_is_damped() -> None:
    """A limp elbow set turning keeps nearly all of its speed over a decision; a driven one loses it at once."""
    speeds = {}
    for strength in (-1.0, 1.0):
        env = weightless()
        env.batch.qpos[0, env.model.jnt_qposadr[env.model.joint("forearmL_x").id]] = 1.0
        env.batch.qvel[0, env.model.joint("forearmL_x").dofadr[0]] = 2.0
        action = neutral_action()[None]
        action[0, ACTION_NAMES.index("forearmL_x_target")] = 2 * np.degrees(1.0) / 160 - 1
        action[0, ACTION_NAMES.index("forearmL_strength")] = strength
        env.step(action.astype(np.float32))
        speeds[strength] = float(env.batch.qvel[0, env.model.joint("forearmL_x").dofadr[0]])
    assert speeds[-1.0] > 1.7
    assert abs(speeds[1.0]) < 0.3


def test_the_torque_stays_under_its_limit() -> None:
    """Impulse on a free arm: at F = 100 N·m its angular momentum about the elbow cannot grow faster than F·t."""
    env = weightless(max_force=100.0)
    action = neutral_action()[None]
    action[0, ACTION_NAMES.index("forearmL_x_target")] = 1.0
    env.step(action.astype(np.float32))
    dof = env.model.joint("forearmL_x").dofadr[0]
    inertia = 1.0  # kg·m², less than that of forearm and hand about the elbow: 0.3 + 3·0.25 + 2·1.44
    assert 0 < env.batch.qvel[0, dof] < 100.0 * 5 * 0.01333 / inertia
