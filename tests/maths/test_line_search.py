"""What is accepted keeps its promises, and whatever is not has a name."""

import math

import pytest
import torch
from torch import Tensor

from amble.maths.line_search import LineSearch, SearchOutcome, backtrack

DELTA = 0.01


def search(gain: float, kl: float, full: float = 1.0, **settings: float) -> LineSearch:
    """Of a surrogate 7 + gain·x - x² and a KL of kl·x², from 0 along x = full."""

    def evaluate(step: Tensor) -> tuple[float, float]:
        x = float(step.sum())
        return 7 + gain * x - x**2, kl * x**2

    rest = {
        "coefficient": 0.5,
        "max_backtracks": 10,
        "max_kl": DELTA,
        "expected_improvement": gain * full,
        "accept_ratio": 0.1,
    }
    return backtrack(evaluate, torch.tensor([full]), **{**rest, **settings})


def test_the_full_step_where_it_is_good() -> None:
    """4·1 - 1 = 3 of the 4 that the gradient promised, at a KL of 0.005."""
    found = search(gain=4.0, kl=0.005)
    assert (found.outcome, found.backtracks) == (SearchOutcome.ACCEPTED, 0)
    assert (found.improvement, found.kl) == (3.0, 0.005)
    assert found.step is not None
    assert found.step.tolist() == [1.0]


def test_backtracks_into_the_trust_region() -> None:
    """KL 0.1, 0.025, 0.00625 at 1, ½, ¼; there 4/4 - 1/16 is won."""
    found = search(gain=4.0, kl=0.1)
    assert (found.outcome, found.backtracks) == (SearchOutcome.ACCEPTED, 2)
    assert found.improvement == 1 - 1 / 16
    assert found.kl == pytest.approx(0.00625)
    assert found.step is not None
    assert found.step.tolist() == [0.25]


def test_backtracks_until_enough_is_won() -> None:
    """½x - x²: -½, 0 and then 1/16 of the 1/8 promised at x = ¼, which is half of it."""
    assert search(gain=0.5, kl=0.0).backtracks == 2
    assert search(gain=0.5, kl=0.0, accept_ratio=0.6).backtracks == 3


def test_exactly_on_the_edge_of_the_trust_region() -> None:
    assert search(gain=4.0, kl=DELTA).backtracks == 0


@pytest.mark.parametrize("seed", range(5))
def test_every_accepted_step_keeps_to_the_trust_region_and_improves(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    outcomes = set()
    for _ in range(100):
        gain, kl, full = (float(x) for x in torch.randn(3, generator=rng) * torch.tensor([2.0, 5.0, 3.0]))
        found = search(gain, abs(kl), full)
        outcomes.add(found.outcome)
        assert (found.step is not None) == (found.outcome is SearchOutcome.ACCEPTED)
        if found.step is not None:
            x = float(found.step)
            assert abs(kl) * x**2 <= DELTA
            assert gain * x - x**2 > 0
    assert SearchOutcome.ACCEPTED in outcomes
    assert len(outcomes) > 1


class TestWhatIsNotAccepted:
    def test_no_improvement(self) -> None:
        found = search(gain=-1.0, kl=0.0)
        assert (found.step, found.outcome, found.backtracks) == (None, SearchOutcome.NO_IMPROVEMENT, 10)
        assert found.improvement < 0

    def test_nothing_won_and_nothing_lost(self) -> None:
        assert backtrack(
            lambda _: (1.0, 0.0), torch.ones(1), coefficient=0.5, max_backtracks=3, max_kl=DELTA,
            expected_improvement=0.0, accept_ratio=0.1,
        ).outcome is SearchOutcome.NO_IMPROVEMENT  # fmt: skip

    def test_a_loss_that_was_promised(self) -> None:
        """-0.05 is more than a tenth of the -1 expected, and still no improvement."""
        found = search(gain=-0.05, kl=0.0, expected_improvement=-100.0)
        assert (found.step, found.outcome) == (None, SearchOutcome.NO_IMPROVEMENT)

    def test_kl_too_large(self) -> None:
        found = search(gain=4.0, kl=1e9)
        assert (found.step, found.outcome) == (None, SearchOutcome.KL_TOO_LARGE)
        assert found.kl > DELTA

    def test_as_many_tries_as_it_says(self) -> None:
        assert search(gain=4.0, kl=0.1, max_backtracks=1).outcome is SearchOutcome.KL_TOO_LARGE
        assert search(gain=4.0, kl=0.1, max_backtracks=2).outcome is SearchOutcome.ACCEPTED
        assert search(gain=4.0, kl=0.1, max_backtracks=0).backtracks == 0

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("which", ["surrogate", "kl", "expected", "step", "start"])
    def test_what_is_no_number(self, which: str, bad: float) -> None:
        def evaluate(step: Tensor) -> tuple[float, float]:
            x = float(step)
            if x == 0:
                return (bad if which == "start" else 0.0), 0.0
            return (bad if which == "surrogate" else x), (bad if which == "kl" else 0.0)

        found = backtrack(
            evaluate,
            torch.tensor([bad if which == "step" else 1.0]),
            coefficient=0.5,
            max_backtracks=3,
            max_kl=DELTA,
            expected_improvement=bad if which == "expected" else 1.0,
            accept_ratio=0.1,
        )
        assert (found.step, found.outcome) == (None, SearchOutcome.NOT_FINITE)

    def test_a_nan_far_out_does_not_spoil_what_is_near(self) -> None:
        def evaluate(step: Tensor) -> tuple[float, float]:
            x = float(step)
            return (math.nan if x > 0.3 else x), 0.0

        found = backtrack(
            evaluate, torch.ones(1), coefficient=0.5, max_backtracks=5, max_kl=DELTA,
            expected_improvement=1.0, accept_ratio=0.1,
        )  # fmt: skip
        assert (found.outcome, found.backtracks) == (SearchOutcome.ACCEPTED, 2)
