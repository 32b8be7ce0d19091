"""Where the time of a Walker iteration goes: `python benchmarks/walker_speed.py [ENVIRONMENTS …]`.

Each number of environments is measured in a process of its own, so that its peak memory is its own. The policy is
the untrained one of the preset `walker`; figures are medians over iterations, in decisions a second.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from statistics import median

ENVIRONMENTS = (64, 256, 512)
ITERATIONS = 5
_ROWS = ("physics and reward", "environment step", "collection", "update", "whole loop")


class Stopwatch:
    """Adds up the time spent in some of an object's methods."""

    def __init__(self, target: object, *methods: str):
        self.seconds = 0.0
        for name in methods:
            setattr(target, name, self._timed(getattr(target, name)))

    def _timed(self, method):
        def timed(*args, **kwargs):
            start = time.perf_counter()
            result = method(*args, **kwargs)
            self.seconds += time.perf_counter() - start
            return result

        return timed

    def lap(self) -> float:
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def measure(environments: int) -> dict[str, float]:
    from amble.config import load_run
    from amble.training.trainer import Trainer

    trainer = Trainer(load_run("walker", [f"env_settings.num_envs={environments}", "env_settings.seed=0"]))
    physics = Stopwatch(trainer.env._simulators, "advance", "settle")
    steps = Stopwatch(trainer.env, "step")
    trainer.iterate()  # compiles, fills caches
    rates: dict[str, list[float]] = {row: [] for row in _ROWS}
    for _ in range(ITERATIONS):
        physics.lap()
        steps.lap()
        before = trainer.env_steps
        row = trainer.iterate()
        decisions = trainer.env_steps - before
        seconds = (physics.lap(), steps.lap(), row["collect_seconds"], row["update_seconds"])
        for name, spent in zip(
            _ROWS, (*seconds, row["collect_seconds"] + row["update_seconds"]), strict=True
        ):
            rates[name].append(decisions / spent)
    trainer.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {**{name: median(values) for name, values in rates.items()}, "peak memory": peak}


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    environments = [int(argument) for argument in sys.argv[1:]] or list(ENVIRONMENTS)
    figures = {}
    for count in environments:
        command = [sys.executable, __file__, "--measure", str(count)]
        figures[count] = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
    print(
        "Walker, decisions a second".ljust(28)
        + "".join(f"{count:>10}" for count in environments)
        + "   environments"
    )
    for row in _ROWS:
        print(row.ljust(28) + "".join(f"{figures[count][row]:>10,.0f}" for count in environments))
    print(
        "peak memory, GiB".ljust(28)
        + "".join(f"{figures[count]['peak memory']:>10.2f}" for count in environments)
    )


if __name__ == "__main__":
    main()
