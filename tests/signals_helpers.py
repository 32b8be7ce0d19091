"""Demonstrations and signals for tests. Axes: n decisions."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from amble.algorithms.rollout import Rollout
from amble.config import NetworkSettings
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.nets.network import NetShape
from amble.signals.demonstrations import Expert
from amble.unity.demonstrations import Demonstration
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec

SHAPE = NetShape([16, 16], "silu")
NETWORK = NetworkSettings(hidden_units=16, num_layers=2)


def a_demonstration(
    *shapes: tuple[int, ...],
    continuous: int = 0,
    branches: tuple[int, ...] = (),
    episodes: tuple[int, ...] = (3, 2),
    properties: tuple[int, ...] = (),
) -> Demonstration:
    """Episodes of so many decisions, of random observations and actions; each ends with a record without an action."""
    random = np.random.default_rng(0)
    n = sum(episodes) + len(episodes)
    done = np.zeros(n, np.bool_)
    done[np.cumsum(np.array(episodes) + 1) - 1] = True
    return Demonstration(
        name="demo",
        behavior="Demo",
        spec=BehaviorSpec(
            tuple(ObservationSpec(shape, f"obs_{i}", properties) for i, shape in enumerate(shapes)),
            ActionSpec(continuous, branches),
        ),
        observations=tuple(random.normal(size=(n, *shape)).astype(np.float32) for shape in shapes),
        reward=np.ones(n, np.float32),
        done=done,
        interrupted=np.zeros(n, np.bool_),
        continuous=np.where(done[:, None], 0, random.uniform(-1, 1, (n, continuous))).astype(np.float32),
        discrete=np.array(
            [[0 if end else random.integers(count) for count in branches] for end in done], np.int32
        ).reshape(n, len(branches)),
        allowed=np.ones((n, sum(branches)), np.bool_),
    )


def expert_of(policy: Policy, rollout: Rollout) -> Expert:
    """What happened in a rollout, environment after environment, as a demonstration; its rows as they are."""

    def by_environment(x: Tensor) -> Tensor:
        return x.transpose(0, 1).flatten(0, 1)

    numbers, choices = ActionFeatures(policy.actions).apart(by_environment(rollout.action))
    return Expert(
        observation=by_environment(rollout.observation),
        numbers=numbers,
        choices=choices,
        action=by_environment(rollout.action),
        done=by_environment(rollout.done),
        begins=by_environment(rollout.begins),
    )


def learn(aside: Any, rollout: Rollout, times: int = 1, *, env_steps: int = 0, batch_size: int = 32) -> Any:
    """Learn from one rollout `times` over; the figures of the last time."""
    rng = torch.Generator().manual_seed(3)
    figures = None
    for _ in range(times):
        figures = aside.learn(rollout, env_steps, rng, epochs=2, batch_size=batch_size)
    return figures
