"""A comparison as plain text, and its figures as JSON."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amble.insight.statistics import Verdict


def table(figures: dict[str, Any], decided: Verdict, notes: Sequence[str], written: Sequence[Path]) -> str:
    """Plain text: a row a variant, how the first stands to the others, notes, the verdict, the files."""
    head = ["variant", "seeds", "IQM return", "95 % interval", "area", "wall s", "steps/s"]
    rows = [
        [
            variant["name"],
            str(len(variant["seeds"])),
            _figure(variant["iqm"]),
            _range(variant["interval"]),
            _figure(variant["area_under_curve"]),
            _figure(variant["wall_seconds"]),
            _figure(variant["steps_per_second"]),
        ]
        for variant in figures["variants"]
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(
            f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
    ranked = [
        v["name"]
        for v in sorted(figures["variants"], key=lambda v: -(v["iqm"] if v["iqm"] is not None else math.inf))
    ]
    pairs = [pair for pair in figures["pairs"] if ranked[0] in (pair["a"], pair["b"])]
    for pair in pairs if len(pairs) <= 6 else []:
        lines.append(
            f"P({pair['a']} > {pair['b']}) = {pair['probability_a_better']:.2f}  "
            f"{_range(pair['interval'], '.2f')}"
        )
    lines += [f"Note: {note}" for note in notes]
    lines.append(decided.sentence)
    lines += [str(path) for path in written]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 10_000 else f"{value:.4g}"


def _range(interval: Sequence[float] | None, form: str = ".4g") -> str:
    return "one seed: none" if interval is None else f"[{interval[0]:{form}}, {interval[1]:{form}}]"


def finite(value: Any) -> Any:
    """JSON knows no NaN: what is not finite becomes null; tuples become lists."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
