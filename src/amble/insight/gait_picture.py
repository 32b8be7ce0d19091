"""The gait fingerprint as a picture: footfalls, speed, heights and knees of one episode, and the figures of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amble.insight.gait import Fingerprint, summary
from amble.insight.recording import Recording
from amble.insight.style import GREY, INK, write_png

_LEFT, _RIGHT, _GOAL = "#2563a8", "#d1603d", "#8a97a5"
_SHOWN_SECONDS = 8.0
_FROM_SECONDS = 2.0
_FIGURES = (
    ("speed", "speed", "m/s", 2),
    ("goal_speed", "goal speed", "m/s", 2),
    ("heading_error", "heading error (rms)", "°", 0),
    ("step_frequency", "steps a second", "Hz", 2),
    ("duty_left", "duty factor, left", "", 2),
    ("duty_right", "duty factor, right", "", 2),
    ("symmetry", "symmetry", "", 2),
    ("phase", "phase, right to left", "", 2),
    ("air_time", "air time of a step", "s", 2),
    ("flight", "time without contact", "%", 0),
    ("height", "height of the hips", "× standing", 2),
    ("knee_lift", "knees up to", "× standing", 2),
    ("cost_of_transport", "cost of transport", "", 2),
)


def draw(recording: Recording, prints: Sequence[Fingerprint], output: Path, name: str) -> Path:
    """Draw the episode whose speed is the median one, and the figures of all.

    Raises:
        UsageError: `output` does not end in .png.
        AmbleError: it cannot be written.
    """
    return write_png(lambda: _sheet(recording, prints, name), output)


def _sheet(recording: Recording, prints: Sequence[Fingerprint], name: str) -> Figure:
    figure = Figure(figsize=(10, 6.4), dpi=150)
    figures = summary(prints)
    shown = typical(prints, figures["style"])
    seconds = float(recording.about["decision_seconds"])
    whole = recording.episode(shown)
    count = whole.stop - whole.start
    first = round(_FROM_SECONDS / seconds) if count * seconds > _FROM_SECONDS + _SHOWN_SECONDS else 0
    rows = slice(whole.start + first, min(whole.stop, whole.start + first + round(_SHOWN_SECONDS / seconds)))
    time = (np.arange(rows.stop - rows.start) + first + 1) * seconds
    values = {
        key: value[rows]
        for key, value in recording.values.items()
        if recording.signals[key].taken != "substeps"
    }

    grid = figure.add_gridspec(
        4, 2, width_ratios=(2.5, 1), height_ratios=(0.75, 1.2, 1.2, 1.2), hspace=0.42, wspace=0.07,
        left=0.085, right=0.985, top=0.855, bottom=0.085,
    )  # fmt: skip
    axes = [figure.add_subplot(grid[0, 0])]
    axes += [figure.add_subplot(grid[row, 0], sharex=axes[0]) for row in (1, 2, 3)]
    _footfalls(axes[0], values, time, seconds)
    _speed(axes[1], values, time)
    _heights(axes[2], values, time)
    _knees(axes[3], values, time)
    axes[0].set_xlim(time[0] - seconds, time[-1])
    for upper in axes[:-1]:
        upper.tick_params(labelbottom=False)
    axes[-1].set_xlabel(f"seconds of episode {shown + 1} of {len(prints)}")
    _table(figure.add_subplot(grid[:, 1]), figures["mean"], len(prints))
    figure.text(0.085, 0.957, f"{name}: {figures['style']}", fontsize=15, fontweight="bold", va="center")
    others = ", ".join(f"{label} {times}" for label, times in figures["styles"].items())
    figure.text(
        0.085, 0.912, f"policy of {recording.about['env_steps']:,} steps, mean action; episodes: {others}",
        fontsize=10, color=GREY, va="center",
    )  # fmt: skip
    return figure


def typical(prints: Sequence[Fingerprint], style: str) -> int:
    """Of the episodes in the commonest style, the one of median speed."""
    of_style = sorted((made.speed, index) for index, made in enumerate(prints) if made.style == style)
    return of_style[len(of_style) // 2][1]


def _footfalls(axes: Axes, values: dict[str, np.ndarray], time: np.ndarray, seconds: float) -> None:
    for row, (side, colour) in enumerate((("left", _LEFT), ("right", _RIGHT))):
        spans = stances(
            values["foot_load"][:, row], values["foot_contact"][:, row].astype(bool), time, seconds
        )
        axes.broken_barh(spans, (0.6 - row, 0.6), color=colour, linewidth=0)
        axes.text(
            -0.012,
            0.9 - row,
            side,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            color=colour,
        )
    airborne = ~values["foot_contact"].astype(bool).any(axis=1)
    for end in time[airborne]:
        axes.axvspan(end - seconds, end, color="#f3efe2", zorder=0, linewidth=0)
    axes.set_ylim(-0.55, 1.35)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_title("feet on the ground" + ("; shaded: both in the air" if airborne.any() else ""))


def stances(
    load: np.ndarray, down: np.ndarray, time: np.ndarray, seconds: float
) -> list[tuple[float, float]]:
    """Spans (start, length) on the ground: within a decision, early where it began down and late where it ends down."""
    before = np.concatenate([down[:1], down[:-1]])
    room = 1.0 - load
    early = np.where(before, 0.0, np.where(down, room, room / 2))
    return [
        (end - seconds + seconds * wait, seconds * share)
        for end, share, wait in zip(time, load, early, strict=True)
        if share > 0
    ]


def _speed(axes: Axes, values: dict[str, np.ndarray], time: np.ndarray) -> None:
    axes.plot(time, values["goal_speed"], color=_GOAL, linestyle=(0, (4, 2)), linewidth=1.4, label="goal")
    axes.plot(time, values["velocity"][:, 0], color=INK, label="toward the goal")
    axes.plot(time, values["velocity"][:, 1], color="#3a8f5c", linewidth=1.2, label="to its right")
    axes.set_title("speed (m/s)")
    axes.legend(loc="lower right", ncols=3, bbox_to_anchor=(1.0, 0.97), borderaxespad=0.0, fontsize=8.5)


def _heights(axes: Axes, values: dict[str, np.ndarray], time: np.ndarray) -> None:
    standing = values["standing_height"]
    axes.plot(time, values["body_height"] / standing, color=INK, label="hips")
    for side, (label, colour) in enumerate((("left foot", _LEFT), ("right foot", _RIGHT))):
        axes.plot(time, values["foot_height"][:, side] / standing, color=colour, linewidth=1.3, label=label)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_title("height (× standing)")
    axes.legend(loc="lower right", ncols=3, bbox_to_anchor=(1.0, 0.97), borderaxespad=0.0, fontsize=8.5)


def _knees(axes: Axes, values: dict[str, np.ndarray], time: np.ndarray) -> None:
    standing = values["standing_height"]
    for side, (label, colour) in enumerate((("left", _LEFT), ("right", _RIGHT))):
        axes.plot(time, values["knee_height"][:, side] / standing, color=colour, label=label)
    axes.set_title("height of the knees (× standing)")


def _table(axes: Axes, mean: dict[str, float | None], episodes: int) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title(f"mean of {episodes} episodes" if episodes > 1 else "one episode")
    step = 1.0 / len(_FIGURES)
    for row, (key, label, unit, digits) in enumerate(_FIGURES):
        height = 1.0 - (row + 0.5) * step
        value = mean[key]
        if value is not None:
            value *= {"°": 180 / np.pi, "%": 100}.get(unit, 1.0)
        shown = "–" if value is None else f"{value:.{digits}f}"
        axes.text(0.0, height, label, va="center", color=GREY, fontsize=9.5)
        axes.text(0.72, height, shown, va="center", ha="right", color=INK, fontsize=11)
        axes.text(0.75, height, unit, va="center", color=GREY, fontsize=9)
