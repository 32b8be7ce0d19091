"""Torch's parameters and Adam's moments as views of flat vectors that the kernels work on.

Both see the same memory, so whatever torch does to a parameter (Pop-Art's rescaling, a checkpoint) a kernel sees, and
the other way round.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

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
        steps: (parameters,) how many steps each has taken.
    """

    def __init__(self, optimiser: Optimiser):
        self.optimiser = optimiser
        line = _LINE // 4
        lengths = [-(-parameter.numel() // line) * line for parameter in optimiser.parameters]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self._start = {id(p): int(start) for p, start in zip(optimiser.parameters, starts, strict=False)}
        size = int(starts[-1])
        self.theta, self.gradient, self.first, self.second = (_zeros(size) for _ in range(4))
        self.steps = np.zeros(len(optimiser.parameters), np.float32)

    def start(self, parameter: nn.Parameter) -> int:
        """Where a parameter begins in the flat vectors."""
        return self._start[id(parameter)]

    @torch.no_grad()
    def adopt(self) -> None:
        """Make the optimiser's tensors views of the flat vectors, where they are not: at first, or after a restore."""
        self.optimiser.begin()
        for place, parameter in enumerate(self.optimiser.parameters):
            state, start = self.optimiser.adam.state[parameter], self.start(parameter)
            parameter.data = _moved(parameter.data, self.theta, start)
            state["exp_avg"] = _moved(state["exp_avg"], self.first, start)
            state["exp_avg_sq"] = _moved(state["exp_avg_sq"], self.second, start)
            state["step"] = _moved(state["step"], self.steps, place)


def _moved(tensor: Tensor, flat: np.ndarray, start: int) -> Tensor:
    """The tensor as a view of `flat` from `start` on; itself if it is one already."""
    if tensor.data_ptr() == flat.ctypes.data + start * flat.itemsize:
        return tensor
    view = torch.from_numpy(flat[start : start + tensor.numel()]).view(tensor.shape)
    return view.copy_(tensor)


def _zeros(size: int) -> np.ndarray:
    room = np.zeros(size + _LINE // 4, np.float32)
    skip = -room.ctypes.data % _LINE // 4
    return room[skip : skip + size]
