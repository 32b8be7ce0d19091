"""What happens to a Walker after a substep, and what it observes: compiled functions of one Walker.

No operation is fused or reordered: whoever calls them gets the same bits. Axes: B environments, P = 16 parts in the
model's order, J joints, D = 26 hinges, S substeps a decision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amble.envs.bodies.walker.geometry import (
    clearance,
    forward_axis,
    heading,
    in_cube,
    relative_rotation,
    shortest_arc,
    velocity_at,
)
from amble.envs.bodies.walker.task import look_at_target, match_velocity, paid
from amble.native.compiled import exact_kernel


class Bodies(NamedTuple):
    """What MuJoCo derived of the parts from the bodies' states, and what never changes about them."""

    position: np.ndarray
    """(B, P, 3) origins, m"""
    quaternion: np.ndarray
    """(B, P, 4)"""
    spatial: np.ndarray
    """(B, P, 6) angular and linear velocity at the walker's centre of mass"""
    centre_of_mass: np.ndarray
    """(B, 3) of the whole walker"""
    centre: np.ndarray
    """(B, P, 3) of the colliders, which are of uniform density: of the parts' mass too"""
    axes: np.ndarray
    """(B, P, 9) of the colliders"""
    anchor: np.ndarray
    """(B, J, 3) where the joints are, m"""
    extent: np.ndarray
    """(P, 3) half extents of the colliders along their axes, m"""
    radius: np.ndarray
    """(P,) added all round, m"""
    longest: np.ndarray
    """(P,) which axis of the collider is"""
    thickness: np.ndarray
    """(P,) half the collider's, across that axis, m"""
    parent: np.ndarray
    """(P,) part that each hangs on"""
    hips: int
    head: int
    must_not_touch: np.ndarray
    """(P,) whether the ground ends the episode"""


class Task(NamedTuple):
    """The task's state."""

    goal_speed: np.ndarray
    """(B,) m/s"""
    goal_forward: np.ndarray
    """(2, B) the way each cube faces"""
    cube_position: np.ndarray
    """(3, B) m"""
    target: np.ndarray
    """(B, 3) m"""
    next_target: np.ndarray
    """(B, 3) where the target goes when it is touched"""
    touched: np.ndarray
    """(B,) whether it was, since this was last set to False"""
    contact: np.ndarray
    """(B, P) which parts touch the ground"""
    velocity: np.ndarray
    """(3, B) mean velocity of the parts after the last substep, world axes, m/s"""
    velocity_error: np.ndarray
    """(S, B) distance of that velocity from the goal's, after each substep of the decision, m/s"""
    facing: np.ndarray
    """(S, B) cosine between the head's and the goal's direction, after each substep of the decision"""
    reward: np.ndarray
    """(B,) of the decision"""
    fallen: np.ndarray
    """(B,) whether a part has touched the ground in it that must not"""


class Sizes(NamedTuple):
    """Lengths of the task, m."""

    contact_offset: float
    """Clearance from which on a part touches the ground."""
    half_target: float
    """Half the edge of the target's cube."""
    touch_reach: float
    """Distance of the hips from the target along the ground beyond which nobody touches it."""


class Places(NamedTuple):
    """Where the quantities of a part stand in an observation; -1 where it has none."""

    contact: np.ndarray
    """(P,) followed by velocity, angular velocity and position"""
    rotation: np.ndarray
    """(P,)"""
    strength: np.ndarray
    """(P,)"""
    hinge: np.ndarray
    """(P,) whose force limit tells the part's strength"""


@exact_kernel
def place_cube(i, bodies, task):
    """Put the cube to the hips."""
    for k in range(3):
        task.cube_position[k, i] = bodies.position[i, bodies.hips, k]


@exact_kernel
def turn_cube(i, task):
    """Turn the cube where it is toward the target."""
    x, y = task.target[i, 0] - task.cube_position[0, i], task.target[i, 1] - task.cube_position[1, i]
    task.goal_forward[0, i], task.goal_forward[1, i] = heading(x, y)


@exact_kernel
def account(i, substep, bodies, task, sizes):
    """Walker i after a substep: turn its cube, add the reward of the state it is in, note contacts and falls.

    A target that is touched goes to its next place.

    Args:
        i: which.
        substep: of the decision's, from 0 on.
        bodies: as the substep left them.
        task: all but the goal speed and the next target is written.
        sizes: of the task.
    """
    turn_cube(i, task)  # from the cube's previous place
    place_cube(i, bodies, task)
    fx, fy, speed = task.goal_forward[0, i], task.goal_forward[1, i], task.goal_speed[i]
    vx, vy, vz = _mean_velocity(i, bodies)
    distance = np.sqrt((vx - speed * fx) ** 2 + (vy - speed * fy) ** 2 + vz**2)
    x, y, _z = forward_axis(bodies.quaternion[i, bodies.head])
    facing = x * fx + y * fy
    task.reward[i] = paid(task.reward[i], match_velocity(distance, speed), look_at_target(facing))
    task.velocity[0, i], task.velocity[1, i], task.velocity[2, i] = vx, vy, vz
    task.velocity_error[substep, i], task.facing[substep, i] = distance, facing
    task.fallen[i] |= _note_contacts(i, bodies, sizes.contact_offset, task.contact)
    x, y = task.target[i, 0] - task.cube_position[0, i], task.target[i, 1] - task.cube_position[1, i]
    if np.hypot(x, y) < sizes.touch_reach and _touches(i, bodies, task.target[i], sizes.half_target):
        task.target[i] = task.next_target[i]
        task.touched[i] = True


@exact_kernel
def observe(i, bodies, task, places, force_limit, max_force, out):
    """Write what Walker i observes, as `observation.py` names it.

    Args:
        i: which.
        bodies: as they are.
        task: goals, targets and contacts.
        places: of each part's quantities.
        force_limit: (B, D) N·m.
        max_force: that a strength of 1 stands for, N·m.
        out: (243,) float32, written.
    """
    fx, fy = task.goal_forward[0, i], task.goal_forward[1, i]
    hips = bodies.position[i, bodies.hips]
    speed = task.goal_speed[i]

    vx, vy, vz = _mean_velocity(i, bodies)
    right, up, forward = in_cube(vx, vy, vz, fx, fy)
    out[0] = np.sqrt(right**2 + up**2 + (speed - forward) ** 2)
    _write(out, 1, (right, up, forward))
    _write(out, 4, (0.0, 0.0, speed))
    for at, part in ((7, bodies.hips), (11, bodies.head)):
        x, y, z = forward_axis(bodies.quaternion[i, part])
        _write4(out, at, shortest_arc(y, z, x, fy, 0.0, fx))  # in Unity's world axes, (y, z, x)
    target = task.target[i]
    _write(out, 15, in_cube(target[0] - hips[0], target[1] - hips[1], target[2] - hips[2], fx, fy))

    for p in range(bodies.radius.size):
        at = places.contact[p]
        out[at] = task.contact[i, p]
        vx, vy, vz = _velocity(i, p, bodies)
        _write(out, at + 1, in_cube(vx, vy, vz, fx, fy))
        spin, place = bodies.spatial[i, p], bodies.position[i, p]
        _write(out, at + 4, in_cube(spin[0], spin[1], spin[2], fx, fy))
        _write(out, at + 7, in_cube(place[0] - hips[0], place[1] - hips[1], place[2] - hips[2], fx, fy))
        if places.rotation[p] >= 0:
            parent = bodies.quaternion[i, bodies.parent[p]]
            _write4(out, places.rotation[p], relative_rotation(parent, bodies.quaternion[i, p]))
            out[places.strength[p]] = force_limit[i, places.hinge[p]] / max_force


@exact_kernel
def _mean_velocity(i, bodies):
    """Plain mean of the parts' velocities (not weighted by mass), world axes, m/s."""
    x, y, z = 0.0, 0.0, 0.0
    parts = bodies.radius.size
    for p in range(parts):
        vx, vy, vz = _velocity(i, p, bodies)
        x, y, z = x + vx, y + vy, z + vz
    return x / parts, y / parts, z / parts


@exact_kernel
def _velocity(i, p, bodies):
    """Of the part's centre of mass, world axes, m/s."""
    centre, whole = bodies.centre[i, p], bodies.centre_of_mass[i]
    return velocity_at(bodies.spatial[i, p], centre[0] - whole[0], centre[1] - whole[1], centre[2] - whole[2])


@exact_kernel
def _note_contacts(i, bodies, contact_offset, contact):
    """Which parts touch the ground; returns whether one of them must not."""
    fallen = False
    for p in range(bodies.radius.size):
        height = clearance(bodies.centre[i, p, 2], bodies.axes[i, p], bodies.extent[p], bodies.radius[p])
        contact[i, p] = height <= contact_offset
        fallen |= contact[i, p] and bodies.must_not_touch[p]
    return fallen


@exact_kernel
def _touches(i, bodies, target, half):
    """Whether any collider of Walker i touches the upright cube of half edge `half`; five points along each count."""
    for p in range(bodies.radius.size):
        along = bodies.longest[p]
        for k in range(5):
            share, squares = (0.5 * k - 1.0) * bodies.extent[p, along], 0.0
            for j in range(3):
                x = bodies.centre[i, p, j] + share * bodies.axes[i, p, 3 * j + along]
                squares += max(abs(x - target[j]) - half, 0.0) ** 2
            if squares <= bodies.thickness[p] ** 2:
                return True
    return False


@exact_kernel
def _write(out, at, three):
    out[at], out[at + 1], out[at + 2] = three


@exact_kernel
def _write4(out, at, four):
    out[at], out[at + 1], out[at + 2], out[at + 3] = four
