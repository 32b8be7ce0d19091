"""From the finished runs of a comparison to its page: recordings, curves, terms, the cross table, the film."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amble.config import RewardSettings
from amble.errors import AmbleError
from amble.insight.curves import RunCurves, on_grid
from amble.insight.film import Part, poster, write_film
from amble.insight.looks import TASK, Look, column_of, columns, cross, ledger, look
from amble.insight.measures import FIGURES, Measured, commonest, over_seeds, with_interval
from amble.insight.page import Sheet, Side, write_page
from amble.insight.page_charts import Line
from amble.insight.stage import perform
from amble.insight.statistics import interquartile_mean, iqm_interval, overlap
from amble.insight.variants import Variant

FILM_SECONDS = 10.0
_GRID_POINTS = 101
_TITLE = 60
"""Letters that the variants' names may take in the headline."""


def worth_recording(sides: Sequence[Variant]) -> bool:
    """Whether there is more to see than returns: rewards of terms, or a body of ours."""
    return any(side.config.rewards is not None for side in sides) or str(sides[0].config.env_id).startswith(
        "amble/"
    )


def looked_at(
    sides: Sequence[Variant],
    runs: Mapping[str, Sequence[Path]],
    notes: list[str],
    say: Callable[[str], None],
) -> dict[str, list[Look]]:
    """Record every finished run and look at it; what cannot be recorded goes to the notes.

    Args:
        sides: the variants.
        runs: variant → directories of its finished runs.
        notes: is added to.
        say: is told how it goes.
    """
    rewards = columns(sides)
    result: dict[str, list[Look]] = {}
    for side in sides:
        if runs[side.name]:
            say(f"{side.name}: recording {len(runs[side.name])} policies…")
        result[side.name] = []
        for run in runs[side.name]:
            try:
                result[side.name].append(look(run, side.config.rewards, rewards))
            except AmbleError as error:
                notes.append(f"{run} could not be recorded: {error}")
    return result


def as_figures(sides: Sequence[Variant], looks: Mapping[str, Sequence[Look]]) -> dict[str, Any]:
    """The part of compare.json: `rewards` (columns), `cross`, `measures`, `styles` and `ledger`, each by variant."""
    rewards = columns(sides)
    table = cross(looks, list(rewards))
    return {
        "rewards": list(rewards),
        "cross": {name: _plain(row) for name, row in table.items()},
        "measures": {name: _plain(_measures(group)) for name, group in looks.items() if group},
        "styles": {name: dict(_styles(group)) for name, group in looks.items() if group},
        "ledger": {name: _plain(ledger(group)) for name, group in looks.items() if group and group[0].ledger},
    }


def _plain(row: Mapping[str, Measured]) -> dict[str, Any]:
    return {key: {"value": measured.value, "interval": measured.interval} for key, measured in row.items()}


def _measures(group: Sequence[Look]) -> dict[str, Measured]:
    means = [one.gait["mean"] for one in group if one.gait]
    return over_seeds(means, [figure.key for figure in FIGURES]) if len(means) == len(group) else {}


def _styles(group: Sequence[Look]) -> list[tuple[str, float]]:
    return commonest([one.gait["styles"] for one in group if one.gait])


def film_of(
    sides: Sequence[Variant],
    looks: Mapping[str, Sequence[Look]],
    path: Path,
    say: Callable[[str], None],
) -> tuple[Path, bytes, str]:
    """Film each variant's seed of median return by its own reward, side by side.

    Returns:
        The film's path, its poster as JPEG, and a sentence that says what is seen.

    Raises:
        AmbleError: nothing can be drawn here, imageio-ffmpeg is missing, or the bodies are none of ours.
    """
    rewards = columns(sides)
    parts, seen = [], []
    for side in sides:
        if not looks[side.name]:
            continue
        chosen = _median(looks[side.name], column_of(side, rewards))
        say(f"{side.name}: playing {chosen.path.name} for the film…")
        styles = "" if chosen.gait is None else chosen.gait["style"]
        parts.append(Part(side.name, perform(chosen.path, FILM_SECONDS, signals=("speed",)), styles))
        seen.append(chosen.path.name)
    say("drawing the film…")
    write_film(parts, path)
    many = any(len(looks[side.name]) > 1 for side in sides)
    which = "the seed of median return by its own reward" if many else "its one seed"
    told = (
        f"Of each variant {which} ({', '.join(seen)}), from the same first seed, in real time. Beneath each body: what "
        "every term of its own reward pays for the decision."
    )
    return path, poster(parts), told


def _median(group: Sequence[Look], column: str) -> Look:
    def paid(one: Look) -> float:
        value = one.pay[column]
        return -np.inf if value is None else value

    ranked = sorted(group, key=paid)
    return ranked[(len(ranked) - 1) // 2]


def page_of(
    sides: Sequence[Variant],
    curves: Mapping[str, Sequence[RunCurves]],
    looks: Mapping[str, Sequence[Look]],
    path: Path,
    *,
    facts: Sequence[str],
    verdict: str,
    notes: Sequence[str],
    film: tuple[Path, bytes, str] | None,
) -> Path:
    """Write the page of the variants that have finished runs."""
    rewards = columns(sides)
    there = [side for side in sides if curves[side.name]]
    shown = []
    for index, side in enumerate(there):
        own = side.config.rewards is not None
        shown.append(
            Side(
                name=side.name,
                reward=column_of(side, rewards),
                rewards=side.config.rewards,
                looks=looks.get(side.name, ()),
                ledger=ledger(looks.get(side.name, ())),
                own_curve=_line(side.name, index, curves[side.name], "return_mean"),
                task_curve=_line(
                    side.name, index, curves[side.name], "reference_return_mean" if own else "return_mean"
                ),
            )
        )
    recorded = [side for side in there if looks.get(side.name)]
    table = cross({side.name: looks[side.name] for side in recorded}, list(rewards)) if recorded else {}
    if len(recorded) < len(there):  # a row for each, or none
        table = {}
    names = ", ".join(side.name for side in there)
    sheet = Sheet(
        title=f"{names if len(names) <= _TITLE else f'{len(there)} variants'}: compared on {sides[0].config.env_id}",
        facts=facts,
        verdict=verdict,
        sides=shown,
        columns=list(rewards),
        cross=table,
        said=said(table, rewards, {side.name: column_of(side, rewards) for side in recorded}),
        notes=notes,
        film=None if film is None else (film[0].read_bytes(), film[1]),
        seen="" if film is None else film[2],
    )
    return write_page(sheet, path)


def _line(name: str, index: int, runs: Sequence[RunCurves], key: str) -> Line:
    """IQM over seeds with its band, where every seed has a value."""
    last = max(float(run.steps[-1]) for run in runs)
    first = min(float(run.steps[0]) for run in runs)
    grid = np.linspace(min(first, last), last, _GRID_POINTS)
    values = np.stack([on_grid(run, grid, key) for run in runs])
    known = np.isfinite(values).all(axis=0)
    if not known.any():
        return Line(name, index, np.empty(0), np.empty(0))
    low, high = iqm_interval(values[:, known]) or (None, None)
    return Line(name, index, grid[known], interquartile_mean(values[:, known]), low, high)


def said(
    table: Mapping[str, Mapping[str, Measured]],
    rewards: Mapping[str, RewardSettings | None],
    learned: Mapping[str, str],
) -> list[str]:
    """What the cross table shows: by each reward, whether the policies that learned from it earn most.

    Args:
        table: variant → reward → return.
        rewards: the columns.
        learned: variant → the reward that it learned from.
    """
    sentences, best_of_own = [], []
    for column in rewards:
        if column == TASK or len(table) < 2:
            continue
        known = {name: row[column] for name, row in table.items() if row[column].value is not None}
        own = {name: measured for name, measured in known.items() if learned[name] == column}
        if not own or len(known) < 2:
            continue
        top = max(known, key=lambda name: known[name].value or 0.0)
        mine = max(own, key=lambda name: own[name].value or 0.0)
        rival = max((name for name in known if name != mine), key=lambda name: known[name].value or 0.0)
        if top == mine:
            if not _overlapping(known[mine], known[rival]):
                best_of_own.append(column)
            else:
                sentences.append(
                    f"By the reward of {column}, {mine} earns most ({_shown(known[mine])}), {rival} next "
                    f"({_shown(known[rival])}); {_why(known[mine], known[rival])}."
                )
            continue
        open_ = _overlapping(known[mine], known[top])
        sentences.append(
            f"By the reward of {column}, {top} earns more ({_shown(known[top])}) than {mine}, which learned from it "
            f"({_shown(known[mine])})"
            + (
                f"; {_why(known[mine], known[top])}."
                if open_
                else ": it has not learned what it is paid for, or needs longer."
            )
        )
    if best_of_own:
        named = ", ".join(best_of_own)
        sentences.insert(0, f"Paid most by its own reward, with intervals apart from all others: {named}.")
    return sentences


def _overlapping(a: Measured, b: Measured) -> bool:
    return a.interval is None or b.interval is None or overlap(a.interval, b.interval)


def _why(a: Measured, b: Measured) -> str:
    return (
        "one seed gives no interval" if a.interval is None or b.interval is None else "the intervals overlap"
    )


def _shown(measured: Measured) -> str:
    return with_interval(measured.value or 0.0, measured.interval, 1)
