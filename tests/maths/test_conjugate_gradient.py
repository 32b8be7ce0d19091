"""Exact in n steps, and a name for every way in which it may not be."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from amble.maths.conjugate_gradient import SolverOutcome, conjugate_gradient


def spd(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A symmetric positive definite matrix and a right-hand side."""
    rng = torch.Generator().manual_seed(seed)
    root = torch.randn(n, n, generator=rng, dtype=torch.float64)
    return root @ root.T + torch.eye(n, dtype=torch.float64), torch.randn(
        n, generator=rng, dtype=torch.float64
    )


def test_by_hand() -> None:
    """A = diag(1, 2), b = (1, 2). v = b: Av = (1, 4), α = 5/9, x = (5, 10)/9, r = (4, -2)/9. Then x = (1, 1)."""
    a, b = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)
    first = conjugate_gradient(lambda v: a * v, b, 1, 1e-10)
    torch.testing.assert_close(first.solution, torch.tensor([5 / 9, 10 / 9], dtype=torch.float64))
    assert first.outcome is SolverOutcome.ITERATIONS_USED
    assert first.residual == pytest.approx(math.sqrt(20 / 81) / math.sqrt(5))
    second = conjugate_gradient(lambda v: a * v, b, 2, 1e-10)
    torch.testing.assert_close(second.solution, torch.ones(2, dtype=torch.float64))
    assert second.outcome is SolverOutcome.CONVERGED


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_exact_in_n_steps(n: int) -> None:
    a, b = spd(n)
    found = conjugate_gradient(lambda v: a @ v, b, n, 1e-9)
    assert found.outcome is SolverOutcome.CONVERGED
    assert found.iterations == n
    torch.testing.assert_close(found.solution, torch.linalg.solve(a, b))


def test_as_many_steps_as_there_are_different_eigenvalues() -> None:
    a = torch.tensor([1.0] * 10 + [5.0] * 10, dtype=torch.float64)
    found = conjugate_gradient(lambda v: a * v, spd(20)[1], 20, 1e-9)
    assert found.outcome is SolverOutcome.CONVERGED
    assert found.iterations == 2


def test_every_iteration_brings_it_closer() -> None:
    """In the energy norm √(eᵀAe), whatever the residual does."""
    a, b = spd(12)
    exact = torch.linalg.solve(a, b)
    errors = []
    for iterations in range(13):
        error = conjugate_gradient(lambda v: a @ v, b, iterations, 0.0).solution - exact
        errors.append(float(error @ a @ error))
    assert all(later < earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_tolerance_is_relative(scale: float) -> None:
    a, b = spd(12)
    found = conjugate_gradient(lambda v: a @ v, scale * b, 100, 1e-3)
    assert found.outcome is SolverOutcome.CONVERGED
    assert found.iterations == conjugate_gradient(lambda v: a @ v, b, 100, 1e-3).iterations
    true_residual = float((scale * b - a @ found.solution).norm() / (scale * b).norm())
    assert found.residual == pytest.approx(true_residual)
    assert found.residual <= 1e-3


class TestOutcomes:
    def test_zero_gradient(self) -> None:
        found = conjugate_gradient(lambda v: v, torch.zeros(3), 10, 1e-6)
        assert (found.outcome, found.iterations, found.residual) == (SolverOutcome.ZERO_GRADIENT, 0, 0.0)
        assert found.solution.tolist() == [0, 0, 0]

    def test_negative_curvature_at_once(self) -> None:
        found = conjugate_gradient(lambda v: -v, torch.ones(3), 10, 1e-6)
        assert (found.outcome, found.iterations) == (SolverOutcome.NEGATIVE_CURVATURE, 0)
        assert found.solution.tolist() == [0, 0, 0]

    def test_negative_curvature_later(self) -> None:
        """A = diag(1, -½), b = (1, 1): v·Av = ½ > 0 first, x = (4, 4), r = (-3, 3), v = (6, 12): 36 - 72 < 0."""
        a = torch.tensor([1.0, -0.5])
        found = conjugate_gradient(lambda v: a * v, torch.ones(2), 10, 1e-6)
        assert (found.outcome, found.iterations) == (SolverOutcome.NEGATIVE_CURVATURE, 1)
        assert found.solution.tolist() == [4.0, 4.0]

    def test_singular_and_no_solution(self) -> None:
        """A = diag(1, 0), b = (1, 1): x = (2, 2), r = (-1, 1), then v = (0, 2), along which A is flat."""
        a = torch.tensor([1.0, 0.0])
        found = conjugate_gradient(lambda v: a * v, torch.ones(2), 10, 1e-6)
        assert (found.outcome, found.iterations) == (SolverOutcome.NEGATIVE_CURVATURE, 1)
        assert found.solution.tolist() == [2.0, 2.0]

    def test_singular_with_a_solution(self) -> None:
        a = torch.tensor([1.0, 0.0])
        found = conjugate_gradient(lambda v: a * v, torch.tensor([3.0, 0.0]), 10, 1e-6)
        assert found.outcome is SolverOutcome.CONVERGED
        assert found.solution.tolist() == [3.0, 0.0]

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_a_product_that_is_no_number(self, bad: float) -> None:
        found = conjugate_gradient(
            lambda v: torch.where(torch.arange(3) == 1, bad, v), torch.ones(3), 10, 1e-6
        )
        assert (found.outcome, found.iterations) == (SolverOutcome.NOT_FINITE, 0)
        assert found.solution.tolist() == [0, 0, 0]

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_gradient_that_is_no_number(self, bad: float) -> None:
        found = conjugate_gradient(lambda v: v, torch.tensor([1.0, bad]), 10, 1e-6)
        assert (found.outcome, found.iterations) == (SolverOutcome.NOT_FINITE, 0)
        assert math.isnan(found.residual)
        assert found.solution.tolist() == [0, 0]

    def test_a_step_that_overflows(self) -> None:
        """A = 1e-30, b = 1e15 in float32: x would be 1e45."""
        found = conjugate_gradient(lambda v: 1e-30 * v, torch.full((2,), 1e15), 10, 1e-6)
        assert found.outcome is SolverOutcome.NOT_FINITE
        assert found.solution.tolist() == [0, 0]
