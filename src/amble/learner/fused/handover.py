"""How torch's networks and samples become what the kernels take, without copying."""

from __future__ import annotations

from itertools import accumulate
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Samples
from amble.learner.fused import activations, heads
from amble.learner.fused.arrays import Data, Learned, Memory, Networks, Step
from amble.learner.fused.layout import FlatParameters
from amble.learner.fused.network import COLUMNS, GAIN
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.distributions import (
    BernoulliHead,
    CategoricalHead,
    GaussianHead,
    Head,
    MultiCategoricalHead,
    SquashedGaussianHead,
)

_WORTH_SHARING = 2**25
"""Multiplications of one product, a millisecond or so; below it, threads on busy cores wait longer than they save."""

_ACTIVATIONS: dict[type[nn.Module], int] = {
    nn.Tanh: activations.TANH,
    nn.SiLU: activations.SILU,
    nn.ReLU: activations.RELU,
    nn.ELU: activations.ELU,
}
_HEADS: dict[type[nn.Module], int] = {
    GaussianHead: heads.GAUSSIAN,
    SquashedGaussianHead: heads.SQUASHED,
    CategoricalHead: heads.CATEGORICAL,
    MultiCategoricalHead: heads.CATEGORICAL,
    BernoulliHead: heads.BERNOULLI,
}


def networks(policy: Policy, critic: Critic | None, flat: FlatParameters) -> Networks:
    """Actor, head and critic; a critic that has parameters of its own is left out."""
    actor, head = cast("nn.Sequential", policy.actor), policy.head
    return Networks(
        actor=table(actor, flat),
        critic=np.zeros((0, COLUMNS), np.int64)
        if critic is None
        else table(cast("nn.Sequential", critic.net), flat),
        activation=activation_of(actor),
        head=_HEADS[type(head)],
        branches=_branches(head),
        log_std=flat.start(head.log_std) if isinstance(head, GaussianHead) else -1,
    )


def table(net: nn.Sequential, flat: FlatParameters) -> np.ndarray:
    """The network as `network.py` reads it."""
    rows: list[list[int]] = []
    place = 0
    for layer in net:
        if isinstance(layer, nn.Linear):
            inputs, outputs = layer.in_features, layer.out_features
            rows.append([inputs, outputs, flat.start(layer.weight), flat.start(layer.bias), place, -1, -1])
            place += outputs
        elif isinstance(layer, nn.LayerNorm):
            rows[-1][GAIN:] = flat.start(layer.weight), flat.start(layer.bias)
    return np.array(rows)


def hidden_width(*tables: np.ndarray) -> int:
    """Hidden outputs of one sample, of the wider of some networks."""
    return max(int(rows[:-1, 1].sum()) for rows in tables)


def layer_norm_room(n: int, *tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Room for what layer norm keeps of n samples, of the larger of some networks; none where no network has it."""
    normed = [rows for rows in tables if (rows[:, GAIN] >= 0).any()]
    width = max((hidden_width(rows) for rows in normed), default=0)
    depth = max((len(rows) - 1 for rows in normed), default=0)
    return np.empty(n * width, np.float32), np.empty(n * depth, np.float32)


def threads(n: int, *tables: np.ndarray) -> int:
    """The run's number of threads where the largest layer's product over n samples is worth sharing, else one."""
    largest = max(int((rows[:, 0] * rows[:, 1]).max(initial=0)) for rows in tables)
    return torch.get_num_threads() if n * largest >= _WORTH_SHARING else 1


def memory_for(nets: Networks, n: int, dimensions: int) -> Memory:
    """Room for n samples of a head with so many dimensions."""
    width, outputs = n * hidden_width(nets.actor, nets.critic), int(nets.actor[-1, 1])
    normal, inverse_std = layer_norm_room(n, nets.actor, nets.critic)
    return Memory(
        hidden=np.empty(width, np.float32),
        slope=np.empty(width, np.float32),
        normal=normal,
        inverse_std=inverse_std,
        delta=np.empty(width, np.float32),
        output=np.empty(n * outputs, np.float32),
        d_output=np.empty(n * outputs, np.float32),
        log_prob=np.empty((n, dimensions)),
        entropy=np.empty((n, dimensions)),
        d_log_prob=np.empty((n, dimensions)),
        kl=np.empty(n),
        value=np.empty((n, 1), np.float32),
        d_value=np.empty((n, 1), np.float32),
    )


def learned(flat: FlatParameters) -> Learned:
    """What a step moves."""
    return Learned(flat.theta, flat.gradient, flat.first, flat.second, flat.starts, flat.steps)


def step_of(optimiser: Optimiser) -> Step:
    """Adam's settings as they stand."""
    return Step(float(optimiser.learning_rate), float(optimiser.adam.epsilon), float(optimiser.limit))


def data_of(samples: Samples) -> Data:
    """The rollout's tensors as arrays of the kernels' types, without copying."""
    action = samples.action if samples.action.ndim == 2 else samples.action[:, None]
    floats, whole = np.empty((0, 1), np.float32), np.empty((0, 1), np.int64)
    continuous = action.is_floating_point()
    old = samples.distribution_old
    none = np.empty(0, np.float32)
    return Data(
        observation=array(samples.observation),
        numbers=array(action) if continuous else floats,
        choices=whole if continuous else array(action),
        log_prob=array(samples.log_prob),
        advantage=array(samples.advantage),
        value_target=none if samples.value_target is None else array(samples.value_target),
        value_old=none if samples.value_old is None else array(samples.value_old),
        distribution_old=floats if old is None else array(old),
    )


def array(tensor: Tensor) -> np.ndarray:
    """The tensor's numbers, copied only where they do not lie in order."""
    return tensor.detach().contiguous().numpy()


def activation_of(net: nn.Sequential) -> int:
    """The kind of its hidden layers'; any where it has none."""
    return next((_ACTIVATIONS[type(layer)] for layer in net if type(layer) in _ACTIVATIONS), activations.TANH)


def _branches(head: Head) -> np.ndarray:
    if isinstance(head, MultiCategoricalHead):
        return np.array([0, *accumulate(head.choices)])
    return np.array([0, head.outputs])
