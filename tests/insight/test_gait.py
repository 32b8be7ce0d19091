"""The gait fingerprint of made-up gaits whose figures are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amble.errors import UsageError
from amble.insight.gait import Fingerprint, course, fingerprint, fingerprints, phase, style, summary, together
from amble.insight.gait_picture import draw, stances
from amble.insight.recording import Recording
from amble.rewards.signals import Signal

SECONDS = 0.1


def walking(steps: int = 10, lag: int = 5, speed: float = 2.0) -> dict[str, np.ndarray]:
    """Cycles of a second: each foot 0.7 s down and 0.3 s up, the right one `lag` decisions after the left."""
    count = 10 * steps
    cycle = np.arange(count) % 10
    contact = np.stack([cycle < 7, (cycle - lag) % 10 < 7], axis=1)
    landing = np.zeros((count, 2))
    for foot in range(2):
        down = np.flatnonzero(contact[1:, foot] & ~contact[:-1, foot]) + 1
        landing[down, foot] = 0.3
    ones = np.ones(count)
    return {
        "velocity": np.stack([speed * ones, 0 * ones, 0 * ones], axis=1),
        "speed": speed * ones, "goal_speed": 2.5 * ones, "heading_error": 0.1 * ones, "spin_rate": 0 * ones,
        "body_height": 2.4 * ones, "standing_height": 2.5 * ones, "foot_contact": contact,
        "foot_load": contact.astype(float), "landing_air_time": landing, "power": 1500.0 * ones,
        "body_weight": 1000.0 * ones,
        "knee_height": np.full((count, 2), 1.25), "hand_height": np.full((count, 2), 3.0),
        "foot_pitch": np.zeros((count, 2)), "foot_speed": np.zeros((count, 2)), "foot_height": np.zeros((count, 2)),
    }  # fmt: skip


def test_a_walk() -> None:
    made = fingerprint(walking(), SECONDS)
    assert (made.seconds, made.speed, made.goal_speed) == (10.0, 2.0, 2.5)
    assert made.step_frequency == pytest.approx(2.0, abs=0.12)  # two steps a cycle of a second
    assert (made.duty_left, made.duty_right) == pytest.approx((0.7, 0.7), abs=0.03)
    assert made.symmetry == pytest.approx(1.0, abs=0.02)
    assert made.phase == pytest.approx(0.5)
    assert made.air_time == pytest.approx(0.3)
    assert made.flight == 0.0
    assert made.height == pytest.approx(0.96)
    assert made.cost_of_transport == pytest.approx(1500 / (1000 * 2.0))
    assert made.heading_error == pytest.approx(0.1)
    assert made.style == "walk"


@pytest.mark.parametrize("lag", range(10))
def test_the_phase_is_the_lag(lag: int) -> None:
    landed = walking(lag=lag)["landing_air_time"] > 0
    assert phase(landed) == pytest.approx(lag / 10, abs=1e-9) or (lag == 0 and phase(landed) in (0.0, 1.0))


def test_no_steps_no_phase() -> None:
    assert np.isnan(phase(np.zeros((30, 2), bool)))


def test_the_course_is_seen_from_the_hips() -> None:
    """Facing 90° to the right of the goal and going to the goal is going to one's left."""
    toward = np.tile([1.0, 0.0, 0.0], (5, 1))
    assert course(toward, np.zeros(5)) == pytest.approx(0.0)
    assert course(toward, np.full(5, np.pi / 2)) == pytest.approx(-np.pi / 2)
    assert abs(course(toward, np.full(5, np.pi))) == pytest.approx(np.pi)
    assert course(np.tile([0.0, 1.0, 0.0], (5, 1)), np.zeros(5)) == pytest.approx(np.pi / 2)


def test_speeds_the_way_the_hips_face() -> None:
    """Nearing the goal at 2 m/s with the back to it is -2 ahead; facing a quarter turn to its right, -2 aside."""
    values = walking()
    there = np.ones(len(values["speed"]))
    away = fingerprint({**values, "heading_error": np.pi * there}, SECONDS)
    assert (away.ahead_speed, away.side_speed) == pytest.approx((-2.0, 0.0))
    aside = fingerprint({**values, "heading_error": np.pi / 2 * there}, SECONDS)
    assert (aside.ahead_speed, aside.side_speed) == pytest.approx((0.0, -2.0))


@pytest.mark.parametrize(("lag", "share"), [(0, 1.0), (1, 1.0), (9, 1.0), (2, 0.0), (5, 0.0)])
def test_feet_that_land_together(lag: int, share: float) -> None:
    """Within one decision of 0.1 s; all but a last landing without its fellow."""
    landed = walking(lag=lag)["landing_air_time"] > 0
    assert together(landed, 1) == pytest.approx(share, abs=0.1)


def test_one_foot_alone_lands_with_none() -> None:
    landed = np.zeros((20, 2), bool)
    assert np.isnan(together(landed, 1))
    landed[[3, 9], 1] = True
    assert together(landed, 1) == 0.0


WALK = fingerprint(walking(), SECONDS)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "walk"),
        ({"seconds": 1.5}, "falls"),
        ({"flight": 0.2}, "run"),
        ({"flight": 0.2, "phase": 0.98}, "hop"),
        ({"symmetry": 0.6}, "limp"),
        ({"knee_lift": 0.8}, "march"),
        ({"course": 3.0}, "backward walk"),
        ({"course": -1.5}, "sidestep"),
        ({"speed": 0.1, "step_frequency": 0.0}, "stand"),
        ({"speed": 0.1, "step_frequency": 0.0, "foot_pitch": 0.3}, "tiptoe stand"),
        ({"speed": 0.4, "spin_rate": -2.0}, "spin"),
        ({"height": 0.7}, "crouched walk"),
        ({"hand_height": 2.3}, "cheering walk"),
        ({"step_frequency": 0.1}, "slide"),
    ],
)
def test_a_word_for_it(changes: dict[str, float], label: str) -> None:
    assert style(replace(WALK, **changes)) == label


def a_recording(lengths: tuple[int, ...] = (100, 60)) -> Recording:
    values = walking(sum(lengths) // 10)
    signals = {
        name: Signal(name, "", "", tuple("01") if value.ndim == 2 else ()) for name, value in values.items()
    }
    return Recording(
        values, np.concatenate([[0], np.cumsum(lengths)]), np.zeros(sum(lengths), bool), signals,
        {"decision_seconds": SECONDS, "env_steps": 1000, "env_id": "amble/Walker-v0", "substeps": 1},
    )  # fmt: skip


def test_the_summary_is_json_and_names_the_commonest() -> None:
    prints = [replace(WALK, style=label) for label in ("walk", "run", "walk")]
    prints[1] = replace(prints[1], phase=float("nan"), speed=5.0)
    result = json.loads(json.dumps(summary(prints), allow_nan=False))
    assert (result["style"], result["styles"]) == ("walk", {"walk": 2, "run": 1})
    assert result["mean"]["speed"] == pytest.approx(3.0)
    assert result["mean"]["phase"] == pytest.approx(0.5)  # of those that have one
    assert result["episodes"][1]["phase"] is None


def test_each_episode_has_its_own(tmp_path: Path) -> None:
    recording = a_recording()
    prints = fingerprints(recording)
    assert [made.seconds for made in prints] == pytest.approx([10.0, 6.0])
    assert [made.fell for made in prints] == [0.0, 0.0]
    recording.terminated[[50, 159]] = (
        True  # the last decision of the second; one within the first is none's end
    )
    assert [made.fell for made in fingerprints(recording)] == [0.0, 1.0]
    picture = draw(recording, prints, tmp_path / "gait.png", "made-up")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_body_without_feet_is_refused() -> None:
    recording = a_recording()
    values = {name: value for name, value in recording.values.items() if name != "foot_load"}
    with pytest.raises(UsageError, match="publishes no signal `foot_load`"):
        fingerprints(
            replace(recording, values=values, signals={name: recording.signals[name] for name in values})
        )


def test_footfalls_lie_where_they_began() -> None:
    """Down all the time, lifting off after 0.4, in the air, coming down for the last 0.3 of a decision."""
    load, down = np.array([1.0, 0.4, 0.0, 0.3]), np.array([True, False, False, True])
    spans = stances(load, down, np.array([1.0, 2.0, 3.0, 4.0]), 1.0)
    assert np.allclose(spans, [(0.0, 1.0), (1.0, 0.4), (3.7, 0.3)])


def test_the_dataclass_says_what_each_figure_is() -> None:
    assert Fingerprint.__doc__ is not None
