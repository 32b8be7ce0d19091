"""From what a policy head draws to what an environment takes. Axes: n samples, A action dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Shaped
from torch import Tensor

from amble.errors import UsageError
from amble.nets.distributions import CategoricalHead, GaussianHead


class ActionMap:
    """Head and environment action of one action space.

    A Gaussian's draw is clipped to ±clip and divided by it, which gives an action in [-1, 1]; that is stretched
    over the box. A dimension of the box without bounds takes the draw as it is, and one with a single bound is
    clipped there. Source of the clip: Unity ML-Agents, which sends clip(raw, -3, 3) / 3.
    """

    def __init__(self, space: spaces.Space[Any], clip: float):
        if (
            isinstance(space, spaces.Box)
            and len(space.shape) == 1
            and np.issubdtype(space.dtype, np.floating)
        ):
            bounded = np.isfinite(space.low) & np.isfinite(space.high)
            low, high = (
                np.where(bounded, bound, 0.0).astype(np.float64) for bound in (space.low, space.high)
            )
            self._gain = np.where(bounded, (high - low) / (2 * clip), 1.0).astype(np.float32)
            self._centre = ((high + low) / 2).astype(np.float32)
        elif not isinstance(space, spaces.Discrete):
            raise UsageError(
                f"The action space {space} is not supported: expected a one-dimensional Box of floats or a Discrete."
            )
        self.space = space
        self.is_continuous = isinstance(space, spaces.Box)

    def head(self, initial_std: float) -> GaussianHead | CategoricalHead:
        """A new head for this space."""
        if isinstance(self.space, spaces.Discrete):
            return CategoricalHead(int(self.space.n))
        return GaussianHead(int(np.prod(self.space.shape or ())), initial_std)

    def to_env(self, action: Tensor) -> Shaped[np.ndarray, "n ..."]:
        """Actions as the environment takes them."""
        drawn = action.cpu().numpy()
        if isinstance(self.space, spaces.Discrete):
            return drawn + int(self.space.start)
        # Clipped here rather than at ±clip, which is the same but for a rounding that would leave the box.
        return np.clip(self._centre + drawn * self._gain, self.space.low, self.space.high).astype(
            self.space.dtype
        )

    def empty(self, *shape: int) -> Tensor:
        """Storage for actions of these leading axes."""
        if isinstance(self.space, spaces.Discrete):
            return torch.empty(shape, dtype=torch.int64)
        return torch.empty(*shape, *(self.space.shape or ()))
