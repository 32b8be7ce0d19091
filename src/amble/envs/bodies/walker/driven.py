"""The Walkers' decisions by compiled code: each body goes through all of a decision's substeps at once.

Every thread has an `mjModel` and an `mjData` of its own, which hold one Walker at a time: its state is put in, the
drive gains of each substep are written into the model, `mj_step` is called, and what MuJoCo derives is taken out for
the passes. `mujoco.batch` would take every Walker through one substep before any goes on to the next.
Axes: B environments, n of them, D = 26 hinges, P parts, J joints.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np
from jaxtyping import Int
from mujoco.batch import Batch

from amble.envs.bodies import calls
from amble.envs.bodies.calls import centres, kinematics, numbers_at, step, velocities, whole_numbers_at
from amble.envs.bodies.walker import passes
from amble.envs.bodies.walker.drive import drive_share
from amble.envs.bodies.walker.measuring import Measures, measure_effort, measure_feet
from amble.envs.bodies.walker.passes import Bodies, Places, Sizes, Task, account, place_cube, turn_cube
from amble.native.compiled import entry, exact_kernel, fingerprint
from amble.native.team import Team
from amble.rewards.library import tracking

_ROOT_ANGLES, _ROOT_SPEEDS = 7, 6
_SHARE = 16
"""Walkers that a thread takes at a time, at most."""


class State(NamedTuple):
    """What a simulation goes on from; MuJoCo's units."""

    position: np.ndarray
    """(B, 7 + D)"""
    velocity: np.ndarray
    """(B, 6 + D)"""
    guess: np.ndarray
    """(B, 6 + D) accelerations that the contact solver begins with"""


class Drive(NamedTuple):
    """How the joints are driven."""

    target: np.ndarray
    """(B, D) rad"""
    limit: np.ndarray
    """(B, D) N·m"""
    spring: float
    """k, N·m/rad"""
    damper: float
    """c, N·m·s/rad"""
    kept: float
    """share of every velocity that drag leaves in a substep"""
    substeps: int


class Simulator(NamedTuple):
    """Addresses of one `mjModel` and `mjData` and of the fields that are put in and taken out."""

    data: int
    position: int
    velocity: int
    guess: int
    xpos: int
    """of the first part's, as are the next five"""
    xquat: int
    cvel: int
    subtree_com: int
    geom_xpos: int
    geom_xmat: int
    xanchor: int
    warnings: int


class Gains(NamedTuple):
    """Addresses of an `mjModel` and of its fields that the drive writes."""

    model: int
    stiffness: int
    damping: int
    spring_target: int


@exact_kernel
def _put(i, simulator, state):
    """Walker i's state into the simulator."""
    numbers_at(simulator.position, state.position.shape[1])[:] = state.position[i]
    numbers_at(simulator.velocity, state.velocity.shape[1])[:] = state.velocity[i]
    numbers_at(simulator.guess, state.guess.shape[1])[:] = state.guess[i]


@exact_kernel
def _take(i, simulator, bodies):
    """What MuJoCo has derived of Walker i out of the simulator."""
    _copy(simulator.xpos, bodies.position[i])
    _copy(simulator.xquat, bodies.quaternion[i])
    _copy(simulator.cvel, bodies.spatial[i])
    _copy(simulator.geom_xpos, bodies.centre[i])
    _copy(simulator.geom_xmat, bodies.axes[i])
    _copy(simulator.xanchor, bodies.anchor[i])
    whole = numbers_at(simulator.subtree_com, 3)
    for k in range(3):
        bodies.centre_of_mass[i, k] = whole[k]


@exact_kernel
def _copy(address, out):
    rows, columns = out.shape
    numbers = numbers_at(address, rows * columns)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = numbers[r * columns + c]


@exact_kernel
def _derive(simulator, gains):
    """Positions and velocities of the parts as the state has them, which is all that the passes look at."""
    kinematics(gains.model, simulator.data)
    centres(gains.model, simulator.data)
    velocities(gains.model, simulator.data)


@exact_kernel
def _decide(i, simulator, gains, state, bodies, task, sizes, drive, measured):
    """One decision of Walker i. What MuJoCo derives describes the state that a substep began from."""
    hinges = drive.target.shape[1]
    angle = numbers_at(simulator.position, _ROOT_ANGLES + hinges)[_ROOT_ANGLES:]
    velocity = numbers_at(simulator.velocity, _ROOT_SPEEDS + hinges)
    speed = velocity[_ROOT_SPEEDS:]
    stiffness = numbers_at(gains.stiffness, 1 + hinges)[1:]
    damping = numbers_at(gains.damping, _ROOT_SPEEDS + hinges)[_ROOT_SPEEDS:]
    spring_target = numbers_at(gains.spring_target, _ROOT_ANGLES + hinges)[_ROOT_ANGLES:]
    spring_target[:] = drive.target[i]
    task.reward[i], task.fallen[i] = 0.0, False
    _put(i, simulator, state)
    for substep in range(drive.substeps):
        for d in range(hinges):
            error = drive.target[i, d] - angle[d]
            share = drive_share(error, speed[d], drive.limit[i, d], drive.spring, drive.damper)
            stiffness[d], damping[d] = share * drive.spring, share * drive.damper
        step(gains.model, simulator.data)
        if measured.effort:
            measure_effort(i, drive.target[i], angle, speed, stiffness, damping, measured)
        for v in range(velocity.size):
            velocity[v] *= drive.kept
        if substep > 0:
            _account(i, substep - 1, simulator, bodies, task, sizes, measured)
    _derive(simulator, gains)
    _account(i, drive.substeps - 1, simulator, bodies, task, sizes, measured)
    state.position[i] = numbers_at(simulator.position, state.position.shape[1])
    state.velocity[i] = velocity
    state.guess[i] = numbers_at(simulator.guess, state.guess.shape[1])


@exact_kernel
def _account(i, substep, simulator, bodies, task, sizes, measured):
    _take(i, simulator, bodies)
    account(i, substep, bodies, task, sizes)
    if measured.feet:
        measure_feet(i, task.contact, measured)


@exact_kernel
def _note_warnings(i, simulator, warned):
    """MuJoCo's counters into Walker i's, and back to 0; each stands behind what it was last about."""
    counters = whole_numbers_at(simulator.warnings, 2 * warned.shape[1])
    for kind in range(warned.shape[1]):
        warned[i, kind] += counters[2 * kind + 1]
        counters[2 * kind + 1] = 0


def _compiled() -> tuple[Callable[..., Any], ...]:
    sources = fingerprint(__file__, calls.__file__, tracking.__file__)

    @entry("the Walker", seconds=8)
    def advance(first, last, simulator, gains, state, bodies, task, sizes, drive, measured, warned):
        """One decision of the environments `first` to `last`.

        Args:
            first: environment.
            last: the one behind it.
            simulator: that takes them, one after the other.
            gains: (1 or B, 4) of `Gains`: of one model for all, or of each environment's own.
            state: moved.
            bodies: written.
            task: written.
            sizes: of the task.
            drive: of the joints.
            measured: written where that is asked for.
            warned: (B, kinds) added to: how often MuJoCo warned.
        """
        _ = sources
        simulator, state, bodies, task = Simulator(*simulator), State(*state), Bodies(*bodies), Task(*task)
        sizes, drive, measured = Sizes(*sizes), Drive(*drive), Measures(*measured)
        for i in range(first, last):
            row = gains[i if gains.shape[0] > 1 else 0]
            own = Gains(row[0], row[1], row[2], row[3])
            _decide(i, simulator, own, state, bodies, task, sizes, drive, measured)
            _note_warnings(i, simulator, warned)

    @entry("the Walker", seconds=8)
    def settle(ids, simulator, gains, state, bodies, task):
        """Bring up to date what is derived from the states of the environments `ids` (n,); the cubes face the targets.

        The other arguments are `advance`'s.
        """
        _ = sources
        simulator, state, bodies, task = Simulator(*simulator), State(*state), Bodies(*bodies), Task(*task)
        for i in ids:
            row = gains[i if gains.shape[0] > 1 else 0]
            _put(i, simulator, state)
            _derive(simulator, Gains(row[0], row[1], row[2], row[3]))
            _take(i, simulator, bodies)
            place_cube(i, bodies, task)
            turn_cube(i, task)

    @entry("the Walker", seconds=8)
    def observe(ids, bodies, task, places, force_limit, max_force, out):
        """Write the observations of the environments `ids` (n,) into `out` (n, 243); see `passes.observe`."""
        _ = sources
        bodies, task, places = Bodies(*bodies), Task(*task), Places(*places)
        for n in range(ids.size):
            passes.observe(ids[n], bodies, task, places, force_limit, max_force, out[n])

    return advance, settle, observe


advance, settle, observe = _compiled()


class Simulators:
    """One simulator a thread, and who shares out the Walkers among them."""

    def __init__(self, model: mujoco.MjModel, threads: int, *, part: int, geom: int):
        """`part` and `geom` are the first part's body and collider in the model."""
        self._threads = threads
        # The thread that makes a simulator is not the one that uses it, and that is all the same to MuJoCo.
        self._models = [copy.copy(model) for _ in range(threads)]
        self._data = [mujoco.MjData(own) for own in self._models]
        self._free = [
            (tuple(_simulator(data, part, geom)), _gains([own]))
            for own, data in zip(self._models, self._data, strict=True)
        ]
        self._own: dict[int, mujoco.MjModel] = {}
        self._own_gains = np.empty((0, len(Gains._fields)), np.int64)
        self._team = Team()

    def give_models(self, ids: Int[np.ndarray, "n"], batch: Batch) -> None:
        """From now on each environment has a model of its own; the batch's of the environments `ids` are new."""
        whose = ids.tolist() if self._own else range(batch.qpos.shape[0])
        for i in whose:
            self._own[i] = batch.get_model(i)
        self._own_gains = _gains([self._own[i] for i in range(len(self._own))])

    def advance(self, *arguments: Any, count: int) -> None:
        """`advance` of all `count` environments; `arguments` are its own from `state` on."""
        share = max(1, min(_SHARE, count // self._threads))
        ends = [*range(0, count, share), count]

        def task(k: int) -> None:
            simulator, gains = self._free.pop()
            try:
                advance(ends[k], ends[k + 1], simulator, self._gains_of(gains), *arguments)
            finally:
                self._free.append((simulator, gains))

        self._team.each(task, len(ends) - 1, self._threads)

    def settle(self, ids: Int[np.ndarray, "n"], *arguments: Any) -> None:
        """`settle` of the environments `ids`; `arguments` are its own from `state` on."""
        simulator, gains = self._free[-1]
        settle(ids, simulator, self._gains_of(gains), *arguments)

    def _gains_of(self, thread: np.ndarray) -> np.ndarray:
        return self._own_gains if self._own else thread


def _simulator(data: mujoco.MjData, part: int, geom: int) -> Simulator:
    def at(field: np.ndarray) -> int:
        return field.ctypes.data

    return Simulator(
        data=data._address,
        position=at(data.qpos),
        velocity=at(data.qvel),
        guess=at(data.qacc_warmstart),
        xpos=at(data.xpos[part:]),
        xquat=at(data.xquat[part:]),
        cvel=at(data.cvel[part:]),
        subtree_com=at(data.subtree_com[part:]),
        geom_xpos=at(data.geom_xpos[geom:]),
        geom_xmat=at(data.geom_xmat[geom:]),
        xanchor=at(data.xanchor),
        warnings=data.warning.lastinfo.ctypes.data,
    )


def _gains(models: Sequence[mujoco.MjModel]) -> np.ndarray:
    return np.array(
        [
            Gains(
                own._address,
                own.jnt_stiffness.ctypes.data,
                own.dof_damping.ctypes.data,
                own.qpos_spring.ctypes.data,
            )
            for own in models
        ],
        np.int64,
    )
