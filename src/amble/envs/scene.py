"""B environments as the B agents of a Unity scene, for `amble serve`.

Agent i is environment i. An episode's end and the next one's beginning go into the same message: the environments
restart within the step. Axes: B environments, n of them whose episode has just ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from amble.envs.making import make
from amble.envs.parameters import Drawn, Kind, Value, in_words, set_parameters
from amble.errors import UsageError
from amble.unity.channels import Sampler, Setting, StatisticsChannel
from amble.unity.spec import DEFAULT, NO_PROPERTY, TRANSLATION, ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

MASK = "action_mask"
_KINDS: dict[Sampler, Kind] = {
    Sampler.UNIFORM: "uniform",
    Sampler.GAUSSIAN: "gaussian",
    Sampler.MULTI_RANGE_UNIFORM: "multirangeuniform",
}


@dataclass(frozen=True)
class _Part:
    """One array of an observation, and the observation that it becomes on the wire."""

    path: tuple[str | int, ...]
    space: spaces.Space[Any]
    spec: ObservationSpec

    def of(self, observation: Any) -> np.ndarray:
        """This part of a batched observation, as the wire wants it."""
        for key in self.path:
            observation = observation[key]
        array = np.asarray(observation)
        if isinstance(self.space, spaces.Discrete):
            return _one_hot(array[:, None], np.array([self.space.n]), np.array([self.space.start]))
        if isinstance(self.space, spaces.MultiDiscrete):
            return _one_hot(
                array.reshape(len(array), -1), self.space.nvec.reshape(-1), self.space.start.reshape(-1)
            )
        array = array.reshape(len(array), *self.spec.shape)
        return array if _is_picture(self.space) else array.astype(np.float32, copy=False)


class EnvironmentScene:
    """Any environments behind our boundary, as a scene with one behaviour.

    A parameter that the environment can change from episode to episode (`adjustable`), each agent takes when its next
    episode begins. Any other setting that changes while episodes run cuts all of them off, as a limit of steps would:
    the next ones begin in environments made anew.
    """

    def __init__(
        self,
        env_id: str,
        behavior: str,
        agents: int,
        *,
        env_kwargs: Mapping[str, Any] | None = None,
        time_scale: float | None = None,
        threads: int | None = None,
        say: Callable[[str], None] = lambda _: None,
    ):
        """Make the environments.

        Args:
            env_id: a Gymnasium id.
            behavior: its name on the wire, `Walker?team=0`.
            agents: how many.
            env_kwargs: settings of the environment.
            time_scale: times the task's own speed that it runs at most; None as fast as it can.
            threads: that the environments may use.
            say: is told what of the trainer's wishes is done and what is not.
        """
        self._env_id, self._agents, self._kwargs, self._threads = (
            env_id,
            agents,
            dict(env_kwargs or {}),
            threads,
        )
        self._say, self._said = say, set[str]()
        self._seed, self._begun, self._changed = 0, False, False
        self._parameters: dict[str, Value] = {}
        self._statistics = StatisticsChannel()
        self._env = env = self._made(agents, self._kwargs)
        self._parts, self._mask = _parts(env.single_observation_space)
        self._to_env, actions = _actions(env_id, env.single_action_space)
        self.behavior = behavior
        self._behaviors = {behavior: BehaviorSpec(tuple(part.spec for part in self._parts), actions)}
        fps = env.metadata.get("render_fps")
        self._pace = None if time_scale is None else 1.0 / (float(fps or 30) * time_scale)
        self._next = time.monotonic()
        self._ids = np.arange(agents, dtype=np.int64)
        self._none = np.zeros(agents, np.bool_)

    @property
    def behaviors(self) -> Mapping[str, BehaviorSpec]:
        """The one behaviour."""
        return self._behaviors

    @property
    def statistics(self) -> StatisticsChannel:
        """No environment of ours reports any; it is there for those who serve one of their own."""
        return self._statistics

    def seed(self, seed: int) -> None:
        """The first reset begins from this."""
        self._seed = seed

    def engine(self, setting: Setting) -> None:
        """Nothing of the engine's exists here; that is said once a name."""
        numbers = " × ".join(f"{number:g}" for number in setting.numbers)
        if setting.name == "time_scale":
            hint = "the environment runs as fast as it can" if self._pace is None else "--time-scale counts"
        else:
            hint = "there is no window"
        self._say_once(f"The trainer's {setting.name} {numbers} has no effect: {hint}.")

    def parameter(self, setting: Setting) -> None:
        """Hand it on to the environment, if it has a setting of this name."""
        name, value = setting.name, _value(setting)
        if self._parameters.get(name, self._kwargs.get(name)) == value:
            return
        if name in getattr(self._env.unwrapped, "adjustable", {}):
            try:
                set_parameters(self._env, self._env_id, {name: value})
            except UsageError as refused:
                self._say_once(f"The environment parameter {name} has no effect: {refused}")
                return
            self._parameters[name] = value
            self._say(
                f"The environment parameter {name} is {in_words(value)}, from each agent's next episode on."
            )
            return
        if isinstance(value, Drawn):
            self._say_once(
                f"The environment parameter {name} has no effect: it is to be {value}, and {self._env_id} takes its "
                "settings when it is made."
            )
            return
        kwargs = {**self._kwargs, name: value}
        try:
            self._made(1, kwargs).close()
        except UsageError as refused:
            self._say_once(f"The environment parameter {name} has no effect: {refused}")
            return
        self._kwargs, self._changed = kwargs, True
        self._say(f"The environment parameter {name} is {value:g} from now on.")

    def reset(self) -> dict[str, Frame]:
        """Begin every episode. The first reset is from the seed; later ones go on from there."""
        self._renew()
        observation, _ = self._env.reset(seed=None if self._begun else self._seed)
        self._begun = True
        return self._frame(observation, np.zeros(self._agents), self._nobody(), {})

    def step(self, actions: Mapping[str, Actions]) -> dict[str, Frame]:
        """One decision of every environment."""
        if self._pace is not None:
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = max(self._next, time.monotonic() - self._pace) + self._pace
        observation, reward, terminated, truncated, info = self._env.step(
            self._to_env(actions[self.behavior])
        )
        ends = {"done": terminated | truncated, "interrupted": truncated & ~terminated}
        if self._changed:
            return self._cut_all(observation, reward, ends, info)
        return self._frame(observation, reward, ends, info)

    def close(self) -> None:
        """End the environments."""
        self._env.close()

    def _made(self, agents: int, kwargs: dict[str, Any]) -> VectorEnv:
        return make(self._env_id, agents, threads=self._threads, **kwargs)

    def _renew(self) -> None:
        """Make the environments anew if a setting has changed."""
        if self._changed:
            self._env.close()
            self._env = self._made(self._agents, self._kwargs)
            set_parameters(self._env, self._env_id, self._parameters)
            self._changed, self._begun = False, False

    def _nobody(self) -> dict[str, np.ndarray]:
        return {"done": self._none, "interrupted": self._none}

    def _cut_all(
        self, observation: Any, reward: np.ndarray, ends: dict[str, np.ndarray], info: dict[str, Any]
    ) -> dict[str, Frame]:
        """The settings have changed: what runs is cut off here, and all begin anew."""
        self._seed = int(
            np.random.SeedSequence((self._seed, 1)).generate_state(1)[0]
        )  # not the same episodes again
        begun = self.reset()[self.behavior]
        old = self._frame(observation, reward, ends, info)[self.behavior]
        running = ~ends["done"]
        asked = old.decisions
        terminals = Terminals(
            np.concatenate([old.terminals.agent_id, asked.agent_id[running]]),
            tuple(
                np.concatenate([ended, now[running]])
                for ended, now in zip(old.terminals.observations, asked.observations, strict=True)
            ),
            np.concatenate([old.terminals.reward, asked.reward[running]]),
            np.concatenate([old.terminals.interrupted, np.ones(int(running.sum()), np.bool_)]),
        )
        return {self.behavior: Frame(begun.decisions, terminals)}

    def _frame(
        self, observation: Any, reward: np.ndarray, ends: dict[str, np.ndarray], info: dict[str, Any]
    ) -> dict[str, Frame]:
        done = ends["done"]
        ids = np.flatnonzero(done)
        final = _final(info, ids) if ids.size else None
        reward = np.asarray(reward, np.float32)
        terminals = Terminals(
            self._ids[ids],
            tuple(
                part.of(final) if ids.size else np.zeros((0, *part.spec.shape), np.float32)
                for part in self._parts
            ),
            reward[ids],
            ends["interrupted"][ids],
        )
        allowed = None if self._mask is None else self._mask.of(observation) > 0.5
        decisions = Decisions(
            self._ids,
            tuple(part.of(observation) for part in self._parts),
            np.where(done, np.float32(0), reward),
            allowed,
        )
        return {self.behavior: Frame(decisions, terminals)}

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._say(sentence)


def _value(setting: Setting) -> Value:
    """What the trainer wants a parameter to be."""
    if setting.sampler is None:
        return setting.numbers[0]
    return Drawn(_KINDS[setting.sampler], setting.numbers, setting.seed)


def _parts(space: spaces.Space[Any]) -> tuple[list[_Part], _Part | None]:
    """What of an observation goes where: the observations, and the mask, if there is one."""
    parts, mask = [], None
    for path, leaf in _leaves(space, ()):
        name = ".".join(map(str, path))
        if path and path[-1] == MASK:
            mask = _Part(path, leaf, ObservationSpec((math.prod(leaf.shape or ()),), MASK))
        else:
            parts.append(_Part(path, leaf, _observation_spec(leaf, name)))
    return parts, mask


def _leaves(
    space: spaces.Space[Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, part in enumerate(space.spaces):
            yield from _leaves(part, (*path, index))
    else:
        yield path, space


def _is_picture(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3)


def _observation_spec(space: spaces.Space[Any], name: str) -> ObservationSpec:
    if _is_picture(space):
        shape = tuple(space.shape or ())
        if len(shape) == 2:
            return ObservationSpec(
                (*shape, 1), name or "CameraSensor", (TRANSLATION, TRANSLATION, NO_PROPERTY)
            )
        first = shape[0] == min(shape) != shape[2]
        kinds = (NO_PROPERTY, TRANSLATION, TRANSLATION) if first else (TRANSLATION, TRANSLATION, NO_PROPERTY)
        return ObservationSpec(shape, name or "CameraSensor", kinds, DEFAULT)
    if isinstance(space, spaces.Discrete):
        size = int(space.n)
    elif isinstance(space, spaces.MultiDiscrete):
        size = int(space.nvec.sum())
    elif isinstance(space, spaces.Box | spaces.MultiBinary):
        size = math.prod(space.shape)
    else:
        raise UsageError(
            f"The observation space {space} cannot be sent over Unity's wire: expected a Box, Discrete, "
            "MultiDiscrete or MultiBinary, or a Dict or Tuple of those."
        )
    return ObservationSpec((size,), name or f"VectorSensor_size{size}", (NO_PROPERTY,))


def _one_hot(index: np.ndarray, counts: np.ndarray, start: np.ndarray) -> np.ndarray:
    out = np.zeros((len(index), int(counts.sum())), np.float32)
    np.put_along_axis(out, index.astype(np.int64) - start + np.cumsum(counts) - counts, 1.0, axis=1)
    return out


def _actions(env_id: str, space: spaces.Space[Any]) -> tuple[Callable[[Actions], Any], ActionSpec]:
    """How actions of the wire become the environment's, and what they are."""
    if isinstance(space, spaces.Box):
        return _box(space), ActionSpec(math.prod(space.shape))
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return lambda given: _choices(given)[:, 0].astype(np.int64) + start, ActionSpec(0, (int(space.n),))
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        starts = space.start
        return lambda given: _choices(given) + starts, ActionSpec(0, tuple(int(n) for n in space.nvec))
    if isinstance(space, spaces.MultiBinary):
        shape = space.shape
        return (
            lambda given: _choices(given).reshape(-1, *shape).astype(np.int8),
            ActionSpec(0, (2,) * math.prod(shape)),
        )
    if isinstance(space, spaces.Tuple | spaces.Dict):
        return _hybrid(env_id, space)
    raise UsageError(f"{env_id}: the action space {space} has no counterpart on Unity's wire.")


def _choices(given: Actions) -> np.ndarray:
    assert given.discrete is not None
    return given.discrete


def _box(space: spaces.Box) -> Callable[[Actions], np.ndarray]:
    """[−1, 1] becomes [low, high] where both are finite; elsewhere a number stays what it is."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high)
    if bounded.all() and (low == -1).all() and (high == 1).all():
        middle, half = np.zeros_like(low), np.ones_like(low)
    else:
        middle, half = np.where(bounded, (low + high) / 2, 0.0), np.where(bounded, (high - low) / 2, 1.0)
    limit = np.where(bounded, 1.0, np.inf)
    shape, dtype = space.shape, space.dtype

    def convert(given: Actions) -> np.ndarray:
        assert given.continuous is not None
        action = given.continuous.reshape(-1, *shape)
        return (middle + half * np.clip(action, -limit, limit)).astype(dtype)

    return convert


def _hybrid(env_id: str, space: Any) -> tuple[Callable[[Actions], Any], ActionSpec]:
    """One Box, and Discretes in their order; each environment gets an action of its own."""
    items = list(space.spaces.items()) if isinstance(space, spaces.Dict) else list(enumerate(space.spaces))
    boxes = [(key, part) for key, part in items if isinstance(part, spaces.Box)]
    choices = [(key, part) for key, part in items if isinstance(part, spaces.Discrete)]
    if len(boxes) > 1 or len(boxes) + len(choices) != len(items):
        raise UsageError(
            f"{env_id}: the action space {space} has no counterpart on Unity's wire, which carries one Box and "
            "Discretes."
        )
    continuous = _box(boxes[0][1]) if boxes else None

    def convert(given: Actions) -> Any:
        parts: dict[Any, np.ndarray] = {}
        if continuous is not None:
            parts[boxes[0][0]] = continuous(given)
        for column, (key, part) in enumerate(choices):
            parts[key] = _choices(given)[:, column].astype(np.int64) + int(part.start)
        if isinstance(space, spaces.Dict):
            return {key: parts[key] for key, _ in items}
        return tuple(parts[key] for key, _ in items)

    size = math.prod(boxes[0][1].shape) if boxes else 0
    return convert, ActionSpec(size, tuple(int(part.n) for _, part in choices))


def _final(info: dict[str, Any], ids: np.ndarray) -> Any:
    """The last observations of the environments `ids`, batched as observations are."""
    final = info["final_obs"]
    if isinstance(final, dict):
        return {key: _final({"final_obs": part}, ids) for key, part in final.items()}
    if isinstance(final, tuple):
        return tuple(_final({"final_obs": part}, ids) for part in final)
    if isinstance(final, np.ndarray) and final.dtype != object:
        return final[ids]
    return _stacked([final[i] for i in ids])


def _stacked(singles: list[Any]) -> Any:
    if isinstance(singles[0], dict):
        return {key: _stacked([single[key] for single in singles]) for key in singles[0]}
    if isinstance(singles[0], tuple):
        return tuple(_stacked(list(parts)) for parts in zip(*singles, strict=True))
    return np.stack([np.asarray(single) for single in singles])
