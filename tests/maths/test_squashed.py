"""Against torch's transformed distribution near 0, and against itself far out where that one breaks."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from amble.maths import gaussian, squashed


def test_against_torch() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, u = torch.randn(2, 50, 3, generator=rng, dtype=torch.float64)
    log_std = torch.tensor([-1.0, 0.0, 0.5], dtype=torch.float64)
    theirs = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform()])
    torch.testing.assert_close(squashed.log_density(u, mean, log_std), theirs.log_prob(torch.tanh(u)))


def test_log_slope_by_hand() -> None:
    """1 - tanh²0 = 1. Far out tanh u ≈ 1 - 2 e^{-2u}, so the slope is 4 e^{-2u}: log 4 - 2·50."""
    slope = squashed.log_slope(torch.tensor([0.0, 50.0, -50.0]))
    torch.testing.assert_close(
        slope, torch.tensor([0.0, math.log(4) - 100, math.log(4) - 100]), atol=1e-5, rtol=0
    )


def test_far_out_everything_is_finite() -> None:
    u = torch.tensor([-1e3, -30.0, 30.0, 1e3], requires_grad=True)
    density = squashed.log_density(u, torch.zeros(4), torch.zeros(4))
    assert torch.isfinite(density).all()
    density.sum().backward()
    assert u.grad is not None
    assert torch.isfinite(u.grad).all()


def test_the_density_integrates_to_1() -> None:
    """Over a from -1 to 1, by the midpoint rule."""
    a = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 100_000 - 1
    u = torch.atanh(a)[:, None]
    mean, log_std = torch.full_like(u, 0.3), torch.tensor([-0.5], dtype=torch.float64)
    assert squashed.log_density(u, mean, log_std).exp().mean().item() * 2 == pytest.approx(1, abs=1e-6)


def test_kl_is_the_mean_difference_of_the_squashed_densities() -> None:
    rng = torch.Generator().manual_seed(0)
    n = 200_000
    p = (torch.tensor([0.3, -0.2]).expand(n, 2), torch.tensor([-0.3, 0.1]))
    q = (torch.tensor([0.0, 0.4]).expand(n, 2), torch.tensor([0.0, -0.1]))
    u = p[0] + p[1].exp() * torch.randn(n, 2, generator=rng)
    difference = (squashed.log_density(u, *p) - squashed.log_density(u, *q)).sum(-1)
    exact = squashed.kl_divergence(*p, *q)[0].item()
    assert exact == gaussian.kl_divergence(*p, *q)[0].item()
    assert difference.mean().item() == pytest.approx(exact, abs=4 * float(difference.std()) / n**0.5)


@pytest.mark.parametrize("each", [True, False])
def test_log_std_of_each_sample_or_of_all(each: bool) -> None:
    u: Tensor = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    log_std = torch.tensor([-1.0, 0.5])
    given = log_std.expand(2, 2) if each else log_std
    expected = gaussian.log_density(u, torch.zeros(2, 2), log_std) - squashed.log_slope(u)
    assert torch.equal(squashed.log_density(u, torch.zeros(2, 2), given), expected)


@pytest.mark.parametrize(("std", "error"), [(0.1, 1e-5), (1.0, 1e-3), (2.0, 0.03)])
def test_entropy_is_the_integral(std: float, error: float) -> None:
    """-∫ π(a) log π(a) da with a = tanh(u), in 40 000 steps of u over μ ± 10σ."""
    mean = torch.linspace(-3, 3, 13, dtype=torch.float64)
    z = torch.linspace(-10, 10, 40_001, dtype=torch.float64).unsqueeze(-1)
    log_std = torch.full((13,), std, dtype=torch.float64).log()
    log_density = squashed.log_density(mean + std * z, mean.expand(40_001, 13), log_std)
    weight = torch.exp(-0.5 * z.square()) / (2 * torch.pi) ** 0.5 * (20 / 40_000)
    expected = -(weight * log_density).sum(0)
    torch.testing.assert_close(squashed.entropy(mean, log_std), expected, atol=error, rtol=0)
