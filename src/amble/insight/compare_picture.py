"""The picture of a comparison: learning curves with bands over seeds, and beside them the last policies' returns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from amble.insight.curves import RunCurves, on_grid
from amble.insight.statistics import Score, Verdict, interquartile_mean, iqm_interval
from amble.insight.style import GREY, INK, write_png
from amble.training.progress import count

# Okabe and Ito's colours, which colour-blind readers tell apart; past them line styles do.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_GRID_POINTS = 201


def draw_comparison(
    curves: Mapping[str, Sequence[RunCurves]],
    scores: Sequence[Score],
    env_id: str,
    decided: Verdict,
    output: Path,
) -> Path:
    """Draws variants (name → one run a seed) as PNG into `output`, which is returned."""
    return write_png(lambda: _sheet(curves, scores, env_id, decided), output)


def _sheet(
    curves: Mapping[str, Sequence[RunCurves]], scores: Sequence[Score], env_id: str, decided: Verdict
) -> Figure:
    figure = Figure(figsize=(11, 5.4), dpi=150)
    longest = max(len(name) for name in curves)
    # Long names need room left of the right panel.
    left = figure.add_axes((0.065, 0.115, 0.535, 0.69))
    start = 0.62 + min(max(longest, 4) * 0.0068, 0.17)
    right = figure.add_axes((start, 0.115, 0.975 - start, 0.69))
    figure.text(0.065, 0.955, env_id, fontsize=15, fontweight="bold", va="center")
    sentence = wrap(decided.sentence, 150, max_lines=2, placeholder=" …")
    figure.text(0.065, 0.925, "\n".join(sentence), fontsize=9.5, color=GREY, va="top", linespacing=1.35)
    _draw_curves(left, curves)
    _draw_scores(right, scores)
    return figure


def _style(index: int) -> tuple[str, str | tuple[int, tuple[float, ...]]]:
    return _COLOURS[index % len(_COLOURS)], _LINES[(index // len(_COLOURS) + index) % len(_LINES)]


def _draw_curves(axes: Axes, curves: Mapping[str, Sequence[RunCurves]]) -> None:
    last = max(float(run.steps[-1]) for runs in curves.values() for run in runs)
    first = min(float(run.steps[0]) for runs in curves.values() for run in runs)
    grid = np.linspace(min(first, last), last, _GRID_POINTS)
    drawn = False
    for index, (name, runs) in enumerate(curves.items()):
        values = np.stack([on_grid(run, grid) for run in runs])
        there = np.isfinite(values).all(0)  # where every seed has a value
        if not there.any():
            continue
        drawn = True
        colour, line = _style(index)
        band = iqm_interval(values[:, there])
        if band is not None:
            axes.fill_between(grid[there], band[0], band[1], color=colour, alpha=0.16, lw=0)
        seeds = f"{len(runs)} seeds" if len(runs) > 1 else "1 seed, no band"
        axes.plot(
            grid[there],
            interquartile_mean(values[:, there]),
            color=colour,
            ls=line,
            marker="o" if there.sum() < 3 else "",
            ms=4,
            label=f"{name}  ({seeds})",
        )
    axes.set_title("training return: IQM over seeds, 95 % band")
    axes.set_xlabel("env steps", labelpad=2)
    axes.set_xlim(0, max(last, 1.0) * 1.01)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.margins(y=0.06)
    if drawn:
        axes.legend(loc="best", handlelength=2.8)
    else:
        axes.text(0.5, 0.5, "no episode has ended", transform=axes.transAxes, ha="center", color=GREY)


def _draw_scores(axes: Axes, scores: Sequence[Score]) -> None:
    """A row a variant: its seeds as dots, the IQM as a mark, the interval as a bar."""
    for index, score in enumerate(scores):
        colour, _ = _style(index)
        if score.interval is not None:
            axes.plot(score.interval, (index, index), color=colour, lw=7, alpha=0.3, solid_capstyle="butt")
        # Seeds lie a little apart from each other, so that equal ones are all seen.
        offsets = np.linspace(-0.08, 0.08, len(score.values)) if len(score.values) > 1 else np.zeros(1)
        axes.plot(score.values, index + 0.28 + offsets, "o", color=colour, ms=4, alpha=0.75, mew=0)
        axes.plot(score.iqm, index, "|", color=INK, ms=15, mew=2.2)
    middle, half = (len(scores) - 1) / 2 + 0.1, max(len(scores) / 2 + 0.1, 1.6)
    axes.set_ylim(middle + half, middle - half)
    axes.set_yticks(range(len(scores)), [_wrapped(score.name) for score in scores], color=INK)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.margins(x=0.08)
    axes.set_title("last policy: IQM, interval, seeds")
    axes.set_xlabel("return of an evaluation episode", labelpad=2)


def _wrapped(name: str, width: int = 25) -> str:
    """A variant's name over several lines, parted at its commas."""
    lines = [""]
    for part in name.split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if len(joined) > width and lines[-1]:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = joined
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in lines)
