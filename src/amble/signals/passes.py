"""Gradient steps of a signal's own networks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import minibatches
from amble.algorithms.tally import Tally

Loss = Callable[[Int[Tensor, "n"]], tuple[Float[Tensor, ""], dict[str, Tensor]]]
"""Of these samples: what is minimised, and figures to be reported."""


def passes(
    loss: Loss,
    count: int,
    optimiser: Optimiser,
    rng: torch.Generator,
    *,
    epochs: int,
    batch_size: int,
    device: torch.device,
    at_most: int | None = None,
) -> dict[str, float]:
    """Minimise a loss over minibatches of `count` samples, each seen once an epoch, or `at_most` so many of them.

    Returns:
        The means of its figures. Steps that were not finite are left out by the optimiser; their figures tell.
    """
    tally = Tally()
    for _ in range(epochs):
        for index in islice(minibatches(count, batch_size, rng, device), at_most):
            value, figures = loss(index)
            optimiser.step(value)
            numbers = torch.stack([figure.detach() for figure in figures.values()]).tolist()
            tally.add(dict(zip(figures, numbers, strict=True)))
    return tally.means()
