"""From the run file to networks and the algorithm that trains them."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Algorithm, Problem
from amble.algorithms.mirror import Exchange, Mirror
from amble.algorithms.pg import NEEDS_Q, NEEDS_VALUE, PG
from amble.algorithms.ppo import PPO
from amble.algorithms.trpo import TRPO
from amble.config import (
    A2CHyperparameters,
    BehaviorSettings,
    ExtrinsicReward,
    PGHyperparameters,
    PPOHyperparameters,
    TRPOHyperparameters,
)
from amble.envs.mirror import Exchange as BodyExchange
from amble.envs.mirror import Mirror as BodyMirror
from amble.errors import UsageError
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic, QCritic
from amble.training.build_signals import build_cloning, build_signals, net_shape


def build_policy(
    behavior: BehaviorSettings,
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    weights: torch.Generator,
) -> Policy:
    """An untrained policy for these spaces."""
    hyper, network = behavior.hyperparameters, behavior.network_settings
    return Policy(
        observation_space,
        action_space,
        shape=net_shape(network),
        normalise=network.normalize,
        initial_std=hyper.initial_std,
        action_clip=hyper.action_clip,
        distribution=hyper.distribution,
        rng=weights,
    )


def build_algorithm(
    behavior: BehaviorSettings,
    policy: Policy,
    weights: torch.Generator,
    minibatches: torch.Generator,
    device: torch.device,
    mirror: BodyMirror | None = None,
) -> Algorithm:
    """The algorithm of the behaviour's trainer, with the critics that it learns by; `mirror` is the environment's."""
    hyper = behavior.hyperparameters
    shape, standardise = net_shape(behavior.network_settings), hyper.normalize_returns
    extrinsic = behavior.reward_signals.extrinsic or ExtrinsicReward(strength=0.0)
    problem = Problem(
        gamma=extrinsic.gamma,
        reward_strength=extrinsic.strength,
        time_horizon=behavior.time_horizon,
        max_steps=behavior.max_steps,
    )

    def critic(rewards: int = 1) -> Critic:
        return Critic(policy.layout, shape=shape, standardise=standardise, rng=weights, rewards=rewards).to(
            device
        )

    def q_critic() -> QCritic:
        return QCritic(
            policy.layout,
            policy.actions,
            policy.head.dimensions,
            shape=shape,
            standardise=standardise,
            rng=weights,
        ).to(device)

    if isinstance(hyper, PPOHyperparameters):
        value = critic(len(behavior.reward_signals.names))
        signals = build_signals(behavior.reward_signals, policy, weights)
        cloning = build_cloning(behavior, hyper, policy)
        return PPO(
            policy,
            value,
            hyper,
            problem,
            minibatches,
            signals=signals,
            asides=cloning,
            mirror=_build_mirror(policy, mirror, hyper),
        )
    if isinstance(hyper, A2CHyperparameters):
        return A2C(policy, critic(), hyper, problem, minibatches)
    if isinstance(hyper, PGHyperparameters):
        return PG(
            policy,
            hyper,
            problem,
            minibatches,
            critic=critic() if hyper.estimator in NEEDS_VALUE else None,
            q_critic=q_critic() if hyper.estimator in NEEDS_Q else None,
        )
    if isinstance(hyper, TRPOHyperparameters):
        return TRPO(policy, critic(), hyper, problem, minibatches)
    raise UsageError(f"No algorithm is built for trainer {behavior.trainer_type} here.")


def _build_mirror(policy: Policy, mirror: BodyMirror | None, hyper: PPOHyperparameters) -> Mirror | None:
    """None where none is asked for, or there is nothing to exchange: every sample is its own mirror image."""
    if hyper.mirror is False:
        return None
    if hyper.mirror == "auto" and (mirror is None or policy.memory_size or hyper.distribution != "gaussian"):
        return None
    if mirror is None:
        raise UsageError(
            "hyperparameters.mirror: this environment does not say what it looks like in a mirror. amble/Walker-v0 "
            "and Gymnasium's MuJoCo runners (v5) do; set it to false or auto for others."
        )
    if mirror.is_identity:
        return None

    def exchange(one: BodyExchange) -> Exchange:
        return Exchange(
            torch.as_tensor(one.index, device=policy.device),
            torch.as_tensor(one.sign, device=policy.device, dtype=torch.float32),
        )

    return Mirror(exchange(mirror.observation), exchange(mirror.action), policy.normaliser)
