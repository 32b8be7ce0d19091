"""Fitting a critic: least squares, every sample once an epoch, steps that would spoil it left out."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from amble.algorithms.critic_fit import fit
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Samples
from factories import rng


def samples(*targets: float) -> Samples:
    n = len(targets)
    x = torch.arange(float(n))[:, None]
    return Samples(x, torch.zeros(n), torch.zeros(n, 1), torch.zeros(n), torch.tensor(targets).float())


class Constant:
    """Says the same of every sample, and keeps what it was asked about."""

    def __init__(self) -> None:
        self.value = nn.Parameter(torch.zeros(()))
        self.optimiser = Optimiser([self.value], 0.1, epsilon=1e-8, max_grad_norm=None)
        self.seen: list[list[int]] = []

    def __call__(self, batch: Samples) -> Tensor:
        self.seen.append(batch.observation[:, 0].int().tolist())
        return self.value.expand(len(batch))

    def fit(self, data: Samples, **settings: Any) -> tuple[float, int]:
        return fit(self, data, self.optimiser, rng(), **settings)


def test_the_best_constant_is_the_mean() -> None:
    """Targets 1, 2, 6: the mean 3, with a loss of (4 + 1 + 9)/3 left over."""
    critic = Constant()
    critic.fit(samples(1, 2, 6), epochs=200, batch_size=3)
    assert critic.value.item() == pytest.approx(3, abs=0.05)
    assert critic.fit(samples(1, 2, 6), epochs=1, batch_size=3)[0] == pytest.approx(14 / 3, rel=0.01)


def test_the_loss_is_the_mean_over_the_steps() -> None:
    """From 0 the first step's loss is 4; Adam goes by 0.1, so the second's is 1.9² = 3.61."""
    assert Constant().fit(samples(2, 2), epochs=2, batch_size=2) == (pytest.approx((4 + 3.61) / 2), 0)


def test_every_sample_once_an_epoch_in_a_new_order() -> None:
    critic = Constant()
    critic.fit(samples(*range(8)), epochs=2, batch_size=4)
    assert [len(batch) for batch in critic.seen] == [4] * 4
    first, second = critic.seen[0] + critic.seen[1], critic.seen[2] + critic.seen[3]
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second


def test_a_minibatch_with_a_bad_target_is_left_out() -> None:
    critic = Constant()
    _, skipped = critic.fit(samples(math.nan, *[1.0] * 7), epochs=5, batch_size=4)
    assert skipped == 5
    assert critic.value.item() == pytest.approx(0.5, abs=0.02)  # five steps of 0.1 from the others
