"""Tests of the boundary to inherit: a class of checks that any vector environment must pass.

In a test module of your own:

    from amble.envs.conformance import VectorEnvConformance

    class TestMyEnv(VectorEnvConformance):
        def make(self, num_envs):
            return amble.envs.make("my_module:MyEnv-v0", num_envs)

pytest collects the checks. Each failure says where, what was expected, what was found and what to do.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Shaped

from amble.envs.boundary import final_observations
from amble.errors import AmbleError


class NotConforming(AmbleError, AssertionError):
    """An environment breaks the contract of `amble.envs.boundary`."""


@dataclass(frozen=True)
class _Step:
    """What one call of `step` was given and gave back: Any, because whether it is right is the question."""

    number: int
    actions: Any  # (B, A)
    observation: Any  # (B, O)
    reward: Any  # (B,)
    terminated: Any  # (B,)
    truncated: Any  # (B,)
    info: Any  # dict

    @property
    def done(self) -> Bool[np.ndarray, "B"]:
        return np.asarray(self.terminated, bool) | np.asarray(self.truncated, bool)


class VectorEnvConformance:
    """Override `make`; and `actions`, if random ones do not do; and the figures below, if they do not fit."""

    num_envs = 3
    steps = 100  # of each check
    steps_to_an_end = 2000  # within which an episode must end, of whichever environment
    deterministic = True  # the same seed and actions give the same episode

    def make(self, num_envs: int) -> VectorEnv:
        """Make `num_envs` environments."""
        raise NotImplementedError(
            "Override make(self, num_envs) with a function that makes your environments."
        )

    def actions(self, env: VectorEnv, rng: np.random.Generator) -> Shaped[np.ndarray, "B *A"]:
        """Choose the actions of one step."""
        env.action_space.seed(int(rng.integers(2**31)))
        return env.action_space.sample()

    # What it says about itself.

    def test_spaces(self) -> None:
        """Spaces, their batches, the number of environments and the autoreset mode agree with each other."""
        with closing(self.make(self.num_envs)) as env:
            _expect(
                env.num_envs == self.num_envs,
                "num_envs",
                self.num_envs,
                env.num_envs,
                "return what make asks for",
            )
            mode = env.metadata.get("autoreset_mode")
            _expect(
                mode is AutoresetMode.SAME_STEP,
                "metadata['autoreset_mode']",
                AutoresetMode.SAME_STEP,
                mode,
                "reset an ended episode within the step that ended it, and say so",
            )
            for kind in ("observation", "action"):
                single = getattr(env, f"single_{kind}_space")
                batched = getattr(env, f"{kind}_space")
                expected = batch_space(single, self.num_envs)
                _expect(
                    batched == expected,
                    f"{kind}_space",
                    expected,
                    batched,
                    f"make it with gymnasium.vector.utils.batch_space(single_{kind}_space, num_envs)",
                )

    # What it returns.

    def test_reset_returns_observations_of_the_space(self) -> None:
        """`reset` returns (B, O) observations of the declared type that lie in the space, and a dict."""
        with closing(self.make(self.num_envs)) as env:
            observation, info = env.reset(seed=0)
            _check_observation(env, observation, "reset")
            _expect(
                isinstance(info, dict),
                "reset's info",
                "a dict",
                type(info).__name__,
                "return (observation, {})",
            )

    def test_step_returns_what_the_boundary_says(self) -> None:
        """`step` returns arrays of the right shapes and types, finite rewards, observations in the space."""
        with closing(self.make(self.num_envs)) as env:
            for step in self._run(env, self.steps):
                where = f"step {step.number}"
                _check_observation(env, step.observation, where)
                _check_array(step.reward, f"{where}: reward", (self.num_envs,), "f")
                _check_array(step.terminated, f"{where}: terminated", (self.num_envs,), "b")
                _check_array(step.truncated, f"{where}: truncated", (self.num_envs,), "b")
                bad = np.flatnonzero(~np.isfinite(step.reward))
                _expect(
                    not bad.size,
                    f"{where}: reward of environment {_first(bad)}",
                    "a finite number",
                    step.reward[bad].tolist(),
                    "look for a division by zero or a simulation that diverged",
                )

    def test_returned_arrays_are_the_callers(self) -> None:
        """A later step does not write to what an earlier one returned."""
        with closing(self.make(self.num_envs)) as env:
            kept: list[tuple[int, str, np.ndarray, np.ndarray]] = []
            for step in self._run(env, min(self.steps, 20)):
                for number, name, array, copy in kept:
                    _expect(
                        np.array_equal(array, copy, equal_nan=array.dtype.kind == "f"),
                        f"the {name} that step {number} returned",
                        "as it was returned",
                        f"changed by step {step.number}",
                        "return a copy, or a new array each step: callers keep what they are given",
                    )
                for name in ("observation", "reward", "terminated", "truncated"):
                    array = getattr(step, name)
                    kept.append((step.number, name, array, array.copy()))

    def test_actions_are_not_written_to(self) -> None:
        """`step` leaves the caller's actions as they were."""
        with closing(self.make(self.num_envs)) as env:
            rng = np.random.default_rng(0)
            env.reset(seed=0)
            for number in range(min(self.steps, 20)):
                actions = self.actions(env, rng)
                before = actions.copy()
                env.step(actions)
                _expect(
                    np.array_equal(actions, before),
                    f"step {number}: the caller's actions",
                    before.tolist(),
                    actions.tolist(),
                    "clip and scale a copy, as in np.clip(actions, low, high)",
                )

    # How episodes begin and end.

    def test_the_same_seed_gives_the_same_episodes(self) -> None:
        """Two resets with one seed, the second in the midst of an episode, begin the same episodes."""
        if not self.deterministic:
            return
        with closing(self.make(self.num_envs)) as env:
            first = [env.reset(seed=7)[0].copy(), *(s.observation.copy() for s in self._run(env, 30, seed=7))]
            again = [env.reset(seed=7)[0].copy(), *(s.observation.copy() for s in self._run(env, 30, seed=7))]
            for number, (left, right) in enumerate(zip(first, again, strict=True)):
                differs = np.flatnonzero((left != right).reshape(self.num_envs, -1).any(axis=1))
                _expect(
                    not differs.size,
                    f"environment {_first(differs)} after {number} steps from seed 7, the second time",
                    left[differs].tolist(),
                    right[differs].tolist(),
                    "draw every random number from self.np_random, and clear all state in reset",
                )

    def test_environments_differ(self) -> None:
        """Seeds, and the environments of one seed, do not all begin the same episode."""
        with closing(self.make(self.num_envs)) as env:
            starts = [env.reset(seed=seed)[0].copy() for seed in (1, 2)]
            rows = np.concatenate(starts).reshape(2 * self.num_envs, -1)
            _expect(
                len(np.unique(rows, axis=0)) > 1,
                "the first observations of seeds 1 and 2",
                "different episodes",
                f"{2 * self.num_envs} times {rows[0].tolist()}",
                "seed each environment differently (override this check if the start is always the same)",
            )

    def test_environments_are_independent(self) -> None:
        """What environment 0 does before its episode ends does not depend on the others' actions."""
        if not self.deterministic:
            return
        with closing(self.make(self.num_envs)) as env:
            rng = np.random.default_rng(3)
            script = [self.actions(env, rng) for _ in range(self.steps)]
            other = [self.actions(env, rng) for _ in range(self.steps)]
            for mine, theirs in zip(script, other, strict=True):
                theirs[0] = mine[0]
            runs = [self._follow(env, actions) for actions in (script, other)]
            for number, (left, right) in enumerate(zip(*runs, strict=True)):
                if left.done[0] and right.done[0]:
                    break
                _expect(
                    np.array_equal(left.observation[0], right.observation[0])
                    and left.done[0] == right.done[0]
                    and left.reward[0] == right.reward[0],
                    f"environment 0 at step {number}, the others' actions changed",
                    left.observation[0].tolist(),
                    right.observation[0].tolist(),
                    "keep state and random numbers of the environments apart",
                )

    def test_autoreset_within_the_step(self) -> None:
        """A step that ends an episode returns the next one's first observation, and hands out the last."""
        with closing(self.make(self.num_envs)) as env:
            ended = self._first_end(env)
            where = f"step {ended.number}, environment {_first(np.flatnonzero(ended.done))}"
            try:
                final = final_observations(ended.info, ended.done, env.single_observation_space)
            except AmbleError as broken:
                raise NotConforming(f"{where}: {broken}") from broken
            mask = np.asarray(ended.info.get("_final_obs", ended.done))
            _expect(
                np.array_equal(mask, ended.done),
                f"{where}: info['_final_obs']",
                ended.done.tolist(),
                mask.tolist(),
                "it is True where terminated or truncated is, and nowhere else",
            )
            for row in final:
                _expect(
                    env.single_observation_space.contains(row),
                    f"{where}: info['final_obs']",
                    f"an element of {env.single_observation_space}",
                    row,
                    "compute it as any other observation, before the reset",
                )
            fresh = ended.observation[ended.done]
            _expect(
                not np.array_equal(final, fresh),
                f"{where}: info['final_obs']",
                "the last observation of the episode that ended",
                f"the first of the next one, {fresh[0].tolist()}",
                "copy the observation before the reset writes the new one",
            )

    def test_an_end_is_either_terminated_or_truncated(self) -> None:
        """Some flag says why each episode ended, and no `final_obs` is handed out where none ended."""
        with closing(self.make(self.num_envs)) as env:
            for step in self._run(env, self.steps):
                claimed = np.asarray(step.info.get("_final_obs", np.zeros(self.num_envs, bool)))
                stray = np.flatnonzero(claimed & ~step.done)
                _expect(
                    not stray.size,
                    f"step {step.number}, environment {_first(stray)}: info['_final_obs']",
                    "False, as neither terminated nor truncated is True",
                    "True",
                    "set terminated where the task is over and truncated where a time limit cut it off",
                )

    def test_the_episode_goes_on_after_an_end(self) -> None:
        """The step after an end is an ordinary one: no episode ends twice, and the new one moves."""
        with closing(self.make(self.num_envs)) as env:
            ended = self._first_end(env)
            index = _first(np.flatnonzero(ended.done))
            start = ended.observation[index].copy()
            observations = [env.step(self.actions(env, np.random.default_rng(n)))[0][index] for n in range(3)]
            _expect(
                not np.array_equal(start, observations[0]),
                f"the step after step {ended.number}, environment {index}",
                "the new episode's second observation",
                f"its first one again, {start.tolist()}",
                "do not reset in the step after the end (that is NEXT_STEP autoreset); reset within it",
            )

    def test_close_twice(self) -> None:
        """`close` may be called again."""
        env = self.make(self.num_envs)
        env.reset(seed=0)
        env.close()
        try:
            env.close()
        except Exception as failure:
            raise NotConforming(
                f"close, called a second time: expected nothing to happen, got {failure!r}. "
                "Do the work in close_extras, which Gymnasium calls once."
            ) from failure

    # Running them.

    def _run(self, env: VectorEnv, steps: int, seed: int = 0) -> Iterator[_Step]:
        rng = np.random.default_rng(seed)
        env.reset(seed=seed)
        for number in range(steps):
            actions = self.actions(env, rng)
            yield _Step(number, actions, *env.step(actions))

    def _follow(self, env: VectorEnv, script: list[np.ndarray]) -> list[_Step]:
        env.reset(seed=3)
        return [_copied(_Step(number, a, *env.step(a))) for number, a in enumerate(script)]

    def _first_end(self, env: VectorEnv) -> _Step:
        for step in self._run(env, self.steps_to_an_end):
            if step.done.any():
                return step
        raise NotConforming(
            f"No episode ended in {self.steps_to_an_end} steps of {self.num_envs} environments; one must, "
            "to see what happens then. Raise `steps_to_an_end`, or override `actions` with ones that end it."
        )


def _copied(step: _Step) -> _Step:
    return _Step(
        step.number,
        step.actions,
        step.observation.copy(),
        step.reward.copy(),
        step.terminated.copy(),
        step.truncated.copy(),
        step.info,
    )


def _expect(holds: Any, where: str, expected: Any, actual: Any, fix: str) -> None:
    if not holds:
        raise NotConforming(f"{where}: expected {expected}, got {actual}. To do: {fix}.")


def _check_observation(env: VectorEnv, observation: Any, where: str) -> None:
    space: gymnasium.Space = env.single_observation_space
    if space.shape is None or space.dtype is None:
        return  # a space of several parts: its batch is no array
    kind = np.dtype(space.dtype).kind
    _check_array(observation, f"{where}: observation", (env.num_envs, *space.shape), kind, space.dtype)
    outside = [i for i in range(env.num_envs) if not space.contains(observation[i])]
    _expect(
        not outside,
        f"{where}: observation of environment {outside[0] if outside else ''}",
        f"an element of {space}",
        observation[outside[0]].tolist() if outside else None,
        "widen the space's bounds to what can occur, or look for NaN",
    )


def _check_array(array: Any, where: str, shape: tuple[int, ...], kind: str, dtype: Any = None) -> None:
    is_array = isinstance(array, np.ndarray)
    _expect(is_array, where, "a numpy array", type(array).__name__, "convert it with np.asarray")
    _expect(
        array.shape == shape, where, f"shape {shape}", f"shape {array.shape}", "put the environments first"
    )
    wanted = np.dtype(dtype) if dtype is not None else {"f": "floating numbers", "b": "bool"}[kind]
    right = array.dtype == wanted if dtype is not None else array.dtype.kind == kind
    _expect(right, where, wanted, array.dtype, "convert it with astype")


def _first(ids: np.ndarray) -> int:
    return int(ids[0]) if ids.size else -1
