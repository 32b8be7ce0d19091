"""The gait fingerprint: how a two-legged body goes, in a dozen figures and a word.

Everything is computed from recorded signals. Axes: N decisions of an episode, F = 2 feet, left and right.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from amble.config import is_shipped
from amble.errors import UsageError
from amble.insight.recording import EPISODES, Recording, recorded
from amble.training.files import write_file

NEEDED = (
    "velocity", "speed", "goal_speed", "heading_error", "spin_rate", "body_height", "standing_height", "foot_contact",
    "foot_load", "landing_air_time", "power", "body_weight", "knee_height", "hand_height", "foot_pitch", "foot_speed",
)  # fmt: skip
CHATTER_SECONDS = 0.04
"""A foot that leaves the ground for less has not taken a step."""
_TOGETHER_SECONDS = 0.1
_SETTLED_SECONDS = 1.0
"""At an episode's beginning, when a body takes up its gait; left out of the figures of longer episodes."""


@dataclass(frozen=True)
class Fingerprint:
    """One episode's gait. Speeds in m/s, times in s, angles in rad; shares from 0 to 1."""

    seconds: float
    speed: float
    """along the ground"""
    forward_speed: float
    """toward the goal"""
    goal_speed: float
    heading_error: float
    """root mean square of the hips' angle from the goal's direction"""
    course: float
    """mean angle from where the hips face to where the body goes; positive to its right"""
    ahead_speed: float
    """the way the hips face, negative backward"""
    side_speed: float
    """to the right of where the hips face, negative to the left"""
    spin_rate: float
    """mean, positive turning right, rad/s"""
    step_frequency: float
    """steps of both feet in a second, Hz"""
    duty_left: float
    """share of the time that the foot is on the ground"""
    duty_right: float
    symmetry: float
    """1 - |duty_left - duty_right|"""
    phase: float
    """when the right foot comes down in the left one's cycle: 0.5 walking, near 0 or 1 hopping; NaN without steps"""
    together: float
    """share of the steps in which the other foot comes down within 0.1 s; NaN without steps"""
    air_time: float
    """mean flight of a foot between two contacts"""
    flight: float
    """share of the time without any foot on the ground"""
    height: float
    """of the hips, in standing heights"""
    knee_lift: float
    """height that the knees pass in a twentieth of the time, in standing heights"""
    hand_height: float
    """of the hands, in standing heights"""
    foot_pitch: float
    """of the feet on the ground, positive on tiptoe"""
    cost_of_transport: float
    """mean power / (weight · speed along the ground)"""
    fell: float
    """1 where the episode ended by a fall or a rule, 0 where time was up"""
    style: str = ""

    def as_json(self) -> dict[str, float | str | None]:
        """The figures by name; null where there is none."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def gait(run: Path, *, episodes: int = EPISODES, seed: int = 0) -> dict[str, Any]:
    """The fingerprint of a run's policy, written to `gait.json` and `gait.png` in the run's directory.

    Of a policy that comes with the package they are written here, named by the preset.

    Args:
        run: the run's directory.
        episodes: how many are recorded, unless a recording like that is there.
        seed: of the episodes.

    Returns:
        `style` (the commonest), `styles` (label → episodes), `mean` (figure → mean over the episodes), `episodes` (each
        one's figures), `about`, and `picture`, its path.

    Raises:
        UsageError: the environment's body has no feet that are known of.
    """
    from amble.insight.gait_picture import draw

    recording = recorded(run, episodes, seed)
    prints = fingerprints(recording)
    figures = summary(prints)
    name = Path(run).resolve().name
    stem = Path(f"{name}-gait") if is_shipped(run) else Path(run) / "gait"
    picture = draw(recording, prints, stem.with_suffix(".png"), name)
    result = {**figures, "about": dict(recording.about)}
    write_file(stem.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
    return {**result, "picture": str(picture)}


def fingerprints(recording: Recording) -> list[Fingerprint]:
    """One an episode."""
    if missing := [name for name in NEEDED if name not in recording.signals]:
        raise UsageError(
            f"{recording.about['env_id']} has no gait to look at: it publishes no signal `{missing[0]}`. The "
            "fingerprint is for bodies on two feet, such as the Walker."
        )
    return [
        fingerprint(
            {name: recording.values[name][recording.episode(index)] for name in NEEDED},
            float(recording.about["decision_seconds"]),
            fell=bool(recording.terminated[recording.episode(index)][-1]),
        )
        for index in range(recording.episodes)
    ]


def fingerprint(values: Mapping[str, np.ndarray], seconds: float, *, fell: bool = False) -> Fingerprint:
    """Of one episode.

    Args:
        values: the signals `NEEDED`, (N,) or (N, n).
        seconds: of a decision.
        fell: whether the episode ended before its time.
    """
    count = len(values["speed"])
    settled = round(_SETTLED_SECONDS / seconds)
    if count > 3 * settled:
        values = {name: value[settled:] for name, value in values.items()}
    standing = values["standing_height"][:, None]
    speed = float(values["speed"].mean())
    contact = values["foot_contact"].astype(bool)
    duty = values["foot_load"].mean(axis=0)
    landed = values["landing_air_time"] > CHATTER_SECONDS
    flights = values["landing_air_time"][landed]
    grounded = contact.sum()
    weight = float(values["body_weight"].mean())
    ahead, aside = seen_from_hips(values["velocity"], values["heading_error"]).mean(axis=1)
    made = Fingerprint(
        seconds=count * seconds,
        speed=speed,
        forward_speed=float(values["velocity"][:, 0].mean()),
        goal_speed=float(values["goal_speed"].mean()),
        heading_error=float(np.sqrt(np.square(values["heading_error"]).mean())),
        course=course(values["velocity"], values["heading_error"]),
        ahead_speed=float(ahead),
        side_speed=float(aside),
        spin_rate=float(values["spin_rate"].mean()),
        step_frequency=float(landed.sum() / (len(landed) * seconds)),
        duty_left=float(duty[0]),
        duty_right=float(duty[1]),
        symmetry=float(1.0 - abs(duty[0] - duty[1])),
        phase=phase(landed),
        together=together(landed, max(1, int(_TOGETHER_SECONDS / seconds))),
        air_time=float(flights.mean()) if len(flights) else 0.0,
        flight=float((~contact.any(axis=1)).mean()),
        height=float((values["body_height"] / values["standing_height"]).mean()),
        knee_lift=float(np.quantile((values["knee_height"] / standing).max(axis=1), 0.95)),
        hand_height=float((values["hand_height"] / standing).mean()),
        foot_pitch=float((values["foot_pitch"] * contact).sum() / grounded) if grounded else float("nan"),
        cost_of_transport=float(values["power"].mean()) / (weight * speed) if speed > 0.05 else float("nan"),
        fell=float(fell),
    )
    return Fingerprint(**{**asdict(made), "style": style(made)})


def course(velocity: Float[np.ndarray, "N 3"], heading_error: Float[np.ndarray, "N"]) -> float:
    """The angle from where the hips face to where the body goes, rad: that of Σ R(-e) v, e the hips' heading error.

    Summed as vectors, so that long ways count more than standing about.
    """
    ahead, aside = seen_from_hips(velocity, heading_error).sum(axis=1)
    return float(np.arctan2(aside, ahead))


def seen_from_hips(
    velocity: Float[np.ndarray, "N 3"], heading_error: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "2 N"]:
    """R(-e) v: the speed the way the hips face, and to the right of it, m/s; e is the hips' heading error."""
    forward, right = velocity[:, 0], velocity[:, 1]
    cos, sin = np.cos(heading_error), np.sin(heading_error)
    return np.stack([cos * forward + sin * right, cos * right - sin * forward])


def phase(landed: Bool[np.ndarray, "N F"]) -> float:
    """Where in the left foot's cycle the right one comes down, as the circular mean in [0, 1); NaN without cycles."""
    left, right = np.flatnonzero(landed[:, 0]), np.flatnonzero(landed[:, 1])
    if len(left) < 2:
        return float("nan")
    cycle = np.searchsorted(left, right, side="right") - 1
    within = (cycle >= 0) & (cycle < len(left) - 1)
    if not within.any():
        return float("nan")
    cycle, at = cycle[within], right[within]
    share = (at - left[cycle]) / (left[cycle + 1] - left[cycle])
    turn = np.exp(2j * np.pi * share).mean()
    return float(np.angle(turn) / (2 * np.pi) % 1.0) if abs(turn) > 1e-6 else float("nan")


def together(landed: Bool[np.ndarray, "N F"], reach: int) -> float:
    """Share of the landings of either foot within `reach` decisions of which the other foot lands; NaN without any."""
    near = 0
    for foot in (0, 1):
        own, other = np.flatnonzero(landed[:, foot]), np.flatnonzero(landed[:, 1 - foot])
        if len(other):
            near += int((np.abs(own[:, None] - other).min(axis=1, initial=reach + 1) <= reach).sum())
    count = int(landed.sum())
    return near / count if count else float("nan")


_STYLES: tuple[tuple[str, Callable[[Fingerprint], bool]], ...] = (
    ("spin", lambda f: abs(f.spin_rate) > 1.0 and f.speed < 1.0),
    ("hop", lambda f: f.flight > 0.1 and (_together(f) or (f.speed < 0.3 and f.step_frequency > 0.3))),
    ("tiptoe stand", lambda f: f.speed < 0.2 and f.foot_pitch > 0.12),
    ("stand", lambda f: f.speed < 0.2),
    ("slide", lambda f: f.step_frequency < 0.3),
    ("backward walk", lambda f: abs(f.course) > np.radians(135)),
    ("sidestep", lambda f: abs(f.course) > np.radians(45)),
    ("limp", lambda f: f.symmetry < 0.75),
    ("run", lambda f: f.flight > 0.1),
    ("march", lambda f: f.knee_lift > 0.75),
)
"""Label and rule; the first that holds counts, and what keeps none of them is a walk."""


def _together(f: Fingerprint) -> bool:
    """Whether the feet come down at the same time."""
    return bool(np.isfinite(f.phase)) and min(f.phase, 1 - f.phase) < 0.12


def style(f: Fingerprint) -> str:
    """A word for the gait, by plain rules; one for what the body does meanwhile goes before it."""
    if f.seconds < _SETTLED_SECONDS + 1.0:
        return "falls"
    meanwhile = "crouched " if f.height < 0.8 else "cheering " if f.hand_height > 2.0 else ""
    return meanwhile + next((label for label, holds in _STYLES if holds(f)), "walk")


def summary(prints: Sequence[Fingerprint]) -> dict[str, Any]:
    """Over episodes: the commonest style, how often each came, the figures' means, and each episode's."""
    labels = [made.style for made in prints]
    styles = {
        label: labels.count(label) for label in sorted(set(labels), key=lambda one: (-labels.count(one), one))
    }
    rows = [made.as_json() for made in prints]
    mean: dict[str, float | None] = {}
    for name in rows[0]:
        numbers = [value for row in rows if isinstance(value := row[name], float)]
        if name != "style":
            mean[name] = float(np.mean(numbers)) if numbers else None
    return {"style": next(iter(styles)), "styles": styles, "mean": mean, "episodes": rows}
