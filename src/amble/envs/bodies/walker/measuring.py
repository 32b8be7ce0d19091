"""What the signals measure in every substep: compiled functions of one Walker.

Axes: B environments, D = 26 hinges, F = 2 feet, P parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amble.native.compiled import exact_kernel


class Measures(NamedTuple):
    """Of the decision; written only where it is asked for."""

    effort: bool
    """Whether torques and power are."""
    feet: bool
    """Whether the feet's clocks are."""
    which: np.ndarray
    """(F,) parts that are feet"""
    seconds: float
    """of a substep"""
    share: float
    """of a substep in the decision"""
    forgetting: float
    """share of the duty factor that a substep replaces"""
    torque: np.ndarray
    """(B, D) |τ| of each hinge, the mean of the substeps, N·m"""
    power: np.ndarray
    """(B,) Σ|τ·ω|, the mean of the substeps, W"""
    load: np.ndarray
    """(B, F) share of the decision on the ground"""
    air: np.ndarray
    """(B, F) s since it left the ground, 0 on it"""
    stance: np.ndarray
    """(B, F) s since it came down, 0 in the air"""
    landing: np.ndarray
    """(B, F) air time of a foot that came down in the decision, s"""
    duty: np.ndarray
    """(B, F) moving mean of being on the ground"""


def measures(
    count: int, hinges: int, feet: np.ndarray, *, seconds: float, substeps: int, memory: float
) -> Measures:
    """Nothing measured yet, and nothing asked for.

    Args:
        count: B.
        hinges: D.
        feet: (F,) which parts are feet.
        seconds: of a substep.
        substeps: of a decision.
        memory: of the duty factor, s.
    """
    per_foot = (count, len(feet))
    return Measures(
        effort=False,
        feet=False,
        which=feet,
        seconds=seconds,
        share=1.0 / substeps,
        forgetting=seconds / memory,
        torque=np.zeros((count, hinges)),
        power=np.zeros(count),
        load=np.zeros(per_foot),
        air=np.zeros(per_foot),
        stance=np.zeros(per_foot),
        landing=np.zeros(per_foot),
        duty=np.full(per_foot, 0.5),
    )


@exact_kernel
def measure_effort(i, target, angle, speed, stiffness, damping, measured):
    """Add a substep's torques and power to the decision's means.

    The drive is a spring-damper that is solved implicitly, so its torque is that of the state it leads to:
    τ = k·(target - q') - c·ω'.

    Args:
        i: which Walker.
        target: (D,) rad.
        angle: (D,) after the substep, rad.
        speed: (D,) after the substep and before drag, rad/s.
        stiffness: (D,) k, N·m/rad.
        damping: (D,) c, N·m·s/rad.
        measured: added to.
    """
    total = 0.0
    for d in range(target.size):
        tau = abs(stiffness[d] * (target[d] - angle[d]) - damping[d] * speed[d])
        measured.torque[i, d] += measured.share * tau
        total += tau * abs(speed[d])
    measured.power[i] += measured.share * total


@exact_kernel
def measure_feet(i, contact, measured):
    """Bring the feet's clocks of Walker i up to a substep's end, whose contacts are (B, P)."""
    for f in range(measured.which.size):
        down = contact[i, measured.which[f]]
        if down:
            if measured.air[i, f] > 0.0:
                measured.landing[i, f] = measured.air[i, f]
            measured.load[i, f] += measured.share
            measured.air[i, f] = 0.0
            measured.stance[i, f] += measured.seconds
        else:
            measured.air[i, f] += measured.seconds
            measured.stance[i, f] = 0.0
        measured.duty[i, f] += measured.forgetting * ((1.0 if down else 0.0) - measured.duty[i, f])
