"""Feats: jumping, and what else is not a way of walking. Axes: B environments."""

import numpy as np

from amble.rewards.terms import term


@term(lowest=0.0)
def jump(foot_height, standing_height):
    """min over the feet of h/s where both are off the ground: how high the lower foot is, in standing heights."""
    return np.maximum(foot_height.min(axis=1), 0.0) / standing_height


@term(lowest=0.0)
def take_off(velocity, *, most: float = 3.0):
    """clip(v_z, 0, most), m/s: going up."""
    return np.clip(velocity[:, 2], 0.0, most)


@term(signals={"toe": "foot_pitch"}, lowest=0.0, highest=1.0)
def tiptoe(toe, *, angle: float = 0.3):
    """Mean over the feet of clip(pitch/angle, 0, 1): heels raised by `angle` rad or more pay 1."""
    return np.clip(toe / angle, 0.0, 1.0).mean(axis=1)
