"""How a body holds itself. Axes: B environments."""

import numpy as np

from amble.rewards.terms import per_component, term


def _outside(value, low, high):
    return np.maximum(low - value, 0.0) + np.maximum(value - high, 0.0)


@term(lowest=0.0, highest=1.0)
def upright(upright):
    """max(0, cos) of the trunk's lean from the vertical: 1 upright, 0 from level on."""
    return np.maximum(upright, 0.0)


@term(lowest=0.0, highest=1.0)
def height_band(body_height, standing_height, *, low: float = 0.9, high: float = 1.1, margin: float = 0.1):
    """exp(-(e/margin)²), e how far h/s lies outside [low, high]; h the hips' height, s that of the start pose."""
    return np.exp(-((_outside(body_height / standing_height, low, high) / margin) ** 2))


@term(lowest=0.0, highest=1.0)
def crouch(body_height, standing_height, *, height: float = 0.7, margin: float = 0.15):
    """exp(-(e/margin)²), e = max(0, h/s - height): 1 at or below the share `height` of the standing height."""
    return np.exp(-((np.maximum(body_height / standing_height - height, 0.0) / margin) ** 2))


@term(lowest=0.0, highest=1.0)
def hand_height(hand_height, standing_height, *, low: float = 1.5, high: float = 3.0, margin: float = 0.2):
    """Mean over the hands of exp(-(e/margin)²), e how far each one's height/s lies outside [low, high]."""
    share = hand_height / per_component(standing_height, hand_height)
    return np.exp(-((_outside(share, low, high) / margin) ** 2)).mean(axis=1)


@term(lowest=0.0)
def bounce(velocity):
    """v_z², square of the vertical speed, (m/s)²: a cost for going up and down."""
    return velocity[:, 2] ** 2
