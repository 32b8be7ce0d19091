"""What every body inherits: counting, autoreset, physics warnings, refused settings."""

import logging

import mujoco
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from amble.envs.bodies.base import BodyVectorEnv
from amble.errors import AmbleError, UsageError

# One mass on a rail, pushed by its action.
XML = """
<mujoco><option timestep="0.01" gravity="0 0 0"/>
  <worldbody><body><joint name="rail" type="slide" axis="1 0 0"/><geom size="0.1" mass="1"/></body>
  </worldbody>
  <actuator><motor joint="rail"/></actuator>
</mujoco>"""


class Rail(BodyVectorEnv):
    """Over at x > 0.5; told to give up at x < −0.5."""

    def __init__(self, num_envs=1, **settings):
        super().__init__(
            mujoco.MjModel.from_xml_string(XML),
            num_envs,
            single_observation_space=spaces.Box(-np.inf, np.inf, (2,), np.float32),
            single_action_space=spaces.Box(-1.0, 1.0, (1,), np.float32),
            time_limit=6,
            **settings,
        )
        self.observed = []

    def _reset_bodies(self, ids):
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.batch.qpos[ids, 0] = 0.01 * (ids + 1)

    def _advance(self, actions):
        self.batch.ctrl[:] = actions
        self.batch.step()
        x = self.batch.qpos[:, 0]
        return x.astype(np.float32), x > 0.5, x < -0.5

    def _observe(self, rows, out):
        self.observed.append(rows)
        out[:, 0] = self.batch.qpos[rows, 0]
        out[:, 1] = self.batch.qvel[rows, 0]


def rail(num_envs=3, **settings):
    env = Rail(num_envs, threads=1, **settings)
    env.reset(seed=0)
    return env


IDLE = np.zeros((3, 1), np.float32)


def test_time_limit_is_counted_by_environment():
    env = rail()
    env.steps[:] = [0, 3, 5]
    *_, truncated, info = env.step(IDLE)
    assert truncated.tolist() == [False, False, True]
    assert info["_final_obs"].tolist() == [False, False, True]
    assert env.steps.tolist() == [1, 4, 0]


def test_each_kind_of_end():
    env = rail()
    env.batch.qpos[:, 0] = [0.6, -0.6, 0.2]
    env.batch.qvel[:, 0] = 1.0
    observation, reward, terminated, truncated, info = env.step(IDLE)
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False, True, False]
    # one step of 0.01 s at 1 m/s on from where they were
    np.testing.assert_allclose(info["final_obs"][:2], [[0.61, 1], [-0.59, 1]], rtol=1e-6)
    np.testing.assert_allclose(reward, [0.61, -0.59, 0.21], rtol=1e-6)
    # and the next episodes' first, the third's own
    np.testing.assert_allclose(observation, [[0.01, 0], [0.02, 0], [0.21, 1]], rtol=1e-6)


def test_a_terminal_state_at_the_time_limit_is_not_truncated():
    env = rail()
    env.steps[:] = 5
    env.batch.qpos[0, 0] = 0.6
    *_, terminated, truncated, _ = env.step(IDLE)
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False, True, True]


def test_only_new_episodes_are_observed_again():
    env = rail()
    env.batch.qpos[1, 0] = 0.6
    env.observed.clear()
    env.step(IDLE)
    assert env.observed[0] == slice(None)
    assert env.observed[1].tolist() == [1]
    assert len(env.observed) == 2


def test_without_autoreset_the_last_observation_is_the_steps_own():
    env = rail(autoreset_mode=AutoresetMode.DISABLED)
    env.batch.qpos[0, 0] = 0.6
    observation, *_, info = env.step(IDLE)
    assert info == {}
    assert observation[0, 0] == np.float32(0.6)


def test_physics_warnings_survive_the_reset(caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT where it runs
    env = rail()
    assert env.physics_warnings == {}
    env.batch.qvel[1, 0] = np.inf
    with caplog.at_level(logging.WARNING, logger="amble.envs.bodies.base"):
        env.step(IDLE)
    assert "Rail: the physics of environment 1 diverged at decision 1 of its episode" in caplog.text
    assert env.physics_warnings == {"mjWARN_BADQVEL": 1}
    env.reset()
    env.step(IDLE)
    assert env.physics_warnings == {"mjWARN_BADQVEL": 1}
    env.batch.qpos[0, 0] = np.nan
    env.step(IDLE)
    assert env.physics_warnings == {"mjWARN_BADQPOS": 1, "mjWARN_BADQVEL": 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_envs": 0}, "Rail: num_envs must be at least 1, got 0"),
        ({"threads": -1}, "threads must be 0"),
        ({"render_mode": "human"}, r"render_mode 'human' is unknown; use one of \['rgb_array'\]"),
        ({"autoreset_mode": AutoresetMode.NEXT_STEP}, "autoreset_mode is SAME_STEP or DISABLED"),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(UsageError, match=message):
        Rail(**settings)


def test_step_before_reset():
    with pytest.raises(AmbleError, match="step was called before reset"):
        Rail(3).step(IDLE)


def test_actions_of_a_wrong_shape():
    with pytest.raises(AmbleError, match=r"takes actions of shape \(3, 1\) .*got \(1, 1\)"):
        rail().step(IDLE[:1])


def test_drawing_needs_a_render_mode():
    with pytest.raises(UsageError, match="make it with render_mode='rgb_array'"):
        rail().render()
