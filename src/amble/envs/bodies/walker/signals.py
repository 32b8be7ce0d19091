"""What can be read off the Walkers' bodies, in arrays over the environments.

Axes: n environments, P = 16 parts in the model's order (`Signals.names`). World vectors are MuJoCo's (x forward,
y Unity's right, z up); a frame called a cube turns them into Unity's (right, up, forward). See `model.py`.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int
from mujoco.batch import Batch

from amble.envs.bodies.walker.skeleton import PART_ORDER, WELDED

Rows = slice | Int[np.ndarray, "n"]
ALL = slice(None)


class Signals:
    """Live views of the batch's derived fields, and the quantities that observation and task need of them.

    The parts are one kinematic tree, so MuJoCo keeps them, and their one collider each, in one run of ids: every
    quantity is a slice, not a copy. Each collider is of uniform density, so its centre is its part's centre of mass.
    """

    def __init__(self, batch: Batch):
        model = batch.model
        first = model.body("hips").id
        self._parts = slice(first, first + len(PART_ORDER))
        self.names = tuple(model.body(i).name for i in range(self._parts.start, self._parts.stop))
        self.turning: tuple[int, ...] = tuple(
            i for i, name in enumerate(self.names) if name != "hips" and name not in WELDED
        )
        self._parent = model.body_parentid[self._parts] - first
        self._hips, self._head = 0, self.names.index("head")
        geoms = slice(model.geom("hips").id, model.geom("hips").id + len(PART_ORDER))
        self._xpos = batch.bind("xpos")[:, self._parts]
        self._xquat = batch.bind("xquat")[:, self._parts]
        self._cvel = batch.bind("cvel")[:, self._parts]
        self._centre_of_mass = batch.bind("subtree_com")[:, first]
        self._centre = batch.bind("geom_xpos")[:, geoms]
        self._collider_axes = batch.bind("geom_xmat")[:, geoms]
        self._extent, self._radius = _extents(model, range(geoms.start, geoms.stop))

    def hips_position(self, rows: Rows = ALL) -> Float[np.ndarray, "n 3"]:
        """Origin of the hips in the world, m."""
        return self._xpos[rows, self._hips]

    def hips_forward(self, rows: Rows = ALL) -> Float[np.ndarray, "n 3"]:
        """The way the hips face, in the world."""
        return _own_z(self._xquat[rows, self._hips])

    def head_forward(self, rows: Rows = ALL) -> Float[np.ndarray, "n 3"]:
        """The way the head faces, in the world."""
        return _own_z(self._xquat[rows, self._head])

    def positions(self, rows: Rows = ALL) -> Float[np.ndarray, "n P 3"]:
        """Origins of the parts in the world, m."""
        return self._xpos[rows]

    def angular_velocities(self, rows: Rows = ALL) -> Float[np.ndarray, "n P 3"]:
        """Angular velocities of the parts, world axes, rad/s."""
        return self._cvel[rows, :, :3]

    def velocities(self, rows: Rows = ALL) -> Float[np.ndarray, "n P 3"]:
        """Velocities of the parts' centres of mass, world axes, m/s.

        MuJoCo gives each part's spatial velocity at the whole walker's centre of mass c: v = v_c + ω × (x - c).
        """
        arm = self._centre[rows] - self._centre_of_mass[rows, None]
        return self._cvel[rows, :, 3:] + cross(self._cvel[rows, :, :3], arm)

    def mean_velocity(self, rows: Rows = ALL) -> Float[np.ndarray, "n 3"]:
        """Plain mean of the 16 parts' velocities (not weighted by mass), world axes, m/s.

        The mean of ω_i × r_i is read off S = Σ_i ω_i r_iᵀ as (S_yz - S_zy, S_zx - S_xz, S_xy - S_yx) / P.
        """
        arm = self._centre[rows] - self._centre_of_mass[rows, None]
        spin = np.matmul(self._cvel[rows, :, :3].transpose(0, 2, 1), arm)
        velocity = self._cvel[rows, :, 3:].sum(axis=1)
        velocity[:, 0] += spin[:, 1, 2] - spin[:, 2, 1]
        velocity[:, 1] += spin[:, 2, 0] - spin[:, 0, 2]
        velocity[:, 2] += spin[:, 0, 1] - spin[:, 1, 0]
        velocity /= len(self.names)
        return velocity

    def local_rotations(self, rows: Rows = ALL) -> Float[np.ndarray, "n 13 4"]:
        """Rotations (x, y, z, w), w ≥ 0, of the turning parts relative to their parents."""
        turning = list(self.turning)
        child = self._xquat[rows][:, turning]
        parent = self._xquat[rows][:, self._parent[turning]]
        # conj(p) · c with p = (pw, pv), c = (cw, cv): w = pw·cw + pv·cv, v = pw·cv - cw·pv - pv × cv
        pw, pv, cw, cv = parent[..., :1], parent[..., 1:], child[..., :1], child[..., 1:]
        rotation = np.empty_like(child)
        rotation[..., 3:] = pw * cw + (pv * cv).sum(axis=-1, keepdims=True)
        rotation[..., :3] = pw * cv - cw * pv - cross(pv, cv)
        rotation *= np.where(rotation[..., 3:] < 0, -1.0, 1.0)
        return rotation

    def clearances(self, rows: Rows = ALL) -> Float[np.ndarray, "n P"]:
        """Heights of the parts' lowest points above the ground, m; negative where one sinks in."""
        reach = np.abs(self._collider_axes[rows, :, 6:])  # the world's z in each collider's axes
        reach = np.einsum("npi,pi->np", reach, self._extent) + self._radius
        return self._centre[rows, :, 2] - reach

    def near_box(
        self, rows: Int[np.ndarray, "n"], centre: Float[np.ndarray, "n 3"], half: float
    ) -> Bool[np.ndarray, "n"]:
        """Whether any collider touches the upright box of half edge `half`: five points along each are looked at."""
        axes = self._collider_axes[rows].reshape(len(rows), -1, 3, 3)
        longest = self._extent.argmax(axis=-1)
        axis = np.take_along_axis(axes, longest[None, :, None, None], axis=3)[..., 0]
        along = axis * self._extent.max(axis=-1)[:, None]
        thickness = np.maximum(self._radius, np.sort(self._extent, axis=-1)[:, 1])
        steps = np.linspace(-1.0, 1.0, 5)
        points = self._centre[rows][:, :, None] + steps[:, None] * along[:, :, None]
        outside = np.maximum(np.abs(points - centre[:, None, None]) - half, 0.0)
        return (np.square(outside).sum(axis=-1) <= np.square(thickness)[:, None]).any(axis=(1, 2))


def heading(offset: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    """Unit direction along the ground of `offset`; the world's forward where it has none."""
    flat = offset[:, :2]
    length = np.sqrt(np.square(flat).sum(axis=1, keepdims=True))
    return np.where(length > 1e-9, flat / np.maximum(length, 1e-9), [1.0, 0.0])


def in_cube(v: Float[np.ndarray, "n *m 3"], forward: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n *m 3"]:
    """World vectors in the axes of upright frames that face `forward`: Unity's (right, up, forward)."""
    fx = forward[:, 0].reshape(-1, *[1] * (v.ndim - 2))
    fy = forward[:, 1].reshape(-1, *[1] * (v.ndim - 2))
    out = np.empty_like(v)
    out[..., 0] = fx * v[..., 1] - fy * v[..., 0]
    out[..., 1] = v[..., 2]
    out[..., 2] = fx * v[..., 0] + fy * v[..., 1]
    return out


def to_unity(v: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """World vectors (x, y, z) in Unity's world axes: (y, z, x)."""
    return v[..., [1, 2, 0]]


def shortest_arc(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 4"]:
    """Quaternion (x, y, z, w) of the shortest rotation that turns unit vector a onto unit vector b.

    q = (a × b, 1 + a·b), normalised; half a turn about Unity's up where a = -b leaves the axis open.
    """
    q = np.concatenate([cross(a, b), 1.0 + (a * b).sum(axis=1, keepdims=True)], axis=1)
    length = np.sqrt(np.square(q).sum(axis=1, keepdims=True))
    return np.where(length > 1e-6, q / np.maximum(length, 1e-6), [0.0, 1.0, 0.0, 0.0])


def cross(a: Float[np.ndarray, "*n 3"], b: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """a × b over the last axis; several times quicker than `numpy.cross` on small arrays."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def _own_z(q: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 3"]:
    """Third column of the rotation matrix of quaternions (w, x, y, z)."""
    w, x, y, z = q.T
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)


def _extents(model: mujoco.MjModel, geoms: range) -> tuple[Float[np.ndarray, "P 3"], Float[np.ndarray, "P"]]:
    """Half extents along each collider's own axes, and the radius that is added all round."""
    extent, radius = np.zeros((len(geoms), 3)), np.zeros(len(geoms))
    for i, geom in enumerate(geoms):
        size = model.geom_size[geom]
        match mujoco.mjtGeom(int(model.geom_type[geom])):
            case mujoco.mjtGeom.mjGEOM_BOX:
                extent[i] = size
            case mujoco.mjtGeom.mjGEOM_CAPSULE:  # MuJoCo's capsules lie along their own z
                radius[i], extent[i, 2] = size[0], size[1]
            case _:
                radius[i] = size[0]
    return extent, radius
