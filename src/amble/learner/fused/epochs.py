"""What PPO calls for an epoch in the place of its own loop: torch's tensors in, figures out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples
from amble.algorithms.tally import Tally
from amble.learner.fused import activations, heads
from amble.learner.fused.blas import blas_threads
from amble.learner.fused.epoch import FIGURES, Data, Learned, Loss, Memory, Networks, Step, epoch
from amble.learner.fused.layout import FlatParameters
from amble.learner.fused.parts import epoch_in_parts, parts_of
from amble.learner.fused.team import Team
from amble.nets.distributions import (
    BernoulliHead,
    CategoricalHead,
    GaussianHead,
    Head,
    MultiCategoricalHead,
    SquashedGaussianHead,
)

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


class FusedEpochs:
    """The epochs of one PPO, whose networks `amble.learner.choice` has found to be served."""

    def __init__(self, ppo: PPO):
        self.ppo = ppo
        self.flat = FlatParameters(ppo.optimiser)
        actor, critic = cast("nn.Sequential", ppo.policy.actor), cast("nn.Sequential", ppo.critic.net)
        head = ppo.policy.head
        self.nets = Networks(
            actor=self._table(actor),
            critic=self._table(critic),
            activation=_activation(actor),
            head=_HEADS[type(head)],
            branches=_branches(head),
            log_std=self.flat.start(head.log_std) if isinstance(head, GaussianHead) else -1,
        )
        self._rooms: list[tuple[Data, Memory]] = []
        self._team = Team()
        self._largest = max(
            int((table[:, 0] * table[:, 1]).max()) for table in (self.nets.actor, self.nets.critic)
        )
        flat = self.flat
        learned = Learned(flat.theta, flat.gradient, flat.first, flat.second, flat.starts, flat.steps)
        self._learned = tuple(learned)

    def __call__(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        """A gradient step a minibatch; see `Epoch` in `amble.algorithms.ppo`."""
        s, optimiser = self.ppo.settings, self.ppo.optimiser
        self.flat.adopt()
        minibatches = list(order)
        sizes = [len(index) for index in minibatches]
        data = _data(samples)
        parts = parts_of(max(sizes), self._largest)
        rooms = self._room_for(data, -(-max(sizes) // parts), parts)
        figures = np.empty((len(sizes), len(FIGURES)))
        loss = Loss(
            epsilon=float(epsilon),
            beta=float(beta),
            value_coefficient=float(s.value_coefficient),
            value_clip=float("inf") if s.value_clip is None else float(s.value_clip),
            kl_coefficient=float(self.ppo.kl_coefficient),
            joint=s.ratio == "joint",
            standardise=s.advantage_normalization == "minibatch",
        )
        step = Step(float(optimiser.learning_rate), float(s.adam_epsilon), float(optimiser.limit))
        index, ends = torch.cat(minibatches).numpy(), list(accumulate(sizes))
        with blas_threads(1):
            if parts > 1:
                epoch_in_parts(
                    self._team,
                    torch.get_num_threads(),
                    tuple(data),
                    index,
                    ends,
                    tuple(self.nets),
                    self._learned,
                    self.flat.part_gradients(parts),
                    tuple(loss),
                    loss.standardise,
                    tuple(step),
                    [(tuple(batch), tuple(memory)) for batch, memory in rooms],
                    figures,
                )
            else:
                batch, memory = rooms[0]
                epoch(
                    tuple(data),
                    index,
                    np.array(ends),
                    tuple(self.nets),
                    self._learned,
                    tuple(loss),
                    tuple(step),
                    tuple(batch),
                    tuple(memory),
                    figures,
                )
        return Tally(dict(zip(FIGURES, figures.sum(0).tolist(), strict=True)), len(sizes))

    def _table(self, net: nn.Sequential) -> np.ndarray:
        """The network as `network.py` reads it."""
        rows: list[list[int]] = []
        place = 0
        for layer in net:
            if isinstance(layer, nn.Linear):
                start = self.flat.start
                rows.append(
                    [layer.in_features, layer.out_features, start(layer.weight), start(layer.bias), place]
                )
                place += layer.out_features
        return np.array(rows)

    def _room_for(self, data: Data, n: int, count: int) -> list[tuple[Data, Memory]]:
        """Rooms for `count` parts of up to n samples, kept from epoch to epoch."""
        rooms, old = self._rooms, data.distribution_old.shape[1]
        if (
            len(rooms) < count
            or len(rooms[0][0].advantage) < n
            or rooms[0][0].distribution_old.shape[1] != old
        ):
            self._rooms = [self._room(data, n) for _ in range(count)]
        return self._rooms

    def _room(self, data: Data, n: int) -> tuple[Data, Memory]:
        batch = Data(*(np.empty((n if len(rows) else 0, *rows.shape[1:]), rows.dtype) for rows in data))
        widths = [int(table[:-1, 1].sum()) for table in (self.nets.actor, self.nets.critic)]
        dimensions, outputs = data.log_prob.shape[1], int(self.nets.actor[-1, 1])
        memory = Memory(
            hidden=np.empty(n * max(widths), np.float32),
            slope=np.empty(n * max(widths), np.float32),
            delta=np.empty(n * max(widths), np.float32),
            output=np.empty(n * outputs, np.float32),
            d_output=np.empty(n * outputs, np.float32),
            log_prob=np.empty((n, dimensions)),
            entropy=np.empty((n, dimensions)),
            d_log_prob=np.empty((n, dimensions)),
            kl=np.empty(n),
            value=np.empty((n, 1), np.float32),
            d_value=np.empty((n, 1), np.float32),
        )
        return batch, memory


def _data(samples: Samples) -> Data:
    """The rollout's tensors as arrays of the kernels' types, without copying."""
    action = samples.action if samples.action.ndim == 2 else samples.action[:, None]
    floats, whole = np.empty((0, 1), np.float32), np.empty((0, 1), np.int64)
    continuous = action.is_floating_point()
    old = samples.distribution_old
    if samples.value_target is None or samples.value_old is None:
        raise TypeError("a minibatch of PPO has what the critic learns, and what it said")
    return Data(
        observation=_array(samples.observation),
        numbers=_array(action) if continuous else floats,
        choices=whole if continuous else _array(action),
        log_prob=_array(samples.log_prob),
        advantage=_array(samples.advantage),
        value_target=_array(samples.value_target),
        value_old=_array(samples.value_old),
        distribution_old=floats if old is None else _array(old),
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _activation(net: nn.Sequential) -> int:
    return next((_ACTIVATIONS[type(layer)] for layer in net if type(layer) in _ACTIVATIONS), activations.TANH)


def _branches(head: Head) -> np.ndarray:
    if isinstance(head, MultiCategoricalHead):
        return np.array([0, *accumulate(head.choices)])
    return np.array([0, head.outputs])
