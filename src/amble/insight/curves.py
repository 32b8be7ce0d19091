"""Learning curves as numbers: one run's rows as columns, and many runs on one grid of env steps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amble.errors import UsageError
from amble.training.metrics import read_metrics
from amble.training.run_directory import RunDirectory

_SMOOTHING = 0.03
"""Share of the whole run that the smoothed lines average over."""


class RunCurves:
    """One run's rows as columns over the env steps."""

    def __init__(self, path: Path):
        self.run = RunDirectory.open(path)
        rows = [row for row in read_metrics(path) if row.get("env_steps") is not None]
        if not rows:
            raise UsageError(
                f"{self.run.metrics}: no row is there yet; "
                "the first comes with the first iteration. Try later."
            )
        self._rows = rows
        self.steps = self.column("env_steps")

    def column(self, key: str) -> np.ndarray:
        """The values of `key`, one a row, NaN where there is none. (rows,)"""
        values = [row.get(key) for row in self._rows]
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    def smooth(self, key: str) -> np.ndarray:
        """`key` averaged over neighbouring steps; what episodes report, weighted by their number. (rows,)"""
        values = self.column(key)
        weights = (
            np.nan_to_num(self.column("episodes"))
            if key in ("return_mean", "return_std", "length_mean", "reference_return_mean")
            else 1
        )
        weights = np.where(np.isfinite(values), weights, 0.0)
        if not weights.any():
            weights = np.isfinite(values).astype(float)
        half = _SMOOTHING * max(self.steps[-1] - self.steps[0], 1.0) / 2
        low = np.searchsorted(self.steps, self.steps - half, side="left")
        high = np.searchsorted(self.steps, self.steps + half, side="right")

        def window_sum(x: np.ndarray) -> np.ndarray:
            total = np.concatenate([[0.0], np.cumsum(x)])
            return total[high] - total[low]

        # Twice, as a window with sloping sides leaves no corners.
        weight = window_sum(window_sum(weights))
        summed = window_sum(window_sum(np.where(weights > 0, values, 0.0) * weights))
        return np.divide(summed, weight, out=np.full(len(values), np.nan), where=weight > 0)

    def last(self, key: str) -> float | None:
        """The last value of `key` there is."""
        values = self.column(key)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else None


def shared_span(runs: Sequence[RunCurves]) -> tuple[float, float] | None:
    """The env steps that every run's curve covers, from the latest beginning to the earliest end; None for none."""
    spans = [_finished(run)[0] for run in runs]
    if not spans or any(len(steps) == 0 for steps in spans):
        return None
    low, high = max(steps[0] for steps in spans), min(steps[-1] for steps in spans)
    return (float(low), float(high)) if high > low else None


def on_grid(run: RunCurves, grid: np.ndarray, key: str = "return_mean") -> np.ndarray:
    """The run's smoothed return at the env steps `grid` (G,), NaN outside what it covers. (G,)"""
    steps, values = _finished(run, key)
    if len(steps) == 0:
        return np.full(len(grid), np.nan)
    return np.interp(grid, steps, values, left=np.nan, right=np.nan)


def area_under_curve(run: RunCurves, span: tuple[float, float]) -> float:
    """(1/(b−a)) ∫_a^b R(s) ds, the mean of the smoothed return R over the env steps s of `span` = (a, b).

    In units of the return, so that it reads beside the final one: high for what learns well and early.
    """
    low, high = span
    grid = np.linspace(low, high, 1001)
    return float(np.trapezoid(on_grid(run, grid), grid) / (high - low))


def _finished(run: RunCurves, key: str = "return_mean") -> tuple[np.ndarray, np.ndarray]:
    """Steps and smoothed returns of the rows from the first to the last one in which an episode ended."""
    ended = np.flatnonzero(np.isfinite(run.column(key)))
    if len(ended) == 0:
        return np.empty(0), np.empty(0)
    rows = slice(ended[0], ended[-1] + 1)
    values = run.smooth(key)[rows]
    there = np.isfinite(values)
    return run.steps[rows][there], values[there]
