"""A comparison as one HTML page that needs nothing else: film, curves, terms, gait, who earns what, footfalls.

It loads nothing from anywhere and runs no script: pictures are SVG, the film stands in the page itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from amble.config import RewardSettings, TermSettings
from amble.insight import page_charts as charts
from amble.insight.looks import TASK, Look
from amble.insight.measures import FIGURES, Measured, commonest, over_seeds, with_interval
from amble.insight.page_charts import Line
from amble.rewards.ledger import TERMINAL
from amble.rewards.schedules import factor_at
from amble.training.files import write_file

_AT_THE_END = 2**62
_STYLE = Path(__file__).with_name("page_style.css")


@dataclass(frozen=True)
class Side:
    """One variant of the page.

    Attributes:
        name: of the variant.
        reward: the column of the cross table that it learned from.
        rewards: its terms; None for the task's own reward.
        looks: one a finished seed.
        ledger: term → contribution to an episode.
        own_curve: its training return by its own reward.
        task_curve: the same by the task's own.
    """

    name: str
    reward: str
    rewards: RewardSettings | None
    looks: Sequence[Look]
    ledger: Mapping[str, Measured]
    own_curve: Line
    task_curve: Line


@dataclass(frozen=True)
class Sheet:
    """Everything that the page says.

    Attributes:
        title: its headline.
        facts: short sentences: who was trained, for how long, how measured.
        verdict: the sentence on the task's own return.
        sides: the variants with finished runs.
        columns: the rewards of the cross table, the task's own last.
        cross: variant → reward → return; empty where nothing was recorded.
        said: what the cross table shows, in sentences.
        notes: what a reader must know before believing it.
        film: the MP4 and a poster (JPEG), where there is one.
        seen: what is to be seen in the film.
    """

    title: str
    facts: Sequence[str]
    verdict: str
    sides: Sequence[Side]
    columns: Sequence[str]
    cross: Mapping[str, Mapping[str, Measured]]
    said: Sequence[str]
    notes: Sequence[str]
    film: tuple[bytes, bytes] | None = None
    seen: str = field(default="")


def write_page(sheet: Sheet, path: Path) -> Path:
    """Write it whole or not at all."""
    write_file(path, page(sheet))
    return path


def page(sheet: Sheet) -> str:
    """The page's text."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(sheet.title)}</title>",
        '<link rel="icon" href="data:,">',  # or browsers ask for one
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
        f"<h1>{escape(sheet.title)}</h1>",
        f'<p class="dim">{" ".join(escape(fact) for fact in sheet.facts)}</p>',
        *_film(sheet),
        *_curves(sheet),
        *_ledgers(sheet),
        *_gait(sheet),
        *_footfalls(sheet),
        *_cross(sheet),
        *_notes(sheet),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _film(sheet: Sheet) -> list[str]:
    if sheet.film is None:
        return []
    film, still = (base64.b64encode(part).decode() for part in sheet.film)
    return [
        "<figure><video controls loop muted playsinline preload='metadata' "
        f'poster="data:image/jpeg;base64,{still}"><source src="data:video/mp4;base64,{film}" type="video/mp4">'
        "This browser shows no MP4; the film lies beside this page.</video>",
        f"<figcaption>{escape(sheet.seen)}</figcaption></figure>",
    ]


def _curves(sheet: Sheet) -> list[str]:
    parts = ["<h2>Learning curves</h2>"]
    shaped = [side for side in sheet.sides if side.rewards is not None]
    band = "IQM over seeds" + (
        "; bands are 95 % intervals" if any(s.task_curve.low is not None for s in sheet.sides) else ""
    )
    parts.append(f'<p class="dim">Training return of an episode over env steps, {band}.</p>')
    if shaped:
        parts.append("<h3>Each by its own reward</h3>")
        parts.append('<div class="cards">')
        parts += [
            f"<figure><figcaption>{_named(side)}</figcaption>"
            f"{charts.curves([side.own_curve], f'{side.name}: training return by its own reward')}</figure>"
            for side in sheet.sides
        ]
        parts.append("</div>")
        parts.append('<h3 style="margin-top:1.4rem">All by the task\'s own reward</h3>')
    lines = [side.task_curve for side in sheet.sides]
    parts.append(charts.legend([line.name for line in lines]))
    parts.append(
        f'<div style="max-width:44rem">{charts.curves(lines, "training return by the task", 560, 260)}</div>'
    )
    parts.append(
        f'<p class="verdict">By the task\'s own reward, the last policies: {escape(sheet.verdict)}.</p>'
    )
    return parts


def _ledgers(sheet: Sheet) -> list[str]:
    shaped = [side for side in sheet.sides if side.rewards is not None and side.ledger]
    if not shaped:
        return []
    parts = [
        "<h2>Ledger of terms</h2>",
        '<p class="dim">What each term of a variant\'s own reward pays its last policies in an episode (mean over '
        "episodes, IQM over seeds with interval), and the weight it has at the run's end.</p>",
        '<div class="cards wide">',
    ]
    for side in shaped:
        paid = [0.0, *(m.value for m in side.ledger.values() if m.value is not None)]
        ends = (min(paid), max(paid))
        rows = [_ledger_row(side, label, measured, ends) for label, measured in side.ledger.items()]
        parts.append(
            f"<div><h3>{_named(side)}</h3><div class='scroll'><table class='ledger'>"
            "<thead><tr><th>term</th><th>weight</th><th></th><th>pays</th></tr></thead><tbody>"
            f"{''.join(rows)}</tbody></table></div></div>"
        )
    parts.append("</div>")
    return parts


def _ledger_row(side: Side, label: str, measured: Measured, ends: tuple[float, float]) -> str:
    assert side.rewards is not None
    weight, shown = "", label
    if label in side.rewards.terms:
        weight = _weight(side.rewards.terms[label], 1.0)
    elif label in side.rewards.penalties:
        weight = _weight(side.rewards.penalties[label], -1.0)
    elif label == TERMINAL:
        shown = "falls and other ends"
    low, high = (None, None) if measured.interval is None else measured.interval
    bar = "" if measured.value is None else charts.bar(measured.value, ends, low, high)
    return f"<tr><th>{escape(shown)}</th><td>{weight}</td><td>{bar}</td>{_cell(measured, 1)}</tr>"


def _weight(term: TermSettings, sign: float) -> str:
    """What a term's schedule makes of its weight in the end."""
    return f"{sign * term.weight * factor_at(term.schedule, _AT_THE_END):g}".replace("-", "−")


def _gait(sheet: Sheet) -> list[str]:
    sides = [side for side in sheet.sides if side.looks and all(look.gait for look in side.looks)]
    if not sides:
        return []
    means = {side.name: [look.gait["mean"] for look in side.looks if look.gait] for side in sides}
    table = {name: over_seeds(seeds, [figure.key for figure in FIGURES]) for name, seeds in means.items()}
    head = "".join(f"<th>{_named(side)}</th>" for side in sides)
    labels = "".join(f"<td>{_labels(side)}</td>" for side in sides)
    rows = [f"<tr><th>gait</th>{labels}</tr>"]
    for figure in FIGURES:
        cells = "".join(_cell(table[side.name][figure.key], figure.digits, figure.factor) for side in sides)
        unit = f' <span class="dim unit">{figure.unit}</span>' if figure.unit else ""
        rows.append(f"<tr><th>{figure.label}{unit}</th>{cells}</tr>")
    return [
        "<h2>How they go</h2>",
        '<p class="dim">The gait fingerprint, which asks no reward: means over recorded episodes of the last '
        "policies; below each figure its interval over seeds.</p>",
        f"<div class='scroll'><table><thead><tr><th></th>{head}</tr></thead>",
        f"<tbody>{''.join(rows)}</tbody></table></div>",
    ]


def _labels(side: Side) -> str:
    """The two commonest words for the variant's gait, with their share where it is not all."""
    shares = commonest([look.gait["styles"] for look in side.looks if look.gait])[:2]
    return "".join(
        f"<div>{escape(label)}"
        + (f"<small>{100 * share:.0f} % of episodes</small>" if share < 0.995 else "")
        + "</div>"
        for label, share in shares
    )


def _footfalls(sheet: Sheet) -> list[str]:
    shown = [
        (side, side.looks[0].footfalls) for side in sheet.sides if side.looks and side.looks[0].footfalls
    ]
    if not shown:
        return []
    cards = [
        f"<figure><figcaption>{_named(side)}</figcaption>"
        f"{charts.footfalls(steps, f'{side.name}: when its feet are on the ground')}</figure>"
        for side, steps in shown
        if steps is not None
    ]
    return [
        "<h2>Footfalls</h2>",
        '<p class="dim">When each foot is on the ground, in a typical episode of the first seed; shaded where both '
        "are in the air.</p>",
        f'<div class="cards">{"".join(cards)}</div>',
    ]


def _cross(sheet: Sheet) -> list[str]:
    if not sheet.cross:
        return []
    head = "".join(f"<th>{escape(name)}</th>" for name in sheet.columns)
    rows = []
    for side in sheet.sides:
        cells = []
        for column in sheet.columns:
            measured = sheet.cross[side.name][column]
            there = [row[column].value for row in sheet.cross.values()]
            known = [value for value in there if value is not None]
            share = 0.0
            if measured.value is not None and max(known) > min(known):
                share = (measured.value - min(known)) / (max(known) - min(known))
            style = f"background:color-mix(in srgb, var(--heat) {round(55 * share)}%, transparent)"
            own = ' class="own"' if side.reward == column and column != TASK else ""
            cells.append(_cell(measured, 1, more=f'{own} style="{style}"'))
        rows.append(f"<tr><th>{_named(side)}</th>{''.join(cells)}</tr>")
    return [
        "<h2>Every policy by every reward</h2>",
        '<p class="dim">Rows are policies, columns rewards: the mean return of the recorded episodes, with its '
        "interval over seeds. Shaded within each column, from its least to its greatest; framed where a policy is paid "
        "by the reward it learned from.</p>",
        f"<div class='scroll'><table class='cross'><thead><tr><th>policy</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        *(f"<p>{escape(sentence)}</p>" for sentence in sheet.said),
    ]


def _notes(sheet: Sheet) -> list[str]:
    if not sheet.notes:
        return []
    return ["<h2>Notes</h2>", f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in sheet.notes)}</ul>"]


def _named(side: Side) -> str:
    """The variant's name behind a dot of its colour."""
    dot = f'<span class="dot" style="background:{charts.hue(side.own_curve.index)}"></span>'
    return f"{dot}{escape(side.name)}"


def _cell(measured: Measured, digits: int, factor: float = 1.0, more: str = "") -> str:
    if measured.value is None:
        return f"<td{more}>–</td>"
    small = ""
    if measured.interval is not None:
        small = with_interval(0.0, tuple(end * factor for end in measured.interval), digits).partition(" ")[2]
        small = f"<small>{small}</small>"
    return f"<td{more}>{with_interval(measured.value * factor, None, digits)}{small}</td>"
