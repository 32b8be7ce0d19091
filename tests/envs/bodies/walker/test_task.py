"""Reward and targets, with the arithmetic shown."""

import numpy as np
import pytest

from amble.envs.bodies.walker.task import draw_targets, look_at_target, match_velocity


def match(velocity: tuple[float, float, float], speed: float) -> float:
    return match_velocity.py_func(float(np.linalg.norm(np.subtract(velocity, (speed, 0.0, 0.0)))), speed)


def test_match_velocity() -> None:
    assert match((4.0, 0, 0), 4.0) == 1.0
    assert match((2.0, 0, 0), 4.0) == pytest.approx(0.5625)  # d/v* = 1/2, (1 - 1/4)² = 9/16
    assert match((0.0, 0, 0), 4.0) == 0.0  # standing still pays nothing
    assert match((-5.0, 0, 0), 4.0) == 0.0
    assert match((4.0, 0, 1.0), 4.0) == pytest.approx((1 - 1 / 16) ** 2)  # going up counts as an error too


def test_look_at_target() -> None:
    looks = {(0.6, 0.8): 1.0, (-0.6, -0.8): 0.0, (0.8, -0.6): 0.5, (0.0, 0.0): 0.5}  # the last: straight up
    for head, expected in looks.items():
        assert look_at_target.py_func(0.6 * head[0] + 0.8 * head[1]) == pytest.approx(expected)


def test_targets_are_uniform_in_a_flattened_ball() -> None:
    """In a ball of radius R each coordinate has the variance R²/5, so E[x² + y²] = 2R²/5."""
    drawn = draw_targets(np.random.default_rng(0), 20_000, 40.0, 0.5)
    planar = np.square(drawn[:, :2]).sum(axis=1)
    assert (drawn[:, 2] == 0.5).all()
    assert np.sqrt(planar).max() <= 40.0
    assert planar.mean() == pytest.approx(2 * 40.0**2 / 5, rel=0.02)
