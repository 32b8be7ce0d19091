"""Each task against Gymnasium's own class: from equal states, with equal actions, step by step."""

import inspect
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.envs import mujoco as gymnasium_mujoco
from gymnasium.envs.registration import load_env_creator

import amble.envs
from amble.envs.bodies.rendering import RenderingUnavailable, choose_gl
from amble.envs.conformance import VectorEnvConformance
from amble.errors import UsageError

B = 2
EXACT = 0.0
# 1 ulp of a sum of squares, or of a mean over the bodies divided by dt, relative to max(1, |x|)
ROUNDING = 1e-13
# RK4's quaternions differ in the last bit from MuJoCo's, and stiff contacts make more of it within a decision.
CONTACT = 1e-9

TASKS = {
    "HalfCheetah-v5": EXACT,
    "Hopper-v5": EXACT,
    "Walker2d-v5": EXACT,
    "Swimmer-v5": ROUNDING,
    "Ant-v5": CONTACT,
    "Humanoid-v5": CONTACT,
    "HumanoidStandup-v5": CONTACT,
    "Reacher-v5": ROUNDING,
    "Pusher-v5": ROUNDING,
    "InvertedPendulum-v5": EXACT,
    "InvertedDoublePendulum-v5": ROUNDING,
}
NOT_INCLUDED = {
    "include_cinert_in_observation": False,
    "include_cvel_in_observation": False,
    "include_qfrc_actuator_in_observation": False,
    "include_cfrc_ext_in_observation": False,
}
UPRIGHT = {"forward_reward_weight": 2.0, "ctrl_cost_weight": 0.1, "healthy_reward": 3.0, "frame_skip": 3}
HUMANOID = {"ctrl_cost_weight": 0.3, "exclude_current_positions_from_observation": False}
RESET = {"reset_noise_scale": 0.03}
OPTIONS = [
    ("HalfCheetah-v5", {"frame_skip": 3, "forward_reward_weight": 2.0, "ctrl_cost_weight": 0.3, **RESET}),
    ("HalfCheetah-v5", {"exclude_current_positions_from_observation": False}),
    ("Hopper-v5", {**UPRIGHT, **RESET, "healthy_state_range": (-2.0, 3.0)}),
    ("Hopper-v5", {"healthy_z_range": (1.2, 1.3), "healthy_angle_range": (-0.02, 0.01)}),
    ("Hopper-v5", {"terminate_when_unhealthy": False, "exclude_current_positions_from_observation": False}),
    ("Walker2d-v5", {**UPRIGHT, "xml_file": "walker2d.xml", "healthy_angle_range": [-0.3, 0.2]}),
    ("Walker2d-v5", {"healthy_z_range": (1.1, 2.0), "exclude_current_positions_from_observation": False}),
    ("Walker2d-v5", {"terminate_when_unhealthy": False}),
    ("Swimmer-v5", {"frame_skip": 2, "forward_reward_weight": 3.0, "ctrl_cost_weight": 0.1, **RESET}),
    ("Swimmer-v5", {"exclude_current_positions_from_observation": False}),
    ("Ant-v5", {**UPRIGHT, "contact_cost_weight": 0.01, "contact_force_range": (-3.0, 20.0), **RESET}),
    ("Ant-v5", {"include_cfrc_ext_in_observation": False, "main_body": "front_left_leg", "frame_skip": 1}),
    ("Ant-v5", {"healthy_z_range": (0.65, 0.78), "exclude_current_positions_from_observation": False}),
    ("Ant-v5", {"terminate_when_unhealthy": False, "contact_force_range": (0.5, 1.0)}),
    ("Humanoid-v5", {**HUMANOID, **NOT_INCLUDED, "healthy_z_range": (1.3, 1.45), "healthy_reward": 2.0}),
    ("Humanoid-v5", {**UPRIGHT, "contact_cost_weight": 1e-4, "contact_cost_range": (0.5, 2.0), **RESET}),
    ("Humanoid-v5", {"include_cvel_in_observation": False, "terminate_when_unhealthy": False}),
    ("HumanoidStandup-v5", {**HUMANOID, **NOT_INCLUDED, "frame_skip": 2, "uph_cost_weight": 7.0}),
    ("HumanoidStandup-v5", {"impact_cost_weight": 1e-4, "impact_cost_range": (0.5, 2.0), **RESET}),
    ("Reacher-v5", {"frame_skip": 3, "reward_dist_weight": 2.0, "reward_control_weight": 0.3}),
    (
        "Pusher-v5",
        {"frame_skip": 3, "reward_near_weight": 2.0, "reward_dist_weight": 3.0, "reward_control_weight": 0.3},
    ),
    ("InvertedPendulum-v5", {"frame_skip": 1, "reset_noise_scale": 0.1}),
    ("InvertedDoublePendulum-v5", {"frame_skip": 2, "healthy_reward": 3.0, "reset_noise_scale": 0.05}),
]


def ours(env_id, num_envs=B, **options):
    """The batched form, never truncating unless told to."""
    options = {"max_episode_steps": -1, **options}
    return amble.envs.make(env_id, num_envs, backend="array", threads=1, **options)


def put(theirs, env, index):
    """Begin an episode of Gymnasium's environment from the state of ours; its first observation and info."""
    mujoco.mj_resetData(theirs.model, theirs.data)
    theirs.set_state(env.qpos[index].copy(), env.qvel[index].copy())
    return theirs._get_obs(), theirs._get_reset_info()


def close_to(actual, expected, tolerance, where):
    expected = np.asarray(expected, float)
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert np.shape(actual) == expected.shape, where
    assert np.abs(actual - expected).max(initial=0.0) <= tolerance * scale, where


def compare(env_id, options, steps, tolerance, dtype=np.float32):
    """Follow both; return the number of ends and of bodies in contact."""
    env = ours(env_id, **options)
    singles = [gymnasium.make(env_id, **options).unwrapped for _ in range(B)]
    assert env.single_observation_space == singles[0].observation_space
    assert env.single_action_space == singles[0].action_space
    assert env.metadata["render_fps"] == singles[0].metadata["render_fps"]
    rng = np.random.default_rng(1)
    observation, info = env.reset(seed=1)
    for i, single in enumerate(singles):
        first, first_info = put(single, env, i)
        np.testing.assert_array_equal(observation[i], first)
        assert info.keys() == first_info.keys()
        for key, value in first_info.items():
            close_to(info[key][i], value, ROUNDING, key)
    # a little beyond the bounds: Gymnasium does not clip
    space = env.single_action_space
    script = 1.2 * rng.uniform(space.low, space.high, (steps, B, *space.shape))
    ends = touching = 0
    for number, actions in enumerate(script.astype(dtype)):
        if tolerance == CONTACT:  # from equal states: chaos would make more of the last bit
            for i, single in enumerate(singles):
                for field in ("qpos", "qvel", "qacc_warmstart"):
                    getattr(single.data, field)[:] = getattr(env.batch, field)[i]
        observation, reward, terminated, truncated, info = env.step(actions)
        assert not truncated.any()
        for i, single in enumerate(singles):
            where = f"step {number}, environment {i}"
            expected, r, over, _, single_info = single.step(actions[i])
            assert terminated[i] == over, where
            close_to(reward[i], r, tolerance, f"{where}: reward")
            close_to(info["final_obs"][i] if over else observation[i], expected, tolerance, where)
            assert info.keys() - {"final_obs", "_final_obs"} == single_info.keys()
            for key, value in single_info.items():
                close_to(info[key][i], value, tolerance, f"{where}: {key}")
            touching += single.data.ncon
            if over:
                ends += 1
                first, _ = put(single, env, i)
                np.testing.assert_array_equal(observation[i], first)
    return ends, touching


@pytest.mark.parametrize("env_id", TASKS)
def test_step_by_step(env_id):
    ends, touching = compare(env_id, {}, 120 if TASKS[env_id] == CONTACT else 200, TASKS[env_id])
    if env_id in ("Hopper-v5", "Walker2d-v5", "Humanoid-v5", "InvertedPendulum-v5"):
        assert ends > 5
    if env_id not in ("Swimmer-v5", "Reacher-v5", "InvertedPendulum-v5", "InvertedDoublePendulum-v5"):
        assert touching > 20


@pytest.mark.parametrize(("env_id", "options"), OPTIONS)
def test_options(env_id, options):
    compare(env_id, options, 40, TASKS[env_id])


@pytest.mark.parametrize("env_id", TASKS)
def test_double_precision_actions(env_id):
    compare(env_id, {}, 10, TASKS[env_id], np.float64)


@pytest.mark.parametrize("env_id", TASKS)
def test_every_option_has_gymnasiums_default(env_id):
    theirs = inspect.signature(load_env_creator(gymnasium.spec(env_id).entry_point)).parameters
    mine = inspect.signature(type(ours(env_id, 1))).parameters
    for name, parameter in theirs.items():
        if name not in ("kwargs", "default_camera_config"):
            assert mine[name].default == parameter.default, name
    config = theirs["default_camera_config"].default or {}
    assert str(dict(ours(env_id, 1).camera_config)) == str(config)


def test_a_model_of_ones_own(tmp_path):
    """Contact forces under Euler; and with a sensor of its own that has them computed at a reset too."""
    text = Path(gymnasium_mujoco.__path__[0], "assets", "ant.xml").read_text()
    euler = tmp_path / "euler.xml"
    euler.write_text(text.replace('integrator="RK4" timestep="0.01"', 'timestep="0.005"'))
    sensing = tmp_path / "sensing.xml"
    site = '<geom name="torso_geom"'
    assert site in text
    sensing.write_text(
        text.replace(site, f'<site name="imu"/>{site}').replace(
            "</mujoco>", '<sensor><accelerometer site="imu"/></sensor></mujoco>'
        )
    )
    for path in (euler, sensing):
        _, touching = compare("Ant-v5", {"xml_file": str(path), "frame_skip": 3}, 50, CONTACT)
        assert touching > 20


# How episodes begin.

# scale s: U(−s, s) has the standard deviation s/√3, N(0, s²) has s
BEGINNINGS = {
    "HalfCheetah-v5": (0.1, "normal"),
    "Hopper-v5": (0.005, "uniform"),
    "Walker2d-v5": (0.005, "uniform"),
    "Swimmer-v5": (0.1, "uniform"),
    "Ant-v5": (0.1, "normal"),
    "Humanoid-v5": (0.01, "uniform"),
    "HumanoidStandup-v5": (0.01, "uniform"),
    "InvertedPendulum-v5": (0.01, "uniform"),
    "InvertedDoublePendulum-v5": (0.1, "normal"),
}


@pytest.mark.parametrize("env_id", BEGINNINGS)
def test_first_states(env_id):
    env = ours(env_id, 1000)
    scale, velocities = BEGINNINGS[env_id]
    qpos, qvel = env._first_states(1000)
    noise = qpos - env.model.qpos0
    assert len(np.unique(qpos, axis=0)) == 1000
    assert np.abs(noise).max() <= scale
    # the standard error of a standard deviation over 1000 draws is 1.4 to 2.2 %
    np.testing.assert_allclose(noise.std(axis=0), scale / np.sqrt(3), rtol=0.12)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.15 * scale)
    spread = scale if velocities == "normal" else scale / np.sqrt(3)
    np.testing.assert_allclose(qvel.std(axis=0), spread, rtol=0.12)
    np.testing.assert_allclose(qvel.mean(axis=0), 0.0, atol=0.15 * scale)
    assert (np.abs(qvel).max() > 2 * scale) == (velocities == "normal")


def test_first_states_of_the_arms():
    reacher = ours("Reacher-v5", 2000)
    qpos, qvel = reacher._first_states(2000)
    goal = qpos[:, -2:]
    assert np.hypot(*goal.T).max() < 0.2
    # uniform over a disc of radius R: E[r²] = R²/2
    assert (goal**2).sum(axis=1).mean() == pytest.approx(0.2**2 / 2, rel=0.05)
    assert 0.09 < np.abs(qpos[:, :2]).max() <= 0.1
    assert 0.0049 < np.abs(qvel[:, :2]).max() <= 0.005
    assert not qvel[:, 2:].any()

    pusher = ours("Pusher-v5", 2000)
    qpos, qvel = pusher._first_states(2000)
    np.testing.assert_array_equal(qpos[:, :7], np.tile(pusher.model.qpos0[:7], (2000, 1)))
    x, y = qpos[:, -4:-2].T
    assert np.hypot(x, y).min() > 0.17
    assert -0.3 <= x.min() < -0.29
    assert x.max() < 0.0
    assert -0.2 <= y.min() < -0.19 < 0.19 < y.max() < 0.2
    assert not qpos[:, -2:].any()
    assert not qvel[:, -4:].any()
    assert 0.0049 < np.abs(qvel[:, :7]).max() <= 0.005


def test_environments_begin_differently_and_again_after_an_end():
    env = ours("Hopper-v5", 8)
    observation, _ = env.reset(seed=0)
    assert len(np.unique(observation, axis=0)) == 8
    np.testing.assert_array_equal(env.reset(seed=0)[0], observation)
    assert not np.array_equal(env.reset(seed=1)[0], observation)
    for _ in range(200):
        observation, _, terminated, _, info = env.step(np.ones((8, 3), np.float32))
        if terminated.any():
            break
    assert len(np.unique(observation[terminated], axis=0)) == terminated.sum() > 0
    assert np.abs(observation[terminated][:, :5] - env.model.qpos0[1:]).max() <= 0.005 + 1e-12
    np.testing.assert_array_equal(info["_final_obs"], terminated)


# How they end.


@pytest.mark.parametrize("env_id", TASKS)
def test_registered_time_limits(env_id):
    spec = gymnasium.spec(env_id)
    env = amble.envs.make(env_id, 1, threads=1)
    assert env.time_limit == type(env).length == spec.max_episode_steps
    assert ours(env_id, 1).time_limit == 0
    assert ours(env_id, 1, max_episode_steps=7).time_limit == 7


def test_truncation_hands_out_the_last_observation():
    env = ours("Reacher-v5", 3, max_episode_steps=5)
    whole = ours("Reacher-v5", 3)
    env.reset(seed=4)
    whole.reset(seed=4)
    rng = np.random.default_rng(0)
    for number in range(1, 6):
        actions = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
        observation, _, terminated, truncated, info = env.step(actions)
        last, *_ = whole.step(actions)
        assert not terminated.any()
        assert truncated.tolist() == [number == 5] * 3
    np.testing.assert_array_equal(info["final_obs"], last)
    assert not np.isclose(observation[:, 4:6], last[:, 4:6]).any()  # other goals
    assert env.steps.tolist() == [0, 0, 0]


# What is refused, and pictures.


def test_bad_settings(tmp_path):
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody><body/></worldbody>")
    for env_id, options, message in (
        (
            "Ant-v5",
            {"xml_file": "/nowhere/ant.xml"},
            r"no model file /nowhere/ant.xml.*among Gymnasium's own",
        ),
        ("Ant-v5", {"xml_file": "spider.xml"}, r"no model file .*assets/spider.xml"),
        ("Ant-v5", {"xml_file": str(broken)}, r"broken.xml: MuJoCo cannot read this model"),
        ("Hopper-v5", {"xml_file": str(broken)}, r"broken.xml: MuJoCo cannot read this model"),
        ("Ant-v5", {"main_body": "head"}, r"AntVectorEnv: its model has no body 'head'"),
        ("Reacher-v5", {"xml_file": "ant.xml"}, r"ReacherVectorEnv: its model has no body 'fingertip'"),
        ("Hopper-v5", {"frame_skip": 0}, r"frame_skip must be at least 1, got 0"),
        ("Hopper-v5", {"camera_name": "front"}, r"no camera 'front'; it has \['track'\]"),
        ("Hopper-v5", {"camera_id": 5}, r"camera_id is −1 to 0, got 5"),
        ("Hopper-v5", {"camera_id": 0, "camera_name": "track"}, r"camera_id or camera_name, not both"),
    ):
        with pytest.raises(UsageError, match=message):
            ours(env_id, **options)


def test_pictures():
    """As large as asked for, and from where one is asked to look."""
    try:
        choose_gl()
    except RenderingUnavailable as missing:
        pytest.skip(str(missing))
    small = {"render_mode": "rgb_array", "width": 100, "height": 60}
    env = ours("Hopper-v5", 2, **small)
    env.reset(seed=0)
    frames = env.render()
    assert [frame.shape for frame in frames] == [(60, 100, 3)] * 2
    track = ours("Hopper-v5", 1, camera_name="track", **small)
    near = ours("Hopper-v5", 1, default_camera_config={"distance": 1.0}, **small)
    pictures = [frames[0].mean()]
    for other in (track, near):
        other.reset(seed=0)
        picture = other.render()[0]
        assert picture.shape == (60, 100, 3)
        assert picture.std() > 10
        pictures.append(picture.mean())
        other.close()
    assert len(set(pictures)) == 3
    env.close()


class Conforming(VectorEnvConformance):
    steps = 30

    def make(self, num_envs):
        # random actions do not end every task
        return amble.envs.make(self.env_id, num_envs, threads=1, max_episode_steps=25)


class TestHalfCheetahConforms(Conforming):
    env_id = "HalfCheetah-v5"


class TestAntConforms(Conforming):
    env_id = "Ant-v5"


class TestHumanoidConforms(Conforming):
    env_id = "Humanoid-v5"


class TestPusherConforms(Conforming):
    env_id = "Pusher-v5"


class TestInvertedDoublePendulumConforms(Conforming):
    env_id = "InvertedDoublePendulum-v5"
