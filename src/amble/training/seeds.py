"""One seed sequence a run, one stream a purpose, so that no two streams and no two runs overlap."""

from __future__ import annotations

import numpy as np
import torch

PURPOSES = ("weights", "exploration", "minibatches", "environments", "evaluation")
_WORKERS = 2**16
"""Branch of the seed sequence below which worker processes have theirs: beyond any purpose's number."""


class Seeds:
    """Generators of a run, spawned from its seed in the fixed order of `PURPOSES`."""

    def __init__(self, seed: int, branch: tuple[int, ...] = ()):
        self._seed = seed
        children = np.random.SeedSequence(seed, spawn_key=branch).spawn(len(PURPOSES))
        self._entropy = {
            purpose: int(child.generate_state(1, np.uint64)[0])
            for purpose, child in zip(PURPOSES, children, strict=True)
        }

    def of_worker(self, start: int) -> Seeds:
        """Streams of a worker process, by how many were started before it in this run."""
        return Seeds(self._seed, (_WORKERS, start))

    def generator(self, purpose: str) -> torch.Generator:
        """A torch generator of its own for one purpose."""
        generator = torch.Generator()
        generator.manual_seed(self._entropy[purpose] >> 1)
        return generator

    def integer(self, purpose: str) -> int:
        """A seed of 31 bits, as `env.reset` takes one."""
        return self._entropy[purpose] >> 33
