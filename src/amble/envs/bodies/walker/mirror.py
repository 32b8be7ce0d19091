"""The Walker in a mirror: what becomes of its observations and actions when left and right are exchanged.

What is sideways turns round; up and forward stay. Of turns it is the other way: those about the sideways axis stay.
Unity's axes: x sideways, y up, z forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from amble.envs.bodies.walker.actions import STRENGTH_ORDER, TARGET_ORDER
from amble.envs.bodies.walker.observation import OBSERVATION_NAMES
from amble.envs.bodies.walker.skeleton import JOINTS
from amble.envs.mirror import Exchange, Mirror
from amble.rewards.signals import Signal

_ARROW = {"": 1.0, "x": -1.0, "y": 1.0, "z": 1.0}
_TURN = {"x": 1.0, "y": -1.0, "z": -1.0, "w": 1.0}
_TURNS = ("angular_velocity", "rotation", "hips_to_goal", "head_to_goal")


def _other_side(part: str) -> str:
    return part[:-1] + {"L": "R", "R": "L"}.get(part[-1], part[-1])


def _observation() -> Exchange:
    index, sign = [], []
    for name in OBSERVATION_NAMES:
        owner, *rest = name.split(".")
        index.append(OBSERVATION_NAMES.index(".".join([_other_side(owner), *rest])))
        axis = name[-1] if name[-2] == "." else ""
        turns = any(quantity in _TURNS for quantity in name.split("."))
        sign.append((_TURN if turns else _ARROW)[axis])
    return Exchange(np.array(index), np.array(sign, np.float32))


def _action() -> Exchange:
    hinges = [(part, axis) for part, axes in TARGET_ORDER for axis in axes]
    index = [hinges.index((_other_side(part), axis)) for part, axis in hinges]
    sign = [float(_in_mirror(_axis(part, axis)) @ _axis(_other_side(part), axis)) for part, axis in hinges]
    index += [len(hinges) + STRENGTH_ORDER.index(_other_side(part)) for part in STRENGTH_ORDER]
    sign += [1.0 for _ in STRENGTH_ORDER]
    return Exchange(np.array(index), np.array(sign, np.float32))


def _axis(part: str, name: str) -> Float[np.ndarray, "3"]:
    """What a hinge turns about, in the axes of its part, which are the world's in the start pose."""
    joint = next(joint for joint in JOINTS if joint.child == part)
    x, y = np.array(joint.axis), np.array(joint.secondary)
    return {"x": x, "y": y, "z": np.cross(x, y)}[name]


def _in_mirror(axis: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return axis * [_TURN[c] for c in "xyz"]


MIRROR = Mirror(_observation(), _action())


def signal_images(signals: Mapping[str, Signal]) -> dict[str, Exchange]:
    """What becomes of the Walker's signals in the mirror, by name; of those left out, nothing."""
    images = {"observation": MIRROR.observation, "action": MIRROR.action, "action_change": MIRROR.action}
    for name, signal in signals.items():
        if name in images:
            continue
        labels = signal.labels or (name,)
        index = np.arange(len(labels)) if name == "velocity" else _swapped(labels)
        exchange = Exchange(index, np.array([_sign(name, label) for label in labels]))
        if not exchange.is_identity:
            images[name] = exchange
    return images


def _swapped(labels: Sequence[str]) -> Int[np.ndarray, "n"]:
    """Where each component's other side stands: `left`, `thighL` and `thighL_x` have one; the spine has none."""
    place = {label: i for i, label in enumerate(labels)}
    others = []
    for label in labels:
        part, joint, axis = label.partition("_")
        others.append({"left": "right", "right": "left"}.get(label, _other_side(part) + joint + axis))
    return np.array([place.get(other, i) for i, other in enumerate(others)])


def _sign(name: str, label: str) -> float:
    """-1 of what goes or turns to a side. A hinge's x bends; its y and z lean and twist."""
    if name in ("heading_error", "spin_rate"):
        return -1.0
    if name == "velocity":
        return -1.0 if label == "right" else 1.0
    return -1.0 if name in ("joint_angle", "joint_speed") and label[-1] in "yz" else 1.0
