"""Losses and rewards of imitation, by hand."""

import math

import pytest
import torch

from amble.maths.imitation import (
    bottleneck_kl,
    cloning_loss,
    discriminator_loss,
    dual_step,
    gradient_penalty,
    imitation_reward,
)


class TestReward:
    def test_half_sure_pays_log_2(self) -> None:
        assert float(imitation_reward(torch.tensor(0.5))) == pytest.approx(math.log(2), rel=1e-6)

    def test_it_rises_and_stays_finite(self) -> None:
        reward = imitation_reward(torch.tensor([0.0, 0.1, 0.9, 1.0]))
        assert reward[0] == 0
        assert (reward.diff() > 0).all()
        assert 15 < float(reward[-1]) < 16.2  # log 10⁷ = 16.1, in float32


class TestDiscriminatorLoss:
    def test_by_hand(self) -> None:
        """D = ¾ of the demonstration and ¼ of the policy: -log ¾ - log ¾."""
        logit = math.log(3)
        loss = discriminator_loss(torch.tensor([logit]), torch.tensor([-logit]))
        assert float(loss) == pytest.approx(-2 * math.log(0.75))

    def test_who_cannot_tell_loses_log_4(self) -> None:
        assert float(discriminator_loss(torch.zeros(5), torch.zeros(5))) == pytest.approx(math.log(4))

    def test_it_is_finite_however_sure(self) -> None:
        assert float(discriminator_loss(torch.tensor([-1e4]), torch.tensor([1e4]))) == pytest.approx(2e4)


def test_the_penalty_is_0_at_slope_1() -> None:
    """Slopes 1, 5 and 0: (0² + 4² + 1²)/3."""
    slopes = torch.tensor([[0.6, 0.8], [3.0, 4.0], [0.0, 0.0]])
    assert float(gradient_penalty(slopes[:1])) == pytest.approx(0.0, abs=1e-6)
    assert float(gradient_penalty(slopes)) == pytest.approx(17 / 3, rel=1e-3)


def test_the_penalty_has_a_gradient_at_0() -> None:
    flat = torch.zeros(1, 2, requires_grad=True)
    gradient_penalty(flat).backward()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


class TestBottleneck:
    def test_the_kl_is_torchs(self) -> None:
        random = torch.Generator().manual_seed(0)
        expert, policy = torch.randn(2, 6, 3, generator=random)
        std = torch.tensor([0.5, 1.0, 2.0])
        unit = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
        means = torch.cat([expert, policy])
        exact = torch.distributions.kl_divergence(torch.distributions.Normal(means, std), unit).sum(-1).mean()
        assert float(bottleneck_kl(expert, policy, std)) == pytest.approx(float(exact), rel=1e-5)

    def test_nothing_passes_a_unit_gaussian(self) -> None:
        assert float(bottleneck_kl(torch.zeros(3, 4), torch.zeros(3, 4), torch.ones(4))) == 0.0

    def test_the_price_follows_what_passes(self) -> None:
        assert dual_step(1.0, 2.5, 0.5, 0.1) == pytest.approx(1.2)
        assert dual_step(0.0, 0.1, 0.5, 0.1) == 0.0


class TestCloning:
    def test_numbers(self) -> None:
        """(0.5² + 0² + 1² + 0²)/4."""
        ours, theirs = torch.tensor([[0.5, 1.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        assert float(cloning_loss(ours, theirs, torch.zeros(2, 0))) == 0.3125

    def test_choices(self) -> None:
        nothing = torch.zeros(2, 0)
        log_probs = torch.tensor([[0.5, 0.25], [1.0, 0.125]]).log()
        assert float(cloning_loss(nothing, nothing, log_probs)) == pytest.approx(6 * math.log(2) / 4)

    def test_both(self) -> None:
        loss = cloning_loss(torch.tensor([[1.0]]), torch.tensor([[0.0]]), torch.tensor([[-2.0]]))
        assert float(loss) == 3.0
