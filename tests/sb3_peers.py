"""Stable-Baselines3's algorithms around our networks' weights, without an environment.

Whoever imports this is skipped where Stable-Baselines3 and its contrib package are not installed.
Axes: T decisions, B environments, N = T·B.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from amble.algorithms.rollout import Rollout
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from factories import OBSERVATION, rng

WHY = "Stable-Baselines3 and sb3-contrib are not installed; make test-peers runs this"
sb3 = pytest.importorskip("stable_baselines3", reason=WHY)
contrib = pytest.importorskip("sb3_contrib", reason=WHY)
common = pytest.importorskip("stable_baselines3.common", reason=WHY)

HIDDEN = (16, 16)
"""Of the networks that the factories make."""


def a_peer(algorithm: type[Any], action_space: Any, t: int, b: int, **settings: Any) -> Any:
    """SB3's algorithm with networks shaped like the factories' ones and a buffer of T·B decisions, all of it one batch.

    The spaces are given as SB3's own `load` gives them, so that no environment has to be made.
    """
    peer = algorithm(
        "MlpPolicy",
        env=None,
        n_steps=t,
        batch_size=t * b,
        policy_kwargs={"net_arch": {"pi": list(HIDDEN), "vf": list(HIDDEN)}, "activation_fn": nn.Tanh},
        device="cpu",
        seed=0,
        _init_setup_model=False,
        **settings,
    )
    peer.observation_space, peer.action_space, peer.n_envs = OBSERVATION, action_space, b
    peer._setup_model()
    peer.set_logger(sb3.common.logger.Logger(None, []))
    return peer


def spread(*networks: nn.Module, seed: int = 3) -> None:
    """Move every weight away from where it starts, so that no gradient is near 0 and σ differs by dimension."""
    random = rng(seed)
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=random))


def pairs(policy: Policy, critic: Critic, peer: Any) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """Each of our parameters with the peer's one in its place: those of the policy in our order, then the critic's."""
    theirs = dict(peer.policy.named_parameters())
    found = [
        *((p, theirs.pop(name)) for name, p in policy.head.named_parameters()),
        *_layers(policy.actor, "mlp_extractor.policy_net", "action_net", theirs),
        *_layers(critic.net, "mlp_extractor.value_net", "value_net", theirs),
    ]
    ours = [*policy.parameters(), *critic.parameters()]
    assert not theirs
    assert [id(p) for p, _ in found] == [id(p) for p in ours]
    return found


def _layers(
    net: nn.Module, body: str, last: str, theirs: dict[str, nn.Parameter]
) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """Our layers are one sequence; theirs are the same sequence with the last layer by itself."""
    end = str(2 * len(HIDDEN))
    names = [name.split(".") for name, _ in net.named_parameters()]
    keys = [f"{last}.{kind}" if place == end else f"{body}.{place}.{kind}" for place, kind in names]
    return [(p, theirs.pop(key)) for p, key in zip(net.parameters(), keys, strict=True)]


@torch.no_grad()
def hand_over(found: list[tuple[nn.Parameter, nn.Parameter]]) -> None:
    """Give the peer our weights."""
    for ours, theirs in found:
        theirs.copy_(ours)


def fill(peer: Any, rollout: Rollout, critic: Critic) -> None:
    """Put our rollout into the peer's buffer and let it make its own advantages and returns."""
    value, next_value = rollout.values(critic)
    cut = rollout.truncated & ~rollout.terminated
    # What SB3's collection does at a time limit: γ V(final observation) becomes part of the reward.
    reward = rollout.reward + peer.gamma * torch.where(cut, next_value, 0.0)
    peer.rollout_buffer.reset()
    for t in range(len(reward)):
        peer.rollout_buffer.add(
            rollout.observation[t].numpy(),
            rollout.action[t].numpy(),
            reward[t].numpy(),
            rollout.begins[t].numpy(),
            value[t],
            rollout.log_prob[t].sum(-1),
        )
    peer.rollout_buffer.compute_returns_and_advantage(next_value[-1], rollout.done[-1].numpy())


def relative(ours: Tensor, theirs: Tensor) -> float:
    """‖ours - theirs‖ / ‖theirs‖."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())


def logged(peer: Any) -> dict[str, Any]:
    """The figures of the peer's last update, by its names."""
    return {name: float(np.asarray(value)) for name, value in peer.logger.name_to_value.items()}
