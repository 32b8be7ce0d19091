"""What can be read off the Walkers' bodies. Axes: n environments, P = 16 parts in the model's order."""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int
from mujoco.batch import Batch

from amble.envs.bodies.walker.passes import Bodies
from amble.envs.bodies.walker.skeleton import MAY_TOUCH_GROUND, PART_ORDER


class Signals:
    """Live views of the batch's derived fields, `bodies`, as the compiled passes take them.

    The parts are one kinematic tree, so MuJoCo keeps them, and their one collider each, in one run of ids: every
    field is a slice, not a copy. Each collider is of uniform density, so its centre is its part's centre of mass.
    """

    def __init__(self, batch: Batch):
        model = batch.model
        first = model.body("hips").id
        parts = slice(first, first + len(PART_ORDER))
        self.names = tuple(model.body(i).name for i in range(parts.start, parts.stop))
        geoms = slice(model.geom("hips").id, model.geom("hips").id + len(PART_ORDER))
        extent, radius = _extents(model, range(geoms.start, geoms.stop))
        self.bodies = Bodies(
            position=batch.bind("xpos")[:, parts],
            quaternion=batch.bind("xquat")[:, parts],
            spatial=batch.bind("cvel")[:, parts],
            centre_of_mass=batch.bind("subtree_com")[:, first],
            centre=batch.bind("geom_xpos")[:, geoms],
            axes=batch.bind("geom_xmat")[:, geoms],
            extent=extent,
            radius=radius,
            parent=model.body_parentid[parts].astype(np.int64) - first,
            hips=self.names.index("hips"),
            head=self.names.index("head"),
            must_not_touch=np.array([part not in MAY_TOUCH_GROUND for part in self.names]),
        )

    def near_box(
        self, rows: Int[np.ndarray, "n"], centre: Float[np.ndarray, "n 3"], half: float
    ) -> Bool[np.ndarray, "n"]:
        """Whether any collider touches the upright box of half edge `half`: five points along each are looked at."""
        bodies = self.bodies
        axes = bodies.axes[rows].reshape(len(rows), -1, 3, 3)
        longest = bodies.extent.argmax(axis=-1)
        axis = np.take_along_axis(axes, longest[None, :, None, None], axis=3)[..., 0]
        along = axis * bodies.extent.max(axis=-1)[:, None]
        thickness = np.maximum(bodies.radius, np.sort(bodies.extent, axis=-1)[:, 1])
        steps = np.linspace(-1.0, 1.0, 5)
        points = bodies.centre[rows][:, :, None] + steps[:, None] * along[:, :, None]
        outside = np.maximum(np.abs(points - centre[:, None, None]) - half, 0.0)
        return (np.square(outside).sum(axis=-1) <= np.square(thickness)[:, None]).any(axis=(1, 2))


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
