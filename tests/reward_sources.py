"""A small source of signals for tests of rewards: 3 environments, 2 substeps."""

from collections.abc import Iterable, Mapping

import numpy as np

from amble.rewards.signals import Signal, SignalSource

SPEED = Signal("speed", "m/s", "how fast")
FEET = Signal("feet", "m", "how high", ("left", "right"))
ERROR = Signal("error", "m/s", "at each substep", taken="substeps")


class Given(SignalSource):
    """Publishes whatever arrays it is given."""

    num_envs, substeps, substep_seconds = 3, 2, 0.1

    def __init__(self, values: dict[str, np.ndarray] | None = None):
        self.values = values or {
            "speed": np.array([1.0, 2.0, 3.0]),
            "feet": np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 3.0]]),
            "error": np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]),
        }
        self.watched: set[str] = set()
        self.reads: list[str] = []

    @property
    def signals(self) -> Mapping[str, Signal]:
        return {signal.name: signal for signal in (SPEED, FEET, ERROR)}

    def watch(self, names: Iterable[str]) -> None:
        self.watched |= set(names)

    def read(self, name: str) -> np.ndarray:
        self.reads.append(name)
        return self.values[name]
