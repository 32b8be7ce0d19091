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
"""Outputs of one layer for one minibatch (samples · width) from which on a second thread pays."""


def update_threads(batch_size: int, hidden_units: int) -> int:
    """Threads for gradient steps on minibatches of this size and networks of this width."""
    return usable_cores() if batch_size * hidden_units >= _WORTH_SHARING else 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within, torch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
