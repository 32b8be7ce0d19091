"""The gait fingerprint of a variant: each figure's mean over episodes, and what its seeds say of it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amble.insight.statistics import Interval, interquartile_mean, iqm_interval


@dataclass(frozen=True)
class Figure:
    """How a figure of the fingerprint is shown: its label, unit, and digits after the point.

    Attributes:
        key: its name in the fingerprint.
        factor: from the fingerprint's unit to the one shown.
    """

    key: str
    label: str
    unit: str = ""
    digits: int = 2
    factor: float = 1.0


FIGURES = (
    Figure("speed", "speed", "m/s"),
    Figure("forward_speed", "speed toward the goal", "m/s"),
    Figure("ahead_speed", "speed the way it faces", "m/s"),
    Figure("side_speed", "speed to its right", "m/s"),
    Figure("spin_rate", "turning, positive to the right", "rad/s"),
    Figure("step_frequency", "steps a second", "Hz"),
    Figure("duty_left", "duty factor, left"),
    Figure("duty_right", "duty factor, right"),
    Figure("symmetry", "symmetry"),
    Figure("phase", "phase, right to left"),
    Figure("together", "landings together", "%", 0, 100.0),
    Figure("air_time", "air time of a step", "s"),
    Figure("flight", "time without contact", "%", 0, 100.0),
    Figure("height", "height of the hips", "× standing"),
    Figure("knee_lift", "knees up to", "× standing"),
    Figure("hand_height", "height of the hands", "× standing"),
    Figure("foot_pitch", "pitch of the feet", "°", 0, 180.0 / np.pi),
    Figure("cost_of_transport", "cost of transport"),
    Figure("seconds", "length of an episode", "s", 0),
    Figure("fell", "episodes that end in a fall", "%", 0, 100.0),
)
"""What is shown of a fingerprint, in this order."""


@dataclass(frozen=True)
class Measured:
    """One figure over seeds, in the fingerprint's own unit; None where a seed has no such figure."""

    value: float | None
    interval: Interval | None

    def shown(self, figure: Figure) -> str:
        """`1.52 [1.40, 1.61]`, in the unit shown, with a true minus; `–` where there is none."""
        if self.value is None:
            return "–"
        ends = None if self.interval is None else tuple(end * figure.factor for end in self.interval)
        return with_interval(self.value * figure.factor, ends, figure.digits)


def over_seeds(seeds: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Measured]:
    """IQM and interval of each figure, one value a seed (its mean over episodes)."""
    result = {}
    for key in keys:
        given = [seed.get(key) for seed in seeds]
        if not given or any(value is None for value in given):
            result[key] = Measured(None, None)
            continue
        values = np.array(given, float)
        result[key] = Measured(float(interquartile_mean(values)), iqm_interval(values))
    return result


def commonest(styles: Sequence[Mapping[str, int]]) -> list[tuple[str, float]]:
    """Labels with their share of all episodes of all seeds, the commonest first."""
    total: dict[str, int] = {}
    for counts in styles:
        for label, count in counts.items():
            total[label] = total.get(label, 0) + count
    whole = sum(total.values())
    return [
        (label, count / whole) for label, count in sorted(total.items(), key=lambda one: (-one[1], one[0]))
    ]


def with_interval(value: float, interval: Interval | tuple[float, ...] | None, digits: int = 2) -> str:
    """`1.52 [1.40, 1.61]`, with a true minus; the interval is left out where there is none."""
    shown = _number(value, digits)
    if interval is not None:
        shown += f" [{_number(interval[0], digits)}, {_number(interval[1], digits)}]"
    return shown


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")
