"""One seed sequence a run, one stream a purpose, so that no two streams and no two runs overlap."""

from __future__ import annotations

import numpy as np
import torch

PURPOSES = ("weights", "exploration", "minibatches", "environments", "evaluation")


class Seeds:
    """Generators of a run, spawned from its seed in the fixed order of `PURPOSES`."""

    def __init__(self, seed: int):
        children = np.random.SeedSequence(seed).spawn(len(PURPOSES))
        self._entropy = {
            purpose: int(child.generate_state(1, np.uint64)[0])
            for purpose, child in zip(PURPOSES, children, strict=True)
        }

    def generator(self, purpose: str) -> torch.Generator:
        """A torch generator of its own for one purpose."""
        generator = torch.Generator()
        generator.manual_seed(self._entropy[purpose] >> 1)
        return generator

    def integer(self, purpose: str) -> int:
        """A seed of 31 bits, as `env.reset` takes one."""
        return self._entropy[purpose] >> 33
