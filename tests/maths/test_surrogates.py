"""The lecture's golden numbers, what PPO's loss does where the clip bites, and the losses up to it."""

import math

import pytest
import torch

from amble.maths.importance import ratio
from amble.maths.surrogates import (
    adapted_coefficient,
    adapted_learning_rate,
    clip_fraction,
    clipped_surrogate,
    clipped_value_loss,
    kl_penalty_loss,
    policy_gradient_loss,
    surrogate,
    value_loss,
)

# LECTURE §4: 5 samples × 2 action dimensions, ε = 0.2, printed to four places.
RATIO = torch.tensor(
    [[1.2427, 0.6327], [0.4962, 1.2191], [0.8360, 1.0056], [1.4339, 0.3089], [1.3568, 0.3191]]
)
SURR1 = torch.tensor(
    [[0.0606, 0.0309], [0.0242, 0.0595], [0.0408, 0.0491], [0.0699, 0.0151], [0.0662, 0.0156]]
)
SURR2 = torch.tensor(
    [[0.0585, 0.0390], [0.0390, 0.0585], [0.0408, 0.0491], [0.0585, 0.0390], [0.0585, 0.0390]]
)
# The one advantage that rounds to every printed product: 1.0056·A ≥ 0.04905 and 1.4339·A < 0.06995.
ADVANTAGE = 0.04878
PRINTED = 0.5e-4


class TestGoldenNumbers:
    def test_the_surrogates_element_by_element(self) -> None:
        """-loss of one element is min(surr1, surr2); a clip so wide that it never bites leaves surr1."""
        rho = ratio(RATIO.log(), torch.zeros(5, 2))
        for i in range(5):
            for d in range(2):
                element, advantage = rho[i, d].reshape(1), torch.tensor([ADVANTAGE])
                wide = -clipped_surrogate(element, advantage, 0.99)
                least = -clipped_surrogate(element, advantage, 0.2)
                assert wide.item() == pytest.approx(SURR1[i, d].item(), abs=PRINTED)
                assert least.item() == pytest.approx(min(SURR1[i, d], SURR2[i, d]).item(), abs=PRINTED)

    def test_the_clipped_half(self) -> None:
        """With A < 0 the minimum takes the other half: min(-surr1, -surr2) = -max(surr1, surr2)."""
        for i in range(5):
            for d in range(2):
                element, advantage = RATIO[i, d].reshape(1), torch.tensor([-ADVANTAGE])
                most = clipped_surrogate(element, advantage, 0.2)
                assert most.item() == pytest.approx(max(SURR1[i, d], SURR2[i, d]).item(), abs=PRINTED)

    def test_the_actor_loss(self) -> None:
        """Sum of the minima: .0585+.0309+.0242+.0585+.0408+.0491+.0585+.0151+.0585+.0156 = .4097, over 10."""
        rho = ratio(RATIO.log(), torch.zeros(5, 2))
        loss = clipped_surrogate(rho, torch.full((5, 2), ADVANTAGE), 0.2)
        assert loss.item() == pytest.approx(-0.0410, abs=PRINTED)

    def test_the_share_that_is_clipped(self) -> None:
        """Outside [0.8, 1.2]: both of rows 1, 2, 4 and 5, none of row 3 (0.8360, 1.0056)."""
        assert clip_fraction(RATIO, 0.2).item() == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("rho", "advantage", "loss", "slope"),
    [
        # inside the clip: loss = -ρA, slope -A
        (1.1, 2.0, -2.2, -2.0),
        (0.9, -2.0, 1.8, 2.0),
        # gone far enough in the good direction: the clip holds, nothing more to gain
        (1.5, 2.0, -2.4, 0.0),
        (0.5, -2.0, 1.6, 0.0),
        # gone in the bad direction: no clip, the slope leads back
        (0.5, 2.0, -1.0, -2.0),
        (1.5, -2.0, 3.0, 2.0),
    ],
)
def test_where_the_clip_bites(rho: float, advantage: float, loss: float, slope: float) -> None:
    rho_t = torch.tensor([rho], requires_grad=True)
    found = clipped_surrogate(rho_t, torch.tensor([advantage]), 0.2)
    found.backward()
    assert found.item() == pytest.approx(loss)
    assert rho_t.grad is not None
    assert rho_t.grad.item() == pytest.approx(slope)


def test_value_loss_by_hand() -> None:
    """((3 - 1)² + (1 - 2)²) / 2 = 2.5."""
    assert value_loss(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0])).item() == 2.5


class TestClippedValueLoss:
    """ε = 0.2, V_old = 1."""

    @pytest.mark.parametrize(
        ("value", "target", "loss", "slope"),
        [
            (1.1, 2.0, 0.81, -1.8),  # inside: (2 - 1.1)², slope -2·0.9
            (1.5, 2.0, 0.64, 0.0),  # moved to 1.5, counted as 1.2: max(0.25, 0.64), no slope: enough for now
            (0.5, 2.0, 2.25, -3.0),  # moved the wrong way: max(1.5², (2 - 0.8)²), slope leads back
        ],
    )
    def test_by_hand(self, value: float, target: float, loss: float, slope: float) -> None:
        v = torch.tensor([value], requires_grad=True)
        found = clipped_value_loss(v, torch.tensor([target]), torch.tensor([1.0]), 0.2)
        found.backward()
        assert found.item() == pytest.approx(loss)
        assert v.grad is not None
        assert v.grad.item() == pytest.approx(slope)


class TestPolicyGradientLoss:
    def test_by_hand(self) -> None:
        """-(-1·2 + -3·1)/2 = 2.5; the slope of each log π is -Φ/N, and Φ is a number."""
        log_prob = torch.tensor([-1.0, -3.0], requires_grad=True)
        weight = torch.tensor([2.0, 1.0], requires_grad=True)
        loss = policy_gradient_loss(log_prob, weight)
        loss.backward()
        assert loss.item() == 2.5
        assert log_prob.grad is not None
        assert log_prob.grad.tolist() == [-1.0, -0.5]
        assert weight.grad is None

    def test_its_gradient_is_that_of_the_surrogates_where_the_policies_are_equal(self) -> None:
        """∇ρ = ρ ∇log π and ρ = 1: E9, E20 and E22 all start in the same direction."""
        rng = torch.Generator().manual_seed(0)
        log_prob, advantage = torch.randn(2, 20, generator=rng)
        log_prob.requires_grad_()
        rho = ratio(log_prob, log_prob.detach())
        losses = (
            policy_gradient_loss(log_prob, advantage),
            -surrogate(rho, advantage),
            clipped_surrogate(rho, advantage, 0.2),
        )
        first, *others = (torch.autograd.grad(loss, log_prob, retain_graph=True)[0] for loss in losses)
        for other in others:
            torch.testing.assert_close(other, first)


def test_surrogate_by_hand() -> None:
    """(1.5·2 + 0.5·-1)/2 = 1.25."""
    assert surrogate(torch.tensor([1.5, 0.5]), torch.tensor([2.0, -1.0])).item() == 1.25


@pytest.mark.parametrize("kl", [[0.1, 0.3], 0.2])
def test_kl_penalty_by_hand(kl: list[float] | float) -> None:
    """-1.25 + 3·0.2 = -0.65, whether KL comes sample by sample or as a mean."""
    rho, advantage = torch.tensor([1.5, 0.5]), torch.tensor([2.0, -1.0])
    assert kl_penalty_loss(rho, advantage, torch.tensor(kl), 3.0).item() == pytest.approx(-0.65)


@pytest.mark.parametrize(
    ("kl", "after"),
    [
        (0.0, 1.0),
        (0.0066, 1.0),
        (0.0067, 2.0),
        (0.01, 2.0),
        (0.015, 2.0),
        (0.0151, 4.0),
        (math.nan, 4.0),
        (math.inf, 4.0),
    ],
)
def test_adapted_coefficient(kl: float, after: float) -> None:
    """β = 2 and target 0.01: halved under 0.01/1.5 = 0.00667, doubled over 0.015."""
    assert adapted_coefficient(2.0, kl, 0.01) == after


@pytest.mark.parametrize(
    ("rate", "kl", "after"),
    [
        (3e-4, 0.021, 2e-4),  # over 2·0.01
        (3e-4, 0.02, 3e-4),
        (3e-4, 0.005, 3e-4),
        (3e-4, 0.0049, 4.5e-4),  # under 0.01/2
        (3e-4, 0.0, 3e-4),
        (3e-4, -1e-9, 3e-4),
        (3e-4, math.nan, 2e-4),
        (3e-4, math.inf, 2e-4),
        (1.2e-5, 1.0, 1e-5),
        (9e-3, 0.001, 1e-2),
    ],
)
def test_adapted_learning_rate(rate: float, kl: float, after: float) -> None:
    assert adapted_learning_rate(rate, kl, 0.01) == pytest.approx(after, rel=1e-12)


def test_adapted_learning_rate_within_its_own_limits() -> None:
    assert adapted_learning_rate(3e-4, 1.0, 0.01, (2.5e-4, 4e-4)) == 2.5e-4
    assert adapted_learning_rate(3e-4, 0.001, 0.01, (2.5e-4, 4e-4)) == 4e-4
