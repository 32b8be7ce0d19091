"""One run of one library in a process of its own: `python -m peers.worker JOB_JSON RESULT_FILE`."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from peers.settings import SETTINGS, How

MODULES = {"sb3": "peers.sb3", "rsl_rl": "peers.rsl", "skrl": "peers.skrl"}


class RunFailed(Exception):
    """A library's process ended without a result."""


@dataclass(frozen=True)
class Job:
    """What one process does: `seconds` of training from the first iteration on, or `steps` of it."""

    library: str
    task: str
    setting: str
    seed: int
    how: How
    seconds: float | None = None
    steps: int | None = None
    episodes: int = 0
    """Of evaluation afterwards."""
    learner: str | None = None
    """Amble's."""


def run(job: Job, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The job's figures, from a process of its own with more variables of `environment`."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = str(Path(__file__).parent.parent)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([ours, *filter(None, inherited)])}
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        variables.pop(name, None)
    if job.library != "amble":
        variables["OMP_NUM_THREADS"] = str(job.how.threads)
        if job.how.wait == "passive":
            variables["OMP_WAIT_POLICY"] = "PASSIVE"
    variables.update(environment or {})
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "peers.worker", json.dumps(asdict(job)), str(result)]
        process = subprocess.run(
            command, env=variables, cwd=folder, check=False, capture_output=True, text=True
        )
        if process.returncode or not result.exists():
            raise RunFailed(
                f"{job}: exit code {process.returncode}\n{(process.stdout + process.stderr)[-3000:]}"
            )
        return json.loads(result.read_text())


def _train(job: Job) -> dict[str, Any]:
    setting = SETTINGS[job.setting]
    if job.library == "amble":
        from peers import ours

        trained = ours.train(
            job.task, setting, job.seed, steps=job.steps, seconds=job.seconds, learner=job.learner
        )
    else:
        from peers.clock import Clock

        clock = Clock(setting.decisions, job.seconds)  # before torch and the library are imported
        import torch

        torch.set_num_threads(job.how.threads)
        library = importlib.import_module(MODULES[job.library])
        trained = library.train(job.task, setting, job.seed, clock=clock, steps=job.steps, envs=job.how.envs)
    figures: dict[str, Any] = {
        "steps_per_second": trained.steps_per_second(setting.rollout),
        "first_iteration_seconds": trained.first_iteration_seconds,
        "seconds": trained.ends[-1] - trained.ends[0] + trained.first_iteration_seconds,
        "iterations": len(trained.ends),
        "env_steps": len(trained.ends) * setting.rollout,
    }
    if job.episodes:
        from peers.evaluation import evaluate

        figures["returns"] = evaluate(job.task, trained.act, job.episodes, 10_000 + job.seed)
        figures["final_return"] = fmean(figures["returns"])
    return figures


def main() -> None:
    description, result = sys.argv[1:]
    given = json.loads(description)
    job = Job(**{**given, "how": How(**given["how"])})
    Path(result).write_text(json.dumps(_train(job)))


if __name__ == "__main__":
    main()
