"""IQM, intervals and the verdict, on numbers worked by hand."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import trim_mean

pytest.importorskip("arch")

from amble.errors import UsageError
from amble.insight import statistics
from amble.insight.statistics import (
    Score,
    improvement_interval,
    interquartile_mean,
    iqm_interval,
    overlap,
    probability_of_improvement,
    verdict,
)


def score(name, low, high, seeds=5):
    middle = (low + high) / 2
    return Score(name, (middle,) * seeds, middle, (low, high))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], 4.5),  # two off each end: (3 + 4 + 5 + 6) / 4
        ([100, 0, 11, 10], 10.5),  # one off each end
        ([0, 1, 5, 6, 100], 4.0),  # ⌊5/4⌋ = 1 off each end: (1 + 5 + 6) / 3
        ([3, 6, 9], 6.0),  # ⌊3/4⌋ = 0: the mean
        ([7], 7.0),
    ],
)
def test_iqm(values, expected):
    assert interquartile_mean(np.array(values, float)) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", range(1, 14))
def test_iqm_is_scipys_trimmed_mean(seeds):
    values = np.random.default_rng(seeds).normal(size=(seeds, 3))
    np.testing.assert_allclose(interquartile_mean(values), trim_mean(values, 0.25, axis=0))


def test_iqm_of_curves_is_taken_point_by_point():
    curves = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [50.0, -9.0]])
    np.testing.assert_allclose(interquartile_mean(curves), [1.5, 2.5])


@pytest.mark.parametrize("values", [[2.0, 1.0], [3.0, 1.0, 2.0], [4.0, 1.0, 3.0, 2.0]])
def test_few_scores_give_an_interval_from_least_to_greatest(values):
    # All draws equal the least with probability 1/4, 1/27; with n = 4 three of them do with 13/256: all above 2.5 %.
    assert iqm_interval(np.array(values)) == (min(values), max(values))


def test_more_scores_give_an_interval_within_them_that_holds_the_iqm():
    values = np.arange(20.0)
    low, high = iqm_interval(values)
    assert 0 < low < 9.5 < high < 19
    assert iqm_interval(values) == (low, high)  # the same draws each time


def test_one_seed_has_no_interval():
    assert iqm_interval(np.array([5.0])) is None
    assert improvement_interval(np.array([5.0]), np.array([1.0, 2.0])) is None


def test_equal_scores_give_an_interval_of_no_width():
    assert iqm_interval(np.full(5, 500.0)) == (500.0, 500.0)


def test_a_band_resamples_whole_runs():
    # Two runs that mirror each other: at both points the band reaches from one run to the other.
    low, high = iqm_interval(np.array([[0.0, 1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(low, [0, 0])
    np.testing.assert_allclose(high, [1, 1])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([3, 4], [1, 2], 1.0),
        ([1, 2], [3, 4], 0.0),
        ([1, 2], [1, 2], 0.5),  # ½ + 0 + 1 + ½ of four pairs
        ([2, 2], [2], 0.5),
        ([1, 5, 6], [4], 2 / 3),
    ],
)
def test_probability_of_improvement(a, b, expected):
    a, b = np.array(a, float), np.array(b, float)
    assert probability_of_improvement(a, b) == pytest.approx(expected)
    assert probability_of_improvement(a, b) + probability_of_improvement(b, a) == pytest.approx(1)


def test_the_interval_of_an_improvement_holds_it():
    a, b = np.array([1.0, 4.0, 6.0, 8.0, 9.0]), np.array([2.0, 3.0, 5.0, 7.0])
    low, high = improvement_interval(a, b)
    assert 0 <= low < probability_of_improvement(a, b) < high <= 1
    assert improvement_interval(a, a - 100) == (1.0, 1.0)


def test_intervals_that_touch_overlap():
    assert overlap((0, 1), (1, 2))
    assert overlap((0, 9), (3, 4))
    assert not overlap((0, 1), (1.01, 2))
    assert not overlap((1.01, 2), (0, 1))


def test_a_winner_lies_above_all_others():
    decided = verdict([score("a", 1, 2), score("b", 5, 6), score("c", 3, 4)])
    assert decided.winner == "b"
    assert decided.sentence == "winner: b, whose interval lies above all others"


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        ([score("a", 1, 3), score("b", 2, 4)], "no winner: the intervals of b and a overlap"),
        (
            [score("a", 0, 1), score("b", 5, 7), score("c", 4, 6), score("d", 4, 5)],
            "no winner: the intervals of b and of c or d overlap",
        ),
        ([score("a", 2, 2), score("b", 2, 2)], "no winner: the intervals of a and b overlap"),
        (
            [Score("a", (1.0,), 1.0, None), score("b", 5, 6)],
            "no winner: one seed gives no interval (a); give --seeds 5",
        ),
        (
            [score("a", 1, 2)],
            "no winner: a is the only variant with a finished run, so there is nothing to compare",
        ),
        ([], "no winner: no run has finished, so there is nothing to compare"),
    ],
)
def test_no_winner(scores, sentence):
    decided = verdict(scores)
    assert decided.winner is None
    assert decided.sentence == sentence


def test_two_seeds_name_no_winner_and_three_do_with_a_caution():
    two = verdict([score("a", 1, 2, seeds=2), score("b", 5, 6)])
    assert two.winner is None
    assert "b lies above, but with 2 seeds two equal variants part like this in 1 of 3" in two.sentence
    three = verdict([score("a", 1, 2, seeds=3), score("b", 5, 6)])
    assert three.winner == "b"
    assert "whose interval lies above that of a; with 3 seeds" in three.sentence


@pytest.mark.parametrize(("seeds", "one_in"), [(2, 3), (3, 10), (4, 35)])
def test_how_often_equal_variants_part(seeds, one_in):
    # Equal variants: every way of dealing the 2n ranks to the two is as likely. Intervals are least to greatest.
    ranks = range(2 * seeds)
    deals = list(combinations(ranks, seeds))
    apart = 0
    for a in deals:
        b = [rank for rank in ranks if rank not in a]
        apart += not overlap((min(a), max(a)), (min(b), max(b)))
    assert len(deals) == apart * one_in


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(statistics.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"arch, which is not installed: pip install 'amble\[compare\]'"):
        statistics.require_arch()
