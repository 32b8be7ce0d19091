"""Importance weights that stay finite, and the KL estimate made of them."""

import math

import pytest
import torch

from amble.maths.gaussian import kl_divergence, log_density
from amble.maths.importance import kl_estimate, ratio
from amble.maths.surrogates import clipped_surrogate


def test_ratio_by_hand() -> None:
    """π/π_old = 0.3/0.2 = 1.5 and 0.2/0.5 = 0.4."""
    new, old = torch.tensor([0.3, 0.2]).log(), torch.tensor([0.2, 0.5]).log()
    torch.testing.assert_close(ratio(new, old), torch.tensor([1.5, 0.4]))


def test_equal_policies_give_exactly_one() -> None:
    log_prob = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 30
    assert (ratio(log_prob, log_prob) == 1).all()


@pytest.mark.parametrize("log_ratio", [-math.inf, -100.0, 0.0, 100.0, math.inf])
@pytest.mark.parametrize("advantage", [-1.0, 1.0])
def test_loss_kl_and_gradient_are_finite_however_far_the_policies_are_apart(
    log_ratio: float, advantage: float
) -> None:
    log_prob = torch.tensor([log_ratio, 0.1], requires_grad=True)
    rho = ratio(log_prob, torch.zeros(2))
    loss = clipped_surrogate(rho, torch.tensor([advantage, 1.0]), 0.2) + kl_estimate(rho)
    loss.backward()
    assert torch.isfinite(rho).all()
    assert torch.isfinite(loss)
    assert log_prob.grad is not None
    assert torch.isfinite(log_prob.grad).all()
    assert log_prob.grad[1] != 0  # the other sample is still learned from


class TestKlEstimate:
    def test_by_hand(self) -> None:
        """ρ = 2: 2 - 1 - log 2 = 0.3069; ρ = ½: ½ - 1 + log 2 = 0.1931; mean ¼."""
        assert kl_estimate(torch.tensor([2.0, 0.5])).item() == pytest.approx(0.25)

    def test_equal_policies(self) -> None:
        assert kl_estimate(torch.ones(7)).item() == 0

    def test_never_negative(self) -> None:
        rho = torch.exp(torch.randn(500, 1, generator=torch.Generator().manual_seed(0)))
        assert all(kl_estimate(one) >= 0 for one in rho)

    def test_is_close_to_the_closed_form(self) -> None:
        """Of samples of the old policy: KL(old ‖ new), not the other way round."""
        rng = torch.Generator().manual_seed(0)
        mean_old, mean_new = torch.zeros(2), torch.tensor([0.1, -0.2])
        log_std_old, log_std_new = torch.zeros(2), torch.tensor([0.3, -0.2])
        action = torch.randn(200_000, 2, generator=rng)
        old = log_density(action, mean_old.expand(200_000, 2), log_std_old).sum(-1)
        new = log_density(action, mean_new.expand(200_000, 2), log_std_new).sum(-1)
        exact = kl_divergence(mean_old, log_std_old, mean_new, log_std_new).item()
        other_way = kl_divergence(mean_new, log_std_new, mean_old, log_std_old).item()
        assert abs(exact - other_way) > 0.1 * exact
        assert kl_estimate(ratio(new, old)).item() == pytest.approx(exact, rel=0.02)
