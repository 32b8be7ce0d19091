"""What rewards may be made of, as tables: the signals of an environment, the terms of the library."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amble.config import list_presets, load_run
from amble.envs.making import make
from amble.envs.rewarded import signal_source
from amble.rewards.terms import known_terms
from amble.training.trainer import make_env

_MOST_LABELS = 6


def signal_rows(source: str) -> list[dict[str, Any]]:
    """The signals of what `source` names: a preset, a run file, a run's directory, or a Gymnasium id.

    Returns:
        One a signal: `name`, `shape`, `unit`, `taken`, `about`, `components`.
    """
    path = Path(source)
    if (path / "run.yaml").is_file():
        path = path / "run.yaml"
    if path.is_file() or source in {preset.name for preset in list_presets()}:
        config = load_run(path if path.is_file() else source).model_copy(update={"rewards": None})
        env = make_env(config, num_envs=1)
    else:
        env = make(source, 1)
    try:
        found = signal_source(env).signals.values()
        return [
            {
                "name": signal.name,
                "shape": signal.shape,
                "unit": signal.unit,
                "taken": signal.taken,
                "about": signal.about,
                "components": list(signal.labels),
            }
            for signal in found
        ]
    finally:
        env.close()


def signal_table(rows: Sequence[dict[str, Any]]) -> str:
    """Those as a table, with what the columns mean below it."""
    when = {"end": "end", "mean": "mean", "substeps": "each"}
    lines = _columns(
        ["signal", "shape", "unit", "when"],
        [[row["name"], row["shape"], row["unit"], when[row["taken"]]] for row in rows],
        [row["about"] + _components(row["components"]) for row in rows],
    )
    return "\n".join(
        [
            *lines,
            "",
            "B environments, S substeps of a decision. When: at the decision's end, the mean over its substeps, or at "
            "each substep. A component is named `signal[component]`.",
        ]
    )


def term_rows() -> list[dict[str, Any]]:
    """The terms there are: `name`, `formula`, `signals`, `parameters`, `lowest`, `highest`, `file`."""
    return [
        {
            "name": term.name,
            "formula": term.formula,
            "signals": list(term.signals.values()),
            "parameters": {
                name: None if default is inspect.Parameter.empty else default
                for name, default in term.parameters.items()
            },
            "lowest": term.lowest,
            "highest": term.highest,
            "file": term.origin or None,
        }
        for term in known_terms().values()
    ]


def term_table(rows: Sequence[dict[str, Any]]) -> str:
    """Those as text: a line of names and numbers, and the formula below."""
    width = _width()
    lines: list[str] = []
    for row in rows:
        parameters = [
            name
            if default is None
            else f"{name}={default:g}"
            if isinstance(default, float)
            else f"{name}={default}"
            for name, default in row["parameters"].items()
        ]
        called = f"{row['name']}({', '.join([*row['signals'], *parameters])})"
        lines += textwrap.wrap(called, width, subsequent_indent="        ")
        lines += textwrap.wrap(row["formula"], width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _components(labels: Sequence[str]) -> str:
    if not labels or all(label.isdigit() for label in labels):
        return ""
    shown = ", ".join(labels[:_MOST_LABELS])
    more = f", … ({len(labels)})" if len(labels) > _MOST_LABELS else ""
    return f" [{shown}{more}]"


def _columns(head: list[str], rows: list[list[str]], last: list[str]) -> list[str]:
    """Rows in columns, the last of which is wrapped."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    indent = sum(widths) + 2 * len(widths)
    room = max(30, _width() - indent)
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(head, widths, strict=True)).rstrip()]
    for row, text in zip(rows, last, strict=True):
        start = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + "  "
        first, *others = textwrap.wrap(text, room) or [""]
        lines += [start + first, *(" " * indent + other for other in others)]
    return lines


def _width() -> int:
    return max(80, min(140, shutil.get_terminal_size((110, 24)).columns))
