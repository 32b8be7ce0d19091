"""The reward of three environments in two substeps, worked by hand; and what is refused."""

from typing import Any

import numpy as np
import pytest

from amble.config import RewardSettings
from amble.errors import UsageError
from amble.rewards.engine import RewardEngine, RewardFault
from amble.rewards.files import forget_terms, load_terms
from reward_sources import Given

NONE = np.zeros(3, bool)
PAYS = np.array([0.5, 0.6, 0.7])

SPEED = {"term": "signal", "signals": {"x": "speed"}}
LEFT = {"term": "square", "signals": {"x": "feet[left]"}}
ERROR = {"term": "band", "signals": {"x": "error"}, "parameters": {"low": 0.0, "high": 1.0, "margin": 1.0}}


def engine(given: dict[str, Any], source: Given | None = None, max_steps: int | None = None) -> RewardEngine:
    return RewardEngine(RewardSettings.model_validate(given), source or Given(), max_steps)


def test_a_sum_counts_at_every_substep() -> None:
    made = engine({"terms": {"a": {**SPEED, "weight": 0.5}, "b": {**LEFT, "weight": -1.0}}})
    reward, over = made.judge(PAYS, NONE)
    # 2 substeps · (0.5 · speed - left²): 2·(0.5 - 0), 2·(1 - 4), 2·(1.5 - 9)
    np.testing.assert_allclose(reward, [1.0, -6.0, -15.0])
    assert not over.any()


def test_a_product_multiplies_within_each_substep() -> None:
    made = engine(
        {"combine": "product", "terms": {"a": LEFT, "b": ERROR}, "penalties": {"c": {**SPEED, "weight": 0.1}}}
    )
    reward, _ = made.judge(PAYS, NONE)
    # band: 1 up to 1, then exp(-(e-1)²): substeps (1, 1), (1, e⁻¹), (1, e⁻⁴); left² = 0, 4, 9; less 2·0.1·speed
    np.testing.assert_allclose(reward, [-0.2, 4 + 4 * np.exp(-1) - 0.4, 9 + 9 * np.exp(-4) - 0.6])


def test_the_weight_of_a_factor_is_its_exponent() -> None:
    made = engine({"combine": "product", "terms": {"a": {**LEFT, "weight": 0.5}}})
    np.testing.assert_allclose(made.judge(PAYS, NONE)[0], [0.0, 4.0, 6.0])  # 2 · |left|


def test_a_schedule_moves_the_weight() -> None:
    made = engine(
        {"terms": {"a": {**SPEED, "weight": 2.0, "schedule": [[100, 0.0], [300, 1.0]]}}}, max_steps=300
    )
    for steps, factor in ((0, 0.0), (100, 0.0), (150, 0.25), (300, 1.0), (400, 1.0)):
        made.at(steps)
        np.testing.assert_allclose(made.judge(PAYS, NONE)[0], 4.0 * factor * np.array([1.0, 2.0, 3.0]))


def test_an_end_pays_its_price_in_place_of_the_terms() -> None:
    rules = {
        "slow": {"signal": "speed", "below": 1.5},
        "high": {"signal": "feet", "above": 2.5, "reward": -7.0},
    }
    made = engine({"terms": {"a": SPEED}, "fall_reward": -1.0, "terminations": rules})
    reward, over = made.judge(PAYS, np.array([False, True, False]))
    np.testing.assert_array_equal(reward, [-1.0, -1.0, -7.0])
    np.testing.assert_array_equal(over, [True, True, True])


def test_a_rule_on_substeps_is_met_by_any_of_them() -> None:
    made = engine({"terms": {"a": SPEED}, "terminations": {"off": {"signal": "error", "above": 1.5}}})
    reward, over = made.judge(PAYS, NONE)
    np.testing.assert_array_equal(over, [False, True, True])
    np.testing.assert_allclose(reward, [2.0, 4.0, 6.0])  # no price is named: the terms' own


@pytest.mark.parametrize("fall_reward", [None, -1.0])
def test_the_ledger_adds_up_to_the_return(fall_reward: float | None) -> None:
    made = engine({"terms": {"a": SPEED, "b": LEFT}, "penalties": {"c": ERROR}, "fall_reward": fall_reward})
    total = np.zeros(3)
    for t in range(4):
        over = np.array([False, t == 2, False])
        total += made.judge(PAYS, over)[0]
        if t == 2:
            made.ledger.close(over)
            first = made.ledger.take()
            assert sum(first[f"term.{label}"] or 0.0 for label in made.ledger.labels) == pytest.approx(
                total[1]
            )
            assert first["reshaped_return_mean"] == pytest.approx(total[1])
            assert first["reference_return_mean"] == pytest.approx(3 * 0.6)
            total[1] = 0.0
    made.ledger.close(np.ones(3, bool))
    row = made.ledger.take()
    assert sum(row[f"term.{label}"] or 0.0 for label in made.ledger.labels) == pytest.approx(total.mean())
    assert row["reference_return_mean"] == pytest.approx((4 * 0.5 + 0.6 + 4 * 0.7) / 3)
    assert made.ledger.take()["reshaped_return_mean"] is None


def test_only_what_is_named_is_watched_and_read() -> None:
    source = Given()
    made = engine({"terms": {"a": SPEED, "b": {**SPEED, "weight": 2.0}}}, source)
    made.judge(PAYS, NONE)
    assert source.watched == {"speed"}
    assert source.reads == ["speed"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"terms": {"uprihgt": {}}}, "terms.uprihgt: there is no term `uprihgt`. The nearest valid name is `upright`"),
        ({"terms": {"a": {"term": "signal", "signals": {"x": "spead"}}}}, "terms.a.signals.x: .*nearest.*`speed`"),
        ({"terms": {"a": {"term": "signal", "signals": {"y": "speed"}}}}, "no such argument"),
        ({"terms": {"upright": {}}}, "made for the signal `upright`.*given to it by `signals:"),
        ({"terms": {"a": {**SPEED, "parameters": {"lov": 1.0}}}}, "no such parameter. The nearest valid name is `low`"),
        ({"terms": {"a": {**SPEED, "parameters": {"low": "deep"}}}}, "must be a number, but is 'deep'"),
        ({"terms": {"a": {"term": "band", "signals": {"x": "speed"}}}}, "parameters.low: is missing"),
        ({"terms": {"a": {"term": "upright", "signals": {"upright": "feet"}}}}, r"shape \(3, 2\); expected .*\(3,\)"),
        ({"combine": "product", "terms": {"a": SPEED}}, "may be negative"),
        ({"combine": "product", "terms": {"a": {**LEFT, "weight": -1.0}}}, "rewards.terms.a.weight: is -1"),
        ({"terms": {"a": {**SPEED, "schedule": [[0, 0], [200, 1]]}}}, "at 200 env steps, and the run ends at .* 100"),
        ({"terms": {"a": SPEED}, "terminations": {"b": {"signal": "fet", "below": 0.0}}}, "ns.b.signal: .*`feet`"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_the_start(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        engine(given, max_steps=100)
    assert refused.value.exit_code == 2


OWN = '''
import numpy as np
from amble.rewards import term

@term
def own_log(speed, *, shift: float = 0.0):
    """log(v - shift)."""
    return np.log(speed - shift)

@term
def own_fault(speed):
    """Raises where it is no trial."""
    if (speed != 1.0).any():
        raise RuntimeError("boom")
    return speed

@term
def own_shape(speed):
    """The wrong shape where it is no trial."""
    return speed if (speed == 1.0).all() else speed[:2]

@term(name="own_named", signals={"v": "speed"}, lowest=0.0)
def called_otherwise(v):
    """v."""
    return v
'''


class TestOwnTerms:
    @pytest.fixture
    def path(self, tmp_path: Any) -> Any:
        path = tmp_path / "own.py"
        path.write_text(OWN)
        assert load_terms(path) == ["own_log", "own_fault", "own_shape", "own_named"]
        yield path
        forget_terms(path)

    def test_it_is_a_term_like_any_other(self, path: Any) -> None:
        made = engine({"terms": {"own_named": {"weight": 3.0}, "own_log": {}}})
        np.testing.assert_allclose(made.judge(PAYS, NONE)[0], 2 * (3 * np.arange(1, 4) + np.log([1, 2, 3])))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (
                {"own_log": {"parameters": {"shift": 2.5}}},
                r"`own_log` of .*own.py gave nan in environment 0 \(speed = 1",
            ),
            ({"own_log": {"parameters": {"shift": 1.0}}}, "gave -inf in environment 0"),
            ({"own_fault": {}}, "`own_fault` of .*own.py raised RuntimeError: boom in line 14 of .*own.py"),
            ({"own_shape": {}}, r"an array of shape \(2,\); expected one number an environment, \(3,\)"),
        ],
    )
    def test_a_fault_on_the_way_names_the_term(self, path: Any, given: dict[str, Any], words: str) -> None:
        made = engine({"terms": given})
        with pytest.raises(RewardFault, match=words):
            made.judge(PAYS, NONE)

    def test_a_negative_factor_on_the_way_is_named(self, path: Any) -> None:
        source = Given()
        made = engine({"combine": "product", "terms": {"own_log": {"parameters": {"shift": 0.5}}}}, source)
        with pytest.raises(RewardFault, match=r"`own_log` .*gave -0.69.* must be at least 0"):
            made.judge(PAYS, NONE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1 / 0", "line 1: the file raises ZeroDivisionError"),
        ("\n\ndef f(:", "line 3: the file raises SyntaxError"),
        ("x = 1", "defines no term"),
        ("from amble.rewards import term\n@term\ndef upright(speed):\n    return speed", "is defined already"),
        ("from amble.rewards import term\n@term\ndef bad(*speeds):\n    return 1", "`speeds` is neither a signal"),
        ("from amble.rewards import term\n@term\ndef bad():\n    return 1", "takes no signal"),
        ("from amble.rewards import term\n@term(signals={'v': 'speed'})\ndef bad(w):\n    return 1", "none of its arg"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_and_leaves_nothing(tmp_path: Any, text: str, words: str) -> None:
    from amble.rewards.terms import known_terms

    before = set(known_terms())
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_terms(path)
    assert set(known_terms()) == before


def test_a_file_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="expected a Python file"):
        load_terms(tmp_path / "none.py")
