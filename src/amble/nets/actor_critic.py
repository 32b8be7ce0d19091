"""The policy: normaliser, actor, head and action map. Axes: n rows, O observation, S sequences of L, M remembered."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from amble.nets import network
from amble.nets.actions import ActionMap, Distribution, mask_fits
from amble.nets.distributions import DiscreteHead, HybridHead
from amble.nets.memory import Remembered
from amble.nets.network import NetShape
from amble.nets.normaliser import Normaliser
from amble.nets.observations import ObservationLayout


class Policy(nn.Module):
    """All that acting needs. Actor and critic are separate networks behind this one's normaliser."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        shape: NetShape,
        normalise: bool,
        initial_std: float,
        action_clip: float,
        rng: torch.Generator,
        distribution: Distribution = "gaussian",
    ):
        super().__init__()
        self.layout = ObservationLayout(observation_space)
        self.actions = ActionMap(action_space, action_clip, distribution)
        mask_fits(self.layout, self.actions)
        self.head = self.actions.head(initial_std)
        self.normaliser = Normaliser(self.layout.vectors) if normalise and self.layout.vectors else None
        self.memory_size = shape.memory_size
        self.encoder, self.actor = network.build(
            self.layout, shape, self.head.outputs, head_gain=0.01, rng=rng
        )

    def normalised(self, observation: Float[Tensor, "*n O"]) -> Float[Tensor, "*n O"]:
        """The observation as both networks take it: its vectors standardised, the rest as it is."""
        if self.normaliser is None:
            return observation
        vectors = self.layout.vectors
        if vectors == self.layout.size:
            return self.normaliser(observation)
        return torch.cat([self.normaliser(observation[..., :vectors]), observation[..., vectors:]], dim=-1)

    def forward(
        self, normalised: Float[Tensor, "*n O"], remembered: Remembered | None = None
    ) -> Float[Tensor, "*n outputs"]:
        """What parametrises the head, from normalised observations: rows, or sequences with what is remembered."""
        return self._allowed(network.run(self.encoder, self.actor, normalised, remembered), normalised)

    def step(
        self, normalised: Float[Tensor, "*n O"], state: Float[Tensor, "*n M"] | None
    ) -> tuple[Float[Tensor, "*n outputs"], Float[Tensor, "*n M"] | None]:
        """The same for one decision a row, with what is remembered before it and after it (None without a memory)."""
        output, after = network.step(self.encoder, self.actor, normalised, state)
        return self._allowed(output, normalised), after

    @torch.no_grad()
    def mode(self, observation: Float[Tensor, "n O"]) -> Shaped[Tensor, "n ..."]:
        """The likeliest actions for raw observations, of a policy without memory: how a finished one acts."""
        return self.head.mode(self(self.normalised(observation)))

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def nothing_remembered(self, *rows: int) -> Float[Tensor, "*n M"] | None:
        """The state in which an episode begins; None without a memory."""
        return network.nothing_remembered(self.memory_size, rows, self.device)

    def _allowed(
        self, output: Float[Tensor, "*n outputs"], normalised: Float[Tensor, "*n O"]
    ) -> Float[Tensor, "*n outputs"]:
        """The output with the actions ruled out that the observation's mask forbids."""
        if self.layout.mask is None or not isinstance(self.head, DiscreteHead | HybridHead):
            return output
        return self.head.masked(output, normalised[..., self.layout.mask])
