"""Whether cost grows linearly: `python benchmarks/scaling.py [--rounds N] [--picture FILE]`.

Environment steps a second of PPO, per number of environments (two 64×64 networks) and per width of two hidden layers.
Everything else stays: 4096 decisions an iteration, 4 epochs, minibatches of 1024, in the second part 64 environments
(256 Walkers). Each round visits all points; a point is a trainer of its own, its first iteration is not counted.
Figures are medians over all counted iterations.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from amble.config import run_from_env
from amble.insight.style import GREY, INK, write_png
from amble.training.run import make_trainer

TASKS = {"CartPole-v1": "CartPole", "HalfCheetah-v5": "HalfCheetah", "amble/Walker-v0": "Walker"}
COLOURS = dict(zip(TASKS, ("#c2541b", "#1f6fb2", "#2e8b57"), strict=True))
COUNTS = tuple(2**k for k in range(11))
WIDTHS = (64, 128, 256, 512, 1024)
SIZE, BATCH, EPOCHS = 4096, 1024, 4
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "scaling.png"
_SECONDS, _FEWEST = 1.0, 2
"""Of counted iterations at a point in a round."""


class Point(NamedTuple):
    task: str
    envs: int
    width: int


class Rates(NamedTuple):
    """Environment steps a second, iteration by iteration."""

    loop: list[float]
    collection: list[float]
    update: list[float]


def points() -> Iterator[Point]:
    for task in TASKS:
        for count in COUNTS:
            yield Point(task, count, 64)
        for width in WIDTHS:
            yield Point(task, usual_envs(task), width)


def usual_envs(task: str) -> int:
    return 256 if task.startswith("amble/") else 64


def measure(point: Point, rates: Rates) -> None:
    settings = {
        "hyperparameters.buffer_size": SIZE,
        "hyperparameters.batch_size": BATCH,
        "hyperparameters.num_epoch": EPOCHS,
        "network_settings.hidden_units": point.width,
        "network_settings.num_layers": 2,
        "max_steps": 10**9,
        "env_settings.seed": 0,
        "env_settings.num_envs": point.envs,
    }
    config = run_from_env(point.task, "ppo", [f"{key}={value}" for key, value in settings.items()])
    trainer = make_trainer(config)
    trainer.iterate()
    seconds, count = 0.0, 0
    while seconds < _SECONDS or count < _FEWEST:
        row = trainer.iterate()
        collect, update = float(row["collect_seconds"] or 0), float(row["update_seconds"] or 0)
        rates.loop.append(SIZE / (collect + update))
        rates.collection.append(SIZE / collect)
        rates.update.append(SIZE / update)
        seconds, count = seconds + collect + update, count + 1
    trainer.close()


def draw(rates: dict[Point, Rates]) -> Figure:
    figure = Figure(figsize=(10, 4.6), dpi=120, layout="constrained")
    by_count, by_width = figure.subplots(1, 2)
    for task in TASKS:
        counts = [Point(task, count, 64) for count in COUNTS]
        widths = [Point(task, usual_envs(task), width) for width in WIDTHS]
        _line(by_count, task, COUNTS, [median(rates[point].loop) for point in counts], "-")
        _line(by_count, task, COUNTS, [median(rates[point].collection) for point in counts], ":")
        _line(by_width, task, WIDTHS, [median(rates[point].loop) for point in widths], "-")
        _line(by_width, task, WIDTHS, [median(rates[point].update) for point in widths], "--")
    by_count.set_title("Environments stepped together (64 × 64 networks)")
    by_width.set_title("Width of two hidden layers (64 environments, 256 Walkers)")
    _finish(by_count, COUNTS, {"-": "whole loop", ":": "collection alone"})
    _finish(by_width, WIDTHS, {"-": "whole loop", "--": "updates alone"})
    by_count.set_ylabel("environment steps a second")
    return figure


def _line(axes: Axes, task: str, x: tuple[int, ...], y: list[float], style: str) -> None:
    whole = style == "-"
    axes.plot(
        x,
        y,
        style,
        color=COLOURS[task],
        marker="o" if whole else None,
        markersize=4,
        linewidth=1.8 if whole else 1.2,
        label=TASKS[task] if whole else None,
    )


def _finish(axes: Axes, x: tuple[int, ...], styles: dict[str, str]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(x, [f"{value}" for value in x])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    ticks = [lead * 10**power for power in range(2, 7) for lead in (1, 2, 5)]
    axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    axes.yaxis.set_minor_locator(NullLocator())
    for style, meaning in styles.items():
        axes.plot([], [], style, color=GREY, linewidth=1.8 if style == "-" else 1.2, label=meaning)
    axes.legend(labelcolor=INK)


def table(rates: dict[Point, Rates]) -> str:
    lines = []
    for title, values, of in (
        ("environments", COUNTS, lambda task, value: Point(task, value, 64)),
        ("width", WIDTHS, lambda task, value: Point(task, usual_envs(task), value)),
    ):
        lines.append(f"{title:14}" + "".join(f"{name:^30}" for name in TASKS.values()))
        lines.append(" " * 14 + "".join(f"{'loop':>10}{'collect':>10}{'update':>10}" for _ in TASKS))
        for value in values:
            columns = (median(column) for task in TASKS for column in rates[of(task, value)])
            lines.append(f"{value:<14}" + "".join(f"{column:>10,.0f}" for column in columns))
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    rates: dict[Point, Rates] = defaultdict(lambda: Rates([], [], []))
    for _ in range(arguments.rounds):
        for point in points():
            measure(point, rates[point])
    print(table(rates))
    print(write_png(lambda: draw(rates), arguments.picture))


if __name__ == "__main__":
    main()
