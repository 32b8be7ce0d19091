"""What is learned in the same number of environment steps: several seeds of each library, one measure for all.

All learn in Gymnasium's environments (Amble in its batched form of them: the same model, the same physics), on one
thread each, several runs at once. Seconds are told, but they are those of a shared machine.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from amble.insight.statistics import Score, overlap
from peers.records import Records, load
from peers.settings import LEFT_OUT, OURS, RETURN_STEPS, RETURN_STEPS_ELSEWHERE, How
from peers.worker import Job, run

ONE_CORE = {"OMP_NUM_THREADS": "1", "AMBLE_CORES": "1"}


def measure(
    libraries: list[str],
    tasks: list[str],
    settings: list[str],
    *,
    seeds: int,
    steps: int | None,
    episodes: int,
    at_once: int,
    learner: str | None,
    folder: Path,
) -> None:
    """Print IQM and interval of each library; one JSON line a run goes to `folder`/returns.jsonl."""
    records = Records(folder / "returns.jsonl")
    for setting, task in itertools.product(settings, tasks):
        length = steps or RETURN_STEPS.get(task, RETURN_STEPS_ELSEWHERE)
        jobs = [
            Job(
                library,
                task,
                setting,
                seed,
                OURS if library == "amble" else How(),
                steps=length,
                episodes=episodes,
                learner=learner,
            )
            for seed, library in itertools.product(range(seeds), libraries)
            if (library, task) not in LEFT_OUT
        ]
        values: dict[str, list[float]] = {job.library: [] for job in jobs}
        seconds: dict[str, list[float]] = {job.library: [] for job in jobs}
        with ThreadPoolExecutor(at_once) as pool:
            for job, figures in zip(jobs, pool.map(lambda job: run(job, ONE_CORE), jobs), strict=True):
                records.add({**asdict(job), **figures, "load": load()})
                values[job.library].append(figures["final_return"])
                seconds[job.library].append(figures["seconds"])
                print(
                    f"  {setting} {task} {job.library} seed {job.seed}: {figures['final_return']:.1f} "
                    f"after {figures['env_steps']:,} steps, {figures['seconds']:.0f} s",
                    flush=True,
                )
        print(report(setting, task, length, episodes, values, seconds), flush=True)


def report(
    setting: str,
    task: str,
    steps: int,
    episodes: int,
    values: dict[str, list[float]],
    seconds: dict[str, list[float]],
) -> str:
    """IQM over seeds with its 95 % bootstrap interval, and how each peer's interval lies to ours."""
    scores = {library: Score.of(library, returns) for library, returns in values.items()}
    ours = scores.get("amble")
    lines = [
        f"{setting} {task}, {steps:,} steps: mean return of {episodes} episodes of the deterministic policy, "
        "IQM of seeds with 95 % interval"
    ]
    for library, score in scores.items():
        interval = "" if score.interval is None else f" [{score.interval[0]:.1f}, {score.interval[1]:.1f}]"
        spent = f"{min(seconds[library]):.0f}-{max(seconds[library]):.0f} s"
        lines.append(f"  {library:8} IQM {score.iqm:9.1f}{interval}  worst {min(score.values):.1f}  {spent}")
        if ours is not None and library != "amble" and score.interval and ours.interval:
            relation = (
                "overlaps amble's"
                if overlap(score.interval, ours.interval)
                else ("lies below amble's" if score.iqm < ours.iqm else "lies above amble's")
            )
            lines[-1] += f"  interval {relation}"
    return "\n".join(lines)
