"""A body as an ordinary Gymnasium environment."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import amble.envs
from amble.envs.bodies.ball import BallEnv, BallVectorEnv

IDLE = np.zeros(2, np.float32)


def test_gymnasiums_own_checker():
    assert "amble/3DBall-v0" in gymnasium.registry
    env = gymnasium.make("amble/3DBall-v0").unwrapped
    with warnings.catch_warnings():
        # a ball's speed has no bound, and the space says so
        warnings.filterwarnings("ignore", message=".*space (minimum|maximum) value is -?infinity.*")
        check_env(env, skip_render_check=True)
    env.close()


def test_the_same_as_a_batch_of_one():
    alone, batch = BallEnv(), BallVectorEnv(1, threads=1)
    one, _ = alone.reset(seed=9)
    many, _ = batch.reset(seed=9)
    np.testing.assert_array_equal(one, many[0])
    over = False
    while not over:
        one, reward, over, cut, info = alone.step(IDLE)
        many, rewards, terminated, truncated, batch_info = batch.step(IDLE[None])
        assert (reward, over, cut) == (rewards[0], terminated[0], truncated[0])
        assert isinstance(reward, float)
        assert isinstance(over, bool)
        assert info == {}
        # the last observation is the episode's, not the next one's first
        np.testing.assert_array_equal(one, batch_info["final_obs"][0] if over else many[0])


def test_going_on_after_the_end_is_an_error():
    env = BallEnv()
    with pytest.raises(ResetNeeded, match="the episode is over or none was begun"):
        env.step(IDLE)
    env.reset(seed=0)
    env.vector.batch.qpos[:, 2] = -3.0
    assert env.step(IDLE)[2]
    with pytest.raises(ResetNeeded, match="the episode is over or none was begun"):
        env.step(IDLE)
    env.reset()
    env.step(IDLE)


def test_settings_and_spec():
    env = gymnasium.make("amble/3DBall-v0", mass=2.0)
    assert env.unwrapped.vector.model.body("ball").mass[0] == 2.0
    assert env.spec.id == "amble/3DBall-v0"
    assert "TimeLimit" not in str(env)  # the body counts its own decisions
    assert amble.envs.make("amble/3DBall-v0", 1).time_limit == 1000
    assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": 10}
