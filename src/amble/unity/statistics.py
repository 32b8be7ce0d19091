"""What becomes of the figures that scenes report: one number for each name, and all of them for a histogram."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from amble.unity.channels import Aggregation

Reports = Mapping[str, Sequence[tuple[float, Aggregation]]]


def aggregated(reports: Iterable[Reports]) -> tuple[dict[str, float], dict[str, list[float]]]:
    """One number by name, as the scenes want it made, and the values of those that are to be a histogram.

    Args:
        reports: of each scene, what `StatisticsChannel.take` gives. The last report of a name says how it is made.
    """
    gathered: dict[str, list[tuple[float, Aggregation]]] = {}
    for one in reports:
        for name, values in one.items():
            gathered.setdefault(name, []).extend(values)
    figures: dict[str, float] = {}
    histograms: dict[str, list[float]] = {}
    for name, reported in gathered.items():
        values, kind = [value for value, _ in reported], reported[-1][1]
        if kind is Aggregation.MOST_RECENT:
            figures[name] = values[-1]
        elif kind is Aggregation.SUM:
            figures[name] = sum(values)
        else:
            figures[name] = sum(values) / len(values)
        if kind is Aggregation.HISTOGRAM:
            histograms[name] = values
    return figures, histograms
