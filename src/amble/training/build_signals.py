"""From the run file to what PPO learns from besides the environment's reward."""

from __future__ import annotations

import torch

from amble.algorithms.reward_signals import Aside, Extrinsic, RewardSignal
from amble.config import (
    BehaviorSettings,
    CuriosityReward,
    GailReward,
    LearnedReward,
    NetworkSettings,
    PPOHyperparameters,
    RewardSignals,
    RndReward,
)
from amble.nets.actor_critic import Policy
from amble.nets.network import NetShape
from amble.signals.cloning import Cloning
from amble.signals.curiosity import Curiosity
from amble.signals.demonstrations import load_expert
from amble.signals.gail import Gail
from amble.signals.rnd import Rnd


def net_shape(network: NetworkSettings) -> NetShape:
    """The shape of networks that the run file asks for."""
    return NetShape(
        hidden=[network.hidden_units] * network.num_layers,
        activation=network.activation,
        encoder=network.vis_encode_type,
        memory_size=0 if network.memory is None else network.memory.memory_size,
        layer_norm=network.layer_norm,
    )


def build_signals(settings: RewardSignals, policy: Policy, weights: torch.Generator) -> list[RewardSignal]:
    """The reward signals by the order of their names, the extrinsic one first; on the policy's device."""
    signals: list[RewardSignal] = []
    if settings.extrinsic is not None:
        signals.append(Extrinsic(settings.extrinsic.gamma, settings.extrinsic.strength))
    signals += [_learned(signal, policy, weights) for signal in settings.learned.values()]
    for signal in signals:
        for network in signal.networks.values():
            network.to(policy.device)
    return signals


def build_cloning(behavior: BehaviorSettings, trainer: PPOHyperparameters, policy: Policy) -> list[Aside]:
    """What imitates the actions of a demonstration, if anything does."""
    settings, memory = behavior.behavioral_cloning, behavior.network_settings.memory
    if settings is None:
        return []
    expert = load_expert("behavioral_cloning.demo_path", settings.demo_path, policy)
    length = 1 if memory is None else memory.sequence_length
    return [Cloning(policy, settings, trainer, expert.to(policy.device), length)]


def _learned(settings: LearnedReward, policy: Policy, weights: torch.Generator) -> RewardSignal:
    shape = net_shape(settings.network_settings)
    match settings:
        case CuriosityReward():
            return Curiosity(policy, settings, shape, weights)
        case RndReward():
            return Rnd(policy, settings, shape, weights)
        case GailReward():
            expert = load_expert("reward_signals.gail.demo_path", settings.demo_path, policy)
            return Gail(policy, settings, shape, expert.to(policy.device), weights)
        case _:
            raise TypeError(f"no reward signal is made of {type(settings).__name__}")
