"""Settings that change over a run."""

from __future__ import annotations

from typing import Literal

Schedule = Literal["linear", "constant"]


def scheduled(kind: Schedule, initial: float, final: float, step: int, max_steps: int) -> float:
    """ML-Agents' schedule: (initial - final)·(1 - min(step, max)/max) + final if linear, else initial.

    Args:
        kind: linear or constant.
        initial: value at step 0.
        final: value from `max_steps` on.
        step: environment steps taken so far.
        max_steps: environment steps of the whole run.
    """
    if kind == "constant":
        return initial
    return (initial - final) * (1 - min(step, max_steps) / max_steps) + final
