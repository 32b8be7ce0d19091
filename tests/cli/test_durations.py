"""Lengths of time as they are written."""

import pytest

from amble.cli.durations import seconds
from amble.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("10m", 600.0),
        ("10 min", 600.0),
        ("1.5h", 5400.0),
        ("1e3", 1000.0),
        (".5", 0.5),
    ],
)
def test_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "-5", "10d", "1:30", "nan", "inf", "ten"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no length of time"):
        seconds(text)
