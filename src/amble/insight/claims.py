"""What the name of a behaviour claims, held to the gait fingerprints of its seeds and of `walk`'s.

A claim holds where the whole interval over seeds keeps to its bound, not where the mean does. One value a seed: the
mean of the figure over the seed's episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from amble.insight.measures import with_interval
from amble.insight.statistics import CONFIDENCE, RESAMPLES, Interval, interquartile_mean, iqm_interval

HOLDS, FAILS, OPEN, ONE_SEED = "holds", "fails", "open", "holds for its one seed"
REFERENCE = "walk"


@dataclass(frozen=True)
class Claim:
    """A bound on one figure of the fingerprint.

    Attributes:
        words: the figure, for a reader.
        figure: its name in the fingerprint.
        least: the bound, where the figure is to be large; None where it is to be small.
        most: the same the other way round.
        of_walk: the bound is a multiple of `walk`'s figure.
        size: the figure counts without its sign.
        unit: of the figure.
    """

    words: str
    figure: str
    least: float | None = None
    most: float | None = None
    of_walk: bool = False
    size: bool = False
    unit: str = ""

    @property
    def bound(self) -> str:
        """`≥ 0.5 m/s`, `≤ 0.8 × walk's`."""
        sign, value = ("≥", self.least) if self.least is not None else ("≤", self.most)
        unit = "× walk's" if self.of_walk else self.unit
        return f"{sign} {value:g} {unit}".rstrip().replace("-", "−")

    def values(self, seeds: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "n"]:
        """The figure, one a seed; NaN where a seed has none, such as the phase of a body that takes no step."""
        given = [seed[self.figure] for seed in seeds]
        values = np.array([np.nan if value is None else value for value in given], float)
        return np.abs(values) if self.size else values


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "walk": (
        Claim("speed toward the goal", "forward_speed", least=0.8, unit="m/s"),
        Claim("time without contact", "flight", most=0.1),
    ),
    "run": (
        Claim("time without contact", "flight", least=0.1),
        Claim("speed", "speed", least=1.5, of_walk=True),
    ),
    "backward": (Claim("speed the way it faces", "ahead_speed", most=-0.5, unit="m/s"),),
    "sidestep": (Claim("speed to its side", "side_speed", least=0.5, size=True, unit="m/s"),),
    "crouch": (Claim("height of the hips", "height", most=0.8, of_walk=True),),
    "hop": (
        Claim("time without contact", "flight", least=0.15),
        Claim("feet that land together", "together", least=0.5),
    ),
    "march": (Claim("height the knees reach", "knee_lift", least=1.3, of_walk=True),),
    "spin": (Claim("turning", "spin_rate", least=1.0, size=True, unit="rad/s"),),
    "limp": (
        Claim("symmetry", "symmetry", most=0.8),
        Claim("symmetry", "symmetry", most=1.0, of_walk=True),
    ),
    "tiptoe-still": (
        Claim("episodes that end in a fall", "fell", most=0.1),
        Claim("speed", "speed", most=0.2, unit="m/s"),
        Claim("pitch of the feet", "foot_pitch", least=0.12, unit="rad"),
    ),
    # Where its head is as it goes, which is at 1.95 as it stands
    "cheer": (Claim("height of the hands", "hand_height", least=1.8, unit="standing heights"),),
}
"""Behaviour → what its name claims."""


@dataclass(frozen=True)
class Checked:
    """A claim and what came of it.

    Attributes:
        value: the IQM over seeds, in multiples of `walk`'s where the claim is; NaN where a seed has no such figure.
        interval: of it; None for a single seed.
        verdict: `HOLDS`, `FAILS`, `OPEN` where the interval lies on both sides of the bound, or `ONE_SEED`.
    """

    claim: Claim
    value: float
    interval: Interval | None
    verdict: str

    def sentence(self) -> str:
        """`speed the way it faces −0.93 [−1.1, −0.8] m/s, claimed ≤ −0.5 m/s: holds`."""
        unit = "× walk's" if self.claim.of_walk else self.claim.unit
        if np.isnan(self.value):
            return f"{self.claim.words}: there is none, claimed {self.claim.bound}: {self.verdict}"
        shown = with_interval(self.value, self.interval)
        return f"{self.claim.words} {shown} {unit}".rstrip() + f", claimed {self.claim.bound}: {self.verdict}"


def check(
    name: str, seeds: Sequence[Mapping[str, Any]], walk: Sequence[Mapping[str, Any]] | None
) -> list[Checked]:
    """Hold a behaviour to its claims; none for a name that claims nothing known.

    Args:
        name: of the behaviour.
        seeds: figure → mean over episodes, one mapping a trained seed.
        walk: the same of `walk`; None or empty where it is not there: claims about it are then left out.
    """
    return [_checked(claim, seeds, walk or ()) for claim in CLAIMS.get(name, ()) if not claim.of_walk or walk]


def _checked(claim: Claim, seeds: Sequence[Mapping[str, Any]], walk: Sequence[Mapping[str, Any]]) -> Checked:
    values = claim.values(seeds)
    if claim.of_walk:
        value, interval = ratio(values, claim.values(walk))
    else:
        value, interval = float(interquartile_mean(values)), iqm_interval(values)
    return Checked(claim, value, interval, _verdict(claim, value, interval))


def ratio(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"]) -> tuple[float, Interval | None]:
    """IQM(a) / IQM(b), and its percentile interval with the seeds of both sides drawn anew; None for a single one."""
    value = float(_quotient(a, b))
    if min(len(a), len(b)) < 2 or not np.isfinite(value):
        return value, None
    from arch.bootstrap import IndependentSamplesBootstrap

    low, high = IndependentSamplesBootstrap(a, b, seed=0).conf_int(
        _quotient, reps=RESAMPLES, method="percentile", size=CONFIDENCE
    )
    return value, (float(low[0]), float(high[0]))


def _quotient(a: np.ndarray, b: np.ndarray) -> Any:
    return interquartile_mean(a) / interquartile_mean(b)


def _verdict(claim: Claim, value: float, interval: Interval | None) -> str:
    if np.isnan(value):
        return FAILS
    if interval is None:
        return ONE_SEED if _keeps(claim, value) else FAILS
    kept = [_keeps(claim, end) for end in interval]
    return HOLDS if all(kept) else OPEN if any(kept) else FAILS


def _keeps(claim: Claim, value: float) -> bool:
    return value >= claim.least if claim.least is not None else value <= (claim.most or 0.0)
