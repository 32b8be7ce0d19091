"""How soon the Walker walks, over seeds: `python benchmarks/walker_learning.py [PRESET] [--max-steps N] [--seeds N]`.

Trains a preset's seeds, one core each (runs that are complete are kept), evaluates every checkpoint by 100 episodes of
its likeliest actions, and says for each seed what it is worth along the way and after how many minutes of training
1000, 2000 and 2500 were reached, and, of the last policies, what is earned at which target speed and how often they
fall. `--runs` judges runs that are there instead; each needs its checkpoints (`keep_checkpoints`).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import amble.envs
from amble.insight.compare import compare
from amble.insight.statistics import interquartile_mean, iqm_interval
from amble.training.checkpoint import list_checkpoints
from amble.training.evaluate import evaluate, play_episodes
from amble.training.metrics import read_metrics
from amble.training.policy import PortablePolicy

EPISODES, SEED = 100, 9530
GOALS = (1000, 2000, 2500)
SPEEDS = ((0.1, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0), (8.0, 10.0))
"""Bands of target speeds, m/s."""
JUDGED = "judged.json"


@dataclass(frozen=True)
class Moment:
    """A checkpoint: how long it had learned, and what its policy is worth."""

    env_steps: int
    minutes: float
    return_mean: float
    return_std: float
    length_mean: float


@dataclass(frozen=True)
class Band:
    """What the last policy earns, and in how many of its episodes it falls, where these speeds are asked for."""

    speeds: tuple[float, float]
    return_mean: float
    falls: float


def main() -> int:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", nargs="?", default="walker")
    parser.add_argument("--max-steps", type=float, default=7.3e6, help="of every seed, in decisions")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, help="seeds at the same time; default: one a core")
    parser.add_argument("--runs", type=Path, nargs="+", help="judge these and train none")
    words = parser.parse_args()
    runs: list[Path] = words.runs or []
    if not runs:
        result = compare(
            [words.preset],
            seeds=words.seeds,
            max_steps=words.max_steps,
            jobs=words.jobs,
            settings=["keep_checkpoints=1000"],
            out=Path("results/walker-learning") / f"{words.preset}-{words.max_steps:.0f}",
            film="none",
        )
        for failure in result.failures:
            print(failure, file=sys.stderr)
        if result.exit_code != 0:
            return result.exit_code
        (variant,) = result.figures["variants"]
        runs = [Path(run["run"]) for run in variant["runs"]]
    report({run.name: judge(run) for run in runs})
    return 0


def judge(run: Path) -> tuple[list[Moment], list[Band]]:
    """Evaluate a run's checkpoints and its last policy at every speed; what is known from before is kept."""
    kept = run / JUDGED
    if kept.exists():
        known = json.loads(kept.read_text())
        return [Moment(**row) for row in known["moments"]], [Band(**row) for row in known["bands"]]
    clock: dict[Any, Any] = {row["env_steps"]: row["wall_seconds"] for row in read_metrics(run)}
    moments = []
    for checkpoint in sorted(list_checkpoints(run / "checkpoints")):
        step = int(checkpoint.name.removeprefix("step-"))
        found = evaluate(Path(f"{run}@{step}"), EPISODES, SEED)
        moments.append(
            Moment(step, clock[step] / 60, found["return_mean"], found["return_std"], found["length_mean"])
        )
        print(f"  {run.name} at {step:>10,}: {found['return_mean']:7.0f}", file=sys.stderr, flush=True)
    bands = [at_speeds(PortablePolicy.of_run(run), speeds) for speeds in SPEEDS]
    text = {"moments": [asdict(row) for row in moments], "bands": [asdict(row) for row in bands]}
    kept.write_text(json.dumps(text, indent=1))
    return moments, bands


def at_speeds(policy: PortablePolicy, speeds: tuple[float, float]) -> Band:
    """Play episodes whose target speeds are of this band."""
    kwargs = {**policy.spec["env_kwargs"], "target_speed_range": speeds}
    env: Any = amble.envs.make(policy.spec["env_id"], EPISODES, **kwargs)
    try:
        played = play_episodes(env, policy, EPISODES, SEED)
    finally:
        env.close()
    return Band(speeds, float(played.returns.mean()), float((played.lengths < env.time_limit).mean()))


def reached(moments: list[Moment], goal: float) -> float:
    """Minutes after which an evaluation first came to `goal`; infinite where none did."""
    return next((moment.minutes for moment in moments if moment.return_mean >= goal), np.inf)


def report(judged: dict[str, tuple[list[Moment], list[Band]]]) -> None:
    """Print the tables."""
    print("\nreturn (mean length) along the way")
    for name, (moments, _) in judged.items():
        way = "  ".join(f"{m.env_steps / 1e6:.1f}M {m.return_mean:.0f}" for m in moments[1::2])
        last = moments[-1]
        print(f"{name:<16} {way}")
        print(
            f"{'':<16} last: {last.return_mean:.0f} ± {last.return_std:.0f}, length {last.length_mean:.0f}, "
            f"{last.env_steps:,} decisions in {last.minutes:.1f} minutes"
        )
    scores = np.array([moments[-1].return_mean for moments, _ in judged.values()])
    interval = iqm_interval(scores)
    print(f"\nlast policies: IQM {interquartile_mean(scores):.0f}", end="")
    print("" if interval is None else f" [{interval[0]:.0f}, {interval[1]:.0f}]", end="")
    print(f", worst {scores.min():.0f}; {int((scores >= GOALS[-1]).sum())} of {len(scores)} at {GOALS[-1]}")
    for goal in GOALS:
        minutes = np.array([reached(moments, goal) for moments, _ in judged.values()])
        print(
            f"{goal}: {int(np.isfinite(minutes).sum())} of {len(minutes)} seeds, "
            f"median {np.median(minutes):.1f} minutes, worst {minutes.max():.1f}"
        )
    print("\nlast policies by target speed, m/s: return (episodes that end in a fall), means over seeds")
    for index, (low, high) in enumerate(SPEEDS):
        bands = [bands[index] for _, bands in judged.values()]
        print(
            f"{low:>4g}-{high:<4g} {np.mean([b.return_mean for b in bands]):6.0f} "
            f"({np.mean([b.falls for b in bands]):.0%})"
        )


if __name__ == "__main__":
    sys.exit(main())
