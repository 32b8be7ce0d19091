"""What PPO calls for an epoch in the place of its own loop: torch's tensors in, figures out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples, known
from amble.algorithms.tally import Tally
from amble.learner.fused.arrays import Data, Memory
from amble.learner.fused.blas import blas_threads
from amble.learner.fused.epoch import FIGURES, SOURCES, Loss, epoch
from amble.learner.fused.handover import data_of, learned, memory_for, networks, step_of
from amble.learner.fused.layout import FlatParameters
from amble.learner.fused.parts import epoch_in_parts, parts_of
from amble.native.team import Team


class FusedEpochs:
    """The epochs of one PPO, whose networks `amble.learner.choice` has found to be served.

    Attributes:
        wait_for: a process that compiles them, whose end the first epoch waits for.
    """

    def __init__(self, ppo: PPO):
        self.ppo = ppo
        self.wait_for: subprocess.Popen[bytes] | None = None
        self.flat = FlatParameters(ppo.optimiser)
        self.nets = networks(ppo.policy, ppo.critic, self.flat)
        self._learned = tuple(learned(self.flat))
        self._rooms: list[tuple[Data, Memory]] = []
        self._team = Team()
        self._largest = max(
            int((layers[:, 0] * layers[:, 1]).max()) for layers in (self.nets.actor, self.nets.critic)
        )

    def __call__(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        """A gradient step a minibatch; see `Epoch` in `amble.algorithms.ppo`."""
        if self.wait_for is not None:
            self.wait_for.wait()
            self.wait_for = None
        s = self.ppo.settings
        self.flat.adopt()
        minibatches = list(order)
        sizes = [len(index) for index in minibatches]
        known(samples.value_target)
        known(samples.value_old)
        data = data_of(samples)
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
        step = step_of(self.ppo.optimiser)
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

    def compiled_mark(self, n: int) -> Path | None:
        """A file to leave where steps of n samples were compiled, a hint to later runs; None where nothing is kept."""
        folder = epoch.stats.cache_path  # pyright: ignore[reportFunctionMemberAccess]
        way = "whole" if parts_of(n, self._largest) == 1 else "in-parts"
        return None if folder is None else Path(folder) / f"compiled-{way}-{SOURCES:x}"

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
        return batch, memory_for(self.nets, n, data.log_prob.shape[1])
