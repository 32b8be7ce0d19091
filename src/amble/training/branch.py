"""Branching: a run that starts from a checkpoint of another, and says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amble.config import load_run
from amble.errors import AmbleError, UsageError
from amble.training import files
from amble.training.checkpoint import TENSORS, list_checkpoints
from amble.training.run_directory import RunDirectory

_LONGEST_LINE = 100
"""Ancestors at most: a circle of run files that name each other ends here."""


@dataclass(frozen=True)
class Branch:
    """One checkpoint of one run."""

    run: Path
    checkpoint: Path

    @property
    def step(self) -> int:
        """Env steps that it had learned from."""
        return int(self.checkpoint.name.removeprefix("step-"))

    @property
    def text(self) -> str:
        """`RUN@STEP`, as `--branch-from` takes it."""
        return f"{self.run}@{self.step}"


def find_branch(text: str, results_dir: Path | str, asked_by: str = "--branch-from ") -> Branch:
    """The checkpoint that `RUN@STEP` means; `RUN` alone and `RUN@latest` mean its newest.

    Args:
        text: RUN is a run's directory, or its id below `results_dir`.
        results_dir: where ids are looked for.
        asked_by: what an error puts before `text`.

    Raises:
        UsageError: there is no such run or checkpoint; it names those there are.
    """
    name, at, step = text.rpartition("@")
    if not at:
        name, step = text, "latest"
    path = next((p for p in (Path(results_dir) / name, Path(name)) if (p / "run.yaml").is_file()), None)
    if path is None:
        raise UsageError(
            f"{asked_by}{text}: there is no run `{name}`, neither in {results_dir}/ nor at that path."
        )
    checkpoints = {
        int(found.name.removeprefix("step-")): found
        for found in list_checkpoints(path / "checkpoints")
        if not found.name.endswith(files.REPLACED)
    }
    if not checkpoints:
        raise UsageError(f"{asked_by}{text}: {path} holds no checkpoint yet.")
    if step == "latest":
        return Branch(path, checkpoints[max(checkpoints)])
    wanted = _steps(step)
    if wanted in checkpoints:
        return Branch(path, checkpoints[wanted])
    there = ", ".join(f"{found:,}".replace(",", "_") for found in sorted(checkpoints))
    near = "" if wanted is None else f" The nearest is {min(checkpoints, key=lambda s: abs(s - wanted))}."
    raise UsageError(
        f"{asked_by}{text}: {path} has no checkpoint of step {step}.{near} Its checkpoints: {there}; "
        "`@latest` is the last of them."
    )


def _steps(text: str) -> int | None:
    plain = text.replace("_", "")
    if not re.fullmatch(r"\d{1,18}(\.\d+)?([eE]\+?\d{1,2})?", plain):
        return None
    return round(float(plain)) if not plain.isdigit() else int(plain)


def parentage(branch_from: str) -> dict[str, Any]:
    """What a run's summary says of where it came from.

    Args:
        branch_from: `RUN@STEP`, resolved, as run.yaml has it.

    Returns:
        `run`, `step` and the `sha256` of the checkpoint's tensors (null where it is gone by now), and `line`, the
        branches that led there, nearest first.
    """
    name, _, step = branch_from.rpartition("@")
    sha256 = None
    manifest = Path(name) / "checkpoints" / f"step-{int(step):012d}" / files.MANIFEST
    if manifest.is_file():
        digests = files.read_json(manifest).get("files", {})
        sha256 = digests.get(TENSORS, {}).get("sha256")
    line: list[str] = []
    ancestor: str | None = branch_from
    while ancestor is not None and len(line) < _LONGEST_LINE:
        line.append(ancestor)
        ancestor = _branch_of(Path(ancestor.rpartition("@")[0]))
    return {"run": name, "step": int(step), "sha256": sha256, "line": line}


def _branch_of(path: Path) -> str | None:
    """Where the run at `path` branched off; None where it did not, or is gone."""
    try:
        return load_run(RunDirectory.open(path).run_yaml).checkpoint_settings.branch_from
    except AmbleError:
        return None
