"""Against torch's own distributions, and by hand where they have no say."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from amble.maths import gaussian


@pytest.fixture
def two() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {
        "mean_p": torch.randn(50, 3, generator=rng),
        "log_std_p": torch.tensor([-2.0, 0.0, 1.5]),
        "mean_q": torch.randn(50, 3, generator=rng),
        "log_std_q": torch.tensor([0.5, -1.0, 1.0]),
    }


def test_log_density_by_hand() -> None:
    """At the mean of a standard normal -½ log 2π = -0.9189; one σ off, half a nat less; σ = 2 costs log 2."""
    at = gaussian.log_density(
        torch.tensor([0.0, 1.0, 2.0]), torch.zeros(3), torch.tensor([0.0, 0.0, math.log(2)])
    )
    torch.testing.assert_close(at, torch.tensor([-0.918939, -1.418939, -1.418939 - math.log(2)]))


def test_log_density_against_torch(two: dict[str, torch.Tensor]) -> None:
    ours = gaussian.log_density(two["mean_q"], two["mean_p"], two["log_std_p"])
    torch.testing.assert_close(ours, Normal(two["mean_p"], two["log_std_p"].exp()).log_prob(two["mean_q"]))


def test_entropy_against_torch(two: dict[str, torch.Tensor]) -> None:
    log_std = two["log_std_p"]
    torch.testing.assert_close(gaussian.entropy(log_std), Normal(torch.zeros(3), log_std.exp()).entropy())


def test_kl_against_torch(two: dict[str, torch.Tensor]) -> None:
    p = Independent(Normal(two["mean_p"], two["log_std_p"].exp()), 1)
    q = Independent(Normal(two["mean_q"], two["log_std_q"].exp()), 1)
    torch.testing.assert_close(gaussian.kl_divergence(**two), kl_divergence(p, q))


def test_kl_of_a_distribution_and_itself_is_exactly_0(two: dict[str, torch.Tensor]) -> None:
    p = (two["mean_p"], two["log_std_p"])
    assert (gaussian.kl_divergence(*p, *p) == 0).all()


def test_kl_is_flat_where_the_two_are_equal(two: dict[str, torch.Tensor]) -> None:
    """0 is its minimum, so every derivative vanishes there."""
    mean, log_std = two["mean_p"].requires_grad_(), two["log_std_p"].requires_grad_()
    gaussian.kl_divergence(mean.detach(), log_std.detach(), mean, log_std).sum().backward()
    assert mean.grad is not None
    assert log_std.grad is not None
    assert mean.grad.abs().max() == 0
    assert log_std.grad.abs().max() < 1e-5


def test_a_log_std_of_each_sample(two: dict[str, torch.Tensor]) -> None:
    """The same for all of them is the shared one; and one sample's own is that of this sample alone."""
    each = {key: two[key].expand(50, 3) for key in two}
    assert torch.equal(gaussian.kl_divergence(**each), gaussian.kl_divergence(**two))
    assert gaussian.entropy(each["log_std_p"]).shape == (50, 3)
    own = two["log_std_p"] + torch.arange(50)[:, None] / 50
    found = gaussian.log_density(two["mean_q"], two["mean_p"], own)
    alone = gaussian.log_density(two["mean_q"][7], two["mean_p"][7], own[7])
    assert torch.equal(found[7], alone)
