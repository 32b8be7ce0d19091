"""Rewards for what is new, by hand."""

import math

import pytest
import torch

from amble.maths.curiosity import capped, curiosity_loss, distillation_error, forward_error, inverse_error


def test_the_forward_error_is_half_the_squared_distance() -> None:
    """½ (3² + 4²) = 12.5."""
    foreseen, seen = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([[4.0, 5.0], [0.0, 0.0]])
    assert forward_error(foreseen, seen).tolist() == [12.5, 0.0]


def test_the_inverse_error_of_numbers_and_choices() -> None:
    """(0.5 - 1)² + (2 - 0)² = 4.25; a branch of 2 equal logits costs log 2, one of 3 with odds 1:1:2 log 4."""
    guessed = torch.tensor([[0.5, 2.0, 7.0, 7.0, 0.0, 0.0, math.log(2)]])
    numbers, choices = torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 0]])
    error = inverse_error(guessed, numbers, choices, [2, 3])
    assert float(error) == pytest.approx(4.25 + math.log(2) + math.log(4))


def test_numbers_alone_and_choices_alone() -> None:
    nothing, none = torch.zeros(1, 0), torch.zeros(1, 0, dtype=torch.int64)
    assert float(inverse_error(torch.tensor([[3.0]]), torch.tensor([[1.0]]), none, [])) == 4.0
    sure = torch.tensor([[0.0, 30.0]])
    assert float(inverse_error(sure, nothing, torch.tensor([[1]]), [2])) == pytest.approx(0.0, abs=1e-6)
    assert float(inverse_error(sure, nothing, torch.tensor([[0]]), [2])) == pytest.approx(30.0)


def test_the_loss_weighs_the_models_two_to_eight() -> None:
    """10 · (0.2 · mean(1, 3) + 0.8 · mean(0, 1)) = 10 · (0.4 + 0.4)."""
    assert float(curiosity_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]))) == pytest.approx(8.0)


def test_a_decision_counts_for_1_at_most() -> None:
    reward = capped(torch.tensor([1.0, 49.0, 1e9]), 0.02)
    assert reward.tolist() == [1.0, 49.0, 50.0]
    assert capped(torch.tensor([1e9]), 0.0).tolist() == [1e9]


def test_distillation_is_the_squared_distance() -> None:
    """1² + 2² + 2² = 9."""
    assert float(distillation_error(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([0.0, 0.0, 2.0]))) == 9.0
