"""How often a build that has crashed is started again: ML-Agents' limits, each for every build by itself."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

UNLIMITED = -1


@dataclass(frozen=True)
class RestartLimits:
    """−1 in the first two: no limit."""

    lifetime: int = 10
    """Restarts of a build in all."""
    often: int = 1
    """Restarts of a build within `seconds`."""
    seconds: float = 60.0


class Restarts:
    """Counts the restarts of each build."""

    def __init__(self, limits: RestartLimits):
        self._limits = limits
        self._count: dict[int, int] = defaultdict(int)
        self._recent: dict[int, deque[float]] = defaultdict(deque)

    @property
    def total(self) -> int:
        """Of all builds."""
        return sum(self._count.values())

    def refusal(self, worker: int, now: float) -> str | None:
        """Why this build is not started again; None where it may be.

        Args:
            worker: its number.
            now: seconds, on any clock that never goes back.
        """
        limits, recent = self._limits, self._recent[worker]
        while recent and now - recent[0] > limits.seconds:
            recent.popleft()
        if limits.lifetime != UNLIMITED and self._count[worker] >= limits.lifetime:
            return f"max_lifetime_restarts ({limits.lifetime}) is used up"
        if limits.often != UNLIMITED and len(recent) >= limits.often:
            return (
                f"restarts_rate_limit_n ({limits.often}) within restarts_rate_limit_period_s ({limits.seconds:g} s) "
                "is used up"
            )
        return None

    def note(self, worker: int, now: float) -> None:
        """It is started again."""
        self._count[worker] += 1
        self._recent[worker].append(now)
