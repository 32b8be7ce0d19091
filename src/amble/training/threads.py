"""How many threads torch computes with, set in one place.

Physics and torch share the cores. A torch thread that waits for work spins for about a millisecond, which it takes
from MuJoCo's threads, and small matrices are slower on two threads than on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from amble.envs.backends.cores import usable_cores

_WORTH_SHARING = 1024 * 128
"""Outputs of one layer for one minibatch (samples · width) from which on a second thread pays, where threads share
each product (torch)."""
_WORTH_PARTS = 256 * 256**2
"""Multiplications of one layer's product (samples · width²) from which on it pays where threads share out parts of a
minibatch (the fused learner)."""


def update_threads(batch_size: int, hidden_units: int, *, in_parts: bool = False) -> int:
    """Threads for gradient steps on minibatches of this size and networks of this width."""
    outputs = batch_size * hidden_units
    pays = outputs * hidden_units >= _WORTH_PARTS if in_parts else outputs >= _WORTH_SHARING
    return usable_cores() if pays else 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within, torch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
