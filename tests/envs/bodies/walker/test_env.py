"""The Walker as an environment: physics that holds, episodes that end as Unity's do."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from scipy.spatial.transform import Rotation

from amble.envs.bodies.walker import OBSERVATION_NAMES, WalkerVectorEnv, neutral_action
from amble.envs.bodies.walker.actions import ACTION_NAMES
from amble.errors import AmbleError, UsageError


def random_actions(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform(-1, 1, (count, 39)).astype(np.float32)


def standing(count: int = 1, strength: float = 1.0) -> np.ndarray:
    return np.tile(neutral_action(strength), (count, 1)).astype(np.float32)


@pytest.mark.parametrize("body", ["release_19", "release_21"])
def test_stands_still_at_neutral_targets(body: str) -> None:
    env = WalkerVectorEnv(2, body=body, threads=1)
    env.reset(seed=0)
    start = env.batch.qpos[:, 2].copy()
    for _ in range(300):  # 20 seconds
        *_, terminated, _truncated, _ = env.step(standing(2))
        assert not terminated.any()
    sunk = start - env.batch.qpos[:, 2]
    assert ((sunk > 0) & (sunk < 0.05)).all()  # the feet come down onto the ground, and no further
    assert np.abs(env.batch.qvel).max() < 0.02  # what the contact solver's tolerance leaves
    contacts = {n: env.contact[0, env.signals.names.index(n)] for n in ("footL", "footR", "shinL", "hips")}
    assert contacts == {"footL": True, "footR": True, "shinL": False, "hips": False}


def test_collapses_when_limp() -> None:
    env = WalkerVectorEnv(1, threads=1)
    env.reset(seed=0)
    env.batch.qvel[0, 0] = 0.5  # a limp body upright on straight legs may balance for a while: nudge it
    fell = [env.step(standing(strength=-1.0))[2][0] for _ in range(45)]  # 3 seconds
    assert any(fell)


def test_no_physics_warnings_over_20_000_random_decisions() -> None:
    env = WalkerVectorEnv(100, threads=2)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        observation, *_ = env.step(random_actions(rng, 100))
        assert np.isfinite(observation).all()
    assert env.physics_warnings == {}


def test_one_and_two_threads_agree_to_the_last_bit() -> None:
    runs = []
    for threads in (1, 2):
        env = WalkerVectorEnv(24, threads=threads, randomize={"mass": (0.8, 1.2)})
        observation, _ = env.reset(seed=5)
        rng = np.random.default_rng(5)
        trace = [observation]
        for _ in range(40):  # some fall and begin anew
            observation, reward, *_ = env.step(random_actions(rng, 24))
            trace += [observation, reward]
        runs.append(trace)
    for one, two in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, two)


class TestMirrorSymmetry:
    """A body and its mirror image, driven by mirrored actions, stay mirror images."""

    def mirrored_names(self, name: str) -> str:
        part, rest = name.split("_", 1)
        if part[-1] in "LR":
            part = part[:-1] + {"L": "R", "R": "L"}[part[-1]]
        return f"{part}_{rest}"

    def sign(self, name: str) -> float:
        axis = name.split("_")[1]
        return -1.0 if axis in ("y", "z") else 1.0  # x bends; y and z lean and twist, to either side

    @pytest.mark.parametrize(
        ("height", "tolerance"), [(30.0, 1e-7), (0.0, 1e-6)], ids=["in the air", "on the ground"]
    )
    def test_mirrored_state_and_action_give_the_mirrored_next_state(
        self, height: float, tolerance: float
    ) -> None:
        """Over 40 substeps, in the air and on its feet."""
        env = WalkerVectorEnv(2, threads=1, random_yaw=False, target_speed_range=(3.0, 3.0))
        env.reset(seed=1)
        env.batch.qpos[:, 2] += height
        env.target[:] = [[9.0, 4.0, 0.5], [9.0, -4.0, 0.5]]
        hinges = [env.model.joint(j).name for j in range(1, env.model.njnt)]
        swap = [hinges.index(self.mirrored_names(name)) for name in hinges]
        signs = np.array([self.sign(name) for name in hinges])
        action_swap = [ACTION_NAMES.index(self.mirrored_names(name)) for name in ACTION_NAMES]
        action_signs = np.array(
            [self.sign(name) if name.endswith("target") else 1.0 for name in ACTION_NAMES]
        )
        rng = np.random.default_rng(3)
        env.batch.qvel[0] = 0.3 * rng.normal(size=env.model.nv)
        env.batch.qvel[1] = self.mirrored_velocity(env.batch.qvel[0], swap, signs)

        for _ in range(8):
            action = rng.uniform(-0.6, 0.6, 39)
            pair = np.stack([action, action_signs * action[action_swap]]).astype(np.float32)
            _, reward, terminated, _, _ = env.step(pair)
            assert not terminated.any()
            q, image = env.batch.qpos
            np.testing.assert_allclose(image[7:], signs * q[7:][swap], atol=tolerance)
            np.testing.assert_allclose(image[:3], q[:3] * [1, -1, 1], atol=tolerance)
            velocity = self.mirrored_velocity(env.batch.qvel[0], swap, signs)
            np.testing.assert_allclose(env.batch.qvel[1], velocity, atol=100 * tolerance)
            assert reward[0] == pytest.approx(reward[1], abs=tolerance)
        assert np.abs(env.batch.qpos[0, 7:]).max() > 0.1

    def mirrored_velocity(self, v: np.ndarray, swap: list[int], signs: np.ndarray) -> np.ndarray:
        """The world's y flips; of the hips' spin, in their own axes (x sideways), y and z flip."""
        return np.concatenate([v[:3] * [1, -1, 1], v[3:6] * [1, -1, -1], signs * v[6:][swap]])


class TestEpisodes:
    def test_a_fall_replaces_the_reward_by_minus_one_and_terminates(self) -> None:
        env = WalkerVectorEnv(32, threads=1)
        env.reset(seed=2)
        rng = np.random.default_rng(2)
        falls = 0
        for _ in range(60):
            observation, reward, terminated, truncated, info = env.step(random_actions(rng, 32))
            assert (reward[terminated] == -1.0).all()
            assert (reward[~terminated] >= 0.0).all()
            assert not truncated.any()
            if terminated.any():
                final = info["final_obs"][terminated]
                assert not np.array_equal(final, observation[terminated])
                worst = final[:, [OBSERVATION_NAMES.index(f"{p}.strength") for p in ("chest", "head")]]
                assert (worst > 0).any()  # the fallen body's, whose joints were driven
                assert not observation[terminated][:, OBSERVATION_NAMES.index("chest.strength")].any()
            falls += int(terminated.sum())
        assert falls > 20

    def test_the_step_limit_truncates(self) -> None:
        env = WalkerVectorEnv(1, threads=1, max_substeps=50)
        env.reset(seed=0)
        ends = [env.step(standing())[2:4] for _ in range(20)]
        assert [bool(truncated[0]) for _, truncated in ends] == [False] * 9 + [True] + [False] * 9 + [True]
        assert not any(terminated[0] for terminated, _ in ends)

    def test_reward_is_added_every_substep(self) -> None:
        """A body thrown at its goal speed is paid up to 1 for each of the five substeps."""
        env = WalkerVectorEnv(
            1, threads=1, random_yaw=False, gravity=1e-6, drag=0.0, target_speed_range=(5.0, 5.0)
        )
        env.reset(seed=0)
        env.target[:] = [[1000.0, 0.0, 0.5]]
        env.batch.qpos[0, 2] += 30
        env.batch.qvel[0, 0] = 5.0
        _, reward, *_ = env.step(standing())
        assert reward[0] == pytest.approx(5.0, abs=0.01)

    def test_target_speed_and_yaw_are_drawn_for_each_episode(self) -> None:
        env = WalkerVectorEnv(400, threads=1)
        observation, _ = env.reset(seed=0)
        speed = observation[:, 6]
        assert 0.1 <= speed.min() < 0.4
        assert 9.7 < speed.max() <= 10.0
        facing = Rotation.from_quat(env.batch.qpos[:, 3:7], scalar_first=True).apply([0, 0, 1]).T
        assert np.abs(facing[2]).max() < 1e-9
        quadrants = {(x > 0, y > 0) for x, y in facing[:2].T}
        assert len(quadrants) == 4

    def test_targets_outlast_episodes_and_a_seed_draws_new_ones(self) -> None:
        env = WalkerVectorEnv(4, threads=1, max_substeps=5)
        env.reset(seed=0)
        first = env.target.copy()
        env.step(standing(4))
        np.testing.assert_array_equal(env.target, first)
        env.reset()
        np.testing.assert_array_equal(env.target, first)
        env.reset(seed=1)
        assert not np.array_equal(env.target, first)

    def test_a_touched_target_moves_and_an_untouched_one_does_not(self) -> None:
        env = WalkerVectorEnv(2, threads=1, random_yaw=False)
        env.reset(seed=0)
        env.target[:] = [
            [1.3, 0.4, 0.5],
            [0.7, 0.4, 0.5],
        ]  # half edge 0.5; the toes reach 0.1 - 0.06 + 0.275 = 0.315
        before = env.target.copy()
        env.step(standing(2))
        np.testing.assert_array_equal(env.target[0], before[0])  # 0.8 - 0.315 away
        assert np.abs(env.target[1] - before[1]).max() > 0.1

    def test_the_cube_faces_the_target(self) -> None:
        env = WalkerVectorEnv(1, threads=1)
        env.reset(seed=0)
        env.target[:] = [[3.0, 4.0, 0.5]]
        env.step(standing())
        np.testing.assert_allclose(env.goal_forward[:, 0], [0.6, 0.8], atol=0.01)


class TestSettings:
    def test_randomisation_draws_each_simulation_anew(self) -> None:
        ranges = {"mass": (0.5, 1.5), "friction": (0.4, 0.8), "gravity": (0.9, 1.1)}
        env = WalkerVectorEnv(50, threads=1, randomize=ranges, max_substeps=5)
        env.reset(seed=0)
        mass = env.batch.expanded("body_mass").sum(axis=1)
        nominal = env.model.body_mass.sum()
        assert 0.5 <= (mass / nominal).min() < 0.6
        assert 1.4 < (mass / nominal).max() <= 1.5
        gravity = env.batch.expanded("opt.gravity")[:, 2] / -14.715
        assert 0.9 <= gravity.min() < gravity.max() <= 1.1
        friction = env.batch.expanded("geom_friction")[:, -1, 0] / 0.6
        assert 0.4 <= friction.min() < friction.max() <= 0.8
        env.step(standing(50))  # ends every episode
        assert not np.array_equal(env.batch.expanded("body_mass").sum(axis=1), mass)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"body": "release_20"}, r"body must be one of release_19, release_21; got 'release_20'"),
            (
                {"solver": "newtons"},
                r"solver must be one of pgs, newton; got 'newtons' \(did you mean 'newton'\?\)",
            ),
            ({"gravty": 9.81}, r"no setting 'gravty' \(did you mean 'gravity'\?\)"),
            ({"timestep": 0.0}, r"timestep must be a positive number; got 0.0"),
            ({"spring": "stiff"}, r"spring must be a number; got 'stiff'"),
            ({"target_speed_range": (3.0, 1.0)}, r"target_speed_range must be \(low, high\)"),
            ({"target_speed_range": 3.0}, r"target_speed_range must be"),
            ({"randomize": {"mas": (1, 2)}}, r"randomize knows mass, friction, gravity; got 'mas'"),
            ({"randomize": {"mass": (2, 1)}}, r"randomize\['mass'\] must be factors"),
        ],
    )
    def test_bad_settings_are_refused_by_name(self, settings, message) -> None:
        with pytest.raises(UsageError, match=message):
            WalkerVectorEnv(1, **settings)

    def test_a_nan_action_names_its_environment(self) -> None:
        env = WalkerVectorEnv(3, threads=1)
        env.reset(seed=0)
        actions = standing(3)
        actions[1, 4] = np.nan
        with pytest.raises(AmbleError, match="Environment 1"):
            env.step(actions)

    def test_every_constant_reaches_the_physics(self) -> None:
        env = WalkerVectorEnv(
            1, threads=1, gravity=3.0, timestep=0.01, friction=0.9, walls=False, hip_mass=20.0
        )
        assert env.model.opt.gravity[2] == -3.0
        assert env.model.opt.timestep == 0.01
        assert env.model.geom("ground").friction[0] == 0.9
        assert env.model.body("hips").mass[0] == 20.0
        assert not any("wall" in env.model.body(i).name for i in range(env.model.nbody))


def test_gymnasium_makes_and_checks_it() -> None:
    env = gymnasium.make("amble/Walker-v0")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box observation space m.*infinity.*")
        check_env(env.unwrapped, skip_render_check=True)
    vector = gymnasium.make_vec("amble/Walker-v0", num_envs=3, body="release_21")
    observation, _ = vector.reset(seed=0)
    assert observation.shape == (3, 243)
    assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    vector.close()


def test_the_cube_goes_along_with_the_hips_and_faces_the_target_from_there() -> None:
    """Far from the start, the way to the target is another one than from the start."""
    env = WalkerVectorEnv(2, threads=1, random_yaw=False)
    env.reset(seed=1)
    env.target[:] = [[9.0, 4.0, 0.5], [-3.0, 8.0, 0.5]]
    env.batch.qpos[:, :2] += [[6.0, -2.0], [2.0, 5.0]]
    for _ in range(2):
        env.step(np.tile(neutral_action(), (2, 1)).astype(np.float32))
    way = env.target[:, :2] - env.batch.qpos[:, :2]
    expected = way / np.linalg.norm(way, axis=1, keepdims=True)
    np.testing.assert_allclose(env.goal_forward.T, expected, atol=5e-3)
