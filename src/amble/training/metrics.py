"""What a run reports of itself: a JSON row per iteration, the same as TensorBoard scalars, and a summary."""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amble.errors import AmbleError, UsageError
from amble.training import files
from amble.training.events import EventFile
from amble.training.run_directory import RunDirectory

_log = logging.getLogger(__name__)

Row = Mapping[str, float | int | str | None]
"""A figure, the name of an outcome, or null where there was nothing to measure."""

REQUIRED = (
    "iteration",
    "env_steps",
    "wall_seconds",
    "steps_per_second",
    "collect_seconds",
    "update_seconds",
    "return_mean",
    "return_std",
    "length_mean",
    "episodes",
)
"""Keys of every row; other people's scripts read them."""

ML_AGENTS_TAGS = {
    "return_mean": "Environment/Cumulative Reward",
    "length_mean": "Environment/Episode Length",
    "entropy": "Policy/Entropy",
    "learning_rate": "Policy/Learning Rate",
    "epsilon": "Policy/Epsilon",
    "beta": "Policy/Beta",
    "value_mean": "Policy/Extrinsic Value Estimate",
    "extrinsic_reward": "Policy/Extrinsic Reward",
    "policy_loss": "Losses/Policy Loss",
    "value_loss": "Losses/Value Loss",
    "curiosity_reward": "Policy/Curiosity Reward",
    "curiosity_value_mean": "Policy/Curiosity Value Estimate",
    "curiosity_forward_loss": "Losses/Curiosity Forward Loss",
    "curiosity_inverse_loss": "Losses/Curiosity Inverse Loss",
    "rnd_reward": "Policy/Rnd Reward",
    "rnd_value_mean": "Policy/Rnd Value Estimate",
    "rnd_loss": "Losses/RND Loss",
    "gail_reward": "Policy/Gail Reward",
    "gail_value_mean": "Policy/Gail Value Estimate",
    "gail_policy_estimate": "Policy/GAIL Policy Estimate",
    "gail_expert_estimate": "Policy/GAIL Expert Estimate",
    "gail_grad_mag_loss": "Policy/GAIL Grad Mag Loss",
    "gail_beta": "Policy/GAIL Beta",
    "gail_loss": "Losses/GAIL Loss",
    "gail_kl_loss": "Losses/GAIL KL Loss",
    "cloning_loss": "Losses/Pretraining Loss",
}
"""Row key → the tag ML-Agents gives the same figure. Every other key becomes `Amble/<key>`."""

_UNPLOTTED = ("iteration", "env_steps", "wall_seconds", "episodes")


class MetricsLog:
    """Appends to a run's `metrics.jsonl` and TensorBoard events; a context manager."""

    def __init__(self, run: RunDirectory, resume_iteration: int | None = None):
        """Opens both files of `run`.

        Args:
            run: the run, made by `RunDirectory.create`.
            resume_iteration: the iteration of the checkpoint the run goes on from: rows after it are cut
                away, so that each iteration has one row. None for a new run.

        Raises:
            AmbleError: a row that is there is not ours, or the file may not be written.
        """
        self._run = run
        self._last: dict[str, float | int | str | None] = {}
        purge_from = None
        if resume_iteration is not None:
            rows = _cut(run.metrics, resume_iteration)
            self._last = rows[-1] if rows else {}
            purge_from = int(rows[-1]["env_steps"] or 0) + 1 if rows else 0
            reached = int(self._last.get("iteration") or 0)
            if reached < resume_iteration:
                _log.warning(
                    "%s ends at iteration %d, the checkpoint is of iteration %d: the rows between are lost",
                    run.metrics,
                    reached,
                    resume_iteration,
                )
        with files.named_os_errors(run.metrics):
            self._stream = run.metrics.open("wb" if resume_iteration is None else "ab", buffering=0)
        self._events = EventFile(run.events, purge_from)

    @property
    def last(self) -> dict[str, float | int | str | None]:
        """The last row written, or kept at a resume; empty before the first."""
        return dict(self._last)

    def write(self, row: Row, histograms: Mapping[str, Sequence[float]] | None = None) -> None:
        """Appends one row and hands it to the system at once; NaN and infinities become null.

        Args:
            row: at least the keys `REQUIRED`; `env_steps` is TensorBoard's x axis.
            histograms: values by a scene's name for them, which TensorBoard shows all of, as `<name>_hist`.

        Raises:
            ValueError: a required key is missing.
            AmbleError: the disk is full, or the run's directory was removed.
        """
        if missing := [key for key in REQUIRED if key not in row]:
            raise ValueError(f"a row of metrics lacks {', '.join(missing)}")
        clean = {key: _finite(value) for key, value in row.items()}
        with files.named_os_errors(self._run.metrics):
            if os.fstat(self._stream.fileno()).st_nlink == 0:
                raise AmbleError(
                    f"{self._run.metrics}: was removed while the run was going, and what follows "
                    "would be lost. Start again, and leave the run's directory alone meanwhile."
                )
            files.append(self._stream, json.dumps(clean, allow_nan=False).encode() + b"\n")
        step = int(clean["env_steps"] or 0)
        self._events.scalars(step, scalars(clean))
        for name, values in (histograms or {}).items():
            self._events.histogram(step, f"{name}_hist", [value for value in values if math.isfinite(value)])
        self._last = clean

    def text(self, tag: str, text: str) -> None:
        """Adds Markdown to TensorBoard's Text tab, e.g. the settings as `Hyperparameters`."""
        self._events.text(tag, text)

    def sync(self) -> None:
        """Makes the rows so far survive a power cut: before a checkpoint is written that follows on them."""
        with files.named_os_errors(self._run.metrics):
            os.fsync(self._stream.fileno())

    def write_summary(self, exit_reason: str, **more: Any) -> None:
        """Writes `summary.json`: the last row, `exit_reason` and whatever else is given, in one step."""
        summary = {**self._last, "exit_reason": exit_reason, **more}
        text = json.dumps({key: _finite(value) for key, value in summary.items()}, indent=1)
        files.write_file(self._run.summary, text + "\n")

    def close(self) -> None:
        """Closes both files; may be called again."""
        self._stream.close()
        self._events.close()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def scalars(row: Row) -> dict[str, float]:
    """The TensorBoard scalars of a row: tag → value, without nulls and names."""
    values = {
        key: float(value)
        for key, value in row.items()
        if isinstance(value, float | int) and key not in _UNPLOTTED
    }
    if "policy_loss" in values:
        values["policy_loss"] = abs(values["policy_loss"])  # as ML-Agents plots it
    if "return_mean" in values:
        values.setdefault("extrinsic_reward", values["return_mean"])
    reported = {key: value for key, value in values.items() if key.startswith("scene.")}
    ours = {_tag(key): value for key, value in values.items() if key not in reported}
    return {
        **{_tag(key): value for key, value in reported.items()},
        **ours,
    }  # ours where a scene's name is taken


def _tag(key: str) -> str:
    """Terms of a reshaped reward, and the returns that they make, stand together in TensorBoard.

    What a Unity scene reports keeps the scene's name for it.
    """
    if key.startswith("scene."):
        return key.removeprefix("scene.")
    if key.startswith("lesson."):
        return f"Environment/Lesson Number/{key.removeprefix('lesson.')}"
    if key.startswith("term."):
        return f"Reward/{key.removeprefix('term.')}"
    if key in ("reshaped_return_mean", "reference_return_mean"):
        return f"Reward/{key}"
    return ML_AGENTS_TAGS.get(key, f"Amble/{key}")


def read_metrics(run_dir: Path) -> list[dict[str, float | int | str | None]]:
    """The rows of the run at `run_dir`, first to last, but a last line that a kill cut short.

    Raises:
        UsageError: there is no `metrics.jsonl`.
        AmbleError: a line is no JSON object, naming it.
    """
    path = Path(run_dir) / "metrics.jsonl"
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; expected a run, as in results/walker-1.")
    return _rows(path)


def _rows(path: Path) -> list[dict[str, float | int | str | None]]:
    with files.named_os_errors(path):
        lines = path.read_bytes().split(b"\n")
    # What follows the last line feed was never finished.
    rows = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise AmbleError(
                f"{path}, line {number}: expected a JSON object, found "
                f"{line[:60].decode(errors='replace')!r}. Delete that line."
            )
        rows.append(row)
    return rows


def _cut(path: Path, iteration: int) -> list[dict[str, float | int | str | None]]:
    """Leaves only the rows up to `iteration` in the file, and returns them."""
    if not path.exists():
        return []
    rows = [row for row in _rows(path) if int(row.get("iteration") or 0) <= iteration]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if text.encode() != path.read_bytes():
        files.write_file(path, text)
    return rows


def _finite(value: Any) -> Any:
    if hasattr(value, "item"):  # numpy and torch scalars
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
