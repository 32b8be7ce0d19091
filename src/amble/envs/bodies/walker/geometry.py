"""Vectors and rotations of one Walker, compiled: each function takes and gives a handful of numbers.

World vectors are MuJoCo's (x forward, y Unity's right, z up); its quaternions are (w, x, y, z). A cube frame is upright
and faces (fx, fy) along the ground; vectors in it are Unity's (right, up, forward). See `model.py`. No operation is
fused or reordered, so that every kernel that calls them gets the same bits.
"""

from __future__ import annotations

import numpy as np

from amble.native.compiled import exact_kernel


@exact_kernel
def heading(x, y):
    """Unit direction along the ground of the offset (x, y); the world's forward where it has none."""
    length = np.hypot(x, y)
    return (x / length, y / length) if length > 1e-9 else (1.0, 0.0)


@exact_kernel
def in_cube(x, y, z, fx, fy):
    """A world vector in the axes of the upright frame that faces (fx, fy): (right, up, forward)."""
    return fx * y - fy * x, z, fx * x + fy * y


@exact_kernel
def forward_axis(q):
    """The way a part with the quaternion q faces, in the world: the third column of its rotation matrix."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    return 2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)


@exact_kernel
def relative_rotation(parent, child):
    """conj(p) · c as (x, y, z, w) with w ≥ 0, of quaternions (w, x, y, z)."""
    pw, px, py, pz = parent[0], parent[1], parent[2], parent[3]
    cw, cx, cy, cz = child[0], child[1], child[2], child[3]
    w = pw * cw + px * cx + py * cy + pz * cz
    x = pw * cx - cw * px - (py * cz - pz * cy)
    y = pw * cy - cw * py - (pz * cx - px * cz)
    z = pw * cz - cw * pz - (px * cy - py * cx)
    return (-x, -y, -z, -w) if w < 0 else (x, y, z, w)


@exact_kernel
def shortest_arc(ax, ay, az, bx, by, bz):
    """Quaternion (x, y, z, w) of the shortest rotation that turns unit vector a onto unit vector b.

    q = (a × b, 1 + a·b), normalised; half a turn about the second axis, Unity's up, where a = -b leaves the axis open.
    """
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    w = 1.0 + ax * bx + ay * by + az * bz
    length = np.sqrt(x * x + y * y + z * z + w * w)
    return (x / length, y / length, z / length, w / length) if length > 1e-6 else (0.0, 1.0, 0.0, 0.0)


@exact_kernel
def velocity_at(spatial, arm_x, arm_y, arm_z):
    """v = v_c + ω × arm, world axes: MuJoCo gives (ω, v_c) of a part at the whole body's centre of mass c."""
    wx, wy, wz = spatial[0], spatial[1], spatial[2]
    return (
        spatial[3] + wy * arm_z - wz * arm_y,
        spatial[4] + wz * arm_x - wx * arm_z,
        spatial[5] + wx * arm_y - wy * arm_x,
    )


@exact_kernel
def clearance(height, axes, extent, radius):
    """Height of a collider's lowest point above the ground, m; negative where it sinks in.

    `axes` is the collider's rotation matrix, row by row, `extent` its half extents along its own axes.
    """
    reach = abs(axes[6]) * extent[0] + abs(axes[7]) * extent[1] + abs(axes[8]) * extent[2]
    return height - reach - radius
