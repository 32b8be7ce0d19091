"""What PPO calls for an epoch in the place of its own loop: torch's tensors in, figures out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples, known
from amble.algorithms.tally import Tally
from amble.learner.fused.arrays import Data, Memory
from amble.learner.fused.blas import blas_threads
from amble.learner.fused.epoch import FIGURES, Loss, epoch
from amble.learner.fused.handover import data_of, learned, memory_for, networks, step_of, threads
from amble.learner.fused.layout import FlatParameters


class FusedEpochs:
    """The epochs of one PPO, whose networks `amble.learner.choice` has found to be served."""

    def __init__(self, ppo: PPO):
        self.ppo = ppo
        self.flat = FlatParameters(ppo.optimiser)
        self.nets = networks(ppo.policy, ppo.critic, self.flat)
        self._learned = tuple(learned(self.flat))
        self._room: tuple[Data, Memory] | None = None

    def __call__(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        """A gradient step a minibatch; see `Epoch` in `amble.algorithms.ppo`."""
        s = self.ppo.settings
        self.flat.adopt()
        minibatches = list(order)
        sizes = [len(index) for index in minibatches]
        known(samples.value_target)
        known(samples.value_old)
        data = data_of(samples)
        batch, memory = self._rooms(data, max(sizes))
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
        step = step_of(self.ppo.optimiser)
        with blas_threads(threads(max(sizes), self.nets.actor, self.nets.critic)):
            epoch(
                tuple(data),
                torch.cat(minibatches).numpy(),
                np.array(list(accumulate(sizes))),
                tuple(self.nets),
                self._learned,
                tuple(loss),
                tuple(step),
                tuple(batch),
                tuple(memory),
                figures,
            )
        return Tally(dict(zip(FIGURES, figures.sum(0).tolist(), strict=True)), len(sizes))

    def _rooms(self, data: Data, n: int) -> tuple[Data, Memory]:
        """Room for minibatches of up to n samples, kept from epoch to epoch."""
        room = self._room
        old = data.distribution_old.shape[1]
        if room is not None and len(room[0].advantage) >= n and room[0].distribution_old.shape[1] == old:
            return room
        batch = Data(*(np.empty((n if len(rows) else 0, *rows.shape[1:]), rows.dtype) for rows in data))
        self._room = batch, memory_for(self.nets, n, data.log_prob.shape[1])
        return self._room
