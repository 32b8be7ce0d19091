"""Small policies, critics, settings and rollouts for tests. Axes: T decisions, B environments, 3 observations."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from amble.algorithms.algorithm import Problem
from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Cut, Rollout
from amble.config import PPOHyperparameters
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.network import NetShape
from amble.nets.observations import ObservationLayout

OBSERVATION = spaces.Box(-np.inf, np.inf, (3,))
BOX2, BOX1, DISCRETE = spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, (1,)), spaces.Discrete(4)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_policy(
    action_space: spaces.Space[Any] = BOX2,
    *,
    observation_space: spaces.Space[Any] = OBSERVATION,
    normalise: bool = True,
    distribution: Any = "gaussian",
    memory_size: int = 0,
    seed: int = 0,
) -> Policy:
    return Policy(
        observation_space,
        action_space,
        shape=NetShape([16, 16], memory_size=memory_size),
        normalise=normalise,
        initial_std=1.0,
        action_clip=3.0,
        distribution=distribution,
        rng=rng(seed),
    )


def a_critic(*, standardise: bool = True, activation: Any = "tanh", memory_size: int = 0) -> Critic:
    return Critic(
        ObservationLayout(OBSERVATION),
        shape=NetShape([16, 16], activation, memory_size=memory_size),
        standardise=standardise,
        rng=rng(),
    )


def a_ppo(
    action_space: spaces.Space[Any] = BOX2,
    *,
    gamma: float = 0.9,
    reward_strength: float = 1.0,
    time_horizon: int = 1000,
    max_steps: int = 1000,
    **hyperparameters: Any,
) -> PPO:
    """The same networks and the same order of minibatches every time."""
    small = {"batch_size": 32, "buffer_size": 10_000, "num_epoch": 2, "learning_rate_schedule": "constant"}
    settings = PPOHyperparameters.model_validate({**small, **hyperparameters})
    return PPO(
        a_policy(action_space),
        a_critic(standardise=settings.normalize_returns),
        settings,
        Problem(gamma, max_steps, reward_strength, time_horizon),
        rng(7),
    )


def a_rollout(policy: Policy, t: int = 32, b: int = 4, *, seed: int = 0) -> Rollout:
    """Random observations, the policy's own actions, rewards of the action, a few ends of either kind."""
    random = rng(seed)
    observation = torch.randn(t, b, 3, generator=random)
    with torch.no_grad():
        output = policy(observation)
        action = policy.head.sample(output, policy.head.noise((t, b), random))
        log_prob = policy.head.log_probs(output, action)
    first = action[..., 0] if action.is_floating_point() else action.float()
    ends = torch.rand(t, b, generator=random)
    truncated = (ends > 0.05) & (ends < 0.1)
    return Rollout(
        observation=observation,
        action=action,
        log_prob=log_prob,
        reward=5.0 + first + observation[..., 0],
        terminated=ends <= 0.05,
        truncated=truncated,
        begins=torch.cat([torch.ones(1, b, dtype=torch.bool), (ends < 0.1)[:-1]]),
        next_observation=torch.randn(b, 3, generator=random),
        cut=[
            Cut(i, torch.nonzero(row).flatten(), torch.randn(int(row.sum()), 3, generator=random))
            for i, row in enumerate(truncated)
            if row.any()
        ],
    )
