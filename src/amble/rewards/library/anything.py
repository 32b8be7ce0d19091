"""Shapes for any signal of any environment: name the signal in the run file (`signals: {x: observation[2]}`)."""

import numpy as np

from amble.rewards.terms import term


@term(signals={"x": "reward"}, lowest=-np.inf)
def signal(x, *, scale: float = 1.0, low: float = -1e9, high: float = 1e9):
    """scale · clip(x, low, high): the signal itself."""
    return scale * np.clip(x, low, high)


@term(signals={"x": "reward"}, lowest=0.0, highest=1.0)
def band(x, *, low: float, high: float, margin: float):
    """exp(-(e/margin)²), e how far x lies outside [low, high]: 1 within, falling off over `margin`."""
    outside = np.maximum(low - x, 0.0) + np.maximum(x - high, 0.0)
    return np.exp(-((outside / margin) ** 2))


@term(signals={"x": "reward"}, lowest=0.0)
def square(x, *, centre: float = 0.0):
    """(x - centre)², summed over the signal's components."""
    distance = np.square(x - centre, dtype=np.float64)
    return distance.sum(axis=1) if distance.ndim == 2 else distance
