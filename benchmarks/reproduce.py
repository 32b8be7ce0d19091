"""One cell of the README's table of returns: `python benchmarks/reproduce.py TASK [--trainer NAME] [--seeds N]`.

Trains the preset's seeds side by side, one core each, evaluates every last policy (not the best) by 100 deterministic
episodes, and prints interquartile mean, its 95 % interval and the wall-clock beside what is published of others. Runs
that are complete in results/reproduce/ are kept. `--band` writes the reference band that comes with the package.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from amble.insight.bands import make_band, write_band
from amble.insight.compare import compare


@dataclass(frozen=True)
class Cell:
    """What is trained for a task."""

    presets: dict[str, str]
    """trainer → preset; the first is the default."""
    steps: float | None
    """Env steps; None for the preset's own."""
    published: dict[str, dict[str, float]]
    """trainer → whose → return after as many steps."""
    env: str | None = None
    """A Gymnasium id, where the preset has another."""


_MUJOCO = {"ppo": "mujoco", "trpo": "mujoco-trpo", "a2c": "mujoco-a2c", "pg": "mujoco-pg"}


def _mujoco(env: str, **published: dict[str, float]) -> Cell:
    return Cell(_MUJOCO, 1e6, published, env)


# Published returns after a million steps. Spinning Up: 10 seeds, the stochastic policy, read from its plots. RL Zoo:
# one run, its best agent. SB3-contrib: 3 seeds. Tianshou: the maximum over training, 10 seeds.
CELLS: dict[str, Cell] = {
    "HalfCheetah-v5": _mujoco(
        "HalfCheetah-v5",
        ppo={"Spinning Up": 1733, "CleanRL": 1443, "RL Zoo": 5819, "Tianshou": 5784},
        trpo={"Spinning Up": 689, "SB3-contrib": 1803, "Tianshou": 4471},
        a2c={"RL Zoo": 3041, "Tianshou": 1830},
        pg={"Spinning Up": -49},
    ),
    "Hopper-v5": _mujoco(
        "Hopper-v5",
        ppo={"Spinning Up": 1770, "CleanRL": 2383, "RL Zoo": 2410, "Tianshou": 2609},
        trpo={"Spinning Up": 1161, "SB3-contrib": 3372, "Tianshou": 2046},
        a2c={"RL Zoo": 733, "Tianshou": 1253},
        pg={"Spinning Up": 391},
    ),
    "Walker2d-v5": _mujoco(
        "Walker2d-v5",
        ppo={"Spinning Up": 1211, "CleanRL": 2288, "RL Zoo": 3479, "Tianshou": 3589},
        trpo={"Spinning Up": 549, "SB3-contrib": 4502, "Tianshou": 3827},
        a2c={"RL Zoo": 582, "Tianshou": 1092},
        pg={"Spinning Up": 293},
    ),
    "Ant-v5": _mujoco(
        "Ant-v5",
        ppo={"Spinning Up": 683, "RL Zoo": 1327, "Tianshou": 3258},
        trpo={"Spinning Up": 85, "SB3-contrib": 3554, "Tianshou": 2867},
        a2c={"RL Zoo": -44, "Tianshou": 3485},
        pg={"Spinning Up": -33},
    ),
    "Humanoid-v5": _mujoco(
        "Humanoid-v5",
        ppo={"CleanRL": 716, "Tianshou": 787},
        trpo={"Tianshou": 810},
        a2c={"Tianshou": 1726},
    ),
    "CartPole-v1": Cell(
        {"ppo": "cartpole", "trpo": "cartpole-trpo", "a2c": "cartpole-a2c", "pg": "cartpole-pg"}, None, {}
    ),
    "Pendulum-v1": Cell({"ppo": "pendulum", "trpo": "pendulum-trpo"}, None, {}),
    "3dball": Cell({"ppo": "3dball"}, None, {"ppo": {"Unity": 100}}),
    "walker": Cell({"ppo": "walker"}, None, {"ppo": {"Unity, 30 M decisions": 2500}}),
    "walker-release-21": Cell({"ppo": "walker-release-21"}, None, {}),
}


def main() -> int:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=CELLS)
    parser.add_argument("--trainer", help="default: ppo")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=float, help="env steps, where not the table's")
    parser.add_argument("--time", type=float, help="seconds of training a seed")
    parser.add_argument("--jobs", type=int, help="seeds at the same time; default: one a core")
    parser.add_argument("--band", action="store_true", help="write the package's reference band")
    words = parser.parse_args()
    cell = CELLS[words.task]
    trainer = words.trainer or next(iter(cell.presets))
    if trainer not in cell.presets:
        parser.error(f"--trainer {trainer}: {words.task} is trained by {', '.join(cell.presets)}")
    preset = cell.presets[trainer]
    steps = words.steps or cell.steps
    folder = Path("results/reproduce") / "-".join([words.task, trainer, *([f"{steps:.0f}"] if steps else [])])
    result = compare(
        [preset],
        env=cell.env,
        seeds=words.seeds,
        max_steps=steps,
        time=words.time,
        jobs=words.jobs,
        out=folder,
    )
    print(result.table)
    for whose, value in cell.published.get(trainer, {}).items():
        print(f"published: {whose} {value:g}")
    for failure in result.failures:
        print(failure, file=sys.stderr)
    if words.band and result.exit_code == 0:
        (variant,) = result.figures["variants"]
        runs = variant["runs"]
        band = make_band(
            [Path(run["run"]) for run in runs],
            preset=preset,
            command=f"make reproduce TASK={words.task} TRAINER={trainer}",
            evaluations=[run["return_mean"] for run in runs],
        )
        print(write_band(band))
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
