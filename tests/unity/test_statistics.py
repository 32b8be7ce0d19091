"""Figures that scenes report become one number each, as the scenes want it made."""

from amble.unity.channels import Aggregation, StatisticsChannel
from amble.unity.statistics import aggregated


def test_each_aggregation_over_two_scenes() -> None:
    first = {
        "mean": [(1.0, Aggregation.AVERAGE), (2.0, Aggregation.AVERAGE)],
        "last": [(1.0, Aggregation.MOST_RECENT), (7.0, Aggregation.MOST_RECENT)],
        "sum": [(1.0, Aggregation.SUM)],
        "spread": [(1.0, Aggregation.HISTOGRAM), (3.0, Aggregation.HISTOGRAM)],
    }
    second = {"mean": [(6.0, Aggregation.AVERAGE)], "sum": [(4.0, Aggregation.SUM)]}
    figures, histograms = aggregated([first, second])
    assert figures == {"mean": 3.0, "last": 7.0, "sum": 5.0, "spread": 2.0}
    assert histograms == {"spread": [1.0, 3.0]}


def test_nothing_reported() -> None:
    assert aggregated([StatisticsChannel().take()]) == ({}, {})
