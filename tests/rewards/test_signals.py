"""Signals by name."""

import numpy as np
import pytest

from amble.errors import UsageError
from amble.rewards.signals import Readings, refer
from reward_sources import Given


def test_a_whole_signal_a_component_and_a_number() -> None:
    source = Given()
    readings = Readings(source)
    assert readings[refer("feet", source.signals)].shape == (3, 2)
    np.testing.assert_array_equal(readings[refer("feet[right]", source.signals)], [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(readings[refer("feet[0]", source.signals)], [0.0, 2.0, 3.0])
    np.testing.assert_array_equal(readings[refer(1.5, source.signals)], [1.5, 1.5, 1.5])


def test_a_signal_is_read_once_a_decision_and_only_if_asked_for() -> None:
    source = Given()
    readings = Readings(source)
    for _ in range(2):
        readings.refresh()
        for text in ("feet[left]", "feet[right]", "feet"):
            readings[refer(text, source.signals)]
    assert source.reads == ["feet", "feet"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spead", "no signal `spead` here. The nearest valid name is `speed`"),
        ("feet[lefd]", "no component `lefd`. The nearest valid name is `left`"),
        ("feet[2]", "no component `2`"),
        ("speed[0]", "one number an environment; leave out `\\[0\\]`"),
        ("feet[left", "names no signal"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        refer(text, Given().signals)
