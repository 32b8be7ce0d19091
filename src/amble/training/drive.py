"""A rollout without Python: a policy acts in bodies that compiled code can drive. Axes: T, B, O as in a rollout.

Each group of environments goes through all T decisions by itself, on whichever thread is free: nobody waits between two
decisions. The groups are the same on any number of threads, and so is what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Float

from amble.envs.bodies.gym import driven
from amble.envs.bodies.gym.base import JudgedVectorEnv
from amble.envs.bodies.gym.driven import Simulations, World, alive, begin, decide, observe, record
from amble.learner.choice import Acting
from amble.learner.fused import act
from amble.learner.fused.act import Buffers, Room, Scale, decide_rows
from amble.learner.fused.acting import FusedActing
from amble.learner.fused.arrays import Networks
from amble.native.compiled import entry, fingerprint, kernel
from amble.native.team import Team

_GROUPS = 16
"""At most; more do not fill the rows of a matrix product."""
_SMALLEST = 4
"""Environments in a group, where there are as many."""


class Gate(NamedTuple):
    """From a draw to an environment's action; see `ActionMap`. (A,) each."""

    squash: int
    centre: np.ndarray
    gain: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Course(NamedTuple):
    """What a rollout writes beside the policy's buffers."""

    action: np.ndarray
    """(T, B, A) as the environment was given them"""
    before: np.ndarray
    """(T, B, R) what the reward is made of, when a decision was taken, and"""
    after: np.ndarray
    """(T, B, R) when it had been carried out"""
    terminated: np.ndarray
    """(T, B)"""
    truncated: np.ndarray
    """(T, B)"""
    final: np.ndarray
    """(T, B, O) the last observation of the episodes that ended; of no meaning elsewhere"""
    following: np.ndarray
    """(B, O) what follows the last decision"""


class Life(NamedTuple):
    """The episodes that are running."""

    steps: np.ndarray
    """(B,) decisions so far"""
    first: np.ndarray
    """(B, T, q + v) the states that episodes begin from, in order"""
    used: np.ndarray
    """(B,) how many of them have been"""


@kernel
def _through_the_gate(numbers, gate, out):
    for d in range(numbers.size):
        x = np.tanh(numbers[d]) if gate.squash else numbers[d]
        x = gate.centre[d] + x * gate.gain[d]
        x = gate.low[d] if x < gate.low[d] else x
        out[d] = gate.high[d] if x > gate.high[d] else x


@kernel
def _live(i, t, course, life, world, sees):
    """Decision t of environment i has its action: carry it out, and begin anew where the episode ends.

    Args:
        i: which environment.
        t: which decision.
        course: written.
        life: of the episodes.
        world: the simulations.
        sees: (O,) written: what the next decision is taken by.
    """
    decide(i, course.action[t, i], world)
    record(i, world, course.after[t, i])
    observe(i, world, sees)
    life.steps[i] += 1
    dead = not alive(i, world)
    late = world.time_limit > 0 and life.steps[i] >= world.time_limit and not dead
    course.terminated[t, i], course.truncated[t, i] = dead, late
    if dead or late:
        course.final[t, i] = sees
        begin(i, life.first[i, life.used[i]], world)
        life.used[i] += 1
        life.steps[i] = 0
        observe(i, world, sees)
    if t + 1 < course.before.shape[0]:
        record(i, world, course.before[t + 1, i])


def _compiled() -> Callable[..., Any]:
    sources = fingerprint(act.__file__, driven.__file__)

    @entry("the driver of Gymnasium's bodies", seconds=15)
    def drive(first, last, buffers, nets, theta, scale, room, gate, course, life, world):
        """Take environments `first` to `last` through all decisions of a rollout.

        Args:
            first: environment of the group.
            last: the one behind it.
            buffers: the rollout; its first observations are there.
            nets: the actor and its head.
            theta: (P,) all parameters.
            scale: of the observations.
            room: memory for the group's rows.
            gate: to the environment's actions.
            course: written.
            life: of the episodes.
            world: the simulations.
        """
        _ = sources
        buffers, nets, scale, room = Buffers(*buffers), Networks(*nets), Scale(*scale), Room(*room)
        gate, course, life, world = Gate(*gate), Course(*course), Life(*life), World(*world)
        decisions = buffers.raw.shape[0]
        for i in range(first, last):
            record(i, world, course.before[0, i])
        for t in range(decisions):
            decide_rows(t, first, last, buffers, nets, theta, scale, room)
            for i in range(first, last):
                _through_the_gate(buffers.numbers[t, i], gate, course.action[t, i])
                sees = buffers.raw[t + 1, i] if t + 1 < decisions else course.following[i]
                _live(i, t, course, life, world, sees)

    return drive


drive = _compiled()


@dataclass(frozen=True)
class Driven:
    """What became of the environments in a rollout."""

    reward: Float[np.ndarray, "T B"]
    terminated: Bool[np.ndarray, "T B"]
    truncated: Bool[np.ndarray, "T B"]
    final: Float[np.ndarray, "T B O"]
    """The last observation of the episodes that ended; of no meaning elsewhere."""
    following: Float[np.ndarray, "B O"]
    """What follows the last decision."""
    action: Float[np.ndarray, "T B A"]
    """As the environment was given them."""


class Driver:
    """Takes the bodies of one environment through rollouts."""

    def __init__(self, env: JudgedVectorEnv, simulations: Simulations, acting: FusedActing, decisions: int):
        self._env, self._simulations, self._acting = env, simulations, acting
        box = cast("spaces.Box", env.single_action_space)
        shape, size = (decisions, env.num_envs), env.observation_size
        (count,) = box.shape
        actions = acting.policy.actions
        centre, gain = actions.stretch
        self._gate = tuple(Gate(int(actions.distribution == "squashed"), centre, gain, box.low, box.high))
        self._course = Course(
            action=np.empty((*shape, count), np.float32),
            before=np.empty((*shape, simulations.recorded)),
            after=np.empty((*shape, simulations.recorded)),
            terminated=np.empty(shape, np.bool_),
            truncated=np.empty(shape, np.bool_),
            final=np.empty((*shape, size), np.float32),
            following=np.empty((env.num_envs, size), np.float32),
        )
        groups = min(max(1, env.num_envs // _SMALLEST), _GROUPS)
        ends = np.linspace(0, env.num_envs, groups + 1).astype(int).tolist()
        self._groups = [(*ends_of, acting.room_for(ends_of[1] - ends_of[0])) for ends_of in pairwise(ends)]
        self._team = Team()

    def drive(self) -> Driven:
        """One rollout, after the policy's `begin`, from the first observations in its `raw`."""
        env, course, arguments = self._env, self._course, self._acting.arguments
        decisions, count = course.terminated.shape
        first_states = env.draw_first_states(count * decisions).reshape(count, decisions, -1)
        life = tuple(Life(env.steps, first_states, np.zeros(count, np.int64)))
        rest = self._gate, tuple(course), life, tuple(self._simulations.world)

        def task(group: int) -> None:
            first, last, room = self._groups[group]
            drive(first, last, *arguments, room, *rest)

        with env.driven():
            self._team.each(task, len(self._groups), env.threads)
        given = course.action.reshape(count * decisions, -1)
        before, after = (
            self._simulations.fields(records.reshape(count * decisions, -1))
            for records in (course.before, course.after)
        )
        reward, _, _ = env.judge(before, after, given)
        return Driven(
            reward=reward.reshape(decisions, count),
            terminated=course.terminated,
            truncated=course.truncated,
            final=course.final,
            following=course.following,
            action=course.action,
        )


def driver_for(env: VectorEnv, acting: Acting | None, decisions: int) -> Driver | None:
    """What takes these environments through rollouts of so many decisions; None where they are stepped one by one."""
    if not (isinstance(acting, FusedActing) and isinstance(env, JudgedVectorEnv)):
        return None
    simulations = env.simulations
    restarts = env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    if simulations is None or not restarts or not acting.policy.actions.is_continuous:
        return None
    return Driver(env, simulations, acting, decisions)
