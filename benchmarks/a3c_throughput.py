"""What a second worker brings A3C: `python benchmarks/a3c_throughput.py [TASK …] [--turns N]`.

For each task, env steps a second of a run with one worker, of a run with two, and of two runs with one worker each
side by side, which share nothing: what the cores give. The three take turns, each turn one iteration (64 pushes of
each worker); steps/s are medians over turns, ratios medians of the turns' ratios to one worker. `lock` is the share of
two workers' time that they wait for each other, `staleness` how many updates lie between a pull and its push.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from statistics import mean, median

from amble.config import run_from_env
from amble.training.asynchronous import AsynchronousTrainer
from amble.training.learner import Row

TASKS = ("CartPole-v1", "HalfCheetah-v5", "Walker2d-v5")
ENVS, DECISIONS = 8, 16
"""Of each worker; a push is of 128 env steps, as in the preset cartpole-a3c."""
WARM_UP_TURNS = 2


def make(task: str, workers: int, hidden: int) -> AsynchronousTrainer:
    settings = {
        "hyperparameters.workers": workers,
        "hyperparameters.buffer_size": ENVS * DECISIONS,
        "network_settings.hidden_units": hidden,
        "network_settings.num_layers": 2,
        "env_settings.num_envs": ENVS * workers,
        "env_settings.seed": 0,
        "summary_freq": 10**9,
        "max_steps": 10**9,
    }
    return AsynchronousTrainer(
        run_from_env(task, "a3c", [f"{key}={value}" for key, value in settings.items()])
    )


def measure(task: str, turns: int, hidden: int) -> str:
    one, beside, two = make(task, 1, hidden), make(task, 1, hidden), make(task, 2, hidden)
    speeds: list[tuple[float, float, float]] = []
    rows: list[Row] = []
    with ThreadPoolExecutor(2) as pool:
        for turn in range(WARM_UP_TURNS + turns):
            alone, both = one.iterate(), two.iterate()
            pair = list(pool.map(AsynchronousTrainer.iterate, (one, beside)))
            if turn < WARM_UP_TURNS:
                continue
            speeds.append((speed(alone), speed(both), sum(map(speed, pair))))
            rows.append(both)
    for trainer in (one, beside, two):
        trainer.close()
    single, double, separate = (median(column) for column in zip(*speeds, strict=True))
    busy = sum(number(row, "collect_seconds") + number(row, "update_seconds") for row in rows)
    waiting = sum(number(row, "lock_seconds") for row in rows) / busy
    return (
        f"{task:<18} {single:9,.0f} {double:9,.0f} {separate:9,.0f}"
        f" {median(b / a for a, b, _ in speeds):8.2f} {median(c / a for a, _, c in speeds):8.2f}"
        f" {waiting:8.1%} {mean(number(row, 'staleness_mean') for row in rows):8.2f}"
        f" {max(number(row, 'staleness_max') for row in rows):5.0f}"
    )


def speed(row: Row) -> float:
    return number(row, "steps_per_second")


def number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, float | int)
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--hidden", type=int, default=64, help="units of each of two layers")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    print(
        f"{'env steps a second':<18} {'1 worker':>9} {'2 workers':>9} {'2 runs':>9} {'ratio':>8} {'2 runs':>8}",
        end="",
    )
    print(f" {'lock':>8} {'staleness':>9} {'max':>4}")
    for task in arguments.tasks:
        print(measure(task, arguments.turns, arguments.hidden), flush=True)
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
