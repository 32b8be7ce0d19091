"""A reward that tells left from right is found out before a mirror teaches the opposite."""

import logging
from typing import Any

import pytest

import amble.envs
from amble.config import load_run
from amble.errors import UsageError
from amble.rewards.files import forget_terms, load_terms
from amble.training.sides import one_sided, usable_mirror


def asked(preset: str, *overrides: str) -> tuple[Any, Any]:
    """The run file of a preset, and what `usable_mirror` makes of it."""
    config = load_run(preset, overrides)
    env: Any = amble.envs.make(str(config.env_settings.env_id), 1, threads=1)
    return env.unwrapped.mirror, usable_mirror(config, env)


@pytest.mark.parametrize(
    ("preset", "term"), [("limp", "sound_leg"), ("sidestep", "aside"), ("spin", "turning")]
)
def test_presets_that_tell_left_from_right(preset: str, term: str) -> None:
    with pytest.raises(
        UsageError, match=rf"hyperparameters.mirror: the reward's term `{term}` pays a body and its"
    ):
        asked(preset, "hyperparameters.mirror=true")


@pytest.mark.parametrize(
    "preset", ["walker-terms", "walker-stride", "backward", "hop", "cheer", "tiptoe-still"]
)
def test_presets_that_do_not(preset: str) -> None:
    mirror, usable = asked(preset, "hyperparameters.mirror=true")
    assert usable is mirror


def test_auto_goes_without(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        mirror, usable = asked("limp", "hyperparameters.mirror=auto")
    assert mirror is not None
    assert usable is None
    assert "mirror: auto comes to false: the reward's term `sound_leg`" in caplog.text
    mirror, usable = asked("walk", "hyperparameters.mirror=auto")
    assert usable is mirror


def test_nothing_is_asked_where_no_mirror_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amble.training.sides.one_sided", lambda *_: pytest.fail("looked"))
    asked("limp")  # mirror: false
    asked("walker")  # no rewards


@pytest.mark.parametrize(
    ("rewards", "found"),
    [
        ("{terms: {reach: {term: signal, signals: {x: 'hand_height[left]'}}}}", "`reach` pays"),
        ("{terms: {reach: {term: signal, weight: 0.0, signals: {x: 'hand_height[left]'}}}}", "`reach` pays"),
        (
            "{terms: {upright: {}, reach: {term: signal, schedule: [[0, 0.0], [9, 1.0]], "
            "signals: {x: 'hand_height[left]'}}}}",
            "`reach` pays",
        ),
        (
            "{terms: {upright: {}}, penalties: {lean: {term: signal, signals: {x: heading_error}}}}",
            "`lean` pays",
        ),
        (
            "{terms: {upright: {}}, terminations: {hand: {signal: 'hand_height[left]', below: 1.0}}}",
            "a rule of rewards.terminations",
        ),
        ("{terms: {bend: {term: square, signals: {x: 'joint_angle[shinL_x]'}}}}", "`bend` pays"),
        ("{terms: {twist: {term: square, signals: {x: 'joint_angle[spine_z]'}}}}", None),
        ("{terms: {upright: {}}, terminations: {low: {signal: body_height, below: 1.0}}}", None),
    ],
)
def test_what_is_found(rewards: str, found: str | None) -> None:
    config = load_run("walker", [f"rewards={rewards}", "max_steps=100"])
    assert config.rewards is not None
    told = one_sided(config, config.rewards)
    assert (found is None and told is None) or (found is not None and told is not None and found in told)


def test_a_term_of_ones_own(tmp_path: Any) -> None:
    (tmp_path / "own.py").write_text(
        "from amble.rewards import term\n\n"
        '@term\ndef leans(heading_error):\n    """To the right."""\n    return 10.0 + heading_error\n'
    )
    load_terms(tmp_path / "own.py")
    try:
        config = load_run("walker", ["rewards={terms: {leans: {}}}"])
        assert config.rewards is not None
        assert "`leans` pays" in str(one_sided(config, config.rewards))
    finally:
        forget_terms(tmp_path / "own.py")
