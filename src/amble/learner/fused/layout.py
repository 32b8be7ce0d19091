"""Torch's parameters and Adam's moments as views of flat vectors that the kernels work on.

Both see the same memory, so whatever torch does to a parameter (Pop-Art's rescaling, a checkpoint) a kernel sees, and
the other way round.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from amble.algorithms.optimiser import Optimiser

_LINE = 64
"""Bytes of a cache line; every parameter begins on one, and so does the whole."""


class FlatParameters:
    """The parameters of one optimiser, its moments and their gradient.

    Attributes:
        theta: (P,) the parameters in their order, with unused zeros between them that stay zero.
        gradient: (P,), as are the next two.
        first: Adam's running mean of g.
        second: Adam's running mean of g².
        starts: (parameters + 1,) where each begins, and where the last one ends.
        steps: (parameters,) how many steps each has taken.
    """

    def __init__(self, optimiser: Optimiser):
        self.optimiser = optimiser
        line = _LINE // 4
        lengths = [-(-parameter.numel() // line) * line for parameter in optimiser.parameters]
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self._start = {id(p): int(start) for p, start in zip(optimiser.parameters, self.starts, strict=False)}
        size = int(self.starts[-1])
        self.theta, self.gradient, self.first, self.second = (_zeros(size) for _ in range(4))
        self.steps = np.zeros(len(optimiser.parameters), np.float32)
        self._parts = np.zeros((0, size), np.float32)
        self._places = [
            (
                _Place(self.theta, start),
                _Place(self.first, start),
                _Place(self.second, start),
                _Place(self.steps, k),
            )
            for k, start in enumerate(self.starts[:-1].tolist())
        ]

    def part_gradients(self, count: int) -> np.ndarray:
        """(count, P) room for as many gradients, kept."""
        if len(self._parts) < count:
            self._parts = _zeros(count * self.theta.size).reshape(count, -1)
        return self._parts[:count]

    def start(self, parameter: Tensor) -> int:
        """Where a parameter begins in the flat vectors."""
        return self._start[id(parameter)]

    @torch.no_grad()
    def adopt(self) -> None:
        """Make the optimiser's tensors views of the flat vectors, where they are not: at first, or after a restore."""
        self.optimiser.begin()
        for parameter, (value, first, second, step) in zip(
            self.optimiser.parameters, self._places, strict=True
        ):
            state = self.optimiser.adam.state[parameter]
            if parameter.data_ptr() != value.address:
                parameter.data = value.take(parameter.data)
            for name, place in (("exp_avg", first), ("exp_avg_sq", second), ("step", step)):
                if state[name].data_ptr() != place.address:
                    state[name] = place.take(state[name])


class _Place:
    """A stretch of a flat vector that one tensor lives in."""

    def __init__(self, flat: np.ndarray, start: int):
        self.flat, self.start = flat, start
        self.address = flat.ctypes.data + start * flat.itemsize

    def take(self, tensor: Tensor) -> Tensor:
        """A view of the stretch that now holds the tensor's numbers."""
        view = torch.from_numpy(self.flat[self.start : self.start + tensor.numel()]).view(tensor.shape)
        return view.copy_(tensor)


def _zeros(size: int) -> np.ndarray:
    room = np.zeros(size + _LINE // 4, np.float32)
    skip = -room.ctypes.data % _LINE // 4
    return room[skip : skip + size]
