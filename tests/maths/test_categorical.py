"""Against torch's own distribution, by hand, and with choices that cannot be made."""

import math

import pytest
import torch
from torch.distributions import Categorical
from torch.distributions import kl_divergence as torch_kl

from amble.maths import categorical

INF = math.inf


@pytest.fixture
def two() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return 3 * torch.randn(50, 4, generator=rng), 3 * torch.randn(50, 4, generator=rng)


def test_against_torch(two: tuple[torch.Tensor, torch.Tensor]) -> None:
    p, q = (Categorical(logits=logits) for logits in two)
    log_p, log_q = map(categorical.log_probs, two)
    choice = torch.arange(50) % 4
    torch.testing.assert_close(categorical.log_density(choice, log_p), p.log_prob(choice))
    torch.testing.assert_close(categorical.entropy(log_p), p.entropy())
    torch.testing.assert_close(categorical.kl_divergence(log_p, log_q), torch_kl(p, q))


def test_by_hand() -> None:
    """p = ½, ¼, ¼: H = ½ log 2 + ½ log 4 = 1.5 log 2. q = ¼, ½, ¼: KL = ½ log 2 - ¼ log 2 = ¼ log 2."""
    log_p, log_q = torch.tensor([0.5, 0.25, 0.25]).log(), torch.tensor([0.25, 0.5, 0.25]).log()
    assert categorical.entropy(log_p).item() == pytest.approx(1.5 * math.log(2))
    assert categorical.kl_divergence(log_p, log_q).item() == pytest.approx(0.25 * math.log(2))
    assert categorical.log_density(torch.tensor(1), log_p).item() == pytest.approx(-2 * math.log(2))


def test_a_distribution_and_itself(two: tuple[torch.Tensor, torch.Tensor]) -> None:
    log_p = categorical.log_probs(two[0])
    assert (categorical.kl_divergence(log_p, log_p) == 0).all()


def test_what_cannot_be_chosen_adds_nothing_and_gives_no_nan() -> None:
    """Half and half between two of three: H = log 2, and every gradient is a number."""
    logits = torch.tensor([[1.0, 1.0, -INF]], requires_grad=True)
    log_p = categorical.log_probs(logits)
    log_q = categorical.log_probs(torch.tensor([[0.0, 2.0, -INF]]))
    entropy, kl = categorical.entropy(log_p), categorical.kl_divergence(log_p, log_q)
    assert entropy.item() == pytest.approx(math.log(2))
    assert 0 < kl.item() < INF
    (entropy + kl).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 2] == 0


def test_kl_to_what_cannot_choose_the_same_is_infinite() -> None:
    log_p, log_q = torch.tensor([0.5, 0.5]).log(), torch.tensor([0.0, -INF])
    assert categorical.kl_divergence(log_p, log_q).item() == INF
    assert categorical.kl_divergence(log_q, log_p).item() == pytest.approx(math.log(2))
