"""Goes back along a step until it keeps its promise. Axes: P parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from jaxtyping import Float
from torch import Tensor


class SearchOutcome(StrEnum):
    """How a search ended; unless it is ACCEPTED, what was wrong with the last and shortest step."""

    ACCEPTED = "accepted"
    NO_IMPROVEMENT = "no_improvement"
    """It gained too little of what was expected of it."""
    KL_TOO_LARGE = "kl_too_large"
    """It left the trust region."""
    NOT_FINITE = "not_finite"
    """The surrogate, the KL or the step itself was NaN or infinite."""


@dataclass(frozen=True)
class LineSearch:
    """What `backtrack` found."""

    step: Float[Tensor, "P"] | None
    """The step to take, or None to stay."""
    outcome: SearchOutcome
    backtracks: int
    """How often the step was shortened."""
    improvement: float
    """Surrogate after the last step that was tried, less that before it."""
    kl: float
    """Mean KL of the last step that was tried."""


def backtrack(
    evaluate: Callable[[Float[Tensor, "P"]], tuple[float, float]],
    full_step: Float[Tensor, "P"],
    *,
    coefficient: float,
    max_backtracks: int,
    max_kl: float,
    expected_improvement: float,
    accept_ratio: float,
) -> LineSearch:
    """The first of full_step · coefficientʲ, j = 0 … max_backtracks, within the trust region that improves enough.

    Enough is more than 0, and at least `accept_ratio` of what the gradient promises for that length. Comparisons
    are written such that a NaN fails them. Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.

    Args:
        evaluate: step ↦ (E20's surrogate, E21's mean KL) with the parameters moved by the step; also asked at step 0.
        full_step: the longest step.
        coefficient: the share of its length that a step keeps each time, between 0 and 1.
        max_backtracks: most times to shorten it.
        max_kl: E20's δ.
        expected_improvement: gradient of the surrogate · full_step.
        accept_ratio: share of the expected improvement that a step must bring.
    """
    surrogate_old, _ = evaluate(torch.zeros_like(full_step))
    outcome, improvement, kl = SearchOutcome.NOT_FINITE, math.nan, math.nan
    if not bool(torch.isfinite(full_step).all()):
        return LineSearch(None, outcome, 0, improvement, kl)
    for backtracks in range(max_backtracks + 1):
        fraction = coefficient**backtracks
        surrogate, kl = evaluate(fraction * full_step)
        improvement = surrogate - surrogate_old
        if not (math.isfinite(improvement) and math.isfinite(kl) and math.isfinite(expected_improvement)):
            outcome = SearchOutcome.NOT_FINITE
        elif not kl <= max_kl:
            outcome = SearchOutcome.KL_TOO_LARGE
        elif not improvement > max(0.0, accept_ratio * fraction * expected_improvement):
            outcome = SearchOutcome.NO_IMPROVEMENT
        else:
            return LineSearch(fraction * full_step, SearchOutcome.ACCEPTED, backtracks, improvement, kl)
    return LineSearch(None, outcome, max_backtracks, improvement, kl)
