"""Unity's slerp drive under a force limit, as the gains of an implicitly solved spring-damper.

The drive is torque = clamp(k·(target - angle) - c·speed, ±F), solved implicitly: with k = 40 000 and c = 5 000
it moves a limb like a first-order servo of time constant c/k = 0.125 s, whatever the limb weighs. An explicit
clamped torque explodes at 13 ms. MuJoCo's `discrete` integrator solves a spring and a damper implicitly but
knows no limit, so both are scaled by the share of them that the limit leaves. The share is 1 unless the drive
saturates, and 0 for a limp joint.
"""

from __future__ import annotations

import numpy as np

from amble.native.compiled import exact_kernel

_TINY = float(np.finfo(np.float64).tiny)


@exact_kernel
def drive_share(error, speed, force_limit, spring, damper):
    """The share α in [0, 1] of spring and damper that the force limit F leaves: min(1, F / |k·e - c·ω|).

    Args:
        error: target minus angle, rad.
        speed: angular speed, rad/s.
        force_limit: F, N·m.
        spring: k, N·m/rad.
        damper: c, N·m·s/rad.
    """
    return force_limit / max(abs(spring * error - damper * speed), force_limit, _TINY)
