"""What the kernels are told about a network and its threads."""

import numpy as np
import pytest
import torch

from amble.learner.fused.handover import hidden_width, threads

WIDE = np.array([[7, 256, 0, 0, 0], [256, 256, 0, 0, 256], [256, 3, 0, 0, 512]])
NARROW = np.array([[7, 3, 0, 0, 0]])


@pytest.mark.parametrize(("n", "count"), [(511, 1), (512, 2)])
def test_threads_are_the_runs_where_a_product_is_worth_it(
    n: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 · 256 · 256 = 2²⁵ multiplications are."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert threads(n, NARROW, WIDE) == count
    assert threads(n, NARROW) == 1


def test_memory_is_for_the_wider_network() -> None:
    assert hidden_width(NARROW, WIDE) == 512
    assert hidden_width(NARROW) == 0  # no hidden layer
