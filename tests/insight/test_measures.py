"""Figures over seeds, by hand."""

import pytest

pytest.importorskip("arch")

from amble.insight.gait import Fingerprint
from amble.insight.measures import FIGURES, Figure, commonest, over_seeds, with_interval


def test_the_mean_of_three_and_the_ends_of_what_can_be_drawn() -> None:
    (measured,) = over_seeds([{"speed": 1.0}, {"speed": 2.0}, {"speed": 3.0}], ["speed"]).values()
    assert measured.value == pytest.approx(2.0)
    assert measured.interval == pytest.approx((1.0, 3.0))
    assert measured.shown(Figure("speed", "speed")) == "2.00 [1.00, 3.00]"


def test_a_seed_without_the_figure_leaves_none() -> None:
    result = over_seeds([{"phase": 0.5}, {"phase": None}], ["phase", "gone"])
    assert {key: measured.value for key, measured in result.items()} == {"phase": None, "gone": None}
    assert result["phase"].shown(Figure("phase", "phase")) == "–"


def test_units_and_signs() -> None:
    (measured,) = over_seeds([{"flight": 0.256}], ["flight"]).values()
    assert measured.shown(Figure("flight", "", "%", 0, 100.0)) == "26"
    assert with_interval(-0.001, (-1.0, 0.004), 2) == "0.00 [−1.00, 0.00]"


def test_the_commonest_first() -> None:
    assert commonest([{"walk": 3, "limp": 1}, {"limp": 4}]) == [("limp", 5 / 8), ("walk", 3 / 8)]


def test_every_figure_there_is() -> None:
    assert {figure.key for figure in FIGURES} <= Fingerprint.__dataclass_fields__.keys()
