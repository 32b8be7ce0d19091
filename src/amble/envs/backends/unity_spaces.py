"""What the agents of a behaviour observe and do, as spaces, and actions of those spaces taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from amble.errors import AmbleError, EnvironmentFault
from amble.unity.faults import BadMessage
from amble.unity.spec import BehaviorSpec

MASK = "action_mask"


def observation_space(spec: BehaviorSpec) -> tuple[spaces.Space[Any], bool]:
    """One vector is a Box; anything more a Dict of obs_0, obs_1, …, and the mask where there are choices."""
    if not spec.observations:
        raise BadMessage("The agents observe nothing; a policy needs an observation.")
    boxes: list[tuple[str, spaces.Space[Any]]] = [
        (f"obs_{index}", spaces.Box(-np.inf, np.inf, part.shape, np.float32))
        for index, part in enumerate(spec.observations)
    ]
    masked = bool(spec.actions.branches)
    if len(boxes) == 1 and not masked:
        return boxes[0][1], False
    if masked:
        boxes.append((MASK, spaces.MultiBinary(spec.actions.choices)))
    return spaces.Dict(boxes), masked


def action_space(spec: BehaviorSpec) -> spaces.Space[Any]:
    """A Box, the choices, or a Tuple of both."""
    actions = spec.actions
    continuous = spaces.Box(-1.0, 1.0, (actions.continuous,), np.float32)
    if not actions.branches:
        if not actions.continuous:
            raise BadMessage("The agents have no actions.")
        return continuous
    if len(actions.branches) == 1:
        discrete: spaces.Space[Any] = spaces.Discrete(actions.branches[0])
    else:
        discrete = spaces.MultiDiscrete(list(actions.branches))
    return spaces.Tuple([continuous, discrete]) if actions.continuous else discrete


def split_actions(
    actions: Any, spec: BehaviorSpec, count: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The continuous (B, A) and discrete (B, D) parts of actions of B = `count` agents, checked."""
    continuous = discrete = None
    numbers, branches = spec.actions.continuous, spec.actions.branches
    if numbers and branches:
        continuous, discrete = actions
    elif numbers:
        continuous = actions
    else:
        discrete = actions
    if continuous is not None:
        continuous = np.asarray(continuous, np.float32)
        if continuous.shape != (count, numbers):
            raise AmbleError(
                f"step takes continuous actions of shape {(count, numbers)} (agents first), got {continuous.shape}."
            )
        finite = np.isfinite(continuous).all(axis=1)
        if not finite.all():
            raise EnvironmentFault(
                int(np.flatnonzero(~finite)[0]),
                "(Unity) was given an action that is not finite. The policy has most likely diverged.",
            )
    if discrete is not None:
        discrete = np.asarray(discrete, np.int32).reshape(len(discrete), -1)
        if discrete.shape != (count, len(branches)):
            raise AmbleError(
                f"step takes choices of shape {(count, len(branches))} (agents first), got {discrete.shape}."
            )
    return continuous, discrete
