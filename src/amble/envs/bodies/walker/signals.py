"""What can be read off the Walkers' bodies. Axes: P = 16 parts in the model's order."""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import mujoco
import numpy as np
from jaxtyping import Float

from amble.envs.bodies.walker.passes import Bodies
from amble.envs.bodies.walker.skeleton import MAY_TOUCH_GROUND, PART_ORDER


class Signals:
    """What is derived of the parts, `bodies`, as the compiled passes take it.

    The parts are one kinematic tree, so MuJoCo keeps them, and their one collider each, in one run of ids. Each
    collider is of uniform density, so its centre is its part's centre of mass.

    Attributes:
        names: of the parts, in the model's order.
        first_part: id of the first part's body.
        first_geom: and of its collider.
    """

    def __init__(self, model: mujoco.MjModel, count: int):
        self.first_part, self.first_geom = model.body("hips").id, model.geom("hips").id
        parts = range(self.first_part, self.first_part + len(PART_ORDER))
        geoms = range(self.first_geom, self.first_geom + len(PART_ORDER))
        self.names = tuple(model.body(i).name for i in parts)
        extent, radius = _extents(model, geoms)
        rows = (count, len(parts))
        self.bodies = Bodies(
            position=np.zeros((*rows, 3)),
            quaternion=np.zeros((*rows, 4)),
            spatial=np.zeros((*rows, 6)),
            centre_of_mass=np.zeros((count, 3)),
            centre=np.zeros((*rows, 3)),
            axes=np.zeros((*rows, 9)),
            anchor=np.zeros((count, model.njnt, 3)),
            extent=extent,
            radius=radius,
            longest=extent.argmax(axis=-1),
            thickness=np.maximum(radius, np.sort(extent, axis=-1)[:, 1]),
            parent=model.body_parentid[parts].astype(np.int64) - self.first_part,
            hips=self.names.index("hips"),
            head=self.names.index("head"),
            must_not_touch=np.array([part not in MAY_TOUCH_GROUND for part in self.names]),
        )


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
