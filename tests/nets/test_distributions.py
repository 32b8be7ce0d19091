"""Both policy heads against torch's own distributions."""

import pytest
import torch
from torch.distributions import Categorical, Normal

from amble.nets.distributions import CategoricalHead, GaussianHead


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestGaussianHead:
    @pytest.fixture
    def head(self) -> GaussianHead:
        head = GaussianHead(3, 0.5)
        with torch.no_grad():
            head.log_std += torch.tensor([0.0, 1.0, -1.0])
        return head

    def normal(self, head: GaussianHead, output: torch.Tensor) -> Normal:
        return Normal(output, head.log_std.exp().expand_as(output))

    def test_starts_with_the_standard_deviation_asked_for(self) -> None:
        torch.testing.assert_close(GaussianHead(3, 0.5).log_std.exp(), torch.full((3,), 0.5))

    def test_log_probs_and_entropies(self, head: GaussianHead) -> None:
        output, action = torch.randn(2, 20, 3, generator=rng())
        expected = self.normal(head, output)
        torch.testing.assert_close(head.log_probs(output, action), expected.log_prob(action))
        torch.testing.assert_close(head.entropies(output), expected.entropy())

    def test_samples_have_the_mean_and_the_deviation(self, head: GaussianHead) -> None:
        output = torch.tensor([1.0, -2.0, 0.0])
        action = head.sample(output.expand(100_000, 3), head.noise((100_000,), rng()))
        torch.testing.assert_close(action.mean(0), output, atol=0.02, rtol=0)
        torch.testing.assert_close(action.std(0), head.log_std.exp(), atol=0, rtol=0.02)

    def test_the_mode_is_the_mean(self, head: GaussianHead) -> None:
        output = torch.randn(5, 3, generator=rng())
        assert torch.equal(head.mode(output), output)
        assert torch.equal(head.sample(output, torch.zeros(5, 3)), output)

    def test_the_deviation_is_learned(self, head: GaussianHead) -> None:
        """An action 2σ off makes σ grow: d log p / d log σ = z² - 1 = 3."""
        output = torch.zeros(1, 3)
        head.log_probs(output, 2 * head.log_std.exp().detach().expand(1, 3)).sum().backward()
        torch.testing.assert_close(head.log_std.grad, torch.full((3,), 3.0))


class TestCategoricalHead:
    logits = torch.tensor([0.0, 2.0, -1.0, 0.5])

    def test_log_probs_and_entropies(self) -> None:
        head, output = CategoricalHead(4), torch.randn(20, 4, generator=rng())
        action = torch.arange(20) % 4
        expected = Categorical(logits=output)
        torch.testing.assert_close(head.log_probs(output, action), expected.log_prob(action)[:, None])
        torch.testing.assert_close(head.entropies(output), expected.entropy()[:, None])

    def test_samples_come_as_often_as_their_probability(self) -> None:
        """100 000 draws: the standard error of a frequency is below 0.0016; five of them are allowed."""
        head = CategoricalHead(4)
        action = head.sample(self.logits.expand(100_000, 4), head.noise((100_000,), rng()))
        frequency = action.bincount(minlength=4) / 100_000
        torch.testing.assert_close(frequency, self.logits.softmax(0), atol=0.008, rtol=0)

    def test_noise_is_finite_even_where_the_uniform_is_0_or_1(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            torch, "rand", lambda *shape, generator: torch.tensor([0.0, 1.0 - 2**-24, 0.5, 0.5])
        )
        assert torch.isfinite(CategoricalHead(4).noise((), rng())).all()

    def test_the_mode_is_the_likeliest(self) -> None:
        assert CategoricalHead(4).mode(self.logits[None]).tolist() == [1]

    def test_a_hopeless_choice_leaves_the_entropy_finite(self) -> None:
        output = torch.tensor([[0.0, -1e4]], requires_grad=True)
        entropy = CategoricalHead(2).entropies(output)
        entropy.sum().backward()
        assert entropy.item() == 0
        assert output.grad is not None
        assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("head", [GaussianHead(3, 1.0), CategoricalHead(3)], ids=["gaussian", "categorical"])
def test_noise_drawn_at_once_is_the_noise_drawn_in_turn(head: GaussianHead | CategoricalHead) -> None:
    """A rollout's noise comes from its own generator, in one call, and from nowhere else."""
    one = rng(5)
    at_once = head.noise((4, 2), one)
    assert at_once.shape == (4, 2, 3)
    torch.manual_seed(99)
    assert torch.equal(head.noise((4, 2), rng(5)), at_once)
    assert not torch.equal(head.noise((4, 2), one), at_once)
