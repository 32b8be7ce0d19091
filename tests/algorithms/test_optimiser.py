"""Adam that takes no step it could not take back."""

import math

import pytest
import torch
from torch import nn

from amble.algorithms.optimiser import Optimiser


def an_optimiser(
    *values: float, rate: float = 0.1, epsilon: float = 0.0, limit: float | None = None
) -> tuple[nn.Parameter, Optimiser]:
    x = nn.Parameter(torch.tensor(values))
    return x, Optimiser([x], rate, epsilon=epsilon, max_grad_norm=limit)


def test_the_first_step_is_alpha_against_each_sign() -> None:
    """m/(1-β₁) = g and √(v/(1-β₂)) = |g| at the first step."""
    x, optimiser = an_optimiser(1.0, 2.0, 3.0)
    norm, stepped = optimiser.step((x * torch.tensor([3.0, -4.0, 0.0])).sum() + 0 * x[2].square())
    assert (norm, stepped) == (pytest.approx(5), True)
    assert x.tolist()[:2] == pytest.approx([0.9, 2.1])


def test_the_limit_is_on_the_norm_and_the_norm_given_is_before_it() -> None:
    """With ε = 1 the first step is α g/(|g| + 1): of (3, 4) limited to norm 1, (0.6, 0.8)."""
    x, optimiser = an_optimiser(0.0, 0.0, epsilon=1.0, limit=1.0)
    norm, _ = optimiser.step((x * torch.tensor([3.0, 4.0])).sum())
    assert norm == pytest.approx(5)
    assert x.tolist() == pytest.approx([-0.1 * 0.6 / 1.6, -0.1 * 0.8 / 1.8], rel=1e-4)


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e30])
def test_what_is_not_finite_is_left_out(factor: float) -> None:
    """The square of 1e30 is not finite."""
    x, optimiser = an_optimiser(1.0, 2.0)
    optimiser.step(x.sum())
    before, moments = x.detach().clone(), {k: v.clone() for k, v in optimiser.tensors().items()}
    _, stepped = optimiser.step((factor * x).sum())
    assert not stepped
    assert torch.equal(x, before)
    assert all(torch.equal(moments[key], value) for key, value in optimiser.tensors().items())


def test_a_loss_that_is_not_a_number_is_left_out_though_its_gradient_looks_sound() -> None:
    x, optimiser = an_optimiser(1.0)
    _, stepped = optimiser.step(x.sum() + math.nan)
    assert (stepped, x.item()) == (False, 1.0)


def test_going_back() -> None:
    """Parameters and moments are those of the snapshot, and α what it was set to since."""
    x, optimiser = an_optimiser(1.0, 2.0)
    optimiser.step(x.square().sum())
    before = optimiser.snapshot()
    start, moments = x.detach().clone(), {k: v.clone() for k, v in optimiser.tensors().items()}
    for _ in range(3):
        optimiser.step(x.square().sum())
    optimiser.learning_rate = 0.05
    assert not torch.equal(x, start)
    optimiser.go_back(before)
    assert torch.equal(x, start)
    assert all(torch.equal(moments[key], value) for key, value in optimiser.tensors().items())
    assert optimiser.learning_rate == 0.05


def test_tensors_restore_it_bit_for_bit() -> None:
    (x, one), (y, other), (z, without) = (an_optimiser(1.0, 2.0) for _ in range(3))
    one.step(x.square().sum())
    for twin in (y, z):
        with torch.no_grad():
            twin.copy_(x)
    saved = {key: value.clone() for key, value in one.tensors().items()}
    assert set(saved) == {"0.step", "0.exp_avg", "0.exp_avg_sq"}
    other.restore(saved)
    for parameter, optimiser in ((x, one), (y, other), (z, without)):
        optimiser.step(parameter.square().sum())
    assert torch.equal(x, y)
    assert not torch.equal(x, z)


def test_it_knows_whether_all_is_finite() -> None:
    x, optimiser = an_optimiser(1.0, 2.0)
    assert optimiser.is_finite()
    with torch.no_grad():
        x[1] = math.inf
    assert not optimiser.is_finite()
