"""Actions as numbers that networks compare. Axes: n samples, A continuous dimensions, D branches,
E = A + all branches' choices.

Whatever the head, an action is A numbers, a dimension's bounds being ±1 where it has two, and D choices from 0 on.
"""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float, Int, Int32, Shaped
from torch import Tensor, nn
from torch.nn.functional import one_hot

from amble.nets.actions import ActionMap
from amble.nets.distributions import BernoulliHead, CategoricalHead, HybridHead, MultiCategoricalHead
from amble.nets.heads.beta import EDGE

_INSIDE = 1 - 1e-6
"""The largest number that tanh is undone for."""


class ActionFeatures(nn.Module):
    """The actions of one action space.

    Attributes:
        continuous: A.
        branches: how many choices each branch has; a yes-or-no answer has two.
        size: E, the length of `features`.
    """

    def __init__(self, actions: ActionMap):
        super().__init__()
        head = actions.head(1.0)
        self._hybrid = head if isinstance(head, HybridHead) else None
        self._stored_shape, self._stored_type = head.action_shape, head.action_dtype
        self._distribution = actions.distribution
        self.branches = _branches(head.discrete if isinstance(head, HybridHead) else head)
        self.continuous = head.dimensions - len(self.branches)
        self.size = self.continuous + sum(self.branches)
        centre, half, unit, bounded = _scales(actions)
        for name, value in (("centre", centre), ("half", half), ("unit", unit), ("bounded", bounded)):
            self.register_buffer(f"_{name}", torch.from_numpy(value), persistent=False)
        self._centre: Tensor
        self._half: Tensor
        self._unit: Tensor
        self._bounded: Tensor

    def apart(self, stored: Shaped[Tensor, "*n ..."]) -> tuple[Float[Tensor, "*n A"], Int[Tensor, "*n D"]]:
        """Numbers and choices of actions as the head draws them. A Gaussian's number may lie beyond ±1: not clipped."""
        if not self.branches:
            return self._numbers(stored), stored.new_zeros((*stored.shape[:-1], 0), dtype=torch.int64)
        if self._hybrid is not None:
            drawn, choices = stored.tensor_split([self.continuous], dim=-1)
            return self._numbers(drawn), choices.long()
        choices = stored if self._stored_shape else stored[..., None]
        return choices.new_zeros((*choices.shape[:-1], 0), dtype=torch.float32), choices

    def together(
        self, numbers: Float[Tensor, "*n A"], choices: Int[Tensor, "*n D"]
    ) -> Shaped[Tensor, "*n ..."]:
        """`apart` undone, as far as the head can draw such numbers."""
        if self._hybrid is not None:
            return torch.cat([self._drawn(numbers), choices.to(numbers.dtype)], dim=-1)
        if not self.branches:
            return self._drawn(numbers)
        return choices if self._stored_shape else choices[..., 0]

    def features(self, numbers: Float[Tensor, "*n A"], choices: Int[Tensor, "*n D"]) -> Float[Tensor, "*n E"]:
        """The numbers as the environment takes them, clipped at its bounds, and every choice one-hot."""
        clipped = torch.where(self._bounded, numbers.clamp(-1.0, 1.0), numbers)
        hot = [one_hot(choices[..., d], count) for d, count in enumerate(self.branches)]
        return torch.cat([clipped, *(each.to(numbers.dtype) for each in hot)], dim=-1)

    def of_environment(
        self, continuous: Float[np.ndarray, "n A"], discrete: Int32[np.ndarray, "n D"]
    ) -> tuple[Float[Tensor, "n A"], Int[Tensor, "n D"]]:
        """Numbers and choices of actions as the environment takes them, choices counted from 0."""
        numbers = (torch.from_numpy(continuous.astype(np.float32)) - self._centre.cpu()) / self._half.cpu()
        return numbers, torch.from_numpy(discrete.astype(np.int64))

    def _numbers(self, drawn: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        if self._distribution == "squashed":
            return drawn.tanh()
        return 2 * drawn - 1 if self._distribution == "beta" else drawn * self._unit

    def _drawn(self, numbers: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        if self._distribution == "squashed":
            return numbers.clamp(-_INSIDE, _INSIDE).atanh()
        if self._distribution == "beta":
            return (0.5 + 0.5 * numbers).clamp(EDGE, 1 - EDGE)
        return numbers / self._unit


def _branches(head: nn.Module) -> list[int]:
    if isinstance(head, CategoricalHead):
        return [head.outputs]
    if isinstance(head, MultiCategoricalHead):
        return list(head.choices)
    return [2] * head.dimensions if isinstance(head, BernoulliHead) else []


def _scales(actions: ActionMap) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the Box: middle, half of the width, number per unit of a Gaussian's draw, and which have two bounds; (A,)."""
    part = next((part for part in actions.parts or (actions,) if isinstance(part.space, spaces.Box)), None)
    if part is None:
        none = np.zeros(0, np.float32)
        return none, none, none, np.zeros(0, np.bool_)
    box = part.space
    assert isinstance(box, spaces.Box)
    low, high = (bound.reshape(-1).astype(np.float64) for bound in (box.low, box.high))
    bounded = np.isfinite(low) & np.isfinite(high)
    half = np.where(bounded, high / 2 - low / 2, 1.0)
    centre, gain = part.stretch
    return centre, half.astype(np.float32), (gain / half).astype(np.float32), bounded
