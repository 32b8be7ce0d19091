"""The inherited checks: our environments pass them, and each message has an environment that draws it."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

import amble.envs
from amble.envs.conformance import NotConforming, VectorEnvConformance


class TestBall(VectorEnvConformance):
    steps = 25
    steps_to_an_end = 200

    def make(self, num_envs):
        return amble.envs.make("amble/3DBall-v0", num_envs, threads=1)


class TestCartPoleAsArray(VectorEnvConformance):
    def make(self, num_envs):
        return amble.envs.make("CartPole-v1", num_envs)


class TestInProcess(VectorEnvConformance):
    def make(self, num_envs):
        return amble.envs.make("Pendulum-v1", num_envs, backend="inprocess")


class TestWorkers(VectorEnvConformance):
    steps = 40

    def make(self, num_envs):
        return amble.envs.make("toys:Countdown-v0", num_envs, backend="workers")


class Whole(VectorEnv):
    """Conforms; counts to 5 and adds the actions to a drawn number. The broken ones change one thing."""

    def __init__(self, num_envs: int):
        self.num_envs = num_envs
        self.single_observation_space = spaces.Box(-100, 100, (2,), np.float32)
        self.single_action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def begin(self, mask):
        self.count[mask] = 0
        self.drawn[mask] = self.np_random.random(int(mask.sum()))

    def see(self):
        return np.stack([self.count, self.drawn], axis=1).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.count, self.drawn = np.zeros(self.num_envs), np.zeros(self.num_envs)
        self.begin(np.ones(self.num_envs, bool))
        return self.see(), {}

    def step(self, actions):
        self.count += 1
        self.drawn += actions[:, 0]
        done = self.count >= 5
        info = {}
        observation = self.see()
        if done.any():
            info = {"final_obs": observation, "_final_obs": done}
            self.begin(done)
            observation = self.see()
        return observation, actions[:, 0].astype(float), done, np.zeros(self.num_envs, bool), info


class TestWhole(VectorEnvConformance):
    def make(self, num_envs):
        return Whole(num_envs)


def changed(change):
    """A Whole whose step's five results go through `change(env, results)`."""

    class Changed(Whole):
        def step(self, actions):
            return change(self, list(super().step(actions)))

    return Changed


def other(index, value):
    def change(env, results):
        results[index] = value(results[index])
        return tuple(results)

    return changed(change)


class MoreEnvs(Whole):
    def __init__(self, num_envs):
        super().__init__(num_envs + 1)


class NextStep(Whole):
    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}


class UnbatchedSpace(Whole):
    def __init__(self, num_envs):
        super().__init__(num_envs)
        self.observation_space = self.single_observation_space


class BareReset(Whole):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0], None


class OneBuffer(Whole):
    def see(self):
        if not hasattr(self, "buffer"):
            self.buffer = np.zeros((self.num_envs, 2), np.float32)
        self.buffer[:] = super().see()
        return self.buffer


class WritesActions(Whole):
    def step(self, actions):
        actions *= 0.5
        return super().step(actions)


class Unseeded(Whole):
    def begin(self, mask):
        self.count[mask] = 0
        self.drawn[mask] = np.random.default_rng().random(int(mask.sum()))


class AlwaysTheSame(Whole):
    def begin(self, mask):
        self.count[mask] = self.drawn[mask] = 0


class Entangled(Whole):
    def step(self, actions):
        return super().step(np.repeat(actions.mean(axis=0, keepdims=True), self.num_envs, axis=0))


class Endless(Whole):
    def see(self):
        self.count = np.minimum(self.count, 3)
        return super().see()


class Stands(Whole):
    """Resets again in the step after the end."""

    def step(self, actions):
        if getattr(self, "ended", False):
            self.ended = False
            zeros = np.zeros(self.num_envs, bool)
            return self.see(), np.zeros(self.num_envs), zeros, zeros.copy(), {}
        results = super().step(actions)
        self.ended = results[2].any()
        return results


class ClosesOnce(Whole):
    def close(self, **kwargs):
        if getattr(self, "gone", False):
            raise RuntimeError("closed already")
        self.gone = True


def final_changed(value):
    def change(env, results):
        if "final_obs" in results[4]:
            results[4] = value(env, results)
        return tuple(results)

    return changed(change)


def stray(env, results):
    results[4] = {"final_obs": results[0], "_final_obs": np.ones(env.num_envs, bool)}
    return tuple(results)


@pytest.mark.parametrize(
    ("broken", "check", "message"),
    [
        (MoreEnvs, "spaces", r"num_envs: expected 3, got 4. To do: return what make asks for"),
        (NextStep, "spaces", r"metadata\['autoreset_mode'\]: expected .*SAME_STEP.*, got .*NEXT_STEP"),
        (UnbatchedSpace, "spaces", r"observation_space: expected Box.*\(3, 2\).*batch_space\(single_obs"),
        (
            BareReset,
            "reset_returns_observations_of_the_space",
            r"reset's info: expected a dict, got NoneType",
        ),
        (
            other(0, lambda obs: obs[:, :1]),
            "step_returns_what_the_boundary_says",
            r"step 0: observation: expected shape \(3, 2\), got shape \(3, 1\)",
        ),
        (
            other(0, lambda obs: obs.astype(np.float64)),
            "step_returns_what_the_boundary_says",
            r"step 0: observation: expected float32, got float64. To do: convert it with astype",
        ),
        (
            other(0, lambda obs: obs + np.array([[0], [999], [0]], np.float32)),
            "step_returns_what_the_boundary_says",
            r"step 0: observation of environment 1: expected an element of Box.* widen the space",
        ),
        (
            other(1, list),
            "step_returns_what_the_boundary_says",
            r"step 0: reward: expected a numpy array, got list. To do: convert it with np.asarray",
        ),
        (
            other(1, lambda reward: np.where(np.arange(3) == 2, np.nan, reward)),
            "step_returns_what_the_boundary_says",
            r"step 0: reward of environment 2: expected a finite number, got \[nan\]",
        ),
        (
            other(2, lambda terminated: terminated.astype(int)),
            "step_returns_what_the_boundary_says",
            r"step 0: terminated: expected bool, got int64",
        ),
        (
            other(3, lambda truncated: truncated[:2]),
            "step_returns_what_the_boundary_says",
            r"step 0: truncated: expected shape \(3,\), got shape \(2,\). To do: put the environments first",
        ),
        (
            OneBuffer,
            "returned_arrays_are_the_callers",
            r"the observation that step 0 returned: expected as it was returned, got changed by step 1",
        ),
        (
            WritesActions,
            "actions_are_not_written_to",
            r"step 0: the caller's actions: .*clip and scale a copy",
        ),
        (
            Unseeded,
            "the_same_seed_gives_the_same_episodes",
            r"environment 0 after 0 steps from seed 7, the second time: .*self.np_random",
        ),
        (
            AlwaysTheSame,
            "environments_differ",
            r"first observations of seeds 1 and 2: .*got 6 times \[0.0, 0.0\]",
        ),
        (
            Entangled,
            "environments_are_independent",
            r"environment 0 at step 0, the others' actions changed: .*keep state and random numbers",
        ),
        (Endless, "autoreset_within_the_step", r"No episode ended in 2000 steps of 3 environments; one must"),
        (
            final_changed(lambda env, results: {}),
            "autoreset_within_the_step",
            r"step 4, environment 0: Environment 0 ended its episode, but info has no 'final_obs'",
        ),
        (
            final_changed(lambda env, results: {"final_obs": results[0].copy(), "_final_obs": results[2]}),
            "autoreset_within_the_step",
            r"final_obs'\]: expected the last observation of the episode that ended, got the first of",
        ),
        (
            final_changed(lambda env, results: {"final_obs": results[0] + np.float32(1e4)}),
            "autoreset_within_the_step",
            r"step 4, environment 0: info\['final_obs'\]: expected an element of Box",
        ),
        (
            changed(stray),
            "an_end_is_either_terminated_or_truncated",
            r"step 0, environment 0: info\['_final_obs'\]: expected False, as neither",
        ),
        (
            Stands,
            "the_episode_goes_on_after_an_end",
            r"the step after step 4, environment 0: expected the new episode's second observation, got",
        ),
        (ClosesOnce, "close_twice", r"close, called a second time: .*RuntimeError\('closed already'\)"),
    ],
)
def test_each_breach_is_named(broken, check, message):
    class Conformance(VectorEnvConformance):
        def make(self, num_envs):
            return broken(num_envs)

    with pytest.raises(NotConforming, match=message):
        getattr(Conformance(), f"test_{check}")()


def test_make_must_be_overridden():
    with pytest.raises(NotImplementedError, match="Override make"):
        VectorEnvConformance().test_spaces()
