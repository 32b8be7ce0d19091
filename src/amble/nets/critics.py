"""The critics: V(s) and Q(s, a). Axes: n rows, O observation, S sequences of L decisions, M remembered, K choices.

A critic of R rewards has a value of each: a last axis R, which is left out where R = 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from gymnasium import spaces
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from amble.errors import UsageError
from amble.nets import network
from amble.nets.actions import ActionMap
from amble.nets.actor_critic import Policy
from amble.nets.memory import Remembered
from amble.nets.mlp import last_layer, mlp
from amble.nets.network import NetShape
from amble.nets.normaliser import RunningMoments, sample_moments
from amble.nets.observations import ObservationLayout

_LEAST_STD = 1e-4
"""Returns that vary less are not blown up further."""


class _Scaled(nn.Module):
    """Learns standardised returns if `standardise`: value = σ·net + μ with the returns' running μ, σ.

    When μ and σ move, the last layer is rescaled so that values stay what they were.
    Source: van Hasselt et al. 2016, arXiv:1602.07714 ("Pop-Art").
    """

    net: nn.Module

    def __init__(self, *, standardise: bool, rewards: int = 1):
        super().__init__()
        self.rewards = rewards
        self.returns = RunningMoments(rewards) if standardise else None

    def to_units(self, value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Values or returns in the units that the net learns in."""
        mean, std = self._scale()
        return ((value - mean) / std).to(value.dtype)

    def to_return(self, output: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """What the net says, in units of return."""
        mean, std = self._scale()
        return (output * std + mean).to(output.dtype)

    @torch.no_grad()
    def take_in(self, returns: Float[Tensor, "*n"]) -> None:
        """Move the scale with new returns, keeping every value unchanged; those that are not finite are left out."""
        moments = sample_moments(returns.reshape(-1, self.rewards))
        if self.returns is None or moments is None:
            return
        old_mean, old_std = self._scale()
        self.returns.merge(*moments)
        mean, std = self._scale()
        last, shrinks = last_layer(self.net), old_std / std
        last.weight.mul_(shrinks[:, None] if isinstance(shrinks, Tensor) else shrinks)
        last.bias.mul_(old_std).add_(old_mean - mean).div_(std)

    def _scale(self) -> tuple[float, float] | tuple[Float[Tensor, "R"], Float[Tensor, "R"]]:
        """μ and σ of the returns, in float64."""
        if self.returns is None or float(self.returns.count) == 0:
            return 0.0, 1.0
        mean, std = self.returns.mean.clone(), self.returns.variance.sqrt().clamp(min=_LEAST_STD)
        return (mean, std) if self.rewards > 1 else (float(mean), float(std))


class Critic(_Scaled):
    """V(s), of one reward or of several: one network with an output for each."""

    def __init__(
        self,
        layout: ObservationLayout,
        *,
        shape: NetShape,
        standardise: bool,
        rng: torch.Generator,
        rewards: int = 1,
    ):
        super().__init__(standardise=standardise, rewards=rewards)
        self.memory_size = shape.memory_size
        self.encoder, self.net = network.build(layout, shape, rewards, head_gain=1.0, rng=rng)

    def forward(
        self, normalised: Float[Tensor, "*n O"], remembered: Remembered | None = None
    ) -> Float[Tensor, "..."]:
        """V in the units that the net learns in, of rows, or along sequences with what is remembered."""
        return self._values(network.run(self.encoder, self.net, normalised, remembered))

    def value(
        self, normalised: Float[Tensor, "*n O"], state: Float[Tensor, "*n M"] | None = None
    ) -> Float[Tensor, "..."]:
        """V in units of return, of rows with what is remembered before each."""
        return self.step(normalised, state)[0]

    def step(
        self, normalised: Float[Tensor, "*n O"], state: Float[Tensor, "*n M"] | None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "*n M"] | None]:
        """The same, and what is remembered after it."""
        output, after = network.step(self.encoder, self.net, normalised, state)
        return self.to_return(self._values(output)), after

    def apart(self, value: Float[Tensor, "..."]) -> tuple[Tensor, ...]:
        """Values or returns of each reward by itself."""
        return (value,) if self.rewards == 1 else value.unbind(-1)

    def together(self, values: Sequence[Float[Tensor, "*n"]]) -> Float[Tensor, "..."]:
        """`apart` undone."""
        return values[0] if self.rewards == 1 else torch.stack(list(values), dim=-1)

    def nothing_remembered(self, *rows: int) -> Float[Tensor, "*n M"] | None:
        """The state in which an episode begins; None without a memory."""
        return network.nothing_remembered(self.memory_size, rows, next(self.parameters()).device)

    def _values(self, output: Float[Tensor, "*n R"]) -> Float[Tensor, "..."]:
        return output.squeeze(-1) if self.rewards == 1 else output


class QCritic(_Scaled):
    """Q(s, a): one output an action where there are K choices, else a network of observation and action together."""

    def __init__(
        self,
        layout: ObservationLayout,
        actions: ActionMap,
        dimensions: int,
        *,
        shape: NetShape,
        standardise: bool,
        rng: torch.Generator,
    ):
        super().__init__(standardise=standardise)
        if shape.memory_size:
            raise UsageError("A Q critic has no memory: use an estimator with V, or leave the memory out.")
        if layout.size != layout.vectors:
            raise UsageError(
                "The estimators q and advantage learn Q of plain vector observations; this observation holds images, "
                "choices or a mask. Use baseline, td or gae."
            )
        self.choices = actions.choices if isinstance(actions.space, spaces.Discrete) else None
        if self.choices is None and not actions.is_continuous:
            raise UsageError(
                "The estimators q and advantage learn Q of a single choice or of continuous actions; this action space "
                "has several choices at once, or both kinds. Use baseline, td or gae."
            )
        inputs = layout.size if self.choices else layout.size + dimensions
        self.net = mlp(
            inputs,
            shape.hidden,
            self.choices or 1,
            activation=shape.activation,
            head_gain=1.0,
            rng=rng,
            layer_norm=shape.layer_norm,
        )

    def forward(
        self, normalised: Float[Tensor, "*n O"], action: Shaped[Tensor, "*n ..."]
    ) -> Float[Tensor, "*n"]:
        """Q of the actions given, in the units that the net learns in."""
        if self.choices:
            return self.net(normalised).gather(-1, action[..., None]).squeeze(-1)
        return self.net(torch.cat([normalised, action], dim=-1)).squeeze(-1)

    def value(
        self, normalised: Float[Tensor, "*n O"], action: Shaped[Tensor, "*n ..."]
    ) -> Float[Tensor, "*n"]:
        """Q of the actions given, in units of return."""
        return self.to_return(self(normalised, action))

    def of_every_choice(self, normalised: Float[Tensor, "*n O"]) -> Float[Tensor, "*n K"]:
        """Q of every choice, in units of return."""
        return self.to_return(self.net(normalised))


class ExpectedQ:
    """V(s) = E_{a~π} Q(s, a) as in E6: a sum over choices; where actions are continuous, Q of one drawn from π."""

    def __init__(self, q_critic: QCritic, policy: Policy, rng: torch.Generator):
        self.q_critic, self.policy, self.rng = q_critic, policy, rng

    def value(
        self, normalised: Float[Tensor, "*n O"], state: Float[Tensor, "*n M"] | None = None
    ) -> Float[Tensor, "*n"]:
        """V in units of return; a Q critic has no memory, so `state` is None."""
        output, head = self.policy(normalised), self.policy.head
        if self.q_critic.choices:
            return (output.softmax(-1) * self.q_critic.of_every_choice(normalised)).sum(-1)
        noise = head.noise(normalised.shape[:-1], self.rng).to(normalised.device)
        return self.q_critic.value(normalised, head.sample(output, noise))
