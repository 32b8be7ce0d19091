"""What a body looks like in a mirror: left and right exchanged, as an index and a sign for every number.

Axes: O observation, A action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Exchange:
    """x in the mirror is `x[..., index] * sign`; the mirror's mirror image is x."""

    index: Int[np.ndarray, "n"]
    sign: Float[np.ndarray, "n"]

    @property
    def is_identity(self) -> bool:
        """Whether every x is its own mirror image."""
        return bool((self.index == np.arange(len(self.index))).all() and (self.sign == 1).all())


class Mirror(NamedTuple):
    """Of a body that is the same on both sides: from M·s, M·a leads to M·s', and pays what a pays in s."""

    observation: Exchange
    """(O,)"""
    action: Exchange
    """(A,)"""

    @property
    def is_identity(self) -> bool:
        """Whether there is nothing to exchange, as in a planar body without limbs in pairs."""
        return self.observation.is_identity and self.action.is_identity
