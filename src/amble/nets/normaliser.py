"""Running normalisation of observations and returns. Axes: F features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.maths.statistics import merge_moments

_ROWS = 4096
"""Samples whose moments are taken together."""


class RunningMoments(nn.Module):
    """Count, mean and variance of every sample ever given, kept in float64 with the parameters."""

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(features, dtype=torch.float64))
        self.count: Tensor
        self.mean: Tensor
        self.variance: Tensor

    def update(self, x: Float[Tensor, "*n F"]) -> None:
        """Take in samples; those with a number that is not finite are left out, so the moments stay finite."""
        moments = sample_moments(x)
        if moments is not None:
            self.merge(*moments)

    @torch.no_grad()
    def merge(self, count: float, mean: Float[Tensor, "F"], variance: Float[Tensor, "F"]) -> None:
        """Take in samples of which only these moments are known."""
        merged = merge_moments(float(self.count), self.mean, self.variance, count, mean, variance)
        self.count.fill_(merged[0])
        self.mean.copy_(merged[1])
        self.variance.copy_(merged[2])


@torch.no_grad()
def sample_moments(
    x: Float[Tensor, "*n F"],
) -> tuple[float, Float[Tensor, "F"], Float[Tensor, "F"]] | None:
    """Count, mean and variance of the samples whose numbers are all finite; None where there are none."""
    total = None
    # A few megabytes at a time: in float64 a whole rollout of a large observation leaves every cache.
    for rows in x.reshape(-1, x.shape[-1]).split(_ROWS):
        moments = _moments(rows.double())
        if not torch.isfinite(moments[2]).all():
            moments = _moments(rows[torch.isfinite(rows).all(dim=1)].double())
        if moments[0]:
            total = moments if total is None else merge_moments(*total, *moments)
    return total


def _moments(x: Float[Tensor, "n F"]) -> tuple[float, Float[Tensor, "F"], Float[Tensor, "F"]]:
    mean = x.mean(dim=0)
    return float(len(x)), mean, (x - mean).square_().mean(dim=0)


class Normaliser(RunningMoments):
    """(x - mean) / std, clipped to ±limit; leaves x alone before its first update."""

    def __init__(self, features: int, limit: float = 5.0):
        super().__init__(features)
        self.limit = limit

    @property
    def std(self) -> Float[Tensor, "F"]:
        """What is divided by, never 0."""
        return torch.sqrt(self.variance.clamp(min=1e-8))

    def forward(self, x: Float[Tensor, "*n F"]) -> Float[Tensor, "*n F"]:
        """Normalise with the moments as they stand; never changes them."""
        scaled = (x - self.mean.to(x.dtype)) / self.std.to(x.dtype)
        return scaled.clamp(-self.limit, self.limit)
