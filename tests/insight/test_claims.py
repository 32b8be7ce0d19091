"""What a name claims, held to figures whose means and intervals are plain."""

import math
from typing import Any

import pytest

pytest.importorskip("arch")

from amble.config import list_presets
from amble.insight.claims import CLAIMS, FAILS, HOLDS, ONE_SEED, OPEN, Claim, check, ratio
from amble.insight.gait import Fingerprint


def seeds(**figures: list[float | None]) -> list[dict[str, Any]]:
    """One mapping a seed."""
    return [dict(zip(figures, values, strict=True)) for values in zip(*figures.values(), strict=True)]


def verdicts(name: str, *given: Any) -> list[str]:
    return [checked.verdict for checked in check(name, *given)]


@pytest.mark.parametrize(
    ("speeds", "verdict"),
    [
        ([-0.9, -1.0, -0.6], HOLDS),
        ([-0.9, -1.0, -0.4], OPEN),  # the mean keeps to -0.5, the interval does not
        ([0.9, 1.0, 0.4], FAILS),
        ([-0.9], ONE_SEED),
        ([0.9], FAILS),
        ([-0.9, None, -0.6], FAILS),
    ],
)
def test_the_whole_interval_has_to_keep_to_the_bound(speeds: list[float | None], verdict: str) -> None:
    assert verdicts("backward", seeds(ahead_speed=speeds), None) == [verdict]


def test_to_the_left_is_to_a_side_too() -> None:
    assert verdicts("sidestep", seeds(side_speed=[-0.8, 0.7, -0.9]), None) == [HOLDS]
    assert verdicts("sidestep", seeds(side_speed=[-0.8, 0.2, -0.9]), None) == [OPEN]


def test_in_multiples_of_the_walk() -> None:
    walk = seeds(knee_lift=[0.6, 0.6, 0.6])
    (checked,) = check("march", seeds(knee_lift=[0.81, 0.84, 0.87]), walk)
    assert checked.value == pytest.approx(1.4)  # 0.84 / 0.6
    assert checked.interval == pytest.approx((1.35, 1.45))  # every seed drawn three times
    assert checked.verdict == HOLDS
    assert "1.40 [1.35, 1.45] × walk's, claimed ≥ 1.3 × walk's: holds" in checked.sentence()
    assert verdicts("march", seeds(knee_lift=[0.7, 0.84, 0.9]), walk) == [OPEN]
    assert check("march", seeds(knee_lift=[0.9]), None) == []  # nothing to compare with


def test_a_ratio_draws_both_sides_anew() -> None:
    import numpy as np

    value, interval = ratio(np.array([2.0, 2.0]), np.array([1.0, 2.0]))
    assert value == pytest.approx(4 / 3)
    assert interval == pytest.approx((1.0, 2.0))
    assert ratio(np.array([2.0]), np.array([1.0, 2.0]))[1] is None


def test_a_hop_needs_both() -> None:
    assert verdicts("hop", seeds(flight=[0.3, 0.3], together=[0.9, 0.8]), None) == [HOLDS, HOLDS]
    assert verdicts("hop", seeds(flight=[0.3, 0.3], together=[0.1, 0.0]), None) == [HOLDS, FAILS]


def test_the_sentence_says_it_all() -> None:
    (checked,) = check("backward", seeds(ahead_speed=[-0.9, -1.1]), None)
    assert checked.sentence() == (
        "speed the way it faces −1.00 [−1.10, −0.90] m/s, claimed ≤ −0.5 m/s: holds"
    )
    (missing, _) = check("hop", seeds(flight=[None], together=[0.5]), None)
    assert math.isnan(missing.value)
    assert "there is none" in missing.sentence()


def test_every_claim_is_of_a_preset_and_of_a_figure_there_is() -> None:
    assert CLAIMS.keys() <= {preset.name for preset in list_presets()}
    figures = Fingerprint.__dataclass_fields__
    for claims in CLAIMS.values():
        for claim in claims:
            assert claim.figure in figures
            assert (claim.least is None) != (claim.most is None)


def test_a_name_that_claims_nothing() -> None:
    assert check("my-own", seeds(speed=[1.0]), None) == []
    assert Claim("x", "speed", most=0.0).bound == "≤ 0"
