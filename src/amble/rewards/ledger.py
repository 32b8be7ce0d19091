"""What each term has paid: episode by episode, beside the reward it made and the task's own. Axes: B environments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

TERMINAL = "terminal"
"""The row of what was paid for an episode's end in place of the terms."""


class Ledger:
    """Sums by term of the running episodes, and those of the ended ones until they are taken.

    In a sum, the terms' rows and `terminal` add up to the return. In a product a factor's row is what the return would
    be were all other factors 1.
    """

    def __init__(self, labels: Sequence[str], num_envs: int):
        self.labels = (*labels, TERMINAL)
        rows = len(self.labels) + 2  # the last two: the reward made, the task's own
        self.now: Float[np.ndarray, "rows B"] = np.zeros((rows, num_envs))
        self._sums: Float[np.ndarray, "rows B"] = np.zeros((rows, num_envs))
        self._ended: list[Float[np.ndarray, "rows n"]] = []

    def add(self) -> None:
        """The decision in `now` has been paid."""
        self._sums += self.now

    def close(self, done: Bool[np.ndarray, "B"]) -> None:
        """The episodes in `done` have ended."""
        if done.any():
            self._ended.append(self._sums[:, done])
            self._sums[:, done] = 0.0

    def restart(self) -> None:
        """New episodes begin everywhere; the running ones are forgotten, and so are those not taken."""
        self._sums[:] = 0.0
        self._ended.clear()

    def take(self) -> dict[str, float | None]:
        """Means over the episodes that have ended since, as a row of metrics has them; None where none has."""
        names = [*(f"term.{label}" for label in self.labels), "reshaped_return_mean", "reference_return_mean"]
        if not self._ended:
            return dict.fromkeys(names)
        means = np.concatenate(self._ended, axis=1).mean(axis=1)
        self._ended.clear()
        return {name: float(mean) for name, mean in zip(names, means, strict=True)}
