"""The value function's part of an update."""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from amble.maths.surrogates import value_loss
from amble.spinup.epoch import Epoch


def fit_values(critic: nn.Module, optimiser: Optimizer, data: Epoch, iterations: int) -> tuple[float, float]:
    """E23's L_v brought down by gradient steps on all samples; its value before the first and before the last step."""
    losses: list[float] = []
    for _ in range(iterations):
        loss = value_loss(critic(data.observation), data.value_target)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return losses[0], losses[-1]
