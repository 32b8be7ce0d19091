"""Rollouts by compiled code, against the same decisions taken one by one in the same environments."""

from typing import Any

import numpy as np
import pytest
import torch

import amble.envs
from amble.envs.bodies.gym.base import JudgedVectorEnv
from amble.errors import EnvironmentFault
from amble.learner.choice import choose
from amble.training.collect import Collector
from amble.training.drive import driver_for
from factories import rng
from learner_helpers import a_learner

B, T, LIMIT = 9, 40, 17  # two groups; every episode ends at least twice in a rollout

# State and reward, relative to max(1, |x|), over the decisions of an episode: what rounding becomes in them.
TASKS = {
    "HalfCheetah-v5": 0.0,
    "Hopper-v5": 0.0,
    "Walker2d-v5": 0.0,
    "Swimmer-v5": 1e-12,
    "Ant-v5": 1e-5,
    "Humanoid-v5": 1e-5,
    "HumanoidStandup-v5": 1e-5,
}


def an_env(env_id: str, seed: int = 5, **settings: Any) -> JudgedVectorEnv:
    settings = {"max_episode_steps": LIMIT, "threads": 2, **settings}
    env = amble.envs.make(env_id, B, backend="array", **settings)
    assert isinstance(env, JudgedVectorEnv)
    env.reset(seed=seed)
    return env


def a_collector(env: JudgedVectorEnv, kind: str = "gaussian", decisions: int = T) -> Collector:
    ppo = a_learner(
        kind,
        observations=env.single_observation_space.shape[0],
        dimensions=env.single_action_space.shape[0],
        hidden=[16, 16],
        space=env.single_action_space,
    )
    acting = choose(ppo, "fused", torch.device("cpu")).acting
    return Collector(env, ppo.policy, decisions, rng(3), torch.device("cpu"), acting=acting)


class Recorded:
    """A rollout and what the driver says of it."""

    def __init__(self, env: JudgedVectorEnv, seed: int = 5, **settings: Any):
        self.collector = a_collector(env, **settings)
        driver = self.collector._driver
        assert driver is not None
        self.driver, drive = driver, driver.drive

        def spied() -> Any:
            self.course = drive()
            return self.course

        driver.drive = spied
        self.collector.begin(seed)
        self.rollout, self.episodes = self.collector.collect()


@pytest.mark.parametrize("env_id", TASKS)
def test_the_same_as_step_by_step(env_id: str) -> None:
    recorded = Recorded(an_env(env_id))
    course, raw = recorded.course, recorded.collector._raw.numpy()
    assert course.truncated.any()

    env = an_env(env_id)
    observation, _ = env.reset(seed=5)
    first = env.draw_first_states(B * T).reshape(B, T, -1)
    used = np.zeros(B, int)
    returns, lengths, total = [], [], np.zeros(B)
    length = np.zeros(B, int)
    scale = max(1.0, float(np.abs(course.reward).max()))
    tolerance = TASKS[env_id]
    for t in range(T):
        sees = observation.astype(np.float32)
        np.testing.assert_allclose(raw[t], sees, rtol=tolerance, atol=tolerance * 10)
        observation, reward, terminated, truncated, info = env.step(course.action[t])
        np.testing.assert_array_equal(course.terminated[t], terminated)
        np.testing.assert_array_equal(course.truncated[t], truncated)
        np.testing.assert_allclose(course.reward[t], reward, rtol=0, atol=tolerance * scale)
        total += reward
        length += 1
        done = terminated | truncated
        if done.any():
            ids = np.flatnonzero(done)
            final = info["final_obs"][ids].astype(np.float32)
            np.testing.assert_allclose(course.final[t, ids], final, rtol=tolerance, atol=tolerance * 10)
            # the environment drew other first states than were drawn beforehand for the driver
            env.set_states(*np.split(first[ids, used[ids]], [env.model.nq], axis=1), ids)
            used[ids] += 1
            observation[ids] = env._observation(ids, len(ids))
            returns.append(total[ids])
            lengths.append(length[ids])
            total[ids], length[ids] = 0.0, 0
    sees = observation.astype(np.float32)
    np.testing.assert_allclose(course.following, sees, rtol=tolerance, atol=tolerance * 10)
    np.testing.assert_allclose(recorded.episodes.returns, np.concatenate(returns), rtol=max(tolerance, 1e-12))
    np.testing.assert_array_equal(recorded.episodes.lengths, np.concatenate(lengths))
    starts = np.concatenate([np.ones((1, B), bool), course.terminated[:-1] | course.truncated[:-1]])
    np.testing.assert_array_equal(recorded.rollout.begins.numpy(), starts)
    assert [cut.t for cut in recorded.rollout.cut] == np.flatnonzero(course.truncated.any(axis=1)).tolist()


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        ("Hopper-v5", {"healthy_state_range": (-0.8, 0.8), "reset_noise_scale": 0.05}),
        ("Hopper-v5", {"healthy_z_range": (1.2, 1.3), "healthy_angle_range": (-0.02, 0.01)}),
        ("Walker2d-v5", {"healthy_angle_range": (-0.1, 0.1)}),
        ("Ant-v5", {"healthy_z_range": (0.65, 0.78)}),
        ("Humanoid-v5", {"healthy_z_range": (1.38, 1.41)}),
        ("Hopper-v5", {"terminate_when_unhealthy": False, "healthy_z_range": (1.24, 1.26)}),
    ],
)
def test_episodes_end_where_the_task_says(env_id: str, settings: dict[str, Any]) -> None:
    """By bounds of the state in the kernel, by `judge` for a single step."""
    env = an_env(env_id, **settings)
    recorded = Recorded(env)
    simulations = env.simulations
    assert simulations is not None
    course = recorded.driver._course
    before, after = (
        simulations.fields(records.reshape(T * B, -1)) for records in (course.before, course.after)
    )
    _, terminated, _ = env.judge(before, after, recorded.course.action.reshape(T * B, -1))
    np.testing.assert_array_equal(recorded.course.terminated.ravel(), terminated)
    assert terminated.any() == settings.get("terminate_when_unhealthy", True)


@pytest.mark.parametrize("kind", ["gaussian", "squashed"])
def test_the_stored_actions_and_what_the_environment_was_given(kind: str) -> None:
    recorded = Recorded(an_env("Walker2d-v5"), kind=kind)
    policy, rollout = recorded.collector.policy, recorded.rollout
    with torch.no_grad():
        output = policy(rollout.observation)
        log_prob = policy.head.log_probs(output, rollout.action)
    torch.testing.assert_close(rollout.log_prob, log_prob, rtol=1e-5, atol=1e-5)
    given = policy.actions.to_env(rollout.action.flatten(0, 1)).reshape(T, B, -1)
    np.testing.assert_allclose(recorded.course.action, given, atol=1e-6)
    assert np.abs(given).max() > 0.1


def test_any_number_of_threads_does_the_same() -> None:
    one, two = (Recorded(an_env("Hopper-v5", threads=threads)) for threads in (1, 2))
    for name in ("action", "reward", "terminated", "final", "following"):
        rows = one.course.terminated | one.course.truncated if name == "final" else ...
        np.testing.assert_array_equal(getattr(one.course, name)[rows], getattr(two.course, name)[rows])


def test_rollouts_go_on_where_the_last_ended_and_so_do_single_steps() -> None:
    """Two rollouts of 8 decisions, then a step, against one of 17 with the same actions."""
    env = an_env("HalfCheetah-v5", max_episode_steps=100)
    recorded = Recorded(env, decisions=8)
    actions = [*recorded.course.action.copy()]
    recorded.collector.collect()
    actions += [*recorded.course.action.copy(), np.full_like(actions[0], 0.3)]
    observation, reward, *_ = env.step(actions[-1])

    other = an_env("HalfCheetah-v5", max_episode_steps=100)
    for action in actions:
        expected, expected_reward, *_ = other.step(action)
    np.testing.assert_array_equal(observation, expected)
    np.testing.assert_array_equal(reward, expected_reward)
    assert (env.steps == 17).all()
    # and back again
    recorded.collector._observation = observation.astype(np.float32)
    recorded.collector.collect()
    for action in recorded.course.action:
        expected, *_ = other.step(action)
    np.testing.assert_allclose(recorded.course.following, expected.astype(np.float32), rtol=0)


def test_a_policy_that_is_no_number_is_stopped() -> None:
    collector = a_collector(an_env("Hopper-v5"))
    with torch.no_grad():
        next(collector.policy.actor.parameters()).fill_(torch.nan)
    collector.begin(5)
    with pytest.raises(EnvironmentFault, match=r"was given the action .* at decision 0 of this rollout"):
        collector.collect()


def test_what_mujoco_warns_of_is_counted() -> None:
    env = an_env("Hopper-v5", terminate_when_unhealthy=False)
    collector = a_collector(env)
    collector.begin(5)
    env.qvel[2] = 1e12
    collector.collect()
    assert sum(env.physics_warnings.values()) >= 1
    before = env.physics_warnings
    collector.collect()
    assert env.physics_warnings == before


def test_other_environments_are_not_driven() -> None:
    acting = a_collector(an_env("Hopper-v5")).acting
    assert driver_for(an_env("Hopper-v5"), acting, 4) is not None
    assert driver_for(an_env("Hopper-v5"), None, 4) is None
    assert driver_for(amble.envs.make("Pendulum-v1", 2, backend="inprocess"), acting, 4) is None
    assert driver_for(amble.envs.make("amble/3DBall-v0", 2), acting, 4) is None
