"""Vectors and rotations by hand, and against SciPy's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amble.envs.bodies.walker import geometry


def test_heading() -> None:
    assert geometry.heading.py_func(3.0, 4.0) == pytest.approx((0.6, 0.8))
    assert geometry.heading.py_func(0.0, 0.0) == (1.0, 0.0)


def test_goal_is_straight_ahead_in_its_own_frame() -> None:
    assert geometry.in_cube.py_func(1.2, 1.6, 5.0, 0.6, 0.8) == pytest.approx((0, 5, 2))
    # Unity's right of a body that faces MuJoCo's +x is MuJoCo's +y
    assert geometry.in_cube.py_func(0.0, 1.0, 0.0, 1.0, 0.0) == (1, 0, 0)


@pytest.mark.parametrize(
    ("a", "b", "xyzw"),
    [
        ((0, 0, 1), (0, 0, 1), (0, 0, 0, 1)),
        ((0, 0, 1), (1, 0, 0), (0, np.sqrt(0.5), 0, np.sqrt(0.5))),  # a quarter turn about up
        ((0, 0, 1), (0, 0, -1), (0, 1, 0, 0)),  # half a turn: the axis is open, up is taken
    ],
)
def test_shortest_arc(a, b, xyzw) -> None:
    assert geometry.shortest_arc.py_func(*a, *b) == pytest.approx(xyzw, abs=1e-12)


def test_rotations_are_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        parent, child = Rotation.random(2, rng=rng)
        p, c = (rotation.as_quat(scalar_first=True) for rotation in (parent, child))
        found = geometry.relative_rotation.py_func(p, c)
        assert found == pytest.approx((parent.inv() * child).as_quat(canonical=True), abs=1e-12)
        assert geometry.forward_axis.py_func(p) == pytest.approx(parent.apply([0, 0, 1]), abs=1e-12)


def test_velocity_beside_the_centre() -> None:
    """Turning at 2 rad/s about z, one metre out along x moves at 2 m/s along y."""
    spatial = np.array([0.0, 0.0, 2.0, 1.0, 0.0, 0.0])
    assert geometry.velocity_at.py_func(spatial, 1.0, 0.0, 0.0) == (1.0, 2.0, 0.0)


def test_clearance_of_a_box_on_its_edge() -> None:
    """Half extents 3 and 1, rolled by 45 degrees: its lowest edge is (3 + 1)/√2 lower; 0.1 is added all round."""
    axes = Rotation.from_euler("x", 45, degrees=True).as_matrix().ravel()
    found = geometry.clearance.py_func(5.0, axes, np.array([9.0, 3.0, 1.0]), 0.1)
    assert found == pytest.approx(5.0 - 4.0 / np.sqrt(2) - 0.1)
