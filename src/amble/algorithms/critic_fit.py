"""Fitting a critic to a rollout's targets in gradient steps of its own, where the policy's loss does not include it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Samples, known, minibatches
from amble.maths.surrogates import value_loss


class Fit(Protocol):
    """`fit`, or another way of carrying it out."""

    def __call__(
        self,
        predicted: Callable[[Samples], Float[Tensor, "N *L"]],
        samples: Samples,
        optimiser: Optimiser,
        rng: torch.Generator,
        *,
        epochs: int,
        batch_size: int,
    ) -> tuple[float, int]:
        """See `fit`."""
        ...


def fit(
    predicted: Callable[[Samples], Float[Tensor, "N *L"]],
    samples: Samples,
    optimiser: Optimiser,
    rng: torch.Generator,
    *,
    epochs: int,
    batch_size: int,
) -> tuple[float, int]:
    """Minimise E23's L_v = mean((target - predicted)²) over minibatches of the rollout.

    Args:
        predicted: what the critic says of samples, in the units of their `value_target`.
        samples: the rollout.
        optimiser: of the critic's parameters.
        rng: orders the samples.
        epochs: passes over the rollout.
        batch_size: samples (or sequences) of one minibatch.

    Returns:
        The mean loss over all steps, and how many steps were left out because something was not finite.
    """
    losses: list[float] = []
    skipped = 0
    for _ in range(epochs):
        for index in minibatches(len(samples), batch_size, rng, samples.observation.device):
            batch = samples.take(index)
            loss = value_loss(predicted(batch), known(batch.value_target))
            skipped += not optimiser.step(loss)[1]
            losses.append(float(loss.detach()))
    return sum(losses) / len(losses), skipped
