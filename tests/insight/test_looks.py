"""Who earns what by whose reward, by numbers worked by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("arch")

from amble.config import RewardSettings, run_from_env
from amble.insight import looks
from amble.insight.compare_page import as_figures, said, worth_recording
from amble.insight.looks import TASK, Look, column_of, columns, cross, ledger, look
from amble.insight.measures import Measured
from amble.insight.recording import Recording
from amble.insight.variants import Variant
from amble.rewards.signals import Signal

FAST = {"terms": {"speed": {"term": "signal", "weight": 2.0, "signals": {"x": "speed"}}}}
HIGH = {"terms": {"height": {"term": "signal", "signals": {"x": "height"}}}, "fall_reward": -1.0}
BLIND = {"terms": {"x": {"term": "signal", "signals": {"x": "nowhere"}}}}


def a_variant(name: str, rewards: dict[str, Any] | None) -> Variant:
    config = run_from_env("amble/Walker-v0")
    settings = None if rewards is None else RewardSettings.model_validate(rewards)
    return Variant(name, config.model_copy(update={"rewards": settings}))


def two_episodes() -> Recording:
    """Two decisions, then three, of which the last falls."""
    values = {
        "reward": np.array([1, 1, 2, 2, -1], np.float32),
        "speed": np.array([1, 2, 3, 4, 5], np.float32),
        "height": np.array([1, 1, 0, 1, 1], np.float32),
    }
    return Recording(
        values, np.array([0, 2, 5]), np.array([False, False, False, False, True]),
        {name: Signal(name, "", "") for name in values},
        {"substeps": 1, "env_id": "x", "env_steps": 10, "episodes": 2, "seed": 0},
    )  # fmt: skip


def test_a_column_for_each_reward_and_one_for_the_task() -> None:
    sides = [a_variant("a", FAST), a_variant("b", HIGH), a_variant("c", FAST), a_variant("d", None)]
    rewards = columns(sides)
    assert list(rewards) == ["a", "b", TASK]
    assert [column_of(side, rewards) for side in sides] == ["a", "b", "a", TASK]


def test_a_recording_is_paid_by_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "recorded", lambda *_: two_episodes())
    rewards = {
        **{
            name: RewardSettings.model_validate(block)
            for name, block in (("a", FAST), ("b", HIGH), ("c", BLIND))
        },
        TASK: None,
    }
    made = look(Path("run"), rewards["b"], rewards)
    assert made.pay == {
        "a": pytest.approx((2 * 3 + 2 * 12) / 2),  # 1 + 2, and 3 + 4 + 5
        "b": pytest.approx((2 + (0 + 1 - 1)) / 2),
        "c": None,  # of a signal that was not recorded
        TASK: pytest.approx((2 + 3) / 2),
    }
    assert made.ledger == {"height": pytest.approx((2 + 1) / 2), "terminal": pytest.approx(-0.5)}
    assert (made.gait, made.footfalls) == (None, None)  # it has no feet


def a_look(pay: dict[str, float | None], terms: dict[str, float] | None = None) -> Look:
    return Look(Path("run"), None, pay, terms or {}, None)


def test_over_seeds() -> None:
    table = cross({"a": [a_look({"a": 1.0}), a_look({"a": 3.0})], "b": []}, ["a"])
    assert table == {"a": {"a": Measured(2.0, (1.0, 3.0))}}
    assert ledger([a_look({}, {"x": 1.0}), a_look({}, {"x": 2.0})])["x"] == Measured(1.5, (1.0, 2.0))
    figures = as_figures([a_variant("a", FAST)], {"a": [a_look({"a": 1.0, TASK: 2.0}, {"speed": 1.0})]})
    assert figures["cross"]["a"] == {
        "a": {"value": 1.0, "interval": None},
        TASK: {"value": 2.0, "interval": None},
    }
    assert figures["ledger"]["a"]["speed"]["value"] == 1.0


def row(**values: tuple[float, float, float]) -> dict[str, Measured]:
    return {name: Measured(value, (low, high)) for name, (value, low, high) in values.items()}


def test_what_the_table_says() -> None:
    rewards = {"a": None, "b": None, "c": None, TASK: None}
    table = {
        "a": row(a=(9, 8, 10), b=(5, 4, 6), c=(9, 8, 10)),
        "b": row(a=(5, 4, 6), b=(5.5, 5, 6), c=(1, 0, 2)),
        "c": row(a=(1, 0, 2), b=(1, 0, 2), c=(3, 2, 4)),
    }
    learned = {name: name for name in table}
    first, open_, wrong = said(table, rewards, learned)
    assert first == "Paid most by its own reward, with intervals apart from all others: a."
    assert (
        open_
        == "By the reward of b, b earns most (5.5 [5.0, 6.0]), a next (5.0 [4.0, 6.0]); the intervals overlap."
    )
    assert wrong.startswith(
        "By the reward of c, a earns more (9.0 [8.0, 10.0]) than c, which learned from it (3.0 [2.0"
    )
    assert "it has not learned what it is paid for" in wrong
    assert said({"a": table["a"]}, rewards, {"a": "a"}) == []


def test_what_is_worth_recording() -> None:
    assert worth_recording([a_variant("a", None)])  # a body of ours
    cartpole = Variant("x", run_from_env("CartPole-v1"))
    assert not worth_recording([cartpole])
    shaped = cartpole.config.model_copy(update={"rewards": RewardSettings.model_validate(FAST)})
    assert worth_recording([cartpole, Variant("y", shaped)])
