"""Whole decisions by compiled code: the same physics as MuJoCo's batch, substep by substep, with gains set by NumPy."""

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from amble.envs.bodies.walker import WalkerVectorEnv, neutral_action

B = 5


class ByHand:
    """The same bodies in MuJoCo's batch."""

    def __init__(self, env: WalkerVectorEnv):
        self.env, self.batch = env, Batch(env.model, env.num_envs, 1)
        names = ("jnt_stiffness", "dof_damping", "qpos_spring")
        self.stiffness, self.damping, self.target = (self.batch.expand(name) for name in names)
        self.enter()

    def enter(self) -> None:
        for name in ("qpos", "qvel", "qacc_warmstart"):
            self.batch.bind(name)[:] = self.env.batch.bind(name)

    def decide(self, actions: np.ndarray) -> None:
        s, qpos, qvel = self.env.settings, self.batch.bind("qpos"), self.batch.bind("qvel")
        target, limit = self.env._actions.targets(actions), self.env._actions.force_limits(actions)
        self.target[:, 7:] = target
        for _ in range(s.substeps):
            wanted = np.abs(s.spring * (target - qpos[:, 7:]) - s.damper * qvel[:, 6:])
            share = limit / np.maximum(np.maximum(wanted, limit), np.finfo(float).tiny)
            self.stiffness[:, 1:], self.damping[:, 6:] = s.spring * share, s.damper * share
            self.batch.step()
            qvel *= 1.0 - s.drag * s.timestep


def live(env: WalkerVectorEnv, decisions: int, *, scale: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    seen = [env.reset(seed=1)[0]]
    for _ in range(decisions):
        actions = scale * rng.uniform(-1, 1, env.action_space.shape)
        observation, reward, *_ = env.step(actions.astype(np.float32))
        seen += [observation, reward]
    return seen


def test_the_physics_is_the_batch_s_bit_for_bit() -> None:
    env = WalkerVectorEnv(B, threads=1)
    env.reset(seed=0)
    other, rng, ended = ByHand(env), np.random.default_rng(0), 0
    for _ in range(60):
        actions = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        other.decide(actions)
        _, _, terminated, truncated, _ = env.step(actions)
        goes_on = ~(terminated | truncated)
        for name in ("qpos", "qvel", "qacc_warmstart"):
            np.testing.assert_array_equal(other.batch.bind(name)[goes_on], env.batch.bind(name)[goes_on])
        ended += np.count_nonzero(~goes_on)
        other.enter()
    assert ended > 0
    assert np.abs(env.batch.qpos[:, 7:]).max() > 0.3


def test_what_is_derived_is_mujoco_s() -> None:
    env = WalkerVectorEnv(B, threads=2)
    live(env, 12, scale=0.5)
    for i in range(B):
        data = env.batch.get_data(i)
        mujoco.mj_forward(env.model, data)
        first, bodies = env.signals.first_part, env.signals.bodies
        parts = slice(first, first + len(env.signals.names))
        np.testing.assert_array_equal(bodies.position[i], data.xpos[parts])
        np.testing.assert_array_equal(bodies.spatial[i], data.cvel[parts])
        np.testing.assert_array_equal(bodies.centre_of_mass[i], data.subtree_com[first])
        np.testing.assert_array_equal(bodies.anchor[i], data.xanchor)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    one, more = (live(WalkerVectorEnv(40, threads=count), 40) for count in (1, threads))
    for a, b in zip(one, more, strict=True):
        np.testing.assert_array_equal(a, b)


def test_measuring_changes_nothing() -> None:
    plain, watched = WalkerVectorEnv(B, threads=1), WalkerVectorEnv(B, threads=1)
    source = watched.publish()
    source.watch(source.signals)
    for a, b in zip(live(plain, 40), live(watched, 40), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_touched_target_goes_to_the_place_that_was_drawn_for_it() -> None:
    env = WalkerVectorEnv(2, threads=1)
    env.reset(seed=0)
    following, other = env.task.next_target[0].copy(), env.target[1].copy()
    env.target[0, :2] = env.batch.qpos[0, :2]
    env.step(np.zeros(env.action_space.shape, np.float32))
    np.testing.assert_array_equal(env.target[0], following)
    np.testing.assert_array_equal(env.batch.bind("mocap_pos")[0, 0], following)
    np.testing.assert_array_equal(env.target[1], other)
    assert not np.array_equal(env.task.next_target[0], following)
    assert not env.task.touched.any()


def test_warnings_of_every_thread_are_counted() -> None:
    env = WalkerVectorEnv(4, threads=2)
    env.reset(seed=0)
    env.batch.qvel[2, 0] = np.nan
    env.step(np.zeros(env.action_space.shape, np.float32))
    assert env.physics_warnings == {"mjWARN_BADQVEL": 1}


def test_bodies_of_other_masses_fall_as_their_own_model_says() -> None:
    env = WalkerVectorEnv(3, threads=1, randomize={"gravity": (0.5, 1.5)})
    env.reset(seed=0)
    env.batch.qpos[:, 2] += 10.0
    before, gravity = env.batch.qvel[:, 2].copy(), env.batch.expanded("opt.gravity")[:, 2].copy()
    env.step(np.tile(neutral_action(), (3, 1)).astype(np.float32))
    s = env.settings
    dropped = (env.batch.qvel[:, 2] - before) / (s.substeps * s.timestep)
    np.testing.assert_allclose(dropped, gravity, rtol=0.05)  # less the drag
    assert np.ptp(gravity) > 1.0
