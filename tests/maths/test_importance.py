"""Importance weights that stay finite, and the KL estimate made of them."""

import math

import pytest
import torch

from amble.maths.gaussian import kl_divergence, log_density
from amble.maths.importance import (
    effective_sample_share,
    effective_sample_size,
    exact_importance_variance,
    importance_mean,
    importance_variance,
    kl_estimate,
    predicted_ratio_variance_categorical,
    predicted_ratio_variance_gaussian,
    ratio,
    ratio_variance,
)
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


class TestEffectiveSampleSize:
    def test_by_hand(self) -> None:
        """(1 + 1 + 2)² / (1 + 1 + 4) = 16/6, of 3."""
        rho = torch.tensor([1.0, 1.0, 2.0])
        assert effective_sample_size(rho).item() == pytest.approx(16 / 6)
        assert effective_sample_share(rho).item() == pytest.approx(16 / 18)

    def test_all_equal_and_one_alone(self) -> None:
        assert effective_sample_size(torch.full((8,), 0.3)).item() == pytest.approx(8)
        assert effective_sample_size(torch.tensor([1.0, 0.0, 0.0])).item() == 1

    def test_of_the_greatest_ratios_there_are(self) -> None:
        rho = ratio(torch.full((4,), math.inf), torch.zeros(4))
        assert effective_sample_size(rho).item() == pytest.approx(4)

    def test_is_one_over_one_plus_the_relative_variance(self) -> None:
        rho = torch.exp(torch.randn(1000, generator=torch.Generator().manual_seed(0)))
        relative = ratio_variance(rho) / rho.mean().square()
        assert effective_sample_share(rho).item() == pytest.approx(1 / (1 + relative.item()), rel=1e-5)


class TestE19:
    """Three outcomes: p = ½, ¼, ¼; q = ¼, ¼, ½; ρ = 2, 1, ½; f = 1, 2, 4."""

    p, q = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.25, 0.5])
    f = torch.tensor([1.0, 2.0, 4.0])

    def test_by_hand(self) -> None:
        """E_p f = ½ + ½ + 1 = 2; E_p[f² ρ] = ½·1·2 + ¼·4·1 + ¼·16·½ = 4; 4 - 2² = 0: q ∝ f p is the best there is."""
        found = exact_importance_variance(self.f, self.p.log(), self.q.log())
        assert found.item() == pytest.approx(0, abs=1e-6)
        # f = 1: ½·2 + ¼·1 + ¼·½ - 1 = 3/8
        assert exact_importance_variance(torch.ones(3), self.p.log(), self.q.log()).item() == pytest.approx(
            3 / 8
        )

    def test_samples_in_exact_proportion_have_exactly_this_mean_and_variance(self) -> None:
        drawn = torch.tensor([0, 1, 2, 2])  # as q would have it
        rho = (self.p / self.q)[drawn]
        for f in (self.f, torch.tensor([3.0, -1.0, 0.5])):
            assert importance_mean(f[drawn], rho).item() == pytest.approx((self.p * f).sum().item())
            exact = exact_importance_variance(f, self.p.log(), self.q.log()).item()
            assert importance_variance(f[drawn], rho).item() == pytest.approx(exact, abs=1e-6)
        assert ratio_variance(rho).item() == pytest.approx(3 / 8)

    def test_the_estimates_of_many_batches_vary_by_it(self) -> None:
        """Var of the mean of N samples is E19 / N."""
        f = torch.tensor([3.0, -1.0, 0.5])
        rng = torch.Generator().manual_seed(0)
        drawn = torch.multinomial(self.q, 20_000 * 10, replacement=True, generator=rng).reshape(20_000, 10)
        means = torch.vmap(importance_mean)(f[drawn], (self.p / self.q)[drawn])
        exact = exact_importance_variance(f, self.p.log(), self.q.log()).item()
        assert means.var().item() == pytest.approx(exact / 10, rel=0.05)
        assert means.mean().item() == pytest.approx(
            (self.p * f).sum().item(), abs=4 * (exact / 200_000) ** 0.5
        )

    def test_the_same_distribution_leaves_the_variance_of_f(self) -> None:
        """Σ p f² - 2² = ½ + 1 + 4 - 4 = 1.5."""
        assert exact_importance_variance(self.f, self.p.log(), self.p.log()).item() == pytest.approx(1.5)

    def test_what_q_never_draws(self) -> None:
        """It costs nothing where f p = 0 there, and everything where not. (1·1)²/½ - 1 = 1."""
        log_p, log_q = torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 0.0]).log()
        assert exact_importance_variance(torch.tensor([1.0, 1.0]), log_p, log_q).item() == math.inf
        assert exact_importance_variance(torch.tensor([1.0, 0.0]), log_p, log_q).item() == pytest.approx(0)
        assert exact_importance_variance(torch.ones(2), log_q, log_p).item() == pytest.approx(1)
        assert exact_importance_variance(torch.ones(2), log_q, log_q).item() == pytest.approx(0)


class TestPredictedVarianceGaussian:
    def predicted(self, mean_p: float, log_std_p: float, mean_q: float, log_std_q: float) -> float:
        each = (torch.tensor([x]) for x in (mean_p, log_std_p, mean_q, log_std_q))
        return predicted_ratio_variance_gaussian(*each).item()

    @pytest.mark.parametrize(("distance", "std"), [(0.1, 1.0), (1.0, 1.0), (1.0, 0.5), (3.0, 2.0)])
    def test_of_equal_widths_is_exp_of_the_squared_distance(self, distance: float, std: float) -> None:
        """exp((μp - μq)²/σ²) - 1: 0.01005, 1.718, 53.6, 8.49."""
        found = self.predicted(distance, math.log(std), 0.0, math.log(std))
        assert found == pytest.approx(math.expm1((distance / std) ** 2), rel=1e-5)

    def test_of_other_widths_by_hand(self) -> None:
        """σp = 1, σq = 2, same mean: 4 / √(8 - 1) - 1 = 0.5119. σp = 1, σq = 0.8: 0.64 / √0.28 - 1 = 0.2095."""
        assert self.predicted(0.0, 0.0, 0.0, math.log(2)) == pytest.approx(4 / 7**0.5 - 1, rel=1e-5)
        assert self.predicted(0.0, 0.0, 0.0, math.log(0.8)) == pytest.approx(0.64 / 0.28**0.5 - 1, rel=1e-5)

    def test_against_monte_carlo(self) -> None:
        rng, n = torch.Generator().manual_seed(0), 400_000
        p = (torch.tensor([0.2, -0.1], dtype=torch.float64), torch.tensor([-0.2, 0.1], dtype=torch.float64))
        q = (torch.tensor([0.0, 0.2], dtype=torch.float64), torch.tensor([0.1, 0.2], dtype=torch.float64))
        x = q[0] + q[1].exp() * torch.randn(n, 2, generator=rng, dtype=torch.float64)
        rho = ratio(*(log_density(x, mean.expand(n, 2), log_std).sum(-1) for mean, log_std in (p, q)))
        predicted = predicted_ratio_variance_gaussian(*p, *q).item()
        assert predicted > 0.1
        assert ratio_variance(rho).item() == pytest.approx(predicted, rel=0.02)
        assert effective_sample_share(rho).item() == pytest.approx(1 / (1 + predicted), rel=0.01)

    def test_infinite_from_twice_the_variance_on(self) -> None:
        """2σq² ≤ σp², in one of the dimensions; just before it is still a number."""
        edge = 0.5 * math.log(2)
        assert self.predicted(0.0, edge + 1e-6, 0.0, 0.0) == math.inf
        assert self.predicted(0.0, 5.0, 3.0, 0.0) == math.inf
        assert math.isfinite(self.predicted(0.0, edge - 1e-3, 0.0, 0.0))
        log_std = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
        both = predicted_ratio_variance_gaussian(
            torch.zeros(2, 2), log_std, torch.zeros(2, 2), torch.zeros(2)
        )
        assert both.tolist() == [math.inf, 0.0]

    def test_never_nan(self) -> None:
        ends = [-50.0, -1.0, 0.0, 1.0, 50.0]
        grid = torch.cartesian_prod(*[torch.tensor(ends)] * 4)[:, :, None].unbind(1)
        found = predicted_ratio_variance_gaussian(*grid)
        assert not torch.isnan(found).any()
        assert (found >= 0).all()
        assert torch.isinf(found).any()


class TestPredictedVarianceCategorical:
    def test_by_hand(self) -> None:
        """¼/¼ + (1/16)/¼ + (1/16)/½ - 1 = 3/8, as above; and 0 for a distribution and itself."""
        log_p, log_q = TestE19.p.log(), TestE19.q.log()
        assert predicted_ratio_variance_categorical(log_p, log_q).item() == pytest.approx(3 / 8)
        assert predicted_ratio_variance_categorical(log_p, log_p).item() == pytest.approx(0, abs=1e-7)

    def test_is_e19_with_f_1(self) -> None:
        rng = torch.Generator().manual_seed(0)
        log_p, log_q = torch.randn(2, 20, 5, generator=rng, dtype=torch.float64).log_softmax(-1)
        expected = exact_importance_variance(torch.ones_like(log_p), log_p, log_q)
        torch.testing.assert_close(predicted_ratio_variance_categorical(log_p, log_q), expected)

    def test_what_cannot_be_drawn(self) -> None:
        """Of p: it adds nothing, 1/½ - 1 = 1. Of q alone: infinite. Of both: nothing."""
        half, sure = torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 0.0]).log()
        assert predicted_ratio_variance_categorical(sure, half).item() == pytest.approx(1)
        assert predicted_ratio_variance_categorical(half, sure).item() == math.inf
        assert predicted_ratio_variance_categorical(sure, sure).item() == 0

    def test_never_nan(self) -> None:
        logits = torch.cartesian_prod(*[torch.tensor([-300.0, -1.0, 0.0, 300.0])] * 3)
        log_p = logits.log_softmax(-1)
        found = predicted_ratio_variance_categorical(
            log_p[:, None].expand(64, 64, 3), log_p.expand(64, 64, 3)
        )
        assert not torch.isnan(found).any()
        assert (found >= 0).all()
