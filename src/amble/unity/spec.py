"""What the agents of a behaviour observe and do."""

from __future__ import annotations

import math
from dataclasses import dataclass

UNSPECIFIED, NO_PROPERTY, TRANSLATION, VARIABLE = 0, 1, 2, 4
"""Properties of an observation's dimension: none given; none; neighbours are alike (of images); of variable length."""
DEFAULT, GOAL = 0, 1
"""Types of observation."""


@dataclass(frozen=True)
class ObservationSpec:
    """One of the observations of each agent."""

    shape: tuple[int, ...]
    name: str = ""
    properties: tuple[int, ...] = ()
    kind: int = DEFAULT

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return math.prod(self.shape)

    @property
    def channels_first(self) -> bool:
        """Whether it is an image as (C, H, W), as packages from 3.0 on send it; older ones send (H, W, C).

        The version of the protocol is the same; only the dimensions' properties tell.
        """
        return self.properties[:3] == (NO_PROPERTY, TRANSLATION, TRANSLATION)

    @property
    def height_width_channels(self) -> tuple[int, int, int]:
        """Of an image."""
        if self.channels_first:
            channels, height, width = self.shape
        else:
            height, width, channels = self.shape
        return height, width, channels


@dataclass(frozen=True)
class ActionSpec:
    """Real numbers in [−1, 1], and a choice of each branch."""

    continuous: int = 0
    branches: tuple[int, ...] = ()
    """How many choices each branch has."""

    @property
    def choices(self) -> int:
        """Of all branches together, which is the length of a mask."""
        return sum(self.branches)

    def __str__(self) -> str:
        """For messages."""
        return f"{self.continuous} continuous actions and branches {list(self.branches)}"


@dataclass(frozen=True)
class BehaviorSpec:
    """A behaviour, named `Walker?team=0` on the wire."""

    observations: tuple[ObservationSpec, ...]
    actions: ActionSpec
