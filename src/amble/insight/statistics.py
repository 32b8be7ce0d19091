"""What a handful of seeds says about a variant, and what it does not: IQM, bootstrap intervals, the verdict.

One score a seed, n seeds. Resampling takes whole seeds, since the seed is what a new run would draw anew; episodes of
one policy say nothing about the next training. After Agarwal et al., "Deep Reinforcement Learning at the Edge of the
Statistical Precipice" (2021); the bootstraps are arch's.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from amble.errors import UsageError

CONFIDENCE = 0.95
RESAMPLES = 2000
FEWEST_SEEDS = 3
"""Seeds a variant from which on a winner may be named.

The percentile interval of n ≤ 4 scores reaches from the least to the greatest of them. Two equal variants are then
parted by their intervals with probability 2 (n!)² / (2n)!: 1 in 3 for n = 2, 1 in 10 for n = 3, 1 in 35 for n = 4.
"""
_CAUTION = (
    "; with 3 seeds, two equal variants part like this in 1 of 10 comparisons: take 5 or more to be surer"
)

Interval = tuple[float, float]


def require_arch() -> None:
    """UsageError where the package that the intervals come from is not installed."""
    if importlib.util.find_spec("arch") is None:
        raise UsageError(
            "`amble compare` takes its intervals from arch, which is not installed: pip install 'amble[compare]'."
        )


def interquartile_mean(scores: Float[np.ndarray, "n ..."]) -> Any:
    """IQM: the mean of what is left when a quarter of the n scores is cut off at each end, ⌊n/4⌋ scores. (...)"""
    cut = len(scores) // 4
    return np.sort(scores, axis=0)[cut : len(scores) - cut].mean(
        axis=0
    )  # 40 times as fast as SciPy's trim_mean


def iqm_interval(scores: Float[np.ndarray, "n ..."]) -> tuple[Any, Any] | None:
    """Percentile interval of the IQM when n seeds are drawn anew from these n; None for a single seed.

    Scores may be curves, (n, G): the interval is then taken at each of the G points, from the same draws of whole runs.
    """
    if len(scores) < 2:
        return None
    from arch.bootstrap import IIDBootstrap

    low, high = IIDBootstrap(scores, seed=0).conf_int(
        interquartile_mean, reps=RESAMPLES, method="percentile", size=CONFIDENCE
    )
    return (low, high) if scores.ndim > 1 else (float(low[0]), float(high[0]))


def probability_of_improvement(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"]) -> Any:
    """P(A > B) + ½ P(A = B) for a seed of A and a seed of B drawn from those there are, all n·m pairs of them."""
    difference = a[:, None] - b[None, :]
    return (difference > 0).mean() + 0.5 * (difference == 0).mean()


def improvement_interval(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"]) -> Interval | None:
    """Percentile interval of `probability_of_improvement`, both sides drawn anew; None where one has a single seed."""
    if min(len(a), len(b)) < 2:
        return None
    from arch.bootstrap import IndependentSamplesBootstrap

    low, high = IndependentSamplesBootstrap(a, b, seed=0).conf_int(
        probability_of_improvement, reps=RESAMPLES, method="percentile", size=CONFIDENCE
    )
    return float(low[0]), float(high[0])


@dataclass(frozen=True)
class Score:
    """A variant's final scores, one a seed, and what they amount to."""

    name: str
    values: tuple[float, ...]
    iqm: float
    interval: Interval | None

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> "Score":
        """The IQM of `values` (n ≥ 1) and its interval."""
        scores = np.asarray(values, float)
        return cls(name, tuple(values), float(interquartile_mean(scores)), iqm_interval(scores))


@dataclass(frozen=True)
class Verdict:
    """The winner, if there is one, and a sentence that says so or why not."""

    winner: str | None
    sentence: str


def overlap(a: Interval, b: Interval) -> bool:
    """Whether two intervals share a point; touching is sharing."""
    return a[0] <= b[1] and b[0] <= a[1]


def verdict(scores: Sequence[Score]) -> Verdict:
    """The variant whose interval lies above every other's, and no winner where none does."""
    if len(scores) < 2:
        who = f"{scores[0].name} is the only variant with a finished run" if scores else "no run has finished"
        return _none(f"{who}, so there is nothing to compare")
    single = [score.name for score in scores if score.interval is None]
    if single:
        return _none(f"one seed gives no interval ({', '.join(single)}); give --seeds 5")
    ranked = sorted(scores, key=lambda score: score.iqm, reverse=True)
    best, others = ranked[0], ranked[1:]
    near = [
        other.name
        for other in others
        if best.interval is not None and other.interval is not None and overlap(best.interval, other.interval)
    ]
    if near:
        rivals = near[0] if len(near) == 1 else f"{', '.join(near[:-1])} or {near[-1]}"
        joint = "and" if len(near) == 1 else "and of"
        return _none(f"the intervals of {best.name} {joint} {rivals} overlap")
    fewest = min(len(score.values) for score in scores)
    if fewest < FEWEST_SEEDS:
        return _none(
            f"{best.name} lies above, but with {fewest} seeds two equal variants part like this in 1 of 3 "
            "comparisons; give --seeds 5"
        )
    caution = _CAUTION if fewest == FEWEST_SEEDS else ""
    above = f"that of {others[0].name}" if len(others) == 1 else "all others"
    return Verdict(best.name, f"winner: {best.name}, whose interval lies above {above}{caution}")


def _none(why: str) -> Verdict:
    return Verdict(None, f"no winner: {why}")
