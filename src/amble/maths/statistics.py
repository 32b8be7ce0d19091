"""Means, variances and what is made of them. Axes: N samples, F features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_NOISE = 1e-5
"""A spread smaller than this share of the numbers themselves is rounding noise in float32."""


def standardise(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """(x - mean) / std over all elements; about 0 everywhere if x is constant but for rounding noise."""
    wide = x.double()
    centred = wide - wide.mean()
    spread = centred.square().mean().sqrt()
    return (centred / torch.clamp(spread, min=_NOISE * float(wide.abs().max()) + 1e-12)).to(x.dtype)


def explained_variance(predicted: Float[Tensor, "*n"], actual: Float[Tensor, "*n"]) -> float:
    """1 - Var(actual - predicted) / Var(actual): 1 perfect, 0 no better than the mean, negative worse than it.

    NaN where the actual values do not vary, since then there is nothing to explain.
    """
    variance = actual.double().var(correction=0)
    if not variance > 0:
        return float("nan")
    return float(1 - (actual.double() - predicted.double()).var(correction=0) / variance)


def merge_moments(
    count: float,
    mean: Float[Tensor, "F"],
    variance: Float[Tensor, "F"],
    new_count: float,
    new_mean: Float[Tensor, "F"],
    new_variance: Float[Tensor, "F"],
) -> tuple[float, Float[Tensor, "F"], Float[Tensor, "F"]]:
    """Count, mean and variance of two sets of samples together, from those of each.

    Source: Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """
    total = count + new_count
    share = new_count / total
    delta = new_mean - mean
    merged = (1 - share) * variance + share * new_variance + share * (1 - share) * delta.square()
    return total, mean + share * delta, merged
