"""Going where one should, as fast as one should. Axes: B environments, S substeps."""

import numpy as np

from amble.rewards.terms import term


@term(lowest=0.0, highest=1.0)
def match_velocity(velocity_error, goal_speed):
    """(1 - (d/v*)²)², d = clamp(|v - v_goal|, 0, v*): 1 at the goal velocity, 0 from v* away on. Unity's own factor.

    Args:
        velocity_error: |v - v_goal|, m/s.
        goal_speed: v*, m/s.
    """
    ratio = np.minimum(velocity_error / goal_speed, 1.0)
    rest = 1.0 - ratio * ratio
    return rest * rest


@term(lowest=0.0, highest=1.0)
def look_at_target(facing):
    """(cos + 1)/2 of the angle between head and goal: 1 looking at the target, 0 looking away. Unity's own factor."""
    return (facing + 1.0) / 2.0


@term(signals={"forward": "velocity[forward]"}, lowest=0.0, highest=1.0)
def forward_speed(forward, *, speed: float, tolerance: float = 0.5):
    """exp(-((v - speed)/tolerance)²): 1 where the speed toward the goal is `speed` m/s; negative speeds go backward."""
    return np.exp(-(((forward - speed) / tolerance) ** 2))


@term(signals={"right": "velocity[right]"}, lowest=0.0, highest=1.0)
def lateral_speed(right, *, speed: float = 0.0, tolerance: float = 0.5):
    """exp(-((v - speed)/tolerance)²) of the speed to its right, across the goal's direction, m/s; negative is left."""
    return np.exp(-(((right - speed) / tolerance) ** 2))


@term(lowest=0.0, highest=1.0)
def spin_rate(spin_rate, *, rate: float, tolerance: float = 0.5):
    """exp(-((ω - rate)/tolerance)²) of the turning rate about the vertical, rad/s; positive turns right."""
    return np.exp(-(((spin_rate - rate) / tolerance) ** 2))


@term(lowest=0.0, highest=1.0)
def heading(heading_error, *, angle: float = 0.0):
    """(cos(e - angle) + 1)/2 of the trunk's heading e: 1 facing `angle` rad right of the goal, 0 facing away."""
    return (np.cos(heading_error - angle) + 1.0) / 2.0


@term(lowest=0.0, highest=1.0)
def stand_still(speed, *, tolerance: float = 0.25):
    """exp(-(v/tolerance)²) of the speed along the ground, m/s: 1 where it stands."""
    return np.exp(-((speed / tolerance) ** 2))


@term(lowest=0.0, highest=1.0)
def alive(reward):
    """1, whatever the reward was: what going on is worth."""
    return np.ones(reward.shape)
