"""The agents of one message, as arrays. Axes: n agents, S numbers of an observation, C choices of all branches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64


@dataclass(frozen=True)
class Agents:
    """What every record says."""

    agent_id: Int64[np.ndarray, "n"]
    observations: tuple[Float32[np.ndarray, "n ..."], ...]
    reward: Float32[np.ndarray, "n"]
    """Since the agent's last record, its group's included."""

    def __len__(self) -> int:
        """How many agents."""
        return len(self.agent_id)


@dataclass(frozen=True)
class Decisions(Agents):
    """Agents that ask for a decision, in the order in which their actions are to be sent."""

    allowed: Bool[np.ndarray, "n C"] | None = None
    """Which choices may be taken, all branches in a row; None where nothing is forbidden."""


@dataclass(frozen=True)
class Terminals(Agents):
    """Agents whose episode has ended; the observation is its last."""

    interrupted: Bool[np.ndarray, "n"] = field(default_factory=lambda: np.zeros(0, bool))
    """Cut off by a limit of steps."""


@dataclass(frozen=True)
class Frame:
    """A behaviour in one message. An agent may be in both: its old episode's end, and its new one's beginning."""

    decisions: Decisions
    terminals: Terminals


@dataclass(frozen=True)
class Actions:
    """Of the agents that asked, in their order."""

    continuous: Float32[np.ndarray, "n A"] | None = None
    discrete: Int32[np.ndarray, "n D"] | None = None
