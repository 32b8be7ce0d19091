"""Five seeds of each of our presets and their variants: `python benchmarks/learning.py [CASE …] [--seeds N]`.

For each seed: the mean return of 100 evaluation episodes of the last policy (not the best), and the training time.
For each case: the interquartile mean over seeds with a 95 % bootstrap interval, and how many seeds reach the target.
Runs go side by side, one thread each, as many as there are cores; those of several processes one at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arch.bootstrap import IIDBootstrap
from scipy.stats import trim_mean

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """What is trained."""

    run: str
    """A preset or a run file."""
    overrides: tuple[str, ...] = ()
    target: float | None = None
    """The return that every seed should reach, if any."""
    processes: int = 1


def _pg(estimator: str, target: float | None = None) -> Case:
    return Case("cartpole-pg", (f"hyperparameters.estimator={estimator}",), target)


CUE, PIXEL_GRID = str(HERE / "cue.yaml"), str(HERE / "pixel-grid.yaml")
FAR_CORNER = str(HERE / "far-corner.yaml")
GROUPS: dict[str, dict[str, Case]] = {
    "presets": {
        "cartpole": Case("cartpole", target=475),
        "pendulum": Case("pendulum", target=-200),
        "3dball": Case("3dball", target=99),
    },
    "ladder": {
        "pg-total_return": _pg("total_return"),
        "pg-reward_to_go": _pg("reward_to_go"),
        "pg-baseline": _pg("baseline", 475),
        "pg-q": _pg("q"),
        "pg-advantage": _pg("advantage"),
        "pg-td": _pg("td"),
        "pg-gae": _pg("gae"),
        "cartpole-a2c": Case("cartpole-a2c", target=475),
        "cartpole-trpo": Case("cartpole-trpo", target=475),
        "pendulum-trpo": Case("pendulum-trpo", target=-200),
        "cartpole-a3c": Case("cartpole-a3c", target=475, processes=2),
    },
    "nets": {
        "cue": Case(CUE, target=0.95),
        "cue-without-memory": Case(CUE, ("network_settings.memory=null",)),
        "pixel-grid": Case(PIXEL_GRID, target=0.9),
    },
    "exploration": {
        "far-corner": Case(FAR_CORNER),
        "far-corner-rnd": Case(FAR_CORNER, ("reward_signals.rnd.strength=0.01",), 0.99),
        "far-corner-curiosity": Case(FAR_CORNER, ("reward_signals.curiosity.strength=0.02",), 0.99),
    },
}
CASES = {name: case for group in GROUPS.values() for name, case in group.items()}


def train(case: Case, seed: int) -> dict[str, float]:
    """One run: return of its last policy, steps, seconds."""
    import amble
    import amble.spinup  # torch is loaded before the clock runs

    with tempfile.TemporaryDirectory() as results, contextlib.redirect_stdout(io.StringIO()):
        settings = [
            *case.overrides,
            f"env_settings.seed={seed}",
            f"checkpoint_settings.results_dir={results}",
        ]
        start = time.perf_counter()
        run = amble.train(case.run, settings)
        seconds = time.perf_counter() - start
        steps = json.loads((Path(run) / "summary.json").read_text())["env_steps"]
        outcome = amble.evaluate(run, episodes=100, seed=1_000 + seed)["return_mean"]
    return {"return": outcome, "steps": steps, "seconds": seconds}


def interquartile_mean(values: np.ndarray) -> float:
    return float(trim_mean(values, 0.25))


def report(name: str, case: Case, runs: list[dict[str, float]]) -> None:
    values = np.array([run["return"] for run in runs])
    seconds = [run["seconds"] for run in runs]
    line = f"{name:<20} IQM {interquartile_mean(values):8.2f}"
    if len(values) > 1 and np.ptp(values) > 0:
        low, high = (
            IIDBootstrap(values, seed=0).conf_int(interquartile_mean, 2000, method="percentile").flatten()
        )
        line += f" [{low:.2f}, {high:.2f}]"
    line += f"  worst {values.min():.2f}  {runs[0]['steps']:,.0f} steps in {min(seconds):.0f}-{max(seconds):.0f} s"
    if case.target is not None:
        line += f"  target {case.target:g}: {int((values >= case.target).sum())} of {len(values)}"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["presets"], help=f"of {', '.join([*GROUPS, *CASES])}")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(GROUPS) - set(CASES)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join([*GROUPS, *CASES])}")
    names = [name for given in arguments.cases for name in GROUPS.get(given, [given])]

    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(HERE))  # where `tasks` is
    context = multiprocessing.get_context("spawn")
    for at_once in (arguments.at_once, 1):
        mine = [name for name in names if (CASES[name].processes == 1) == (at_once == arguments.at_once)]
        if not mine:
            continue
        with ProcessPoolExecutor(at_once, mp_context=context) as pool:
            going = {
                name: [pool.submit(train, CASES[name], seed) for seed in range(arguments.seeds)]
                for name in mine
            }
            for name, futures in going.items():
                runs = []
                for seed, future in enumerate(futures):
                    runs.append(future.result())
                    print(
                        f"  {name} seed {seed}: {runs[-1]['return']:.2f} in {runs[-1]['seconds']:.1f} s",
                        flush=True,
                    )
                report(name, CASES[name], runs)


if __name__ == "__main__":
    main()
