"""Learning curves as a picture: one run in detail over its reference band, or several over each other."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FuncFormatter, MaxNLocator

from amble.errors import UsageError
from amble.insight.bands import Band, band_for
from amble.insight.curves import RunCurves
from amble.insight.style import GREY, write_png
from amble.training.progress import count, duration, grouped

_COLOURS = ("#2563a8", "#d1603d", "#3a8f5c", "#8457a8", "#b8892b", "#3aa0a8", "#a8456b", "#5b6770")
_PANELS = (
    ("length_mean", "episode length (decisions)"),
    ("kl", "KL of an update (nats)"),
    ("entropy", "entropy (nats)"),
    ("explained_variance", "explained variance of V"),
    ("steps_per_second", "steps a second"),
)


def plot(runs: Sequence[Path], output: Path | None = None) -> Path:
    """Draws the learning curve of one run in detail, or those of several runs over each other, as PNG.

    Args:
        runs: directories of runs.
        output: the file to write; by default `curve.png` in the one run, or `compare.png` beside the first.

    Returns:
        The file written.

    Raises:
        UsageError: no run was given, or one is none or has no row of metrics yet.
        AmbleError: the file cannot be written.
    """
    if not runs:
        raise UsageError("no run to plot was given; expected directories of runs, as in results/walker-1.")
    curves = [RunCurves(Path(run)) for run in runs]
    if output is None:
        output = (
            curves[0].run.curve if len(curves) == 1 else curves[0].run.path.resolve().parent / "compare.png"
        )
    return write_png(lambda: _sheet(curves), output)


def _sheet(curves: list[RunCurves]) -> Figure:
    figure = Figure(figsize=(10, 6.6), dpi=150)
    panels = [panel for panel in _PANELS if any(np.isfinite(run.column(panel[0])).any() for run in curves)]
    rows = GridSpec(
        2, 1, figure, height_ratios=(2.2, 1), hspace=0.34, left=0.075, right=0.975, top=0.84, bottom=0.075
    )
    main = figure.add_subplot(rows[0])
    band = band_for(curves[0].run.path) if len(curves) == 1 else None
    if band is not None:
        _draw_band(main, band, curves[0].steps[-1])
    _draw_return(main, curves)
    if panels:
        below = rows[1].subgridspec(1, len(panels), wspace=0.38)
        for index, (key, title) in enumerate(panels):
            axes = figure.add_subplot(below[index])
            _draw_small(axes, curves, key, title)
    _titles(figure, curves, band)
    return figure


def _draw_band(axes: Axes, band: Band, last: float) -> None:
    """The reference seeds from the least to the greatest, and their interquartile mean, as far as the run goes."""
    steps, (least, middle, greatest) = np.array(band.steps), band.range()
    there = (steps <= 1.02 * last) & np.isfinite(least)
    if not there.any():
        return
    seeds = f"{len(band.returns)} seeds of {band.preset}"
    axes.fill_between(steps[there], least[there], greatest[there], color=GREY, alpha=0.16, lw=0)
    axes.plot(steps[there], middle[there], color=GREY, lw=1.2, ls="--", label=f"reference: {seeds}")


def _against(band: Band, run: RunCurves) -> str:
    """Where the run's last smoothed return stands among the reference seeds."""
    smooth = run.smooth("return_mean")
    there = np.flatnonzero(np.isfinite(smooth))
    if not len(there):
        return ""
    step = min(float(run.steps[there[-1]]), band.steps[-1])
    value = float(np.interp(step, run.steps[there], smooth[there]))
    percentile = band.percentile(step, value)
    if percentile is None:
        return ""
    return f"  ·  percentile {percentile:.0f} of the reference seeds at {count(step)} steps"


def _titles(figure: Figure, curves: list[RunCurves], band: Band | None) -> None:
    if len(curves) == 1:
        against = "" if band is None else _against(band, curves[0])
        figure.text(0.075, 0.957, curves[0].run.name, fontsize=15, fontweight="bold", va="center")
        figure.text(0.075, 0.912, _final_figures(curves[0]) + against, fontsize=10, color=GREY, va="center")
    else:
        figure.text(0.075, 0.925, f"{len(curves)} runs", fontsize=15, fontweight="bold", va="center")


def _final_figures(run: RunCurves) -> str:
    parts = []
    if (mean := run.last("return_mean")) is not None:
        std = run.last("return_std")
        parts.append(f"return {mean:.4g}" + (f" ± {std:.3g}" if std is not None else ""))
    else:
        parts.append("no episode has ended yet")
    parts.append(f"{count(run.steps[-1])} env steps")
    if (seconds := run.last("wall_seconds")) is not None:
        parts.append(duration(seconds))
        if seconds > 0:
            parts.append(f"{grouped(run.steps[-1] / seconds)} steps/s overall")
    return "  ·  ".join(parts)


def _draw_return(axes: Axes, curves: list[RunCurves]) -> None:
    drawn = False
    for index, run in enumerate(curves):
        colour, mean = _COLOURS[index % len(_COLOURS)], run.column("return_mean")
        there = np.isfinite(mean)
        if not there.any():
            continue
        drawn = True
        smooth, spread = run.smooth("return_mean"), run.smooth("return_std")
        if len(curves) == 1:
            axes.fill_between(
                run.steps,
                smooth - spread,
                smooth + spread,
                color=colour,
                alpha=0.14,
                lw=0,
                label="± standard deviation",
            )
            axes.plot(run.steps[there], mean[there], color=colour, lw=0.7, alpha=0.4, label="each iteration")
            axes.plot(run.steps, smooth, color=colour, marker=_marker(there), ms=4, label="smoothed")
        else:
            axes.plot(run.steps[there], mean[there], color=colour, lw=0.6, alpha=0.25)
            label = f"{run.run.name}   {smooth[np.isfinite(smooth)][-1]:.4g}"
            axes.plot(run.steps, smooth, color=colour, marker=_marker(there), ms=4, label=label)
    axes.set_title("return of an episode")
    axes.set_xlabel("env steps", labelpad=2)
    _ticks(axes, curves, 8)
    if drawn:
        axes.legend(loc="best")
    else:
        axes.text(0.5, 0.5, "no episode has ended yet", transform=axes.transAxes, ha="center", color=GREY)
        axes.set_yticks([])


def _draw_small(axes: Axes, curves: list[RunCurves], key: str, title: str) -> None:
    for index, run in enumerate(curves):
        colour, values = _COLOURS[index % len(_COLOURS)], run.column(key)
        there = np.isfinite(values)
        if there.any():
            axes.plot(run.steps[there], values[there], color=colour, lw=0.5, alpha=0.3)
            axes.plot(run.steps, run.smooth(key), color=colour, lw=1.4, marker=_marker(there), ms=3)
    _ticks(axes, curves, 3)
    if key == "explained_variance":
        low = min(float(np.nanmin(run.column(key), initial=0.0)) for run in curves)
        axes.set_ylim(max(low, -1.0) - 0.05, 1.05)
    elif key != "entropy":
        axes.set_ylim(bottom=0.0)  # noise about a level should look like that
    axes.set_title(title, fontsize=9, color=GREY, pad=5)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if key in ("steps_per_second", "length_mean"):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.tick_params(labelsize=8)


def _ticks(axes: Axes, curves: list[RunCurves], bins: int) -> None:
    last = max(float(run.steps[-1]) for run in curves)
    axes.set_xlim(0, max(last, 1.0) * 1.01)
    axes.xaxis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.margins(y=0.08)


def _marker(there: np.ndarray) -> str:
    return "o" if there.sum() < 3 else ""
