"""Draws actions for one observation at a time, as quickly as the actor-critic allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from amble.spinup.actor_critic import GaussianActor, MLPActorCritic

Drawer = Callable[[np.ndarray], Any]
"""One observation ↦ one action drawn from π, as the environment takes it."""

_IN_NUMPY: dict[type[nn.Module], Callable[[np.ndarray], np.ndarray]] = {
    nn.Tanh: np.tanh,
    nn.ReLU: lambda x: np.maximum(x, 0),
}


def drawer(actor_critic: Any, steps: int, *, discrete: bool) -> Drawer:
    """Draws from the policy as it stands, for at most `steps` observations.

    For one observation torch spends its time on being called, so the default nets are computed in NumPy, on the
    same memory, and the noise of all steps is drawn in one call. Everything else answers through its own `step`.
    """
    if type(actor_critic) is MLPActorCritic:
        actor = actor_critic.pi
        net = actor.mu_net if isinstance(actor, GaussianActor) else actor.logits_net
        forward = numpy_forward(net)
        if forward is not None:
            return (
                _gaussian(actor, forward, steps)
                if isinstance(actor, GaussianActor)
                else _categorical(actor.choices, forward, steps)
            )

    def through_step(obs: np.ndarray) -> Any:
        action = actor_critic.step(torch.as_tensor(obs, dtype=torch.float32))[0]
        return int(action) if discrete else action

    return through_step


def numpy_forward(net: nn.Sequential) -> Callable[[np.ndarray], np.ndarray] | None:
    """What `net` gives for one observation, from the same weights; None for layers that are not known here."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    others = [layer for layer in net if not isinstance(layer, nn.Linear)]
    if not all(type(layer) in _IN_NUMPY for layer in others):
        return None
    *hidden, last = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linear]
    layers = [(*weights, _IN_NUMPY[type(layer)]) for weights, layer in zip(hidden, others, strict=True)]
    last_weight, last_bias = last

    def forward(obs: np.ndarray) -> np.ndarray:
        x = obs.astype(np.float32)
        for weight, bias, activation in layers:
            x = activation(weight @ x + bias)
        return last_weight @ x + last_bias

    return forward


def _gaussian(actor: GaussianActor, forward: Callable[[np.ndarray], np.ndarray], steps: int) -> Drawer:
    """a = μ + σ·noise."""
    std = actor.log_std.detach().exp()
    noise = iter((std * torch.randn(steps, len(std))).numpy())
    return lambda obs: forward(obs) + next(noise)


def _categorical(choices: int, forward: Callable[[np.ndarray], np.ndarray], steps: int) -> Drawer:
    """argmax(logits + Gumbel noise) is a sample of softmax(logits)."""
    uniform = torch.rand(steps, choices).clamp_(1e-20, 1 - 1e-7)
    noise = iter((-torch.log(-torch.log(uniform))).numpy())
    return lambda obs: int((forward(obs) + next(noise)).argmax())
