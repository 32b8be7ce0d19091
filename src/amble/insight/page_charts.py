"""Pictures within a page, as SVG that takes its colours from the page: curves with bands, footfalls, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from amble.insight.looks import Footfalls
from amble.training.progress import count

HUES = 7
_DASHES = ("", "6 3", "2 2", "8 3 2 3")


@dataclass(frozen=True)
class Line:
    """A curve over env steps: x, y (G,), and its band's ends where there is one; `index` says how it looks."""

    name: str
    index: int
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def hue(index: int) -> str:
    """The colour of variant `index`, as the style sheet names it."""
    return f"var(--v{index % HUES})"


def _dash(index: int) -> str:
    pattern = _DASHES[index // HUES % len(_DASHES)]
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def curves(lines: Sequence[Line], about: str, width: int = 340, height: int = 210) -> str:
    """Lines over env steps; `about` is read out where the picture cannot be seen."""
    left, right, top, bottom = 46, 8, 8, 24
    shown = [line for line in lines if len(line.x)]
    if not shown:
        return f'<p class="dim">{escape(about)}: no episode has ended.</p>'
    high_x = max(float(line.x[-1]) for line in shown)
    ends = np.concatenate(
        [part for line in shown for part in (line.y, line.low, line.high) if part is not None]
    )
    low_y, high_y = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = (high_y - low_y) * 0.06 or max(abs(high_y) * 0.1, 1.0)
    low_y, high_y = low_y - room, high_y + room

    def at(x: Any, y: Any) -> tuple[Any, Any]:
        across = left + np.asarray(x) / max(high_x, 1.0) * (width - left - right)
        down = height - bottom - (np.asarray(y) - low_y) / (high_y - low_y) * (height - top - bottom)
        return across, down

    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(about)}">']
    for tick in MaxNLocator(4).tick_values(low_y, high_y):
        if low_y <= tick <= high_y:
            y = float(at(0.0, tick)[1])
            parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            label = (
                f"{tick:,.0f}".replace(",", " ") if abs(tick) >= 100 or tick == round(tick) else f"{tick:g}"
            )
            parts.append(
                f'<text x="{left - 5}" y="{y + 3.5:.1f}" text-anchor="end">{label.replace("-", "−")}</text>'
            )
    for tick in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, high_x):
        if 0 <= tick <= high_x:
            x = float(at(tick, low_y)[0])
            anchor = "end" if x > width - 24 else "middle"
            parts.append(f'<text x="{x:.1f}" y="{height - 7}" text-anchor="{anchor}">{count(tick)}</text>')
    for line in shown:
        if line.low is not None and line.high is not None:
            band = [
                *zip(*at(line.x, line.high), strict=True),
                *reversed([*zip(*at(line.x, line.low), strict=True)]),
            ]
            parts.append(f'<polygon points="{_points(band)}" fill="{hue(line.index)}" fill-opacity="0.2"/>')
        way = list(zip(*at(line.x, line.y), strict=True))
        parts.append(
            f'<polyline points="{_points(way)}" fill="none" stroke="{hue(line.index)}" stroke-width="2" '
            f'stroke-linejoin="round"{_dash(line.index)}/>'
        )
    return "".join([*parts, "</svg>"])


def legend(names: Sequence[str]) -> str:
    """A key for the variants' colours and dashes."""
    keys = "".join(
        f'<span><svg viewBox="0 0 26 10" class="key"><line x1="1" x2="25" y1="5" y2="5" stroke="{hue(index)}" '
        f'stroke-width="3"{_dash(index)}/></svg>{escape(name)}</span>'
        for index, name in enumerate(names)
    )
    return f'<p class="legend">{keys}</p>'


def footfalls(steps: Footfalls, about: str, width: int = 340, height: int = 74) -> str:
    """Feet on the ground as bars, left above right; where both are in the air, a shade behind them."""
    left, bottom = 40, 18
    scale = (width - left - 6) / max(steps.seconds, 1e-9)
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(about)}">']
    for start, length in _air(steps):
        parts.append(
            f'<rect class="air" x="{left + start * scale:.1f}" y="2" width="{length * scale:.1f}" '
            f'height="{height - bottom - 4}"/>'
        )
    for row, (side, spans) in enumerate((("left", steps.left), ("right", steps.right))):
        top = 6 + row * 24
        parts.append(f'<text x="{left - 6}" y="{top + 13}" text-anchor="end">{side}</text>')
        parts += [
            f'<rect class="{side}" x="{left + start * scale:.1f}" y="{top}" width="{length * scale + 0.3:.1f}" '
            'height="18"/>'
            for start, length in _joined(spans)
        ]
    for second in range(int(steps.seconds + 1e-6) + 1):
        x = left + second * scale
        anchor = "end" if x > width - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{height - 4}" text-anchor="{anchor}">{second} s</text>')
    return "".join([*parts, "</svg>"])


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch become one."""
    joined: list[tuple[float, float]] = []
    for start, length in spans:
        if joined and start - sum(joined[-1]) < 1e-3:
            joined[-1] = (joined[-1][0], start + length - joined[-1][0])
        else:
            joined.append((start, length))
    return joined


def _air(steps: Footfalls) -> list[tuple[float, float]]:
    """Spans in which neither foot is on the ground."""
    down = sorted((start, start + length) for start, length in (*steps.left, *steps.right))
    spans, at = [], 0.0
    for start, end in [*down, (steps.seconds, steps.seconds)]:
        if start - at > 1e-3:
            spans.append((at, start - at))
        at = max(at, end)
    return spans


def bar(value: float, ends: tuple[float, float], low: float | None = None, high: float | None = None) -> str:
    """A bar from zero, the picture reaching from `ends[0]` ≤ 0 to `ends[1]` ≥ 0; the interval as a whisker."""
    width, margin = 120, 2
    least, most = ends

    def at(x: float) -> float:
        share = (min(max(x, least), most) - least) / ((most - least) or 1.0)
        return margin + share * (width - 2 * margin)

    zero = at(0.0)
    first, last = sorted((zero, at(value)))
    kind = "plus" if value >= 0 else "minus"
    whisker = ""
    if low is not None and high is not None:
        whisker = f'<line class="whisker" x1="{at(low):.1f}" x2="{at(high):.1f}" y1="7" y2="7"/>'
    return (
        f'<svg viewBox="0 0 {width} 14" class="bar" aria-hidden="true"><line class="grid" x1="{zero:.1f}" '
        f'x2="{zero:.1f}" y1="0" y2="14"/><rect class="{kind}" x="{first:.1f}" y="2" width="{last - first:.1f}" '
        f'height="10"/>{whisker}</svg>'
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
