"""What the collector calls for a decision in the place of torch: the fused learner's own policy."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.rollout import Rollout
from amble.learner.fused.act import Buffers, Room, Scale, act
from amble.learner.fused.arrays import Networks
from amble.learner.fused.blas import blas_threads
from amble.learner.fused.handover import hidden_width, layer_norm_room
from amble.learner.fused.layout import FlatParameters
from amble.nets.actor_critic import Policy


class FusedActing:
    """A policy that learns by the fused learner, acting on the same flat parameters."""

    def __init__(self, policy: Policy, flat: FlatParameters, nets: Networks):
        self.policy, self.flat, self.nets = policy, flat, nets
        self._buffers: tuple[np.ndarray, ...] = ()
        self._scale: tuple[np.ndarray | float, ...] = ()
        self._room: tuple[np.ndarray, ...] = ()

    def alone(self) -> AbstractContextManager[object]:
        """Within, a decision computes on one thread: the environments have the others."""
        return blas_threads(1)

    def begin(self, raw: Float[Tensor, "T B O"], noise: Float[Tensor, "T B noise"], data: Rollout) -> None:
        """A rollout begins: `raw` will hold its observations, `data` is written."""
        self.flat.adopt()
        action = data.action if data.action.ndim == 3 else data.action[..., None]
        continuous = action.is_floating_point()
        buffers = Buffers(
            raw=raw.numpy(),
            noise=noise.numpy(),
            observation=data.observation.numpy(),
            numbers=action.numpy() if continuous else np.empty((1, 0, 0), np.float32),
            choices=np.empty((0, 0, 0), np.int64) if continuous else action.numpy(),
            log_prob=data.log_prob.numpy(),
        )
        self._buffers = tuple(buffers)
        self._scale = tuple(self._moments(raw.shape[-1]))
        self._room = self.room_for(data.log_prob.shape[1])

    def act(self, t: int) -> None:
        """Decision t: its normalised observation, its actions and their log-probabilities, into the rollout."""
        act(t, *self.arguments, self._room)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What `decide_rows` takes besides the rows and memory for them."""
        return self._buffers, tuple(self.nets), self.flat.theta, self._scale

    def room_for(self, rows: int) -> tuple[np.ndarray, ...]:
        """Memory for one decision of so many environments: a `Room`."""
        nets, dimensions = self.nets, self.policy.head.dimensions
        width, (normal, inverse_std) = hidden_width(nets.actor), layer_norm_room(rows, nets.actor)
        return tuple(
            Room(
                hidden=np.empty(rows * width, np.float32),
                slope=np.empty(rows * width, np.float32),
                normal=normal,
                inverse_std=inverse_std,
                output=np.empty((rows, int(nets.actor[-1, 1])), np.float32),
                kept=np.zeros((rows, dimensions), np.int64),
            )
        )

    def _moments(self, size: int) -> Scale:
        normaliser = self.policy.normaliser
        if normaliser is None:
            return Scale(np.zeros(size, np.float32), np.ones(size, np.float32), float("inf"))
        mean, std = normaliser.mean.float(), normaliser.std.float()
        return Scale(mean.numpy(), std.numpy(), float(normaliser.limit))
