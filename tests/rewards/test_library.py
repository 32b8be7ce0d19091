"""Every term of the library: it says what it is, keeps its bounds, and gives the numbers worked by hand."""

import numpy as np
import pytest

from amble.rewards.library import effort, feats, gait, posture, tracking
from amble.rewards.terms import known_terms

ARGUMENTS = {
    "forward_speed": {"speed": 1.0},
    "spin_rate": {"rate": 1.0},
    "band": {"low": -1.0, "high": 1.0, "margin": 0.5},
}
COMPONENTS = {
    "velocity": 3, "hand_height": 2, "knee_height": 2, "foot_height": 2, "foot_pitch": 2, "foot_speed": 2,
    "air_time": 2, "contact_time": 2, "landing_air_time": 2, "duty_factor": 2, "joint_torque": 26, "joint_speed": 26,
    "action": 39, "action_change": 39,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(known_terms()))
def test_it_says_its_formula_and_keeps_its_bounds(name: str) -> None:
    term = known_terms()[name]
    assert len(term.formula) > 10
    rng = np.random.default_rng(0)
    given = []
    for signal in term.signals.values():
        shape = (50, COMPONENTS[signal]) if signal in COMPONENTS else (50,)
        if signal == "foot_contact":
            given.append(rng.random((50, 2)) < 0.5)
        elif signal == "duty_factor":
            given.append(rng.random((50, 2)))
        elif signal in ("facing", "upright"):
            given.append(rng.uniform(-1, 1, 50))
        elif signal == "foot_speed":
            given.append(rng.random(shape))
        elif signal in ("goal_speed", "standing_height", "body_weight", "velocity_error", "power"):
            given.append(rng.uniform(0.1, 5, 50))
        else:
            given.append(rng.normal(size=shape))
    value = term.function(*given, **ARGUMENTS.get(name, {}))
    assert value.shape == (50,)
    assert value.dtype == np.float64
    if term.lowest is not None:
        assert (value >= term.lowest).all()
    if term.highest is not None:
        assert (value <= term.highest).all()


def two(*values: object) -> np.ndarray:
    return np.array([values])


ONE = np.ones(1)
DOWN, LEFT, UP = two(True, True), two(True, False), two(False, False)


def test_tracking() -> None:
    assert tracking.match_velocity(2.0, 4.0) == pytest.approx(0.5625)  # (1 - (1/2)²)² = 9/16
    assert tracking.look_at_target(-1.0) == 0.0
    assert tracking.forward_speed(-1.0, speed=-1.5, tolerance=0.5) == pytest.approx(np.exp(-1))
    assert tracking.lateral_speed(0.5) == pytest.approx(np.exp(-1))
    assert tracking.spin_rate(3.0, rate=2.0, tolerance=1.0) == pytest.approx(np.exp(-1))
    assert tracking.heading(np.pi / 2, angle=-np.pi / 2) == pytest.approx(0.0)
    assert tracking.stand_still(0.5, tolerance=0.25) == pytest.approx(np.exp(-4))


def test_posture() -> None:
    assert posture.upright(-0.5) == 0.0
    assert posture.height_band(2.0, 2.5, low=0.9, margin=0.1) == pytest.approx(
        np.exp(-1)
    )  # 0.8 lies 0.1 below 0.9
    assert posture.crouch(1.0, 2.0, height=0.7) == 1.0
    assert posture.crouch(2.0, 2.0, height=0.7, margin=0.3) == pytest.approx(np.exp(-1))
    hands = posture.hand_height(two(2.0, 1.8), ONE, low=2.0, high=3.0, margin=0.2)
    assert hands == pytest.approx((1 + np.exp(-1)) / 2)
    assert posture.bounce(two(1.0, 2.0, -3.0)) == 9.0


def test_effort() -> None:
    assert effort.energy(3000.0, 1500.0) == 2.0
    assert effort.torque(two(300.0, 0.0), 100.0 * ONE, 3.0 * ONE) == pytest.approx(0.5)  # (1² + 0²)/2
    assert effort.smoothness(two(1.0, -1.0, 0.0, 0.0)) == 0.5
    assert effort.effort(two(0.5, -0.5)) == 0.25
    assert effort.joint_speed(two(3.0, 4.0)) == 12.5


def test_gait() -> None:
    assert [gait.single_support(feet)[0] for feet in (DOWN, LEFT, UP)] == [0, 1, 0]
    assert [gait.double_support(feet)[0] for feet in (DOWN, LEFT, UP)] == [1, 0, 0]
    assert [gait.flight(feet)[0] for feet in (DOWN, LEFT, UP)] == [0, 0, 1]
    assert [gait.one_leg(LEFT, foot=foot)[0] for foot in (0, 1)] == [1, 0]
    # Only the right foot is in the air, 0.05 of a leg high: half of what is asked.
    assert gait.foot_clearance(two(0.3, 0.1), LEFT, 2.0 * ONE, height=0.1) == pytest.approx(0.5)
    assert gait.foot_clearance(two(0.3, 0.1), DOWN, 2.0 * ONE) == 0.0
    assert gait.air_time(two(0.5, 0.0), least=0.3) == pytest.approx(0.2)
    assert gait.air_time(two(2.0, 0.1), least=0.3, most=1.0) == pytest.approx(0.7 - 0.2)
    assert gait.symmetry(two(0.75, 0.5)) == 0.75
    assert gait.knee_lift(two(1.3, 1.0), 2.0 * ONE, low=0.5, high=0.8) == pytest.approx(
        0.5
    )  # 0.65 of 0.5 … 0.8
    assert gait.foot_slip(two(2.0, 3.0), LEFT) == 2.0
    assert gait.long_strides(two(0.5, 1.25), most=1.0) == 0.75
    np.testing.assert_allclose(gait.passing_legs(np.array([0.2, 0.9, 1.5]), most=0.6), [1.0, 0.5, 0.0])


def test_feats() -> None:
    assert feats.jump(two(0.5, 0.25), 2.5 * ONE) == pytest.approx(0.1)
    assert feats.jump(two(0.5, -0.01), ONE) == 0.0
    assert feats.take_off(two(0.0, 0.0, 5.0), most=3.0) == 3.0
    assert feats.tiptoe(two(0.15, 0.6), angle=0.3) == pytest.approx(0.75)
