"""Against torch's own distribution, and by hand."""

import pytest
import torch
from torch.distributions import Beta, Independent
from torch.distributions import kl_divergence as torch_kl

from amble.maths import beta


@pytest.fixture
def four() -> list[torch.Tensor]:
    """α and β of p, then of q, from 0.5 to 20."""
    rng = torch.Generator().manual_seed(0)
    return [0.5 * 40 ** torch.rand(50, 3, generator=rng) for _ in range(4)]


def test_against_torch(four: list[torch.Tensor]) -> None:
    p, q = (Independent(Beta(four[i], four[i + 1]), 1) for i in (0, 2))
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) * 0.98 + 0.01
    close = {"atol": 2e-5, "rtol": 1e-4}
    torch.testing.assert_close(beta.log_density(x, *four[:2]).sum(-1), p.log_prob(x), **close)
    torch.testing.assert_close(beta.entropy(*four[:2]).sum(-1), p.entropy(), **close)
    torch.testing.assert_close(beta.kl_divergence(*four), torch_kl(p, q), **close)


def test_by_hand() -> None:
    """α = 2, β = 1 has the density 2x: log 1 at ½, log 2 at 1; ½ - log 2 nats. α = β = 1 is uniform: 0 everywhere."""
    two, one = torch.tensor([2.0, 2.0]), torch.ones(2)
    torch.testing.assert_close(
        beta.log_density(torch.tensor([0.5, 1.0]), two, one), torch.tensor([0.0, 0.693147])
    )
    torch.testing.assert_close(beta.entropy(two, one), torch.full((2,), 0.5 - 0.693147))
    assert beta.log_density(torch.tensor([0.0, 1.0]), one, one).tolist() == [0.0, 0.0]
    assert beta.entropy(one, one).tolist() == [0.0, 0.0]


def test_kl_from_the_uniform_by_hand() -> None:
    """p uniform, q = 2x: ∫ -log 2x dx = 1 - log 2. The other way ∫ 2x log 2x dx = log 2 - ½."""
    one, two = torch.ones(1), torch.full((1,), 2.0)
    assert beta.kl_divergence(one, one, two, one).item() == pytest.approx(1 - 0.693147, abs=1e-6)
    assert beta.kl_divergence(two, one, one, one).item() == pytest.approx(0.693147 - 0.5, abs=1e-6)


def test_a_distribution_and_itself(four: list[torch.Tensor]) -> None:
    assert (beta.kl_divergence(*four[:2], *four[:2]) == 0).all()


def test_predicted_ratio_variance_by_hand() -> None:
    """p = Beta(2, 1), density 2x, over the uniform q: ∫ 4x² dx - 1 = ⅓; twice independently (4/3)² - 1 = 7/9.

    q = Beta(2, 1) under the uniform p: ∫ 1/2x dx has no end.
    """
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    torch.testing.assert_close(beta.predicted_ratio_variance(two, one, one, one), torch.tensor(1 / 3))
    twice = beta.predicted_ratio_variance(*(x.expand(2) for x in (two, one, one, one)))
    torch.testing.assert_close(twice, torch.tensor(7 / 9))
    assert beta.predicted_ratio_variance(one, one, two, one).item() == float("inf")
