"""Gymnasium's MuJoCo tasks here and there: `python benchmarks/gymnasium_speed.py [TASK …] [--envs N …]`.

For each task, in thousand environment steps a second with random actions: MuJoCo's physics alone (a batch that is
given the same states and actions, no field of it read), the whole environment step of `amble.envs.make`, and
Gymnasium's own environments one after the other (`make_vec(..., vectorization_mode="sync")`). The three take turns
of a few steps; figures are medians, and `step/physics` the median of the turns' ratios.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import gymnasium
import mujoco
import numpy as np
from mujoco.batch import Batch

import amble.envs

TASKS = (
    *("HalfCheetah", "Hopper", "Walker2d", "Swimmer", "Ant", "Humanoid", "HumanoidStandup"),
    *("Reacher", "Pusher", "InvertedPendulum", "InvertedDoublePendulum"),
)


def measure(task: str, envs: int, turns: int, seconds: float) -> tuple[float, float, float, float]:
    env = amble.envs.make(f"{task}-v5", envs, backend="array")
    batch, skip = env.batch, env.frame_skip
    alone = Batch(mujoco.MjModel.from_xml_path(env.model_file), envs, batch.nthread)
    theirs = gymnasium.make_vec(f"{task}-v5", num_envs=envs, vectorization_mode="sync")
    env.reset(seed=0)
    theirs.reset(seed=0)
    rng = np.random.default_rng(0)
    low, high = env.single_action_space.low, env.single_action_space.high

    def actions(count: int) -> np.ndarray:
        return rng.uniform(low, high, (count, envs, len(low))).astype(np.float32)

    def timed(step, script: np.ndarray) -> float:
        start = time.perf_counter()
        for action in script:
            step(action)
        return (time.perf_counter() - start) / len(script)

    ctrl = alone.bind("ctrl")

    def physics(action: np.ndarray) -> None:
        ctrl[:] = action
        alone.step(nstep=skip)

    once = timed(env.step, actions(30))
    steps = max(2, round(seconds / once))
    laps = []
    for _ in range(turns):
        script = actions(steps)
        alone.state[:] = batch.state
        laps.append((timed(physics, script), timed(env.step, script), timed(theirs.step, actions(2))))
    env.close()
    theirs.close()
    columns = [envs / median(column) for column in zip(*laps, strict=True)]
    return (*columns, median(step / bare for bare, step, _ in laps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--envs", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.04, help="of each turn of ours")
    arguments = parser.parse_args()
    print(
        f"{'thousand steps/s':24}{'envs':>5}{'physics':>10}{'step':>8}{'Gymnasium':>11}{'step/physics':>14}"
    )
    for task in arguments.tasks:
        for envs in arguments.envs:
            alone, step, theirs, ratio = measure(task, envs, arguments.turns, arguments.seconds)
            print(
                f"{task:24}{envs:5}{alone / 1e3:10.1f}{step / 1e3:8.1f}{theirs / 1e3:11.1f}{ratio:14.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
