"""Reference bands: how this package's own presets learned a task, to lay behind a user's curve.

A band is one JSON file in `amble/reference/`: the smoothed training returns of n seeds at G env steps, the evaluations
of their last policies, and the command that makes them again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from amble.config import RunConfig, load_run
from amble.errors import AmbleError, UsageError
from amble.insight.curves import RunCurves, on_grid
from amble.insight.statistics import interquartile_mean
from amble.training.files import named_os_errors

FOLDER = Path(__file__).parents[1] / "reference"
_POINTS = 60
_DIGITS = 4


@dataclass(frozen=True)
class Band:
    """What is known of a task and a trainer."""

    env_id: str
    env_kwargs: dict[str, Any]
    trainer: str
    preset: str
    command: str
    """Makes these runs again."""
    steps: list[float]
    """(G,) env steps."""
    returns: list[list[float | None]]
    """(n, G) the seeds' smoothed training returns; None where a run had not got to, or no episode had ended."""
    evaluations: list[float]
    """(n,) mean returns of the last policies' deterministic episodes; empty if there were none."""
    wall_seconds: list[float]
    """(n,)"""

    @property
    def curves(self) -> Float[np.ndarray, "n G"]:
        """The returns, NaN for None."""
        return np.array(self.returns, float)

    def range(self) -> tuple[Float[np.ndarray, "G"], Float[np.ndarray, "G"], Float[np.ndarray, "G"]]:
        """Least, interquartile mean and greatest return of the seeds at each point that all of them reached."""
        curves = self.curves
        return curves.min(axis=0), interquartile_mean(curves), curves.max(axis=0)

    def percentile(self, step: float, value: float) -> float | None:
        """100 · (seeds below + ½ seeds equal)/n of `value` at `step`; None where the band does not reach."""
        at_step = np.array(
            [np.interp(step, self.steps, curve, left=np.nan, right=np.nan) for curve in self.curves]
        )
        if not np.isfinite(at_step).all():
            return None
        return float(100 * ((at_step < value).mean() + 0.5 * (at_step == value).mean()))


def band_for(run: Path) -> Band | None:
    """The band of the run's task and trainer; None if it has no run file, or none was ever made."""
    run_file = run / "run.yaml"
    if not run_file.is_file() or not run_file.read_text(encoding="utf-8").strip():
        return None
    config = load_run(run_file)
    return next((band for band in shipped_bands() if _is_of(band, config)), None)


def shipped_bands(folder: Path | None = None) -> list[Band]:
    """All bands there are in the package, or in `folder`, by file name."""
    return [_read(path) for path in sorted((folder or FOLDER).glob("*.json"))]


def make_band(
    runs: Sequence[Path],
    *,
    preset: str,
    command: str,
    evaluations: Sequence[float] = (),
    points: int = _POINTS,
) -> Band:
    """The band of finished runs that differ by seed.

    Raises:
        UsageError: there are none, or they are not of one task and one trainer.
    """
    if not runs:
        raise UsageError("a reference band needs at least one run; expected directories of runs.")
    configs = [load_run(run / "run.yaml") for run in runs]
    tasks = {_task(config) for config in configs}
    if len(tasks) > 1:
        raise UsageError(
            f"a reference band is of one task and one trainer; these runs are of {sorted(tasks)}."
        )
    curves = [RunCurves(run) for run in runs]
    grid = np.linspace(0.0, min(float(run.steps[-1]) for run in curves), points + 1)[1:]
    config = configs[0]
    return Band(
        env_id=config.env_id,
        env_kwargs=_env_kwargs(config),
        trainer=config.behavior[1].trainer_type,
        preset=preset,
        command=command,
        steps=[round(float(step)) for step in grid],
        returns=[[_short(value) for value in on_grid(run, grid)] for run in curves],
        evaluations=[_short(value) or 0.0 for value in evaluations],
        wall_seconds=[round(run.last("wall_seconds") or 0.0, 1) for run in curves],
    )


def write_band(band: Band, folder: Path = FOLDER) -> Path:
    """Write `<task>-<trainer>.json`; returns the file."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{band.env_id}-{band.preset}-{band.trainer}")
    path = folder / f"{name}.json"
    with named_os_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(band)) + "\n", encoding="utf-8")
    return path


def _read(path: Path) -> Band:
    try:
        return Band(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise AmbleError(f"{path}: this is no reference band: {error}.") from error


def _is_of(band: Band, config: RunConfig) -> bool:
    return (band.env_id, band.trainer) == (config.env_id, config.behavior[1].trainer_type) and (
        band.env_kwargs == _env_kwargs(config)
    )


def _task(config: RunConfig) -> str:
    return f"{config.behavior[1].trainer_type} on {config.env_id} {_env_kwargs(config)}"


def _env_kwargs(config: RunConfig) -> dict[str, Any]:
    given = {**config.env_settings.env_kwargs, **config.constant_parameters}
    return json.loads(json.dumps(given))  # as the file has them


def _short(value: float) -> float | None:
    """Four digits are more than a picture shows."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
