"""What is measured in every substep where a reward asks for it: one compiled pass over the environments each.

Axes: B environments, F = 2 feet, D = 26 hinges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amble.native.compiled import entry, fingerprint


def _compiled() -> tuple[Callable[..., Any], ...]:
    sources = fingerprint(__file__)

    @entry("the Walker", seconds=5)
    def measure_effort(target, qpos, qvel, stiffness, damping, share, torque, power):
        """Add a substep's torques and power to the decision's means.

        The drive is a spring-damper that is solved implicitly, so its torque is that of the state it leads to:
        τ = k·(target - q') - c·ω'.

        Args:
            target: (B, D) rad.
            qpos: (B, 7 + D) after the substep.
            qvel: (B, 6 + D) after the substep and before drag.
            stiffness: (B, 1 + D) k, N·m/rad, the root's first.
            damping: (B, 6 + D) c, N·m·s/rad, the root's first.
            share: of a substep in the decision.
            torque: (B, D) added to, N·m.
            power: (B,) added to, W.
        """
        _ = sources
        for i in range(power.size):
            total = 0.0
            for d in range(target.shape[1]):
                speed = qvel[i, 6 + d]
                tau = abs(stiffness[i, 1 + d] * (target[i, d] - qpos[i, 7 + d]) - damping[i, 6 + d] * speed)
                torque[i, d] += share * tau
                total += tau * abs(speed)
            power[i] += share * total

    @entry("the Walker", seconds=5)
    def measure_feet(contact, feet, seconds, share, forgetting, load, air, stance, landing, duty):
        """Bring the feet's clocks up to a substep's end.

        Args:
            contact: (B, P) which parts are on the ground.
            feet: (F,) which parts are feet.
            seconds: of a substep.
            share: of a substep in the decision.
            forgetting: share of the duty factor that a substep replaces.
            load: (B, F) added to: share of the decision on the ground.
            air: (B, F) s since it left the ground, 0 on it.
            stance: (B, F) s since it came down, 0 in the air.
            landing: (B, F) set to the air time of a foot that comes down, s.
            duty: (B, F) moving mean of being on the ground.
        """
        _ = sources
        for i in range(load.shape[0]):
            for f in range(feet.size):
                down = contact[i, feet[f]]
                if down:
                    if air[i, f] > 0.0:
                        landing[i, f] = air[i, f]
                    load[i, f] += share
                    air[i, f] = 0.0
                    stance[i, f] += seconds
                else:
                    air[i, f] += seconds
                    stance[i, f] = 0.0
                duty[i, f] += forgetting * ((1.0 if down else 0.0) - duty[i, f])

    return measure_effort, measure_feet


measure_effort, measure_feet = _compiled()
