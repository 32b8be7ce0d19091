"""The lists of signals and terms."""

from pathlib import Path

import pytest

from amble.errors import UsageError
from amble.insight.listings import signal_rows, signal_table, term_rows, term_table


def test_the_walkers_signals_say_unit_shape_and_when() -> None:
    rows = {row["name"]: row for row in signal_rows("march")}
    assert rows["velocity"]["components"] == ["forward", "right", "up"]
    assert (rows["velocity_error"]["shape"], rows["velocity_error"]["taken"]) == ("(S, B)", "substeps")
    assert (rows["joint_torque"]["unit"], rows["joint_torque"]["taken"]) == ("N·m", "mean")
    assert all(row["unit"] and len(row["about"]) > 5 for row in rows.values())
    table = signal_table(list(rows.values()))
    assert all(any(line.startswith(f"{name} ") for line in table.splitlines()) for name in rows)


def test_a_gymnasium_id_and_a_run(trained: Path) -> None:
    expected = ["reward", "observation", "action"]
    assert [row["name"] for row in signal_rows("CartPole-v1")] == expected
    assert [row["name"] for row in signal_rows(str(trained))] == expected


def test_what_is_no_environment() -> None:
    with pytest.raises(UsageError, match="CartPole"):
        signal_rows("CartPol-v1")


def test_the_terms_say_their_formula() -> None:
    rows = {row["name"]: row for row in term_rows()}
    assert rows["knee_lift"]["parameters"] == {"low": 0.5, "high": 0.8}
    assert rows["forward_speed"]["parameters"]["speed"] is None  # the run file must say
    assert "knee_lift(knee_height, standing_height, low=0.5, high=0.8)" in term_table(list(rows.values()))
