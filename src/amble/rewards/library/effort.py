"""What moving costs; mostly given a negative weight, or put among the penalties. Axes: B environments, n joints."""

import numpy as np

from amble.rewards.terms import per_component, term


@term(lowest=0.0)
def energy(power, body_weight):
    """P/(m·g), m/s: Σ|τ·ω| over the joints per weight; divided by the speed it is the cost of transport."""
    return power / body_weight


@term(lowest=0.0)
def torque(joint_torque, body_weight, standing_height):
    """Mean of (|τ|/(m·g·s))² over the joints: torques against the body's weight at the arm of its standing height."""
    scale = per_component(body_weight * standing_height, joint_torque)
    return np.square(joint_torque / scale).mean(axis=1)


@term(lowest=0.0)
def smoothness(action_change):
    """Mean of (a_t - a_{t-1})² over the actions: a cost for jerking; 0 in an episode's first decision."""
    return np.square(action_change).mean(axis=1)


@term(lowest=0.0)
def effort(action):
    """Mean of a² over the actions: the control cost of Gymnasium's tasks."""
    return np.square(action, dtype=np.float64).mean(axis=1)


@term(lowest=0.0)
def joint_speed(joint_speed):
    """Mean of ω² over the joints, (rad/s)²."""
    return np.square(joint_speed).mean(axis=1)
