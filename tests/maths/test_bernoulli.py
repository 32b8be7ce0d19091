"""Against torch's own distribution, by hand, and at certainty."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent
from torch.distributions import kl_divergence as torch_kl

from amble.maths import bernoulli


@pytest.fixture
def two() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return 3 * torch.randn(50, 3, generator=rng), 3 * torch.randn(50, 3, generator=rng)


def test_against_torch(two: tuple[torch.Tensor, torch.Tensor]) -> None:
    p, q = (Independent(Bernoulli(logits=logits), 1) for logits in two)
    yes = (torch.arange(150).reshape(50, 3) % 2).float()
    torch.testing.assert_close(bernoulli.log_density(yes, two[0]).sum(-1), p.log_prob(yes))
    torch.testing.assert_close(bernoulli.entropy(two[0]).sum(-1), p.entropy())
    torch.testing.assert_close(bernoulli.kl_divergence(*two), torch_kl(p, q))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool])
def test_an_answer_may_be_of_any_type(dtype: torch.dtype) -> None:
    """l = log 3, so p = ¾."""
    yes, logits = torch.tensor([1, 0]).to(dtype), torch.full((2,), math.log(3))
    torch.testing.assert_close(bernoulli.log_density(yes, logits), torch.tensor([0.75, 0.25]).log())


def test_entropy_by_hand() -> None:
    """A fair coin has log 2, whichever way it is written; certainty has none, and no NaN."""
    assert bernoulli.entropy(torch.zeros(1)).item() == pytest.approx(math.log(2))
    assert bernoulli.entropy(torch.tensor([200.0, -200.0])).tolist() == [0.0, 0.0]


def test_a_distribution_and_itself(two: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert (bernoulli.kl_divergence(two[0], two[0]) == 0).all()


def test_certainty_that_was_wrong_is_dear_and_finite() -> None:
    """log 1/e⁻²⁰⁰ = 200 nats, with a gradient that still pulls."""
    logits = torch.tensor([200.0], requires_grad=True)
    kl = bernoulli.kl_divergence(torch.tensor([-200.0]), logits)
    assert kl.item() == pytest.approx(200)
    kl.backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(1)
