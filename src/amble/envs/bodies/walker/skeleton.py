"""The two bodies of Unity's Walker as tables: sizes, masses, joints, limits.

All lengths are metres, masses kilograms, angles degrees, in Unity's axes (x sideways, y up, z forward).
Source: Unity ML-Agents (Apache-2.0), `Walker/Prefabs/Ragdoll/WalkerRagdoll.prefab`, release 19 and release 21+.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Capsule:
    """A capsule along one local axis through the body's origin; `length` counts both caps."""

    axis: Literal["x", "y"]
    radius: float
    length: float


@dataclass(frozen=True)
class Sphere:
    """A ball around the body's origin."""

    radius: float


@dataclass(frozen=True)
class Box:
    """A box of full edge lengths `size` around `centre`, both in the body's axes."""

    size: Vector
    centre: Vector


Collider = Capsule | Sphere | Box


@dataclass(frozen=True)
class Part:
    """One rigid body: where it sits in its parent, its mass, its collider, where it hangs on its joint."""

    name: str
    parent: str | None
    mass: float
    position: Vector
    collider: Collider
    anchor: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Joint:
    """A ConfigurableJoint of `child`: its frame in the child's axes and the ranges its targets span.

    `x` is (lowest, highest); `y` and `z` are symmetric half ranges, None where the axis is locked.
    The third axis of the frame is `axis` × `secondary`.
    """

    child: str
    axis: Vector
    secondary: Vector
    x: tuple[float, float]
    y: float | None = None
    z: float | None = None


@dataclass(frozen=True)
class Skeleton:
    """A whole body and the arena that its release puts it in."""

    release: str
    parts: tuple[Part, ...]
    start_height: float
    """Height of the hips' origin in the start pose, above Unity's y = 0."""
    ground_height: float
    """Height of the ground's top, above Unity's y = 0."""
    target_size: float
    """Edge of the target cube."""
    target_radius: float
    """Radius of the ball that the target's place is drawn from, before it is flattened."""
    arena_half_width: float
    """Distance of the four walls' centre lines from the start."""
    wall_height: float
    wall_thickness: float
    torso_mass: float | None
    """Mass that chest, spine and hips are set to at every episode start; None keeps the prefab's."""


# Order in which a Walker's body blocks stand in the observation.
PART_ORDER = (
    "hips", "chest", "spine", "head",
    "thighL", "shinL", "footL", "thighR", "shinR", "footR",
    "armL", "forearmL", "handL", "armR", "forearmR", "handR",
)  # fmt: skip
WELDED = ("handL", "handR")
MAY_TOUCH_GROUND = ("shinL", "footL", "shinR", "footR")

_FORWARD, _BACK = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
_UP, _DOWN = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)
_RIGHT, _LEFT = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)

JOINTS = (
    Joint("chest", _RIGHT, _BACK, x=(-20, 20), y=20, z=15),
    Joint("spine", _RIGHT, _BACK, x=(-20, 20), y=20, z=15),
    Joint("head", _RIGHT, _BACK, x=(-30, 10), y=20),
    Joint("thighL", _LEFT, _BACK, x=(-90, 60), y=40),
    Joint("shinL", _LEFT, _BACK, x=(0, 120)),
    Joint("footL", _RIGHT, _UP, x=(-20, 20), y=20, z=20),
    Joint("thighR", _LEFT, _BACK, x=(-90, 60), y=40),
    Joint("shinR", _LEFT, _BACK, x=(0, 120)),
    Joint("footR", _RIGHT, _UP, x=(-20, 20), y=20, z=20),
    Joint("armL", _DOWN, _FORWARD, x=(-60, 120), y=100),
    Joint("forearmL", _DOWN, _FORWARD, x=(0, 160)),
    Joint("armR", _UP, _FORWARD, x=(-60, 120), y=100),
    Joint("forearmR", _UP, _FORWARD, x=(0, 160)),
)

RELEASE_19 = Skeleton(
    release="release_19",
    start_height=3.0,
    ground_height=0.5,
    target_size=1.0,
    target_radius=40.0,
    arena_half_width=50.0,
    wall_height=5.0,
    wall_thickness=1.0,
    torso_mass=8.0,
    parts=(
        Part("hips", None, 15, (0, 0, 0), Capsule("x", 0.28, 1.3)),
        Part("spine", "hips", 10, (0, 0.683, 0), Capsule("x", 0.25, 1.0), (0, -0.3, 0)),
        Part("chest", "spine", 8, (0, 0.805, 0), Capsule("x", 0.4, 1.4), (0, -0.5, 0)),
        Part("head", "chest", 6, (0, 1.362, 0), Sphere(0.65073156), (0, -0.85, 0)),
        Part("thighL", "hips", 14, (-0.399994, -0.8, 0), Capsule("y", 0.25, 0.9), (0, 0.5, 0)),
        Part("shinL", "thighL", 7, (0, -1, 0), Capsule("y", 0.2, 1.0), (0, 0.5, 0)),
        Part("footL", "shinL", 5, (0, -0.6, 0.1), Box((0.35, 0.136211, 0.55), (0, 0, -0.06)), (0, 0, -0.1)),
        Part("thighR", "hips", 14, (0.399994, -0.8, 0), Capsule("y", 0.25, 0.9), (0, 0.5, 0)),
        Part("shinR", "thighR", 7, (0, -1, 0), Capsule("y", 0.2, 1.0), (0, 0.5, 0)),
        Part("footR", "shinR", 5, (0, -0.6, 0.1), Box((0.35, 0.136211, 0.55), (0, 0, -0.06)), (0, 0, -0.1)),
        Part("armL", "chest", 4, (-1.25, 0, 0), Capsule("x", 0.25, 1.0), (0.55, 0, 0)),
        Part("forearmL", "armL", 3, (-1, 0, 0), Capsule("x", 0.25, 1.0), (0.5, 0, 0)),
        Part("handL", "forearmL", 2, (-0.7, 0, 0), Sphere(0.25)),
        Part("armR", "chest", 4, (1.25, 0, 0), Capsule("x", 0.25, 1.0), (-0.55, 0, 0)),
        Part("forearmR", "armR", 3, (1, 0, 0), Capsule("x", 0.25, 1.0), (-0.5, 0, 0)),
        Part("handR", "forearmR", 2, (0.7, 0, 0), Sphere(0.25)),
    ),
)

_SMALL_FOOT = Box((0.127848, 0.043051, 0.230025), (0, -0.000217915, 0.0328332))

RELEASE_21 = Skeleton(
    release="release_21",
    start_height=0.953,
    ground_height=0.125,
    target_size=0.25,
    target_radius=9.0,
    arena_half_width=12.5,
    wall_height=1.25,
    wall_thickness=0.25,
    torso_mass=None,
    parts=(
        Part("hips", None, 15, (0, 0, 0), Capsule("x", 0.1, 0.42)),
        Part("spine", "hips", 10, (0, 0.22539, 0), Capsule("x", 0.08, 0.36), (0, -0.1, 0)),
        Part("chest", "spine", 8, (0, 0.26565, 0), Capsule("x", 0.13, 0.45), (0, -0.16, 0)),
        Part("head", "chest", 6, (0, 0.44946, 0), Sphere(0.22), (0, -0.28, 0)),
        Part("thighL", "hips", 14, (-0.131998, -0.264, 0), Capsule("y", 0.09, 0.3), (0, 0.16, 0)),
        Part("shinL", "thighL", 7, (0, -0.33, 0), Capsule("y", 0.06, 0.32), (0, 0.17, 0)),
        Part("footL", "shinL", 5, (0, -0.198, 0), _SMALL_FOOT, (0, 0.03, 0)),
        Part("thighR", "hips", 14, (0.131998, -0.264, 0), Capsule("y", 0.09, 0.3), (0, 0.16, 0)),
        Part("shinR", "thighR", 7, (0, -0.33, 0), Capsule("y", 0.06, 0.32), (0, 0.17, 0)),
        Part("footR", "shinR", 5, (0, -0.198, 0), _SMALL_FOOT, (0, 0.03, 0)),
        Part("armL", "chest", 4, (-0.4125, 0, 0), Capsule("x", 0.08, 0.33), (0.18, 0, 0)),
        Part("forearmL", "armL", 3, (-0.33, 0, 0), Capsule("x", 0.08, 0.3), (0.16, 0, 0)),
        Part("handL", "forearmL", 2, (-0.231, 0, 0), Sphere(0.08)),
        Part("armR", "chest", 4, (0.4125, 0, 0), Capsule("x", 0.08, 0.33), (-0.18, 0, 0)),
        Part("forearmR", "armR", 3, (0.33, 0, 0), Capsule("x", 0.08, 0.3), (-0.16, 0, 0)),
        Part("handR", "forearmR", 2, (0.231, 0, 0), Sphere(0.08)),
    ),
)

SKELETONS = {skeleton.release: skeleton for skeleton in (RELEASE_19, RELEASE_21)}
