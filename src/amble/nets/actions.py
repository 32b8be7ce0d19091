"""From what a policy head draws to what an environment takes. Axes: n samples, A action dimensions."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Shaped
from torch import Tensor

from amble.errors import UsageError
from amble.nets.distributions import (
    BernoulliHead,
    BetaHead,
    CategoricalHead,
    ContinuousHead,
    DiscreteHead,
    GaussianHead,
    Head,
    HybridHead,
    MultiCategoricalHead,
    SquashedGaussianHead,
)
from amble.nets.observations import MASK, ObservationLayout

Distribution = Literal["gaussian", "squashed", "beta"]


class ActionMap:
    """Head and environment action of one action space.

    That is a Box of floats, a Discrete, MultiDiscrete or MultiBinary, or a Tuple of the first and one of the others.

    A space of several axes is a row of numbers for the head and has its shape again for the environment. What a
    head for a Box draws becomes a number in [-1, 1], which is stretched over the box:

    | distribution | number | dimensions without two bounds |
    |---|---|---|
    | gaussian | the draw clipped to ±clip and divided by it | take the draw as it is, clipped at the bound there is |
    | squashed | tanh of the draw | are refused |
    | beta | 2·draw - 1, the draw being in [0, 1] | are refused |

    Source of the clip: Unity ML-Agents, which sends clip(raw, -3, 3) / 3.

    Attributes:
        space: the action space.
        is_continuous: it is a Box.
        choices: how many logits the head takes, which is how long a mask is; None for a Box.
        parts: the maps of a Tuple's Box and choices; empty for other spaces.
    """

    def __init__(self, space: spaces.Space[Any], clip: float, distribution: Distribution = "gaussian"):
        self.space, self.distribution = space, distribution
        self.is_continuous = isinstance(space, spaces.Box)
        self.parts: tuple[ActionMap, ...] = ()
        if isinstance(space, spaces.Tuple) and _is_hybrid(space):
            self.parts = tuple(ActionMap(part, clip, distribution) for part in space.spaces)
        elif isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
            self._set_scale(space, clip)
        elif not isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            raise UsageError(
                f"The action space {space} is not supported: expected a Box of floats, a Discrete, a MultiDiscrete "
                "or a MultiBinary, or a Tuple of a Box of floats and one of the others, in this order. A "
                "gymnasium.ActionWrapper can offer one of those."
            )
        self._head = head = self.head(1.0)
        self.choices = None if self.is_continuous else head.outputs
        if isinstance(head, HybridHead):
            self.choices = head.discrete.outputs

    def head(self, initial_std: float) -> Head:
        """A new head for this space; `initial_std` is the σ that a Gaussian starts with, squashed or not."""
        if self.parts:
            continuous, discrete = (part.head(initial_std) for part in self.parts)
            assert isinstance(continuous, ContinuousHead)
            assert isinstance(discrete, DiscreteHead)
            return HybridHead(continuous, discrete)
        if isinstance(self.space, spaces.Discrete):
            return CategoricalHead(int(self.space.n))
        if isinstance(self.space, spaces.MultiDiscrete):
            return MultiCategoricalHead(self.space.nvec.reshape(-1).tolist())
        actions = math.prod(self.space.shape or ())
        if isinstance(self.space, spaces.MultiBinary):
            return BernoulliHead(actions)
        if self.distribution == "beta":
            return BetaHead(actions)
        kind = SquashedGaussianHead if self.distribution == "squashed" else GaussianHead
        return kind(actions, initial_std)

    def to_env(self, action: Tensor) -> Shaped[np.ndarray, "n ..."] | tuple[np.ndarray, ...]:
        """Actions as the environment takes them: n of them, for a Tuple a tuple of its parts' n."""
        if isinstance(self._head, HybridHead):
            drawn = zip(self.parts, self._head.split(action), strict=True)
            return tuple(part._part_to_env(each) for part, each in drawn)
        return self._part_to_env(action)

    def _part_to_env(self, action: Tensor) -> Shaped[np.ndarray, "n ..."]:
        if self.distribution == "squashed" and self.is_continuous:
            action = action.tanh()
        drawn = action.cpu().numpy()
        drawn = drawn.reshape(len(drawn), *(self.space.shape or ()))
        if isinstance(self.space, spaces.Box):
            if self.distribution == "beta":
                drawn = 2 * drawn - 1
            # Clipped here rather than at ±clip, which is the same but for a rounding that would leave the box.
            # By two calls, which cost a fraction of np.clip where there are few numbers.
            drawn = np.minimum(np.maximum(self._centre + drawn * self._gain, self.space.low), self.space.high)
        elif isinstance(self.space, spaces.Discrete | spaces.MultiDiscrete):
            drawn = drawn + self.space.start
        return drawn.astype(self.space.dtype, copy=False)

    @property
    def stretch(self) -> tuple[Shaped[np.ndarray, "A"], Shaped[np.ndarray, "A"]]:
        """Of a Box: the environment's action is centre + gain · number, clipped at the bounds; float32."""
        return self._centre.reshape(-1), self._gain.reshape(-1)

    def empty(self, *shape: int) -> Tensor:
        """Storage for actions of these leading axes."""
        return torch.empty(*shape, *self._head.action_shape, dtype=self._head.action_dtype)

    def _set_scale(self, box: spaces.Box, clip: float) -> None:
        bounded = np.isfinite(box.low) & np.isfinite(box.high)
        if self.distribution != "gaussian" and not bounded.all():
            place = tuple(int(i) for i in np.argwhere(~bounded)[0])
            raise UsageError(
                f"The {self.distribution} distribution needs an action space with bounds, but dimension "
                f"{', '.join(map(str, place)) or 0} of {box} goes from {box.low[place]} to {box.high[place]}. "
                "Use the gaussian distribution, or give the environment an action space with bounds."
            )
        low, high = (np.where(bounded, bound, 0.0).astype(np.float64) for bound in (box.low, box.high))
        drawn_up_to = clip if self.distribution == "gaussian" else 1.0
        self._gain = np.where(bounded, (high - low) / (2 * drawn_up_to), 1.0).astype(np.float32)
        self._centre = ((high + low) / 2).astype(np.float32)


def _is_hybrid(space: spaces.Space[Any]) -> bool:
    kinds = (spaces.Box, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary)
    return isinstance(space, spaces.Tuple) and len(space) == 2 and all(map(isinstance, space.spaces, kinds))


def mask_fits(layout: ObservationLayout, actions: ActionMap) -> None:
    """UsageError if the observation has a mask that the action space has no use for."""
    if layout.mask is None:
        return
    length = layout.mask.stop - layout.mask.start
    if actions.choices is None:
        raise UsageError(
            f"The observation space has a part {MASK!r}, but the action space {actions.space} is continuous: only "
            "choices can be masked. Take the part away or give it another name."
        )
    if length != actions.choices:
        raise UsageError(
            f"The observation space's part {MASK!r} has {length} numbers, but the action space {actions.space} has "
            f"{actions.choices} choices; expected one number, 0 or 1, for each choice."
        )
