"""Five seeds of each small preset, trained as they stand: `python benchmarks/learning.py [PRESET …] [--seeds N]`.

For each seed: the mean return of 100 evaluation episodes of the last policy (not the best), and the training time.
For each preset: the interquartile mean over seeds with a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap, trim_mean

import amble

TARGETS = {"cartpole": 475.0, "cartpole-a3c": 475.0, "pendulum": -200.0, "3dball": 99.0}


def interquartile_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return trim_mean(values, 0.25, axis=axis)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", default=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    for preset in arguments.presets:
        means = []
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as results:
                start = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()):
                    run = amble.train(
                        preset,
                        [f"env_settings.seed={seed}", f"checkpoint_settings.results_dir={results}"],
                    )
                seconds = time.perf_counter() - start
                steps = json.loads((Path(run) / "summary.json").read_text())["env_steps"]
                means.append(amble.evaluate(run, episodes=100, seed=1_000 + seed)["return_mean"])
            print(
                f"{preset}  seed {seed}  {means[-1]:9.2f}  after {steps:,} steps in {seconds:.1f} s",
                flush=True,
            )
        values = np.array(means)
        line = f"{preset}  IQM {interquartile_mean(values):.2f}"
        if len(values) > 1 and np.ptp(values) > 0:
            interval = bootstrap((values,), interquartile_mean, random_state=0).confidence_interval
            line += f"  [{interval.low:.2f}, {interval.high:.2f}]"
        target = TARGETS.get(preset)
        if target is not None:
            line += f"  target {target:g}: reached by {int((values >= target).sum())} of {len(values)}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
