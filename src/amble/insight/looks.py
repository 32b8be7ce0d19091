"""What a comparison of rewards knows of each finished run: its gait, its pay by every reward, its terms, its footfalls.

A run's recorded episodes are read once and let go again; nothing is trained and no physics is stepped but to record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amble.config import RewardSettings
from amble.errors import UsageError
from amble.insight.gait import NEEDED, Fingerprint, fingerprints, summary
from amble.insight.gait_picture import stances, typical
from amble.insight.measures import Measured, over_seeds
from amble.insight.recording import EPISODES, Recording, recorded
from amble.insight.variants import Variant
from amble.insight.whatif import score

TASK = "task's own"
"""The column of the reward that the task itself pays."""
_FOOTFALL_SECONDS, _FROM_SECONDS = 4.0, 2.0


@dataclass(frozen=True)
class Footfalls:
    """When the feet of one episode are on the ground: (start, length) in s, left and right, over `seconds`."""

    left: list[tuple[float, float]]
    right: list[tuple[float, float]]
    seconds: float


@dataclass(frozen=True)
class Look:
    """One run.

    Attributes:
        gait: as `gait.summary` has it; None for a body without known feet.
        pay: reward → mean return of the recorded episodes by it; None where the reward cannot be paid from them.
        ledger: term of its own reward → mean contribution to an episode; empty for the task's own reward.
        footfalls: of the typical episode; None for a body without known feet.
    """

    path: Path
    gait: dict[str, Any] | None
    pay: dict[str, float | None]
    ledger: dict[str, float]
    footfalls: Footfalls | None


def columns(sides: Sequence[Variant]) -> dict[str, RewardSettings | None]:
    """The rewards there are, by the names of the variants that learn from them; the task's own is the last."""
    found: dict[str, RewardSettings | None] = {}
    for side in sides:
        rewards = side.config.rewards
        if rewards is None:
            continue
        like = next((name for name, other in found.items() if other == rewards), None)
        if like is None:
            found[side.name] = rewards
    return {**found, TASK: None}


def column_of(side: Variant, rewards: Mapping[str, RewardSettings | None]) -> str:
    """The name of the reward that a variant learns from."""
    return next(name for name, other in rewards.items() if other == side.config.rewards)


def look(
    run: Path,
    own: RewardSettings | None,
    rewards: Mapping[str, RewardSettings | None],
    episodes: int = EPISODES,
) -> Look:
    """Record a run's policy, or read its recording, and say what it does.

    Args:
        run: the run's directory.
        own: the reward that it learned from; None for the task's own.
        rewards: those that it is paid by.
        episodes: recorded, unless a recording like that is there.
    """
    recording = recorded(run, episodes)
    gait, footfalls = None, None
    if all(name in recording.signals for name in NEEDED):
        prints = fingerprints(recording)
        gait = summary(prints)
        footfalls = _footfalls(recording, prints, gait["style"])
    pay = {name: _paid(recording, settings) for name, settings in rewards.items()}
    ledger: dict[str, float] = {}
    if own is not None:
        ledger = {label: float(values.mean()) for label, values in score(recording, own).terms.items()}
    return Look(run, gait, pay, ledger, footfalls)


def _paid(recording: Recording, settings: RewardSettings | None) -> float | None:
    try:
        return float(score(recording, settings).returns.mean())
    except UsageError:  # a term of signals that no recording holds, such as a wide observation
        return None


def _footfalls(recording: Recording, prints: Sequence[Fingerprint], style: str) -> Footfalls:
    seconds = float(recording.about["decision_seconds"])
    whole = recording.episode(typical(prints, style))
    count = whole.stop - whole.start
    first = round(_FROM_SECONDS / seconds) if count * seconds > _FROM_SECONDS + _FOOTFALL_SECONDS else 0
    rows = slice(
        whole.start + first, min(whole.stop, whole.start + first + round(_FOOTFALL_SECONDS / seconds))
    )
    time = (np.arange(rows.stop - rows.start) + 1) * seconds
    load, down = recording.values["foot_load"][rows], recording.values["foot_contact"][rows].astype(bool)
    left, right = (stances(load[:, foot], down[:, foot], time, seconds) for foot in (0, 1))
    return Footfalls(left, right, float(time[-1]))


def cross(looks: Mapping[str, Sequence[Look]], rewards: Sequence[str]) -> dict[str, dict[str, Measured]]:
    """Policies × rewards: variant → reward → its seeds' mean returns together."""
    return {name: over_seeds([look.pay for look in group], rewards) for name, group in looks.items() if group}


def ledger(group: Sequence[Look]) -> dict[str, Measured]:
    """Term → contribution to an episode over the seeds of one variant."""
    return over_seeds([look.ledger for look in group], list(group[0].ledger)) if group else {}
