"""What a reward of eight terms costs: iterations of the Walker with and without, turn about.

Run by `python benchmarks/reward_cost.py [PAIRS]`. Prints one JSON object. The CPU seconds are those of the whole process,
which other processes on the machine disturb less than the clock.
"""

import json
import statistics
import sys
import time

from amble.config import load_run
from amble.training.trainer import Trainer

TERMS = {
    "match_velocity": {},
    "look_at_target": {"weight": 0.3},
    "single_support": {"weight": 0.1},
    "symmetry": {"weight": 0.1},
    "knee_lift": {"weight": 0.2},
    "energy": {"weight": -0.01},
    "smoothness": {"weight": -0.1},
    "foot_clearance": {"weight": 0.1},
}


def main(pairs: int) -> None:
    plain = Trainer(load_run("walker", ["env_settings.seed=0"]))
    given = str({"terms": TERMS, "fall_reward": -1.0}).replace("'", "")
    shaped = Trainer(load_run("walker", ["env_settings.seed=0", f"rewards={given}"]))
    seconds: dict[str, list[tuple[float, float, float]]] = {"plain": [], "shaped": []}
    for pair in range(pairs + 1):
        order = [("plain", plain), ("shaped", shaped)]
        for name, trainer in order if pair % 2 else reversed(order):
            wall, cpu = time.perf_counter(), time.process_time()
            row = trainer.iterate()
            if pair:  # the first compiles and warms up
                spent = time.perf_counter() - wall, time.process_time() - cpu, float(row["collect_seconds"] or 0)
                seconds[name].append(spent)
    figures: dict[str, float | int] = {"pairs": pairs, "terms": len(TERMS)}
    for column, what in enumerate(("wall", "cpu", "collect_wall")):
        ratios = [b[column] / a[column] for a, b in zip(seconds["plain"], seconds["shaped"], strict=True)]
        figures[f"{what}_seconds_plain"] = statistics.median(a[column] for a in seconds["plain"])
        figures[f"{what}_ratio_median"] = statistics.median(ratios)
        figures[f"{what}_ratio_low"], figures[f"{what}_ratio_high"] = min(ratios), max(ratios)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
