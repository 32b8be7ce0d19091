"""Policy and critic: two separate networks behind one observation normaliser. Axes: n samples, O observation."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from amble.errors import UsageError
from amble.nets.actions import ActionMap
from amble.nets.mlp import Activation, mlp
from amble.nets.normaliser import Normaliser, RunningMoments


def observation_size(space: spaces.Space[Any]) -> int:
    """O of an observation space; UsageError for one that is not a flat vector of numbers."""
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return int(space.shape[0])
    raise UsageError(f"The observation space {space} is not supported: expected a one-dimensional Box.")


class Policy(nn.Module):
    """All that acting needs: the normaliser, the actor's net, its head and the action map."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        hidden: list[int],
        activation: Activation,
        normalise: bool,
        initial_std: float,
        action_clip: float,
        rng: torch.Generator,
    ):
        super().__init__()
        size = observation_size(observation_space)
        self.actions = ActionMap(action_space, action_clip)
        self.head = self.actions.head(initial_std)
        self.normaliser = Normaliser(size) if normalise else None
        self.actor = mlp(size, hidden, self.head.outputs, activation=activation, head_gain=0.01, rng=rng)

    def normalised(self, observation: Float[Tensor, "*n O"]) -> Float[Tensor, "*n O"]:
        """The observation as both networks take it."""
        return observation if self.normaliser is None else self.normaliser(observation)

    def forward(self, normalised: Float[Tensor, "*n O"]) -> Float[Tensor, "*n outputs"]:
        """What parametrises the head, from normalised observations."""
        return self.actor(normalised)

    @torch.no_grad()
    def mode(self, observation: Float[Tensor, "n O"]) -> Shaped[Tensor, "n ..."]:
        """The likeliest actions for raw observations: how a finished policy acts."""
        return self.head.mode(self.actor(self.normalised(observation)))


class Critic(nn.Module):
    """V(s), learned on standardised returns if `standardise`: V = σ·net + μ with the returns' running μ, σ.

    When μ and σ move, the last layer is rescaled so that V stays what it was.
    Source: van Hasselt et al. 2016, arXiv:1602.07714 ("Pop-Art").
    """

    def __init__(
        self,
        inputs: int,
        *,
        hidden: list[int],
        activation: Activation,
        standardise: bool,
        rng: torch.Generator,
    ):
        super().__init__()
        self.net = mlp(inputs, hidden, 1, activation=activation, head_gain=1.0, rng=rng)
        self.returns = RunningMoments(1) if standardise else None

    def forward(self, normalised: Float[Tensor, "*n O"]) -> Float[Tensor, "*n"]:
        """V in the units that the net learns in."""
        return self.net(normalised).squeeze(-1)

    def value(self, normalised: Float[Tensor, "*n O"]) -> Float[Tensor, "*n"]:
        """V in units of return."""
        mean, std = self._scale()
        return self(normalised) * std + mean

    def to_units(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Values or returns in the units that the net learns in."""
        mean, std = self._scale()
        return (value - mean) / std

    @torch.no_grad()
    def take_in(self, returns: Float[Tensor, "*n"]) -> None:
        """Move the scale with new returns, keeping V unchanged."""
        if self.returns is None:
            return
        old_mean, old_std = self._scale()
        self.returns.update(returns.reshape(-1, 1))
        mean, std = self._scale()
        last = self.net[-1]
        if not isinstance(last, nn.Linear):
            raise TypeError("a critic ends in a linear layer")
        last.weight.mul_(old_std / std)
        last.bias.mul_(old_std).add_(old_mean - mean).div_(std)

    def _scale(self) -> tuple[float, float]:
        if self.returns is None or float(self.returns.count) == 0:
            return 0.0, 1.0
        return float(self.returns.mean), max(float(self.returns.variance) ** 0.5, 1e-4)
