"""Spinning Up's PPO as they measured it, on HalfCheetah-v5, a million steps: `python benchmarks/spinup_halfcheetah.py`.

All defaults but the nets, which were (64, 32) in their measurement. They publish 1733 at a million steps: mean training
return of the stochastic policy (10 seeds, HalfCheetah-v3).
Here: for each seed the mean return of the episodes of the last epochs, and the seconds it took; then mean and standard
deviation over seeds, and the curve every tenth of the way. One process a seed, one thread each.

`--read` prints what a run that is still going, or an old one, has come to.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

PUBLISHED = 1733.0
LAST = 10
"""Epochs whose episodes count as the result: the last 40 000 steps."""


def train(seed: int, epochs: int, hidden: tuple[int, ...], output_dir: Path) -> None:
    import gymnasium

    from amble.spinup import ppo_pytorch

    output_dir.mkdir(parents=True, exist_ok=True)
    with (output_dir / "output.txt").open("w") as stream:
        ppo_pytorch(
            lambda: gymnasium.make("HalfCheetah-v5"),
            ac_kwargs={"hidden_sizes": hidden},
            seed=seed,
            epochs=epochs,
            logger_kwargs={"output_dir": output_dir, "exp_name": "ppo-halfcheetah", "stream": stream},
        )


def rows(path: Path) -> Iterator[dict[str, float]]:
    with path.open() as table:
        for row in csv.DictReader(table, delimiter="\t"):
            yield {name: float(value) for name, value in row.items()}


def report(folder: Path) -> None:
    results, curves = [], []
    for path in sorted(folder.glob("s*/progress.txt")):
        table = list(rows(path))
        if not table:
            continue
        returns = np.array([row["AverageEpRet"] for row in table])
        results.append(returns[-LAST:].mean())
        tenth = max(1, len(returns) // 10)
        ends = range(tenth, len(returns) + 1, tenth)
        curves.append([returns[max(0, end - LAST) : end].mean() for end in ends])
        steps, seconds = table[-1]["TotalEnvInteracts"], table[-1]["Time"]
        print(f"{path.parent.name}  {results[-1]:8.1f}  after {steps:,.0f} steps in {seconds:.0f} s")
        print("    every tenth: " + " ".join(f"{value:.0f}" for value in curves[-1]))
    if results:
        spread = np.std(results, ddof=1) if len(results) > 1 else float("nan")
        print(
            f"mean of {len(results)} seeds {np.mean(results):.1f}, standard deviation {spread:.1f}, "
            f"median {np.median(results):.1f}; published {PUBLISHED:g}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--epochs", type=int, default=250)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64, 32])
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("results/spinup-halfcheetah"))
    parser.add_argument("--read", action="store_true")
    arguments = parser.parse_args()
    if not arguments.read:
        os.environ["OMP_NUM_THREADS"] = "1"
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.at_once, mp_context=context) as pool:
            runs = [
                pool.submit(
                    train, seed, arguments.epochs, tuple(arguments.hidden), arguments.folder / f"s{seed}"
                )
                for seed in arguments.seeds
            ]
            for run in runs:
                run.result()
    report(arguments.folder)


if __name__ == "__main__":
    main()
