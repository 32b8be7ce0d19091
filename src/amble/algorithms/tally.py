"""Means of figures over the gradient steps of one update."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Sums by name, and how many went into them."""

    sums: dict[str, float] = field(default_factory=dict[str, float])
    count: int = 0

    def add(self, figures: dict[str, float]) -> None:
        """One gradient step's figures."""
        self.count += 1
        for name, figure in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + figure

    def merge(self, other: Tally) -> None:
        """All the steps of another."""
        self.count += other.count
        for name, total in other.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + total

    def means(self) -> dict[str, float]:
        """The mean of each."""
        return {name: total / self.count for name, total in self.sums.items()}
