"""The Walker's signals in states whose numbers are known."""

import mujoco
import numpy as np
import pytest

from amble.envs.bodies.walker import WalkerVectorEnv, neutral_action
from amble.envs.bodies.walker.measures import WalkerSignals
from walker_passes import accounted


def standing(count: int = 1) -> np.ndarray:
    return np.tile(neutral_action(), (count, 1)).astype(np.float32)


def watched(env: WalkerVectorEnv) -> WalkerSignals:
    source = env.publish()
    assert isinstance(source, WalkerSignals)
    source.watch(source.signals)
    return source


def placed(env: WalkerVectorEnv, yaw: float = 0.0, velocity: tuple[float, ...] = (0.0,) * 6) -> WalkerSignals:
    """One Walker in its start pose, turned to its right by `yaw`, moving, with its target straight ahead (+x)."""
    source = watched(env)
    env.reset(seed=0)
    env.batch.qvel[0, :6] = velocity
    half = yaw / 2
    turn = np.array([np.cos(half), 0.0, 0.0, np.sin(half)])
    facing = np.zeros(4)
    mujoco.mju_mulQuat(facing, turn, env.model.qpos0[3:7])
    env.batch.qpos[0, 3:7] = facing
    env.target[0] = (1000.0, 0.0, 0.5)
    env._settle(np.arange(1))
    accounted(env.settings.substeps - 1, env.signals.bodies, env.task, env._sizes)
    return source


@pytest.fixture
def env() -> WalkerVectorEnv:
    return WalkerVectorEnv(1, threads=1, walls=False, random_yaw=False)


def test_the_start_pose(env: WalkerVectorEnv) -> None:
    source = placed(env)
    # Release 19: hips 3.0, knees 1.7, hands 4.488, soles 0.532 above Unity's zero; the ground is at 0.5.
    for name, expected in {
        "body_height": 2.5, "standing_height": 2.5, "upright": 1.0, "heading_error": 0.0, "speed": 0.0,
        "spin_rate": 0.0,
        "knee_height": [1.2, 1.2], "hand_height": [3.988, 3.988], "foot_height": [0.0319, 0.0319], "foot_pitch": [0, 0],
        "velocity": [0, 0, 0], "foot_speed": [0, 0], "head_height": 5.35, "goal_distance": 1000.0,
        "foot_ahead": [0.04, 0.04],  # the ankle 0.1 before the hips, the sole's middle 0.06 behind it
    }.items():  # fmt: skip
        np.testing.assert_allclose(source.read(name)[0], expected, atol=1e-3, err_msg=name)
    assert source.read("body_weight")[0] == pytest.approx(100 * 14.715)
    np.testing.assert_allclose(source.read("facing")[-1], 1.0)


def test_right_is_positive(env: WalkerVectorEnv) -> None:
    source = placed(env, yaw=0.3, velocity=(1.0, 2.0, 0.5, 0.0, 0.0, 0.0))
    assert source.read("heading_error")[0] == pytest.approx(0.3)
    np.testing.assert_allclose(
        source.read("velocity")[0], [1.0, 2.0, 0.5], atol=1e-4
    )  # the target lies along +x
    np.testing.assert_allclose(source.read("foot_speed")[0], np.hypot(1, 2), atol=1e-4)
    assert source.read("speed")[0] == pytest.approx(np.hypot(1, 2), abs=1e-4)
    np.testing.assert_allclose(source.read("facing")[-1], np.cos(0.3), atol=1e-6)
    error = np.sqrt((1 - env.goal_speed[0]) ** 2 + 4 + 0.25)
    np.testing.assert_allclose(source.read("velocity_error")[-1], error, atol=1e-4)


def test_turning_right_is_positive(env: WalkerVectorEnv) -> None:
    source = placed(env, velocity=(0.0, 0.0, 0.0, 0.0, 1.5, 0.0))  # about the body's own up, Unity's y
    before = source.read("heading_error")[0]
    env.step(standing())
    assert source.read("spin_rate")[0] > 0.5
    assert source.read("heading_error")[0] > before + 0.03


def test_toes_down_is_a_positive_pitch(env: WalkerVectorEnv) -> None:
    source = placed(env)
    ankle = env.model.joint("footL_x").qposadr[0]
    # Unity's angle is the parent's seen from the child: at a negative one the foot's front goes down.
    env.batch.qpos[0, ankle] = -0.3
    env._settle(np.arange(1))
    front = source.read("foot_pitch")[0]
    toes, heel = _ends_of_left_foot(env)
    assert front[0] == pytest.approx(0.3 if toes < heel else -0.3)
    assert front[1] == pytest.approx(0.0, abs=1e-9)


def _ends_of_left_foot(env: WalkerVectorEnv) -> tuple[float, float]:
    """Heights of the front's and the back's middle, from the collider's pose."""
    parts, foot = env.signals.bodies, env.signals.names.index("footL")
    forward = parts.axes[0, foot].reshape(3, 3)[:, 2] * parts.extent[foot, 2]
    centre = parts.centre[0, foot]
    return float((centre + forward)[2]), float((centre - forward)[2])


def test_a_foot_leads_until_the_other_has_passed_it(env: WalkerVectorEnv) -> None:
    source = placed(env, yaw=0.5)
    source.watch(["lead_time"])
    hips = [env.model.joint(f"thigh{side}_x").qposadr[0] for side in "LR"]
    seconds = env.settings.decision_seconds
    # Unity's angle of a thigh is negative with the knee before the hips
    seen = []
    for left, right in [(-0.4, 0.4), (-0.4, 0.4), (-0.3, -0.3), (0.4, -0.4), (0.4, -0.4)]:
        source.before(standing())
        env.batch.qpos[0, hips] = left, right
        env._settle(np.arange(1))
        ahead = source.read("foot_ahead")[0]
        assert np.sign(ahead[0] - ahead[1]).round() == np.sign(right - left)
        seen.append(source.read("lead_time")[0])
        assert source.read("lead_time")[0] == seen[-1], "reading does not count"
    np.testing.assert_allclose(seen, [0.0, seconds, 2 * seconds, 0.0, seconds], atol=1e-9)
    source.forget(np.arange(1))
    assert source.read("lead_time")[0] == 0.0


def test_torques_of_a_standing_body_balance_gravity_and_ground(env: WalkerVectorEnv) -> None:
    source = placed(env)
    for _ in range(150):
        env.step(standing())
    data = env.batch.get_data(0, mujoco.MjData(env.model))
    mujoco.mj_forward(env.batch.get_model(0), data)
    needed = np.abs(data.qfrc_bias - data.qfrc_constraint)[6:]
    torque = source.read("joint_torque")[0]
    assert torque.max() > 100  # N·m: it does carry something
    np.testing.assert_allclose(torque, needed, atol=0.02 * torque.max())
    assert source.read("power")[0] < 20  # W: next to nothing moves
    assert source.read("energy")[0] == pytest.approx(source.read("power")[0] * 5 * 0.01333)


def test_clocks_of_the_feet(env: WalkerVectorEnv) -> None:
    source = watched(env)
    env.reset(seed=0)
    decision = env.settings.decision_seconds
    env.batch.qpos[0, 2] += (
        1.0  # 1 m to fall at 14.715 m/s²: √(2/g) = 0.37 s, a little more for the soles' 3 cm
    )
    in_air = 0
    while not source.read("landing_air_time").any():
        env.step(standing())
        in_air += 1
        if not source.read("foot_contact").any():
            np.testing.assert_allclose(source.read("air_time")[0], in_air * decision)
            assert not source.read("foot_load").any()
        assert in_air < 20
    assert source.read("landing_air_time").max() == pytest.approx(0.37, abs=0.02)
    assert source.read("contact_time").max() < decision
    assert 0 < source.read("foot_load").max() <= 1
    env.step(standing())
    env.reset(seed=0)
    assert not source.read("air_time").any()
    np.testing.assert_array_equal(source.read("duty_factor"), 0.5)


def test_the_change_of_action_begins_anew_with_each_episode() -> None:
    env = WalkerVectorEnv(2, threads=1, max_substeps=15)  # three decisions
    source = watched(env)
    env.reset(seed=0)
    changes = []
    for t in range(4):
        env.step(np.full((2, 39), 0.1 * (t + 1), np.float32))
        changes.append(source.read("action_change")[0, 0])
    np.testing.assert_allclose(changes, [0.0, 0.1, 0.1, 0.0], atol=1e-6)


def test_watching_changes_nothing() -> None:
    runs = []
    for watch in (False, True):
        env = WalkerVectorEnv(8, threads=1)
        if watch:
            watched(env)
        env.reset(seed=1)
        rng = np.random.default_rng(1)
        runs.append([env.step(rng.uniform(-1, 1, (8, 39)).astype(np.float32))[:2] for _ in range(30)])
    for (seen, paid), (again, reward) in zip(*runs, strict=True):
        np.testing.assert_array_equal(seen, again)
        np.testing.assert_array_equal(paid, reward)
