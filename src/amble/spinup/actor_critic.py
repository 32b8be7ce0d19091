"""Spinning Up's actor-critics: what a policy and its critic must answer, and the default two networks.

Anything with these four can be trained; see `ActorCritic`. Axes: N samples, O observation, A action.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Normal

from amble.errors import UsageError

INITIAL_LOG_STD = -0.5


class ActorCritic(Protocol):
    """An `nn.Module` made as `actor_critic(observation_space, action_space, **ac_kwargs)`.

    pi(obs, act=None)   a module: (torch distribution, log π(act|obs) or None), shapes (N,)
    v(obs)              a module: V(obs), shape (N,) and not (N, 1)
    step(obs)           numpy (a, V(obs), log π(a|obs)) for one observation or many
    act(obs)            numpy a
    """

    pi: Any
    v: Any

    def step(self, obs: Tensor) -> tuple[Any, Any, Any]:
        """(a, v, logp) of one observation."""
        ...

    def act(self, obs: Tensor) -> Any:
        """The first of what `step` gives."""
        ...


class GaussianActor(nn.Module):
    """Diagonal Gaussian: the mean from a net, one free log σ a dimension."""

    def __init__(self, inputs: int, actions: int, hidden_sizes: Sequence[int], activation: Callable):
        super().__init__()
        self.log_std = nn.Parameter(torch.full((actions,), INITIAL_LOG_STD))
        self.mu_net = _net([inputs, *hidden_sizes, actions], activation)

    def forward(self, obs: Tensor, act: Tensor | None = None) -> tuple[Distribution, Tensor | None]:
        """π(·|obs), and log π(act|obs) summed over the action's dimensions."""
        pi = Normal(self.mu_net(obs), self.log_std.exp())
        return pi, None if act is None else pi.log_prob(act).sum(dim=-1)


class CategoricalActor(nn.Module):
    """One choice of many, with the net's outputs as logits."""

    def __init__(self, inputs: int, choices: int, hidden_sizes: Sequence[int], activation: Callable):
        super().__init__()
        self.choices = choices
        self.logits_net = _net([inputs, *hidden_sizes, choices], activation)

    def forward(self, obs: Tensor, act: Tensor | None = None) -> tuple[Distribution, Tensor | None]:
        """π(·|obs), and log π(act|obs)."""
        pi = Categorical(logits=self.logits_net(obs))
        return pi, None if act is None else pi.log_prob(act)


class Critic(nn.Module):
    """V(s)."""

    def __init__(self, inputs: int, hidden_sizes: Sequence[int], activation: Callable):
        super().__init__()
        self.v_net = _net([inputs, *hidden_sizes, 1], activation)

    def forward(self, obs: Float[Tensor, "*n O"]) -> Float[Tensor, "*n"]:
        """V of each observation."""
        return self.v_net(obs).squeeze(-1)


class MLPActorCritic(nn.Module):
    """The default: two separate nets, Gaussian for a Box of actions and categorical for a Discrete.

    Args:
        observation_space: a flat Box.
        action_space: a flat Box, or a Discrete that starts at 0.
        hidden_sizes: widths of the hidden layers of both nets.
        activation: the module behind every hidden layer, e.g. `nn.Tanh`.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        hidden_sizes: Sequence[int] = (64, 64),
        activation: Callable = nn.Tanh,
    ):
        super().__init__()
        inputs = _flat_size(observation_space, "observation_space")
        if isinstance(action_space, spaces.Discrete):
            if action_space.start != 0:
                raise UsageError(
                    f"action_space: {action_space} does not start at 0. Wrap the environment with "
                    "gymnasium.wrappers.TransformAction, or pass an actor_critic of your own."
                )
            self.pi = CategoricalActor(inputs, int(action_space.n), hidden_sizes, activation)
        else:
            self.pi = GaussianActor(
                inputs, _flat_size(action_space, "action_space"), hidden_sizes, activation
            )
        self.v = Critic(inputs, hidden_sizes, activation)

    @torch.no_grad()
    def step(self, obs: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A drawn action, V and log π of it."""
        pi, _ = self.pi(obs)
        act = pi.sample()
        log_prob = pi.log_prob(act)
        log_prob = log_prob.sum(dim=-1) if isinstance(pi, Normal) else log_prob
        return act.numpy(), self.v(obs).numpy(), log_prob.numpy()

    def act(self, obs: Tensor) -> np.ndarray:
        """A drawn action."""
        return self.step(obs)[0]


def _net(sizes: Sequence[int], activation: Callable) -> nn.Sequential:
    """Linear layers with an activation between them, in torch's own initialisation as Spinning Up has it."""
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(sizes):
        layers += [nn.Linear(width_in, width_out), activation()]
    return nn.Sequential(*layers[:-1])


def _flat_size(space: spaces.Space, name: str) -> int:
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return space.shape[0]
    kinds = "a flat Box" if name == "observation_space" else "a flat Box or a Discrete"
    raise UsageError(
        f"{name}: MLPActorCritic takes {kinds}, not {space}. Wrap the environment (for observations: "
        "gymnasium.wrappers.FlattenObservation), or pass an actor_critic of your own."
    )
