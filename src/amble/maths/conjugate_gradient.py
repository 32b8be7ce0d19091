"""Solves A x = b with nothing but products A v. Axes: P unknowns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor


class SolverOutcome(StrEnum):
    """How a solve ended."""

    CONVERGED = "converged"
    """The residual fell below the tolerance."""
    ITERATIONS_USED = "iterations_used"
    """It did not, within the iterations allowed; the solution is usable, and closer than the start."""
    ZERO_GRADIENT = "zero_gradient"
    """b = 0: there is nothing to solve, and x = 0."""
    NEGATIVE_CURVATURE = "negative_curvature"
    """A direction with v·Av ≤ 0: A is not positive definite. x is the one before that direction."""
    NOT_FINITE = "not_finite"
    """A NaN or an infinity in b or in a product. x is the one before it."""


@dataclass(frozen=True)
class ConjugateGradient:
    """What `conjugate_gradient` found."""

    solution: Float[Tensor, "P"]
    """x; only finite numbers, whatever the outcome."""
    outcome: SolverOutcome
    iterations: int
    """Products that x is made of."""
    residual: float
    """‖b - A x‖ / ‖b‖ of this x, as the recursion has it; 0 if b = 0, NaN if b is not finite."""


@torch.no_grad()
def conjugate_gradient(
    product: Callable[[Float[Tensor, "P"]], Float[Tensor, "P"]],
    b: Float[Tensor, "P"],
    iterations: int,
    tolerance: float,
) -> ConjugateGradient:
    """x with A x = b, for a symmetric positive definite A; exact after P iterations but for rounding.

    Each direction is conjugate to those before it (d_i·A d_j = 0), so no iteration undoes another's work.
    Source: Hestenes, Stiefel 1952, "Methods of conjugate gradients for solving linear systems".

    Args:
        product: v ↦ A v, called with gradients switched off.
        b: right-hand side.
        iterations: most products to take.
        tolerance: done when ‖b - A x‖ ≤ tolerance · ‖b‖.
    """
    x, residual, direction = torch.zeros_like(b), b.clone(), b.clone()
    square = b_square = float(b @ b)
    if not torch.isfinite(b).all():
        return ConjugateGradient(x, SolverOutcome.NOT_FINITE, 0, float("nan"))
    if square == 0:
        return ConjugateGradient(x, SolverOutcome.ZERO_GRADIENT, 0, 0.0)
    outcome, used = SolverOutcome.ITERATIONS_USED, 0
    while used < iterations:
        a_direction = product(direction)
        curvature = float(direction @ a_direction)
        if not torch.isfinite(a_direction).all():
            outcome = SolverOutcome.NOT_FINITE
            break
        if curvature <= 0:
            outcome = SolverOutcome.NEGATIVE_CURVATURE
            break
        x_next = x + square / curvature * direction
        residual_next = residual - square / curvature * a_direction
        square_next = float(residual_next @ residual_next)
        if not (torch.isfinite(x_next).all() and torch.isfinite(residual_next).all()):
            outcome = SolverOutcome.NOT_FINITE
            break
        direction = residual_next + square_next / square * direction
        x, residual, square, used = x_next, residual_next, square_next, used + 1
        if square <= tolerance**2 * b_square:
            outcome = SolverOutcome.CONVERGED
            break
    return ConjugateGradient(x, outcome, used, (square / b_square) ** 0.5)
