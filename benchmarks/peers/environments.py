"""The environments that the peers learn in: Gymnasium's own or EnvPool's, in SAME_STEP autoreset."""

from __future__ import annotations

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

KINDS = ("inprocess", "processes", "envpool")
"""Gymnasium's environments one after the other, Gymnasium's in a process each, EnvPool's C++ threads."""
OUR_KIND = "amble"
"""Amble's batched physics under a peer's loop: never chosen by itself, to tell the learner's share from physics'."""


def make(kind: str, task: str, count: int) -> VectorEnv:
    """`count` environments of `task`."""
    if kind == "inprocess":
        return SyncVectorEnv([lambda: gymnasium.make(task)] * count, autoreset_mode=AutoresetMode.SAME_STEP)
    if kind == "processes":
        return AsyncVectorEnv(
            [lambda: gymnasium.make(task)] * count,
            autoreset_mode=AutoresetMode.SAME_STEP,
            context="fork",
        )
    import amble.envs  # after torch, which reads OMP_WAIT_POLICY as it is loaded; importing amble sets it

    return amble.envs.make(task, count, backend="envpool" if kind == "envpool" else "array")
