"""Standardising that blows no noise up, moments that merge, variance explained."""

import math

import pytest
import torch

from amble.maths.statistics import explained_variance, merge_moments, standardise


class TestStandardise:
    def test_by_hand(self) -> None:
        """Mean 2, variance (1 + 0 + 0 + 1)/4 = ½."""
        found = standardise(torch.tensor([1.0, 2.0, 2.0, 3.0]))
        torch.testing.assert_close(found, torch.tensor([-math.sqrt(2), 0.0, 0.0, math.sqrt(2)]))

    @pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3, 1e6])
    def test_does_not_depend_on_the_units(self, scale: float) -> None:
        x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(standardise(scale * x), standardise(x))

    @pytest.mark.parametrize("constant", [0.0, 1e-3, 0.1, 1.0, 1e3, 1e6, -1e6])
    def test_a_constant_becomes_0(self, constant: float) -> None:
        assert standardise(torch.full((64,), constant)).abs().max() < 1e-6

    @pytest.mark.parametrize("constant", [1e-3, 0.1, 1.0, 1e3, 1e6])
    def test_the_rounding_noise_of_a_constant_stays_noise(self, constant: float) -> None:
        """Neighbouring float32 numbers differ by up to 1.2e-7 of themselves; those are no advantages of ±1."""
        x = torch.full((64,), constant)
        x[::2] = torch.nextafter(x[::2], torch.tensor(math.inf))
        assert x.unique().numel() == 2
        assert standardise(x).abs().max() < 0.02

    def test_one_element_is_its_own_mean(self) -> None:
        assert standardise(torch.tensor([3.0])).tolist() == [0.0]

    def test_over_all_elements_of_any_shape(self) -> None:
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
        assert torch.equal(standardise(x), standardise(x.flatten()).reshape(6, 4))


class TestExplainedVariance:
    def test_by_hand(self) -> None:
        """Actual 0, 2, 4 (variance 8/3), errors -1, 0, 1 (variance 2/3): 1 - ¼."""
        found = explained_variance(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0, 4.0]))
        assert found == pytest.approx(0.75)

    def test_perfect_mean_and_worse(self) -> None:
        actual = torch.tensor([0.0, 2.0, 4.0])
        assert explained_variance(actual, actual) == 1
        assert explained_variance(torch.full((3,), 2.0), actual) == 0
        assert explained_variance(-actual, actual) == pytest.approx(-3)  # the error is 2·actual

    @pytest.mark.parametrize("actual", [[1.0, 1.0], [1.0], [math.nan, 1.0]])
    def test_nan_where_there_is_nothing_to_explain(self, actual: list[float]) -> None:
        assert math.isnan(explained_variance(torch.zeros(len(actual)), torch.tensor(actual)))


@pytest.mark.parametrize("first", [1, 2, 7, 100])
@pytest.mark.parametrize("second", [1, 3, 50])
def test_merged_moments_are_those_of_the_concatenation(first: int, second: int) -> None:
    rng = torch.Generator().manual_seed(first * 1000 + second)
    a = 3.0 + torch.randn(first, 4, generator=rng, dtype=torch.float64)
    b = -5.0 + 2 * torch.randn(second, 4, generator=rng, dtype=torch.float64)
    moments = [(float(len(x)), x.mean(0), x.var(0, correction=0)) for x in (a, b, torch.cat([a, b]))]
    count, mean, variance = merge_moments(*moments[0], *moments[1])
    assert count == first + second
    torch.testing.assert_close((mean, variance), moments[2][1:])


def test_moments_of_nothing_give_way() -> None:
    mean, variance = torch.tensor([2.0]), torch.tensor([3.0])
    assert merge_moments(0.0, torch.zeros(1), torch.ones(1), 5.0, mean, variance) == (5.0, mean, variance)
