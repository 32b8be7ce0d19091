"""Small policies, critics, algorithms and rollouts for tests. Axes: T decisions, B environments, 3 observations."""

from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Algorithm, Problem
from amble.algorithms.pg import NEEDS_Q, NEEDS_VALUE, PG
from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Cut, Rollout
from amble.algorithms.trpo import TRPO
from amble.config import (
    A2CHyperparameters,
    Hyperparameters,
    PGHyperparameters,
    PPOHyperparameters,
    TRPOHyperparameters,
)
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic, QCritic
from amble.nets.network import NetShape
from amble.nets.observations import ObservationLayout

OBSERVATION = spaces.Box(-np.inf, np.inf, (3,))
BOX2, BOX1, DISCRETE = spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, (1,)), spaces.Discrete(4)
MULTI, BINARY = spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(3)
HYBRID = spaces.Tuple([BOX2, MULTI])
MASKED = spaces.Dict({"seen": OBSERVATION, "action_mask": spaces.MultiBinary(4)})
"""For DISCRETE; a policy for it takes rows of 3 + 4 numbers."""

POLICIES: dict[str, dict[str, Any]] = {
    "gaussian": {},
    "squashed": {"distribution": "squashed"},
    "beta": {"distribution": "beta"},
    "categorical": {"action_space": DISCRETE},
    "multi-discrete": {"action_space": MULTI},
    "bernoulli": {"action_space": BINARY},
    "hybrid": {"action_space": HYBRID},
    "masked": {"action_space": DISCRETE, "observation_space": MASKED},
    "memory": {"memory_size": 8},
    "layer norm": {"layer_norm": True},
}
"""One policy of every kind: what `a_policy` and the algorithms below take for it."""


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
    hidden: tuple[int, ...] = (16, 16),
    layer_norm: bool = False,
) -> Policy:
    return Policy(
        observation_space,
        action_space,
        shape=NetShape(list(hidden), memory_size=memory_size, layer_norm=layer_norm),
        normalise=normalise,
        initial_std=1.0,
        action_clip=3.0,
        distribution=distribution,
        rng=rng(seed),
    )


def a_critic(
    *,
    standardise: bool = True,
    activation: Any = "tanh",
    memory_size: int = 0,
    observation_space: spaces.Space[Any] = OBSERVATION,
    layer_norm: bool = False,
    rewards: int = 1,
) -> Critic:
    return Critic(
        ObservationLayout(observation_space),
        shape=NetShape([16, 16], activation, memory_size=memory_size, layer_norm=layer_norm),
        standardise=standardise,
        rng=rng(),
        rewards=rewards,
    )


def a_ppo(action_space: spaces.Space[Any] = BOX2, **more: Any) -> PPO:
    """The same networks and the same order of minibatches every time, as of the algorithms below."""
    small = {"batch_size": 32, "buffer_size": 10_000, "num_epoch": 2}
    settings, policy, critic, problem = _parts(PPOHyperparameters, action_space, {**small, **more})
    return PPO(policy, critic, settings, problem, rng(7))


def a_pg(estimator: str = "gae", action_space: spaces.Space[Any] = BOX2, **more: Any) -> PG:
    given = {"batch_size": 32, "critic_epochs": 2, **more, "estimator": estimator}
    settings, policy, critic, problem = _parts(PGHyperparameters, action_space, given)
    q_critic = None
    if estimator in NEEDS_Q:
        q_critic = QCritic(
            policy.layout,
            policy.actions,
            policy.head.dimensions,
            shape=NetShape([16, 16]),
            standardise=settings.normalize_returns,
            rng=rng(1),
        )
    return PG(
        policy,
        settings,
        problem,
        rng(7),
        critic=critic if estimator in NEEDS_VALUE else None,
        q_critic=q_critic,
    )


def a_a2c(action_space: spaces.Space[Any] = BOX2, **more: Any) -> A2C:
    settings, policy, critic, problem = _parts(A2CHyperparameters, action_space, more)
    return A2C(policy, critic, settings, problem, rng(7))


def a_trpo(action_space: spaces.Space[Any] = BOX2, **more: Any) -> TRPO:
    given = {"batch_size": 32, "critic_epochs": 2, **more}
    settings, policy, critic, problem = _parts(TRPOHyperparameters, action_space, given)
    return TRPO(policy, critic, settings, problem, rng(7))


_H = TypeVar("_H", bound=Hyperparameters)


def _parts(
    model: type[_H], action_space: spaces.Space[Any], given: dict[str, Any]
) -> tuple[_H, Policy, Critic, Problem]:
    """Settings, networks and problem, from hyperparameters, the keywords of `a_policy` and those of Problem."""
    schedule = "beta_schedule" if model is TRPOHyperparameters else "learning_rate_schedule"
    given = {schedule: "constant", **given}
    problem = Problem(
        given.pop("gamma", 0.9),
        given.pop("max_steps", 1000),
        given.pop("reward_strength", 1.0),
        given.pop("time_horizon", 1000),
    )
    shape = {
        key: given.pop(key) for key in ("observation_space", "memory_size", "layer_norm") if key in given
    }
    policy_only = {key: given.pop(key) for key in ("hidden", "seed", "normalise") if key in given}
    settings = model.model_validate(given)
    policy = a_policy(action_space, distribution=settings.distribution, **shape, **policy_only)
    return settings, policy, a_critic(standardise=settings.normalize_returns, **shape), problem


def a_rollout(
    policy: Policy,
    t: int = 32,
    b: int = 4,
    *,
    seed: int = 0,
    critic: Critic | None = None,
    sequence_length: int = 8,
    ends: float = 0.05,
) -> Rollout:
    """Random observations, the policy's own actions, rewards of the action, a few ends of either kind.

    Args:
        policy: acts.
        t: T.
        b: B.
        seed: of observations, noise and ends.
        critic: whose memory is kept beside a policy's memory.
        sequence_length: L, where the policy has a memory.
        ends: chance of a terminal state, and of a cut, at each decision.
    """
    random = rng(seed)
    size = policy.layout.size
    observation = _observations(policy, torch.randn(t, b, size, generator=random))
    noise = policy.head.noise((t, b), random)
    end = torch.rand(t, b, generator=random)
    terminated, truncated = end <= ends, (end > ends) & (end < 2 * ends)
    begins = torch.cat([torch.ones(1, b, dtype=torch.bool), (terminated | truncated)[:-1]])
    last = _observations(policy, torch.randn(b, size, generator=random))
    actions: list[Tensor] = []
    log_probs: list[Tensor] = []
    states: list[Tensor] = []
    critic_states: list[Tensor] = []
    cut: list[Cut] = []
    state = policy.nothing_remembered(b)
    critic_state = None if critic is None else critic.nothing_remembered(b)
    for k in range(t):
        with torch.no_grad():
            if state is not None:
                state = state.masked_fill(begins[k][:, None], 0.0)
                states.append(state)
            output, state = policy.step(observation[k], state)
            actions.append(policy.head.sample(output, noise[k]))
            log_probs.append(policy.head.log_probs(output, actions[-1]))
            if critic is not None and critic_state is not None:
                critic_state = critic_state.masked_fill(begins[k][:, None], 0.0)
                critic_states.append(critic_state)
                _, critic_state = critic.step(observation[k], critic_state)
        if truncated[k].any():
            rows = torch.nonzero(truncated[k]).flatten()
            final = _observations(policy, torch.randn(len(rows), size, generator=random))
            cut.append(Cut(k, rows, final, None if critic_state is None else critic_state[rows]))
    action = torch.stack(actions)
    first = (action if action.ndim == 2 else action[..., 0]).float()
    if critic_state is not None:
        critic_state = critic_state.masked_fill((terminated | truncated)[-1][:, None], 0.0)
    return Rollout(
        observation=observation,
        action=action,
        log_prob=torch.stack(log_probs),
        reward=5.0 + first + observation[..., 0],
        terminated=terminated,
        truncated=truncated,
        begins=begins,
        next_observation=last,
        cut=cut,
        policy_state=torch.stack(states) if states else None,
        critic_state=torch.stack(critic_states) if critic_states else None,
        next_critic_state=critic_state,
        sequence_length=sequence_length if states else 1,
    )


def rollout_of(algorithm: Algorithm, **more: Any) -> Rollout:
    """`a_rollout` of an algorithm's policy, and of its critic's memory if it has one."""
    critic = algorithm.networks.get("critic")
    return a_rollout(algorithm.policy, critic=critic if isinstance(critic, Critic) else None, **more)


def _observations(policy: Policy, x: Tensor) -> Tensor:
    """Random numbers with a mask where there is one: each choice allowed half of the time, the first one always."""
    if policy.layout.mask is not None:
        mask = (x[..., policy.layout.mask] > 0).to(x.dtype)
        mask[..., 0] = 1.0
        x[..., policy.layout.mask] = mask
    return x
