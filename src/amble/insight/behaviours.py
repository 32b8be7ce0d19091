"""Behaviours side by side: what each one's reward says, what its seeds do, and whether that is what its name claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amble.config import RewardSettings
from amble.insight.claims import HOLDS, ONE_SEED, REFERENCE, Checked, check
from amble.insight.gait import fingerprints, summary
from amble.insight.measures import FIGURES, commonest, over_seeds
from amble.insight.recording import EPISODES, recorded
from amble.insight.whatif import score

_COLUMNS = ("speed", "duty_left", "duty_right", "air_time")
_FIGURE = {figure.key: figure for figure in FIGURES}


@dataclass(frozen=True)
class Looked:
    """A trained seed, the env steps it took, its fingerprint over the episodes, and its own reward's mean return."""

    run: Path
    seed: int
    env_steps: int
    summary: dict[str, Any]
    own_return: float

    @property
    def means(self) -> Mapping[str, float | None]:
        """Figure → mean over the episodes."""
        return self.summary["mean"]


@dataclass(frozen=True)
class Behaviour:
    """A behaviour with its trained seeds, at least one, and the claims of its name."""

    name: str
    rewards: RewardSettings
    seeds: tuple[Looked, ...]
    checked: tuple[Checked, ...] = field(default=())

    @property
    def typical(self) -> Looked:
        """The seed of median return by the behaviour's own reward."""
        ranked = sorted(self.seeds, key=lambda seed: seed.own_return)
        return ranked[(len(ranked) - 1) // 2]

    @property
    def holds(self) -> bool:
        """Whether it does all that its name claims."""
        return all(checked.verdict in (HOLDS, ONE_SEED) for checked in self.checked)


def look_at(run: Path, seed: int, rewards: RewardSettings, episodes: int = EPISODES) -> Looked:
    """The fingerprint of a run's policy; its recording is kept in the run's directory."""
    recording = recorded(run, episodes)
    own = float(score(recording, rewards).returns.mean())
    return Looked(run, seed, int(recording.about["env_steps"]), summary(fingerprints(recording)), own)


def with_claims(behaviours: Sequence[Behaviour]) -> list[Behaviour]:
    """The same, each held to what its name claims, beside `walk` where that is among them."""
    walk = next((one for one in behaviours if one.name == REFERENCE), None)
    means = None if walk is None else [seed.means for seed in walk.seeds]
    return [
        Behaviour(
            one.name,
            one.rewards,
            one.seeds,
            tuple(check(one.name, [seed.means for seed in one.seeds], means)),
        )
        for one in behaviours
    ]


def reward_words(rewards: RewardSettings) -> str:
    """`1 match_velocity + 0.3 look_at_target − 0.01 energy; a fall: −1`."""
    if rewards.combine == "sum":
        words = " + ".join(f"{term.weight:g} {label}" for label, term in rewards.terms.items())
    else:
        words = " × ".join(
            label if term.weight == 1 else f"{label}^{term.weight:g}" for label, term in rewards.terms.items()
        )
    words += "".join(f" − {term.weight:g} {label}" for label, term in rewards.penalties.items())
    if rewards.fall_reward is not None:
        words += "; a fall: " + f"{rewards.fall_reward:g}".replace("-", "−")
    return words


def table(behaviours: Sequence[Behaviour], pictures: Mapping[str, str]) -> str:
    """Markdown: a row a behaviour, what its reward says, what was measured, a strip of pictures.

    Args:
        behaviours: with their claims.
        pictures: name → where its strip lies, as the table's file names it.
    """
    lines = [
        "| behaviour | what its reward says | measured | one gait cycle |",
        "|---|---|---|---|",
    ]
    for one in behaviours:
        strip = f"![{one.name}]({pictures[one.name]})" if one.name in pictures else ""
        lines.append(
            f"| **{one.name}** | {reward_words(one.rewards)} | {'<br>'.join(measured_lines(one))} | {strip} |"
        )
    return "\n".join(lines)


def measured_lines(one: Behaviour) -> list[str]:
    """Label, the plain figures, falls, and the claims of the name, a line each."""
    shown = over_seeds([seed.means for seed in one.seeds], [*_COLUMNS, "fell"])
    labels = ", ".join(
        label if share == 1 else f"{label} {100 * share:.0f} %"
        for label, share in commonest([seed.summary["styles"] for seed in one.seeds])
    )
    duty = " / ".join(shown[key].shown(_FIGURE[key]) for key in ("duty_left", "duty_right"))
    return [
        f"*{labels}*",
        f"speed {shown['speed'].shown(_FIGURE['speed'])} m/s",
        f"duty {duty}",
        f"air time {shown['air_time'].shown(_FIGURE['air_time'])} s",
        f"falls {shown['fell'].shown(_FIGURE['fell'])} %",
        *(f"{'✓' if c.verdict in (HOLDS, ONE_SEED) else '✗'} {c.sentence()}" for c in one.checked),
    ]


def as_json(behaviours: Sequence[Behaviour]) -> list[dict[str, Any]]:
    """Everything in figures; null where there is none."""
    return [
        {
            "name": one.name,
            "reward": reward_words(one.rewards),
            "holds": one.holds,
            "claims": [
                {
                    "figure": checked.claim.figure,
                    "bound": checked.claim.bound,
                    "value": None if checked.value != checked.value else checked.value,
                    "interval": checked.interval,
                    "verdict": checked.verdict,
                }
                for checked in one.checked
            ],
            "styles": dict(commonest([seed.summary["styles"] for seed in one.seeds])),
            "typical": str(one.typical.run),
            "seeds": [
                {
                    "seed": seed.seed,
                    "run": str(seed.run),
                    "own_return": seed.own_return,
                    "env_steps": seed.env_steps,
                    "styles": seed.summary["styles"],
                    "mean": dict(seed.means),
                }
                for seed in one.seeds
            ],
        }
        for one in behaviours
    ]
