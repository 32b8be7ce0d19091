"""How the feet go. Axes: B environments, F = 2 feet or knees, left and right."""

import numpy as np

from amble.rewards.terms import per_component, term


@term(lowest=0.0, highest=1.0)
def single_support(foot_contact):
    """1 where exactly one foot is on the ground."""
    return (foot_contact.sum(axis=1) == 1).astype(np.float64)


@term(lowest=0.0, highest=1.0)
def double_support(foot_contact):
    """1 where all feet are on the ground."""
    return foot_contact.all(axis=1).astype(np.float64)


@term(lowest=0.0, highest=1.0)
def flight(foot_contact):
    """1 where no foot is on the ground: what tells a run from a walk."""
    return (~foot_contact.any(axis=1)).astype(np.float64)


@term(lowest=0.0, highest=1.0)
def one_leg(foot_contact, *, foot: int = 0):
    """1 where the foot of this number (0 left, 1 right) alone is on the ground."""
    return (foot_contact[:, foot] & (foot_contact.sum(axis=1) == 1)).astype(np.float64)


@term(lowest=0.0, highest=1.0)
def foot_clearance(foot_height, foot_contact, standing_height, *, height: float = 0.1):
    """Mean over the feet in the air of min(1, h/(height·s)); 0 where none is."""
    lifted = np.clip(foot_height / per_component(height * standing_height, foot_height), 0.0, 1.0)
    in_air = ~foot_contact
    return (lifted * in_air).sum(axis=1) / np.maximum(in_air.sum(axis=1), 1)


@term(lowest=-np.inf)
def air_time(landing_air_time, *, least: float = 0.3, most: float = 1.0):
    """Σ over the feet that have just landed of min(flight, most) - least, s: longer strides pay, stuttering costs."""
    landed = landing_air_time > 0
    return ((np.minimum(landing_air_time, most) - least) * landed).sum(axis=1)


@term(lowest=0.0, highest=1.0)
def symmetry(duty_factor):
    """1 - |D_left - D_right| of the share of the last seconds that each foot was on the ground."""
    return 1.0 - np.abs(duty_factor[:, 0] - duty_factor[:, 1])


@term(lowest=0.0, highest=1.0)
def knee_lift(knee_height, standing_height, *, low: float = 0.5, high: float = 0.8):
    """clip((h/s - low)/(high - low), 0, 1) of the higher knee's height h; a thigh held level has it at the hips."""
    return np.clip((knee_height.max(axis=1) / standing_height - low) / (high - low), 0.0, 1.0)


@term(lowest=0.0)
def foot_slip(foot_speed, foot_contact):
    """Σ over the feet on the ground of their speed along it, m/s."""
    return (foot_speed * foot_contact).sum(axis=1)


@term(lowest=0.0, highest=1.0)
def long_strides(contact_time, *, most: float = 1.0):
    """1 until a foot has been on the ground for `most` seconds, falling to 0 at twice that: both feet must move."""
    return np.clip(2.0 - contact_time.max(axis=1) / most, 0.0, 1.0)


@term(lowest=0.0, highest=1.0)
def passing_legs(lead_time, *, most: float = 0.6):
    """1 until one foot has been ahead for `most` seconds, falling to 0 at twice that: a lunge does not pay."""
    return np.clip(2.0 - lead_time / most, 0.0, 1.0)
