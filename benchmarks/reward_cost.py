"""What a reward of eight terms costs: iterations of the Walker with and without, turn about.

Run by `python benchmarks/reward_cost.py [PAIRS]`. Prints one JSON object. The CPU seconds are those of the whole
process, which other processes on the machine disturb less than the clock.
"""

import json
import statistics
import sys
import time

import torch

from amble.config import load_run
from amble.training.trainer import Trainer

FACTORS = ("match_velocity", "look_at_target")
FREE = ("single_support", "symmetry", "knee_lift", "energy", "smoothness", "foot_clearance")
"""Computed, and paid with a weight of 0: so both runs are the same to the last bit, and only the cost differs."""
REWARD = {
    "combine": "product",
    "terms": {name: {"weight": 1.0} for name in FACTORS},
    "penalties": {name: {"weight": 0.0} for name in FREE},
    "fall_reward": -1.0,
}


def main(pairs: int) -> None:
    plain = Trainer(load_run("walker", ["env_settings.seed=0"]))
    shaped = Trainer(load_run("walker", ["env_settings.seed=0", f"rewards={json.dumps(REWARD)}"]))
    seconds: dict[str, list[tuple[float, float, float]]] = {"plain": [], "shaped": []}
    for pair in range(pairs + 1):
        order = [("plain", plain), ("shaped", shaped)]
        for name, trainer in order if pair % 2 else reversed(order):
            wall, cpu = time.perf_counter(), time.process_time()
            row = trainer.iterate()
            if pair:  # the first compiles and warms up
                spent = (
                    time.perf_counter() - wall,
                    time.process_time() - cpu,
                    float(row["collect_seconds"] or 0),
                )
                seconds[name].append(spent)
    same = all(
        torch.equal(a, b)
        for a, b in zip(plain.algorithm.parameters, shaped.algorithm.parameters, strict=True)
    )
    figures: dict[str, float | int] = {"pairs": pairs, "terms": len(FACTORS) + len(FREE)}
    for column, what in enumerate(("wall", "cpu", "collect_wall")):
        ratios = [b[column] / a[column] for a, b in zip(seconds["plain"], seconds["shaped"], strict=True)]
        figures[f"{what}_seconds_plain"] = statistics.median(a[column] for a in seconds["plain"])
        figures[f"{what}_ratio_median"] = statistics.median(ratios)
        figures[f"{what}_ratio_low"], figures[f"{what}_ratio_high"] = min(ratios), max(ratios)
    figures["same_parameters"] = same
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
