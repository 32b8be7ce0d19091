"""Two PPOs with the same networks and settings, one of which learns by the fused learner, and samples for them."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from amble.algorithms.algorithm import Problem
from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples, minibatches
from amble.config import PPOHyperparameters
from amble.learner.fused.epochs import FusedEpochs
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.network import NetShape
from factories import rng

HEADS = ("gaussian", "squashed", "categorical", "multi-discrete", "bernoulli")
ACTIVATIONS = ("tanh", "silu", "relu", "elu")
FORMS: dict[str, dict[str, Any]] = {
    "clip, joint": {},
    "clip, per dimension": {"ratio": "per_dimension"},
    "penalty": {"objective": "kl_penalty", "kl_coefficient": 0.7},
}
"""The objectives with the ratios that they allow."""


def widths(hidden: list[int], layer_norm: bool) -> list[int]:
    """Those of hidden layers that can learn: layer norm leaves nothing of one unit, and of two a sign."""
    return [max(width, 3) for width in hidden] if layer_norm else hidden


def action_space(head: str, dimensions: int) -> spaces.Space[Any]:
    """One that the head is for."""
    if head == "categorical":
        return spaces.Discrete(dimensions + 1)
    if head == "multi-discrete":
        return spaces.MultiDiscrete([2 + d % 3 for d in range(dimensions)])
    if head == "bernoulli":
        return spaces.MultiBinary(dimensions)
    return spaces.Box(-1, 1, (dimensions,))


def a_learner(
    head: str = "gaussian",
    *,
    hidden: list[int] | None = None,
    activation: Any = "tanh",
    observations: int = 3,
    dimensions: int = 2,
    seed: int = 0,
    normalise: bool = False,
    space: spaces.Space[Any] | None = None,
    layer_norm: bool = False,
    **settings: Any,
) -> PPO:
    """A PPO with torch's epochs; `space` is of the actions, where not the one that `head` is for."""
    distribution = "squashed" if head == "squashed" else "gaussian"
    hyper = PPOHyperparameters.model_validate(
        {
            "buffer_size": 10**6,
            "batch_size": 32,
            "learning_rate_schedule": "constant",
            "distribution": distribution,
            **settings,
        }
    )
    shape = NetShape([16, 16] if hidden is None else hidden, activation, layer_norm=layer_norm)
    policy = Policy(
        spaces.Box(-np.inf, np.inf, (observations,)),
        space or action_space(head, dimensions),
        shape=shape,
        normalise=normalise,
        initial_std=0.8,
        action_clip=3.0,
        distribution=distribution,
        rng=rng(seed),
    )
    critic = Critic(policy.layout, shape=shape, standardise=True, rng=rng(seed + 1))
    with torch.no_grad():  # an actor whose outputs are not all near 0, gains that are not all 1
        policy.actor[-1].weight.mul_(100)
        policy.actor[-1].bias.uniform_(-0.5, 0.5, generator=rng(seed + 2))
        for layer in (*policy.actor, *critic.net.children()):
            if isinstance(layer, nn.LayerNorm):
                layer.weight.uniform_(0.5, 1.5, generator=rng(seed + 3))
                layer.bias.uniform_(-0.5, 0.5, generator=rng(seed + 4))
    return PPO(policy, critic, hyper, Problem(0.9, 1000), rng(7))


def fused(ppo: PPO) -> FusedEpochs:
    """Let it learn by the fused learner, which is returned."""
    ppo.epoch = learner = FusedEpochs(ppo)
    return learner


def pair(head: str = "gaussian", **more: Any) -> tuple[PPO, PPO]:
    """The same PPO twice: by torch and fused."""
    ours = a_learner(head, **more)
    fused(ours)
    return a_learner(head, **more), ours


@torch.no_grad()
def some_samples(ppo: PPO, n: int, *, seed: int = 0, far: float = 0.4) -> Samples:
    """The policy's own actions, with old log-probabilities that put many ratios outside of the clip."""
    g, head = rng(100 + seed), ppo.policy.head  # the weights are drawn from other seeds
    observation = torch.randn(n, ppo.policy.layout.size, generator=g)
    output = ppo.policy(observation)
    action = head.sample(output, head.noise((n,), g))
    log_prob = head.log_probs(output, action)
    value = ppo.critic(observation)
    samples = Samples(
        observation,
        action,
        log_prob + far * torch.randn(log_prob.shape, generator=g),
        3 * torch.randn(n, generator=g),
        value_target=torch.randn(n, generator=g),
        value_old=value + 0.3 * torch.randn(n, generator=g),
    )
    if ppo.settings.objective == "kl_penalty":
        moved = output + 0.5 * torch.randn(output.shape, generator=g)
        samples.distribution_old = head.distribution(moved)
    return samples


def order_of(n: int, batch_size: int, seed: int = 0) -> list[Tensor]:
    return list(minibatches(n, batch_size, rng(seed)))


def far_apart(a: Tensor, b: Tensor) -> float:
    """‖a - b‖ as a share of ‖b‖."""
    return float((a - b).detach().norm() / (b.detach().norm() + 1e-12))
