"""A task's bodies driven by compiled code: whole rollouts without Python between two decisions.

Every simulation is an `mjData` of its own here, stepped by `mj_step` as Gymnasium does, so that each thread can take
its share of the bodies through all decisions of a rollout and wait for nobody. What the reward is made of is recorded,
and judged afterwards for the whole rollout at once, by the same lines that judge a single step.
Axes: T decisions, B environments, q positions, v velocities, R numbers recorded.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import mujoco
import numpy as np

from amble.envs.bodies.calls import (
    forward,
    numbers_at,
    post_constraint,
    reset_data,
    step,
    whole_numbers_at,
)
from amble.native.compiled import kernel

if TYPE_CHECKING:
    from amble.envs.bodies.gym.base import GymVectorEnv

_STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value
_MOVES = ("qpos", "qvel", "ctrl")


class World(NamedTuple):
    """B simulations and what a decision of theirs is."""

    model: int
    """Address."""
    data: np.ndarray
    """(B,) addresses of the simulations."""
    moves: np.ndarray
    """(B, 3) addresses of their positions, velocities and controls."""
    sizes: np.ndarray
    """(3,) how many these are."""
    seen: np.ndarray
    """(B, parts) addresses of what is observed, in order."""
    seen_sizes: np.ndarray
    """(parts,)"""
    seen_bounds: np.ndarray
    """(parts, 2) that it is clipped to."""
    recorded: np.ndarray
    """(B, fields) addresses of what the reward is made of."""
    recorded_sizes: np.ndarray
    """(fields,)"""
    alive: np.ndarray
    """(2, q + v) between which, both excluded, the state must lie, or the episode ends; NaN for anywhere."""
    substeps: int
    time_limit: int
    """Decisions; 0 for never."""
    forces: int
    """Whether contact forces are computed after each decision."""
    derived: int
    """Whether an episode's first observation has more in it than the state."""
    warnings: np.ndarray
    """(B,) addresses of MuJoCo's counters, which a reset sets to 0."""
    warned: np.ndarray
    """(B, kinds) what they had come to at the resets so far, summed."""


@kernel
def decide(i, action, world):
    """Carry out one decision of simulation i: its controls, then the substeps."""
    ctrl = numbers_at(world.moves[i, 2], world.sizes[2])
    for j in range(ctrl.size):
        ctrl[j] = action[j]
    for _ in range(world.substeps):
        step(world.model, world.data[i])
    if world.forces:
        post_constraint(world.model, world.data[i])


@kernel
def observe(i, world, out):
    """What body i sees, into `out` (O,)."""
    at = 0
    for p in range(world.seen_sizes.size):
        numbers = numbers_at(world.seen[i, p], world.seen_sizes[p])
        low, high = world.seen_bounds[p, 0], world.seen_bounds[p, 1]
        for x in numbers:
            x = low if x < low else x  # noqa: PLW2901
            out[at] = high if x > high else x
            at += 1


@kernel
def record(i, world, out):
    """What body i's reward is made of, into `out` (R,)."""
    at = 0
    for f in range(world.recorded_sizes.size):
        for x in numbers_at(world.recorded[i, f], world.recorded_sizes[f]):
            out[at] = x
            at += 1


@kernel
def alive(i, world):
    """Whether the episode goes on, by the state that body i is in."""
    at = 0
    for part in range(2):
        for x in numbers_at(world.moves[i, part], world.sizes[part]):
            low, high = world.alive[0, at], world.alive[1, at]
            if low == low and not low < x < high:  # noqa: PLR0124 (whether it is a number)
                return False
            at += 1
    return True


@kernel
def begin(i, first, world):
    """Put body i into an episode's first state (q + v,), everything else as in a fresh simulation."""
    kinds = world.warned.shape[1]
    counters = whole_numbers_at(world.warnings[i], 2 * kinds)  # each behind what it was last about
    for kind in range(kinds):
        world.warned[i, kind] += counters[2 * kind + 1]
    reset_data(world.model, world.data[i])
    at = 0
    for part in range(2):
        numbers = numbers_at(world.moves[i, part], world.sizes[part])
        for j in range(numbers.size):
            numbers[j] = first[at]
            at += 1
    if world.derived:
        forward(world.model, world.data[i])


class Simulations:
    """The simulations of a task's environment, to be driven.

    Attributes:
        world: for the kernels.
        recorded: R, numbers that `record` writes.
    """

    def __init__(self, env: GymVectorEnv, model: mujoco.MjModel):
        """`model` is the environment's file compiled as it is, without a sensor of ours."""
        # Not the environment itself: it holds these, and would then wait for the garbage collector.
        self._model, self._states, self._names = model, env.batch.state, env.judged_by
        self._data = [mujoco.MjData(model) for _ in range(env.num_envs)]

        def addresses(fields: list[tuple[str, int]]) -> np.ndarray:
            places = [
                [getattr(data, name).ctypes.data + 8 * first for name, first in fields] for data in self._data
            ]
            return np.array(places, np.int64).reshape(env.num_envs, len(fields))

        parts = env.observed()
        bounds = env.alive_between()
        sizes = [getattr(self._data[0], name).size for name in env.judged_by]
        self.recorded = sum(sizes)
        self.world = World(
            model=model._address,
            data=np.array([data._address for data in self._data]),
            moves=addresses([(name, 0) for name in _MOVES]),
            sizes=np.array([model.nq, model.nv, model.nu]),
            seen=addresses([(part.field, part.first) for part in parts]),
            seen_sizes=np.array([part.size for part in parts]),
            seen_bounds=np.array([(part.low, part.high) for part in parts], float),
            recorded=addresses([(name, 0) for name in env.judged_by]),
            recorded_sizes=np.array(sizes, np.int64),
            alive=np.full((2, model.nq + model.nv), np.nan) if bounds is None else np.stack(bounds),
            substeps=env.frame_skip,
            time_limit=env.time_limit,
            forces=int(env.contact_forces),
            derived=int(any(part.field not in _MOVES for part in parts)),
            warnings=np.array([data.warning.lastinfo.ctypes.data for data in self._data]),
            warned=np.zeros((env.num_envs, len(self._data[0].warning)), np.int64),
        )
        self._sizes = sizes
        self._warnings = self.world.warned.copy()

    def enter(self) -> None:
        """Put every simulation where the environment's is."""
        for i, (data, state) in enumerate(zip(self._data, self._states, strict=True)):
            self.world.warned[i] += data.warning.number
            mujoco.mj_resetData(self._model, data)
            mujoco.mj_setState(self._model, data, state, _STATE)
            if self.world.derived:
                mujoco.mj_forward(self._model, data)

    def leave(self) -> None:
        """Put the environment's simulations where these are."""
        for data, state in zip(self._data, self._states, strict=True):
            mujoco.mj_getState(self._model, data, state, _STATE)

    def fields(self, records: np.ndarray) -> dict[str, np.ndarray]:
        """What n records (n, R) hold, by the name of the field: (n, size) each, in MuJoCo's units."""
        ends = np.cumsum(self._sizes)
        return {
            name: records[:, end - size : end]
            for name, size, end in zip(self._names, self._sizes, ends, strict=True)
        }

    def new_warnings(self) -> np.ndarray:
        """(B, kinds) how often MuJoCo has warned since the last call."""
        counts = self.world.warned + np.array([data.warning.number for data in self._data])
        new, self._warnings = counts - self._warnings, counts
        return new
