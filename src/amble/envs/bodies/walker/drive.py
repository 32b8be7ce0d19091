"""Unity's slerp drive under a force limit, as the gains of an implicitly solved spring-damper.

The drive is torque = clamp(k·(target - angle) - c·speed, ±F), solved implicitly: with k = 40 000 and c = 5 000
it moves a limb like a first-order servo of time constant c/k = 0.125 s, whatever the limb weighs. An explicit
clamped torque explodes at 13 ms. MuJoCo's `discrete` integrator solves a spring and a damper implicitly but
knows no limit, so both are scaled by the share of them that the limit leaves. The share is 1 unless the drive
saturates, and 0 for a limp joint.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def drive_share(
    error: Float[np.ndarray, "B D"],
    speed: Float[np.ndarray, "B D"],
    force_limit: Float[np.ndarray, "B D"],
    *,
    spring: float,
    damper: float,
) -> Float[np.ndarray, "B D"]:
    """The share α in [0, 1] of spring and damper that the force limit F leaves: min(1, F / |k·e - c·ω|).

    Args:
        error: target minus angle, rad.
        speed: angular speed, rad/s.
        force_limit: F, N·m.
        spring: k, N·m/rad.
        damper: c, N·m·s/rad.
    """
    wanted = spring * error
    wanted -= damper * speed
    np.abs(wanted, out=wanted)
    np.maximum(wanted, force_limit, out=wanted)
    np.maximum(wanted, np.finfo(np.float64).tiny, out=wanted)
    return np.divide(force_limit, wanted, out=wanted)
