"""The Walker as a MuJoCo model, built from its skeleton.

Axes. MuJoCo's world is z up; Unity's is y up and left-handed. Unity's (x, y, z) becomes MuJoCo's (z, x, y):
forward is +x, up is +z, and what Unity calls right (+x) is +y. Unity's numbers kept unchanged in a
right-handed world give its mirror image and identical observations. Bodies keep Unity's local axes, so
every table of the skeleton is used as it stands; only the hips' start orientation carries the permutation.

Joints. A Unity joint angle is the rotation of the parent seen from the child, and a target with Euler
angles (x, y, z) is q_y q_x q_z in the joint's frame. The child therefore turns by q_z(-z) q_x(-x) q_y(-y):
three MuJoCo hinges in the order z, x, y about the negated axes, whose positions *are* Unity's angles.

Drives. Unity's slerp drive is a spring-damper solved implicitly under a force limit. MuJoCo's `discrete`
integrator solves joint springs and dampers implicitly together with the contacts, so the drive is the
joint's own spring and damper (`drive.py` sets their gains at each substep).
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Shaped

from amble.envs.bodies.walker.settings import WalkerSettings
from amble.envs.bodies.walker.skeleton import (
    JOINTS,
    Box,
    Capsule,
    Collider,
    Joint,
    Part,
    Skeleton,
    Sphere,
    Vector,
)

UNITY_IN_WORLD = (0.5, 0.5, 0.5, 0.5)
"""Quaternion (w, x, y, z) that turns Unity's axes into MuJoCo's: x → y → z → x."""

_GROUND, _BODY, _WALL = 1, 2, 4  # collision classes
_SPIN_AND_ROLL = (0.005, 0.0001)  # unused friction coefficients: contacts slide only


def to_world(v: Vector) -> Vector:
    """Unity's (x, y, z) in MuJoCo's world axes."""
    x, y, z = v
    return (z, x, y)


def hinge_name(child: str, axis: str) -> str:
    """Name of the hinge that turns `child` about one axis of its joint's frame."""
    return f"{child}_{axis}"


def hinges(joint: Joint) -> list[tuple[str, Vector, tuple[float, float]]]:
    """A joint as (name, axis in the child, range in degrees), in the order MuJoCo must apply them."""
    third = np.cross(joint.axis, joint.secondary)
    z = [] if joint.z is None else [("z", third, (-joint.z, joint.z))]
    x = [("x", np.asarray(joint.axis), joint.x)]
    y = [] if joint.y is None else [("y", np.asarray(joint.secondary), (-joint.y, joint.y))]
    return [
        (hinge_name(joint.child, axis), _negated(direction), limits) for axis, direction, limits in z + x + y
    ]


def _negated(axis: Shaped[np.ndarray, "3"]) -> Vector:
    x, y, z = (float(-c) for c in axis)
    return (x, y, z)


_SOLVERS = {"pgs": mujoco.mjtSolver.mjSOL_PGS, "newton": mujoco.mjtSolver.mjSOL_NEWTON}


def build(settings: WalkerSettings) -> mujoco.MjModel:
    """Compile the Walker on its platform."""
    skeleton = settings.skeleton
    spec = mujoco.MjSpec()
    spec.modelname = f"walker_{skeleton.release}"
    spec.compiler.degree = True
    option = spec.option
    option.timestep = settings.timestep
    option.gravity = (0.0, 0.0, -settings.gravity)
    option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # the pyramidal one is not symmetric left to right here
    option.solver = _SOLVERS[settings.solver]
    option.iterations = settings.solver_iterations
    option.ls_iterations = 10
    spec.stat.extent = 6 * skeleton.start_height  # about the region that shadows fall in
    spec.visual.quality.shadowsize = 4096
    _add_arena(spec, settings)

    masses = settings.torso_masses
    joints = {joint.child: joint for joint in JOINTS}
    bodies: dict[str, mujoco.MjsBody] = {}
    for part in skeleton.parts:
        if part.parent is None:
            height = skeleton.start_height - skeleton.ground_height
            body = spec.worldbody.add_body(name=part.name, pos=(0, 0, height), quat=UNITY_IN_WORLD)
            body.add_freejoint(name="root")
            _add_camera_and_sun(body, skeleton)
        else:
            body = bodies[part.parent].add_body(name=part.name, pos=part.position)
        bodies[part.name] = body
        if part.name in joints:
            for name, axis, limits in hinges(joints[part.name]):
                hinge = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis)
                hinge.pos = part.anchor
                hinge.range = limits
                hinge.limited = mujoco.mjtLimited.mjLIMITED_TRUE
                hinge.stiffness[0], hinge.damping[0] = settings.spring, settings.damper
        geom = _add_collider(body, part.collider)
        geom.name = part.name
        geom.mass = masses.get(part.name, part.mass)
        geom.friction = (settings.friction, *_SPIN_AND_ROLL)
        geom.contype = _BODY
        geom.conaffinity = _GROUND | _WALL | (_BODY if settings.self_collision else 0)
        geom.rgba = _colour(part)
    return spec.compile()


def _add_arena(spec: mujoco.MjSpec, settings: WalkerSettings) -> None:
    world, skeleton = spec.worldbody, settings.skeleton
    friction = (settings.friction, *_SPIN_AND_ROLL)
    half = skeleton.arena_half_width
    spec.add_texture(
        name="grid", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        width=300, height=300, rgb1=(0.83, 0.86, 0.88), rgb2=(0.74, 0.78, 0.81),
    )  # fmt: skip
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        width=256, height=256, rgb1=(0.93, 0.95, 0.97), rgb2=(0.70, 0.80, 0.90),
    )  # fmt: skip
    material = spec.add_material(name="grid")
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "grid"
    material.texrepeat = (half / skeleton.start_height,) * 2
    world.add_geom(
        name="ground", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(half, half, 1), material="grid",
        friction=friction, contype=_GROUND, conaffinity=_BODY,
    )  # fmt: skip
    edge = skeleton.target_size / 2
    target = world.add_body(name="target", mocap=True, pos=(0, 0, edge))
    target.add_geom(
        name="target", type=mujoco.mjtGeom.mjGEOM_BOX, size=(edge,) * 3, contype=0, conaffinity=0,
        rgba=(0.92, 0.45, 0.15, 1),
    )  # fmt: skip
    if not settings.walls:
        return
    thickness, height = skeleton.wall_thickness / 2, skeleton.wall_height / 2
    for name, x, y in (("north", half, 0), ("south", -half, 0), ("east", 0, half), ("west", 0, -half)):
        size = (thickness, half, height) if x else (half, thickness, height)
        wall = world.add_body(name=f"wall_{name}", pos=(x, y, height))
        wall.add_geom(
            name=f"wall_{name}", type=mujoco.mjtGeom.mjGEOM_BOX, size=size, rgba=(0.6, 0.65, 0.7, 1),
            friction=friction, contype=_WALL, conaffinity=_BODY,
        )  # fmt: skip


def _add_camera_and_sun(hips: mujoco.MjsBody, skeleton: Skeleton) -> None:
    """Both move with the hips and do not turn with them; the camera looks from the side, from ahead and above."""
    look = np.array([1.0, -0.28, -0.55])  # in Unity's axes, as all that is fixed to a body
    look /= np.linalg.norm(look)
    right = np.cross(look, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    camera = hips.add_camera(name="follow", mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK, fovy=45)
    hips.add_light(
        name="sun", mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=(0, 2 * skeleton.start_height, 0), dir=(0.25, -1, 0.2), castshadow=True,
        diffuse=(0.6, 0.6, 0.6), ambient=(0.25, 0.25, 0.25), specular=(0.1, 0.1, 0.1),
    )  # fmt: skip
    camera.pos = -3.4 * skeleton.start_height * look
    camera.alt.type = mujoco.mjtOrientation.mjORIENTATION_XYAXES
    camera.alt.xyaxes = np.concatenate([right, np.cross(right, look)])


def _add_collider(body: mujoco.MjsBody, collider: Collider) -> mujoco.MjsGeom:
    match collider:
        case Capsule(axis, radius, length):
            half = length / 2 - radius
            end = (half, 0, 0) if axis == "x" else (0, half, 0)
            ends = (*(-c for c in end), *end)
            return body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, size=(radius, 0, 0), fromto=ends)
        case Sphere(radius):
            return body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(radius, 0, 0))
        case Box(size, centre):
            return body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX, size=tuple(edge / 2 for edge in size), pos=centre
            )


def _colour(part: Part) -> tuple[float, float, float, float]:
    if part.name.endswith("L"):
        return (0.30, 0.52, 0.80, 1)
    if part.name.endswith("R"):
        return (0.85, 0.42, 0.38, 1)
    return (0.90, 0.87, 0.80, 1)
