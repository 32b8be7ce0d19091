"""3DBall against numbers worked by hand from Unity's scene (all in Unity's axes)."""

import numpy as np
import pytest

from amble.envs.bodies.ball import BallVectorEnv
from amble.envs.bodies.ball.env import turn_x, turn_z
from amble.errors import AmbleError, UsageError

G, DT = 9.81, 0.02
IDLE = np.zeros((1, 2), np.float32)


def ball(num_envs: int = 1, **settings) -> BallVectorEnv:
    env = BallVectorEnv(num_envs, threads=1, **settings)
    env.reset(seed=0)
    return env


def place(env: BallVectorEnv, *, x: float = 0.0, y: float = 4.0, z: float = 0.0, level: bool = True) -> None:
    """Put the ball at rest at Unity's (x, y, z), MuJoCo's (z, x, y), above a level platform."""
    env.batch.qpos[:, :3] = [z, x, y]
    env.batch.qvel[:] = 0.0
    if level:
        env._tilt[:] = np.array([1.0, 0, 0, 0])[:, None]
        env.batch.mocap_quat[:] = [1.0, 0, 0, 0]


def test_start_of_an_episode():
    env = BallVectorEnv(4096, threads=1)
    obs, info = env.reset(seed=3)
    assert obs.shape == (4096, 8)
    assert obs.dtype == np.float32
    assert info == {}
    # q = q_x(α) · q_z(β): its x is sin(α/2)·cos(β/2), at most sin 5°, and α, β uniform in ±10°.
    for tilt in (obs[:, 0], obs[:, 1]):
        assert np.abs(tilt).max() <= np.sin(np.radians(5)) + 1e-6
        # the standard deviation of U(−5°, 5°) is 5°/√3 = 2.887° = 0.05038 rad
        assert tilt.std() == pytest.approx(0.0504, rel=0.05)
    np.testing.assert_allclose(obs[:, 3], 4.0)
    for aside in (obs[:, 2], obs[:, 4]):
        assert np.abs(aside).max() <= 1.5
        assert aside.std() == pytest.approx(1.5 / np.sqrt(3), rel=0.05)
    np.testing.assert_array_equal(obs[:, 5:], 0.0)


def test_free_fall():
    # From rest, semi-implicit Euler: v_n = −g·n·dt and y_n = 4 − g·dt²·n(n+1)/2; n = 5 a decision.
    env = ball()
    place(env, x=0.7, z=-0.4)
    for decision in (1, 2):
        obs, reward, terminated, truncated, _ = env.step(IDLE)
        n = 5 * decision
        np.testing.assert_allclose(obs[0, 2:5], [0.7, 4 - G * DT**2 * n * (n + 1) / 2, -0.4], rtol=1e-6)
        np.testing.assert_allclose(obs[0, 5:8], [0, -G * n * DT, 0], atol=1e-6)
        assert reward[0] == np.float32(0.1)
        assert not terminated[0]
        assert not truncated[0]


@pytest.mark.parametrize("gravity", [4.0, 20.0])
def test_gravity_is_a_setting(gravity: float):
    env = ball(gravity=gravity)
    place(env)
    obs, *_ = env.step(IDLE)
    assert obs[0, 6] == pytest.approx(-gravity * 0.1)


def test_scale_is_the_balls():
    # It comes to rest with its centre one radius above the face at 2.5.
    env = ball(scale=2.0, mass=3.0)
    place(env, y=3.6)
    for _ in range(30):
        obs, *_ = env.step(IDLE)
    assert obs[0, 3] == pytest.approx(2.5 + 0.5 * 2.0, abs=2e-3)
    assert env.model.body("ball").mass[0] == 3.0


def test_ball_rests_on_a_level_platform():
    env = ball()
    place(env, y=3.0)
    for _ in range(100):
        obs, reward, terminated, *_ = env.step(IDLE)
        assert reward[0] == np.float32(0.1)
        assert not terminated[0]
    np.testing.assert_allclose(obs[0], [0, 0, 0, 3.0, 0, 0, 0, 0], atol=1e-3)


def test_a_controller_earns_the_best_return():
    """The platform leans against the ball's way; 1000 decisions of 0.1 make 100, ML-Agents' benchmark."""
    env = ball(8)
    obs, _ = env.reset(seed=1)
    total = np.zeros(8)
    for decision in range(1, 1001):
        x, z, vx, vz = obs[:, 2], obs[:, 4], obs[:, 5], obs[:, 7]
        # +x rises with a turn about +z; +z rises with a turn about −x
        lean = np.stack([0.04 * x + 0.06 * vx, -(0.04 * z + 0.06 * vz)], axis=1)
        actions = np.clip((lean - obs[:, :2]) * 5, -1, 1).astype(np.float32)
        obs, reward, terminated, truncated, info = env.step(actions)
        total += reward
        assert not terminated.any()
        assert truncated.all() == truncated.any() == (decision == 1000)
    np.testing.assert_allclose(total, 100.0, rtol=1e-5)
    assert info["_final_obs"].all()
    np.testing.assert_array_equal(obs[:, 3], 4.0)  # the next episodes have begun
    assert not env.steps.any()


def test_the_drop_does_not_bounce():
    env = ball()
    place(env)
    heights = [env.step(IDLE)[0][0, 3] for _ in range(20)]
    # √(2·1 m/g) = 0.45 s to the face; from then on it lies there
    np.testing.assert_allclose(heights[6:], 3.0, atol=0.02)


@pytest.mark.parametrize(
    ("action", "component", "axis"),
    # A positive turn about z takes x to y: the +x side rises and the ball rolls to −x (observation 2).
    # A positive turn about x takes y to z: the +z side falls (−z rises), and the ball rolls to +z (4).
    [([1.0, 0.0], 0, (2, -1)), ([0.0, 1.0], 1, (4, +1))],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_sign_of_each_action(action, component, axis, sign):
    env = ball()
    place(env, y=3.0)
    act = sign * np.array([action], np.float32)
    obs, *_ = env.step(act)
    # five turns of 2°, so the quaternion's component is sin(10°/2)
    assert obs[0, component] == pytest.approx(sign * np.sin(np.radians(5)), abs=1e-6)
    assert obs[0, 1 - component] == pytest.approx(0.0, abs=1e-6)
    for _ in range(4):
        obs, *_ = env.step(IDLE)
    coordinate, direction = axis
    assert obs[0, coordinate] * direction * sign > 0.1
    assert obs[0, 6 - coordinate] == pytest.approx(0.0, abs=1e-6)


def test_rolling_without_slipping():
    # On a plane tilted by 10° a solid sphere gains 5/7·g·sin 10° m/s², along the level ·cos 10°: 1.198.
    env = ball()
    place(env)
    tilt = np.radians(10.0)
    env._tilt[:, 0] = [np.cos(tilt / 2), 0, 0, np.sin(tilt / 2)]
    place(env, x=-3 * np.sin(tilt), y=3 * np.cos(tilt), level=False)
    speeds = [float(env.step(IDLE)[0][0, 5]) for _ in range(6)]
    np.testing.assert_allclose(np.diff(speeds)[1:] / 0.1, -1.198, rtol=0.01)
    # and its rim moves as fast as its centre: |ω|·0.5 = |v|
    spin, speed = np.linalg.norm(env.batch.qvel[0, 3:]), np.linalg.norm(env.batch.qvel[0, :3])
    assert spin * 0.5 == pytest.approx(speed, rel=0.01)


def test_actions_are_clipped():
    one, many = ball(), ball()
    for env in (one, many):
        place(env)
    a, *_ = one.step(np.array([[1.0, -1.0]], np.float32))
    b, *_ = many.step(np.array([[70.0, -3.0]], np.float32))
    np.testing.assert_array_equal(a, b)


def test_tilt_limit():
    # It turns while the component is below 0.25 = sin(14.48°), 28.96° of tilt: 15 turns, 30°, and no more.
    env = ball()
    place(env, y=50.0)
    for _ in range(6):
        obs, *_ = env.step(np.array([[1.0, 0.0]], np.float32))
    assert obs[0, 0] == pytest.approx(np.sin(np.radians(15)), abs=1e-6)
    # back is allowed from there: 5 turns of −2°
    obs, *_ = env.step(np.array([[-1.0, 0.0]], np.float32))
    assert obs[0, 0] == pytest.approx(np.sin(np.radians(10)), abs=1e-6)


def test_turns_are_in_the_platforms_own_frame():
    # q_x(90°) · q_z(90°): Unity's (w, x, y, z) = (½, ½, −½, ½); world-frame turns would give y = +½.
    level = np.array([[1.0], [0], [0], [0]])
    right = np.array([np.pi / 2])
    np.testing.assert_allclose(turn_z(turn_x(level, right), right)[:, 0], [0.5, 0.5, -0.5, 0.5])
    np.testing.assert_allclose(turn_x(turn_z(level, right), right)[:, 0], [0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    "fall", [{"x": 3.01}, {"x": -3.01}, {"z": 3.01}, {"z": -3.01}, {"x": 2.9, "y": -1.95, "z": 2.9}]
)
def test_a_fall_costs_one_and_ends_the_episode(fall):
    env = ball()
    place(env, **fall)
    obs, reward, terminated, truncated, info = env.step(IDLE)
    if "y" in fall:  # beside the cube; it sinks g·dt²·15 = 0.059 m in a decision
        assert info["final_obs"][0, 3] < -2.0
    assert (reward[0], terminated[0], truncated[0]) == (-1.0, True, False)
    assert obs[0, 3] == 4.0
    for coordinate in ("x", "z"):
        if abs(fall.get(coordinate, 0)) > 3:
            assert abs(info["final_obs"][0, 2 if coordinate == "x" else 4]) > 3.0


def test_a_fall_at_the_time_limit_is_no_truncation():
    env = ball()
    place(env, x=3.01)
    env.steps[:] = 999
    *_, terminated, truncated, _ = env.step(IDLE)
    assert terminated[0]
    assert not truncated[0]


def test_spin_outlives_the_episode_and_not_a_reset():
    env = ball()
    place(env, x=3.01)
    env.batch.qvel[0, 3:] = [1.0, 2.0, 3.0]
    env.step(IDLE)
    # ten physics steps' drag of 0.01 1/s at 0.02 s is a factor 0.998; five of them 0.999
    np.testing.assert_allclose(env.batch.qvel[0, 3:], 0.999 * np.array([1.0, 2.0, 3.0]), rtol=1e-5)
    np.testing.assert_array_equal(env.batch.qvel[0, :3], 0.0)
    env.reset(seed=0)
    np.testing.assert_array_equal(env.batch.qvel[0], 0.0)


def test_one_and_two_threads_agree_to_the_last_bit():
    rng = np.random.default_rng(1)
    actions = rng.uniform(-1, 1, (60, 33, 2)).astype(np.float32)
    runs = []
    for threads in (1, 2):
        env = BallVectorEnv(33, threads=threads)
        env.reset(seed=5)
        runs.append([env.step(a)[:4] for a in actions])
    for one, two in zip(*runs, strict=True):
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left, right)


def test_no_physics_warnings():
    env = ball(64)
    rng = np.random.default_rng(2)
    for _ in range(200):
        env.step(rng.uniform(-1, 1, (64, 2)).astype(np.float32))
    assert env.physics_warnings == {}


@pytest.mark.parametrize("settings", [{"mass": 0.0}, {"mass": np.nan}, {"scale": -1.0}, {"scale": 4.0}])
def test_impossible_balls_are_refused(settings):
    with pytest.raises(UsageError, match=r"3DBall: .*(mass|scale)"):
        BallVectorEnv(2, **settings)


def test_infinite_gravity_is_refused():
    with pytest.raises(UsageError, match="gravity must be a finite number"):
        BallVectorEnv(2, gravity=np.inf)


def test_a_bad_action_names_its_environment():
    env = ball(3)
    env.step(np.zeros((3, 2), np.float32))
    bad = np.zeros((3, 2), np.float32)
    bad[1, 0] = np.nan
    with pytest.raises(
        AmbleError, match=r"Environment 1 \(.*\) was given the action \[nan, 0.0\] at decision 1"
    ):
        env.step(bad)
