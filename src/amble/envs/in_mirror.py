"""Signals as they are in the mirror, left and right exchanged: what a reward would pay a body's mirror image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from amble.envs.mirror import Exchange
from amble.rewards.signals import Signal, SignalSource


class SignalsInMirror(SignalSource):
    """What another source publishes, each signal exchanged by its own rule; those without one look the same."""

    def __init__(self, source: SignalSource, images: Mapping[str, Exchange]):
        """`images`: of the signals that change, by name; a signal of one number an environment has a sign only."""
        self._source, self._images = source, images
        self.num_envs, self.substeps = source.num_envs, source.substeps
        self.substep_seconds = source.substep_seconds

    @property
    def signals(self) -> Mapping[str, Signal]:
        """All that can be read, by name."""
        return self._source.signals

    def watch(self, names: Iterable[str]) -> None:
        """Measure these from now on, besides what is watched already."""
        self._source.watch(names)

    def read(self, name: str) -> np.ndarray:
        """The signal of the mirror image."""
        value, image = self._source.read(name), self._images.get(name)
        if image is None:
            return value
        exchanged = value if value.ndim == 1 else value[:, image.index]
        return exchanged if (image.sign == 1).all() else exchanged * image.sign
