"""What the kernels are told about a network and its threads."""

import numpy as np
import pytest
import torch

from amble.learner.fused.handover import hidden_width, layer_norm_room, table, threads
from amble.learner.fused.layout import FlatParameters
from learner_helpers import a_learner

WIDE = np.array([[7, 256, 0, 0, 0, -1, -1], [256, 256, 0, 0, 256, -1, -1], [256, 3, 0, 0, 512, -1, -1]])
NARROW = np.array([[7, 3, 0, 0, 0, -1, -1]])
NORMED = np.array([[7, 20, 0, 0, 0, 32, 64], [20, 10, 0, 0, 20, 96, 128], [10, 3, 0, 0, 30, -1, -1]])


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


def test_room_for_layer_norm_is_for_the_networks_that_have_it() -> None:
    """x̂ of 20 + 10 units and 1/σ of 2 layers a sample."""
    assert [len(room) for room in layer_norm_room(5, NORMED, WIDE, NARROW)] == [150, 10]
    assert [len(room) for room in layer_norm_room(5, WIDE, NARROW)] == [0, 0]


def test_a_table_says_where_layer_norm_has_its_parameters() -> None:
    ppo = a_learner(hidden=[20, 10], layer_norm=True)
    flat = FlatParameters(ppo.optimiser)
    rows = table(ppo.policy.actor, flat)
    assert rows[:, :2].tolist() == [[3, 20], [20, 10], [10, 2]]
    assert rows[-1, 5:].tolist() == [-1, -1]
    for row, layer in zip(rows, (ppo.policy.actor[1], ppo.policy.actor[4]), strict=False):
        assert row[5:].tolist() == [flat.start(layer.weight), flat.start(layer.bias)]
    assert len(set(rows[:, 2:4].flatten()) | set(rows[:-1, 5:].flatten())) == 6 + 4  # no two share a place
