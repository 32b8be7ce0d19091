"""What one of MuJoCo's models looks like in a mirror, found from the model itself.

The mirror stands on the line that the bodies run along: y becomes −y. What is sideways turns round; of turns it is
the other way, those about the sideways axis stay. A limb becomes the one on the other side; in a planar model, both of
whose legs are in the same place, the other leg.

Places, masses, the reach of joints and the strength of motors must be the same on both sides. Springs, dampers and
armature are not looked at: Gymnasium's Humanoid has a spring of 1 Nm/rad in its left knee and none in the right.

Axes: q positions, v velocities, A action, O observation.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float, Int

from amble.envs.mirror import Exchange, Mirror

_ARROW = (1.0, -1.0, 1.0)
_TURN = (-1.0, 1.0, -1.0)
_QUATERNION = (1.0, *_TURN)
_INERTIA = (1.0, 1.0, 1.0, -1.0, 1.0, -1.0)  # xx, yy, zz, xy, xz, yz
_CLOSE = 1e-6

_FREE = mujoco.mjtJoint.mjJNT_FREE.value
_SLIDE = mujoco.mjtJoint.mjJNT_SLIDE.value
_HINGE = mujoco.mjtJoint.mjJNT_HINGE.value
_MOVES_A_JOINT = mujoco.mjtTrn.mjTRN_JOINT.value

# A field with a group of numbers for each body: their signs
_BY_BODY: dict[str, tuple[float, ...]] = {
    "cinert": (*_INERTIA, *_ARROW, 1.0),
    "cvel": (*_TURN, *_ARROW),
    "cfrc_ext": (*_TURN, *_ARROW),
}


class _NoImage(Exception):
    """Something has nothing on the other side that it could become."""


def model_mirror(model: mujoco.MjModel, seen: Iterable[tuple[str, int, int]]) -> Mirror | None:
    """What the mirror makes of observations and actions; None for a model whose sides differ.

    Args:
        model: with joints that are free, slides or hinges, and a motor on some.
        seen: of every part of an observation, the field of `mjData`, its first number, how many.
    """
    try:
        sides = _Sides(model)
        return Mirror(_joined([sides.field(*part) for part in seen]), sides.action())
    except _NoImage:
        return None


class _Sides:
    """Which body, joint and motor becomes which."""

    def __init__(self, model: mujoco.MjModel):
        self.model = model
        self.data = mujoco.MjData(model)
        mujoco.mj_forward(model, self.data)
        self._places = np.hstack([self.data.xpos, self.data.xipos])
        self.body = np.zeros(model.nbody, int)
        self.joint = np.zeros(model.njnt, int)
        self.sign = np.ones(model.njnt)
        """of a slide's or a hinge's position and velocity"""
        self._pair(0, 0)

    def field(self, name: str, first: int, size: int) -> Exchange:
        """M of `size` numbers of a field, from `first` on."""
        fields: dict[str, Callable[[], Exchange]] = {
            "qpos": self._positions,
            "qvel": self._velocities,
            "qfrc_actuator": self._velocities,
        }
        if name in fields:
            whole = fields[name]()
        elif name in _BY_BODY:
            whole = self._by_body(_BY_BODY[name])
        else:
            raise _NoImage
        part = slice(first, first + size)
        index = whole.index[part] - first
        if size and (index.min() < 0 or index.max() >= size):
            raise _NoImage
        return Exchange(index, whole.sign[part])

    def action(self) -> Exchange:
        """M of the motors' controls."""
        m = self.model
        if (m.actuator_trntype != _MOVES_A_JOINT).any():
            raise _NoImage
        joint_of = m.actuator_trnid[:, 0]
        index, sign = [], []
        for motor in range(m.nu):
            image = self.joint[joint_of[motor]]
            (others,) = np.nonzero(joint_of == image)
            if len(others) != 1:
                raise _NoImage
            other = int(others[0])
            gear, gear_there = m.actuator_gear[motor, 0], m.actuator_gear[other, 0]
            turned = self.sign[joint_of[motor]] * np.sign(gear * gear_there)
            low, high = m.actuator_ctrlrange[motor]
            _require_same(abs(gear), abs(gear_there))
            _require_same(
                np.sort([turned * low, turned * high]),
                m.actuator_ctrlrange[other],
                m.actuator_ctrlrange[motor],
            )
            index.append(other)
            sign.append(turned)
        return Exchange(np.array(index, int), np.array(sign, np.float32))

    def _pair(self, body: int, image: int) -> None:
        """`body` becomes `image`; of its children each becomes the child of `image` that is where it would be."""
        m = self.model
        _require_same(m.body_mass[body], m.body_mass[image])
        self.body[body] = image
        self._pair_joints(body, image)
        free = _children(m, image)
        for child in _children(m, body):
            place = self._places[child] * (*_ARROW, *_ARROW)
            there = [other for other in free if np.allclose(self._places[other], place, atol=_CLOSE)]
            if not there:
                raise _NoImage
            # Of several in one place another: a planar model's other leg.
            chosen = next((other for other in there if other != child), there[0])
            free.remove(chosen)
            self._pair(child, chosen)

    def _pair_joints(self, body: int, image: int) -> None:
        m, d = self.model, self.data
        free = list(_joints(m, image))
        for joint in _joints(m, body):
            kind = m.jnt_type[joint]
            if kind not in (_FREE, _SLIDE, _HINGE):
                raise _NoImage
            axis = d.xaxis[joint] * (_ARROW if kind == _SLIDE else _TURN)
            place = d.xanchor[joint] * _ARROW
            there = [
                other
                for other in free
                if m.jnt_type[other] == kind
                and np.allclose(d.xanchor[other], place, atol=_CLOSE)
                and (kind == _FREE or abs(abs(axis @ d.xaxis[other]) - 1.0) < _CLOSE)
            ]
            if not there:
                raise _NoImage
            other = there[0]
            free.remove(other)
            self.joint[joint] = other
            if kind == _FREE:
                frame = d.xmat[body].reshape(3, 3)
                _require_same(np.outer(_ARROW, _ARROW) * frame, frame)
                continue
            self.sign[joint] = sign = np.sign(axis @ d.xaxis[other])
            _require_same(sign * m.qpos0[m.jnt_qposadr[joint]], m.qpos0[m.jnt_qposadr[other]])
            _require_same(m.jnt_limited[joint], m.jnt_limited[other])
            _require_same(np.sort(sign * m.jnt_range[joint]), m.jnt_range[other])

    def _positions(self) -> Exchange:
        return self._by_joint(self.model.nq, self.model.jnt_qposadr, (*_ARROW, *_QUATERNION))

    def _velocities(self) -> Exchange:
        return self._by_joint(self.model.nv, self.model.jnt_dofadr, (*_ARROW, *_TURN))

    def _by_joint(self, size: int, address: Int[np.ndarray, "joints"], free: tuple[float, ...]) -> Exchange:
        index, sign = np.zeros(size, int), np.ones(size, np.float32)
        for joint, image in enumerate(self.joint):
            at, there = int(address[joint]), int(address[image])
            if self.model.jnt_type[joint] == _FREE:
                index[at : at + len(free)] = np.arange(there, there + len(free))
                sign[at : at + len(free)] = free
            else:
                index[at], sign[at] = there, self.sign[joint]
        return Exchange(index, sign)

    def _by_body(self, signs: tuple[float, ...]) -> Exchange:
        size = len(signs)
        index = (self.body[:, None] * size + np.arange(size)).ravel()
        return Exchange(index, np.tile(np.array(signs, np.float32), len(self.body)))


def _children(model: mujoco.MjModel, body: int) -> list[int]:
    return [child for child in range(1, model.nbody) if model.body_parentid[child] == body]


def _joints(model: mujoco.MjModel, body: int) -> range:
    first = model.body_jntadr[body]
    return range(first, first + model.body_jntnum[body])


def _require_same(*values: Any) -> None:
    if not all(np.allclose(value, values[0], atol=_CLOSE) for value in values[1:]):
        raise _NoImage


def _joined(parts: Sequence[Exchange]) -> Exchange:
    """M of vectors in a row."""
    starts = np.cumsum([0, *(len(part.index) for part in parts[:-1])])
    index: Float[np.ndarray, "O"] = np.concatenate(
        [part.index + start for part, start in zip(parts, starts, strict=True)]
    )
    return Exchange(index, np.concatenate([part.sign for part in parts]))
