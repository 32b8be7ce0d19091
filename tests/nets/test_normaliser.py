"""Running moments that nothing can spoil, and a normaliser that only its trainer moves."""

import pytest
import torch

from amble.nets.normaliser import Normaliser, RunningMoments


def samples(n: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.tensor([5.0, -100.0, 0.0]) + torch.tensor([1.0, 30.0, 1e-3]) * torch.randn(
        n, 3, generator=rng
    )


class TestRunningMoments:
    def test_batches_add_up(self) -> None:
        moments = RunningMoments(3)
        x = samples(1000)
        for part in x.split([1, 2, 297, 700]):
            moments.update(part)
        assert moments.count == 1000
        torch.testing.assert_close(moments.mean, x.double().mean(0))
        torch.testing.assert_close(moments.variance, x.double().var(0, correction=0))

    def test_any_leading_axes(self) -> None:
        flat, deep = RunningMoments(3), RunningMoments(3)
        flat.update(samples(60))
        deep.update(samples(60).reshape(4, 15, 3))
        assert torch.equal(flat.mean, deep.mean)
        assert flat.count == deep.count == 60

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_not_finite_leaves_no_trace(self, bad: float) -> None:
        clean, spoilt = RunningMoments(3), RunningMoments(3)
        x = samples(50)
        clean.update(x)
        spoilt.update(torch.cat([x[:20], torch.tensor([[0.0, bad, 0.0]]), x[20:]]))
        spoilt.update(torch.full((3, 3), bad))
        for name, value in clean.state_dict().items():
            assert torch.equal(spoilt.state_dict()[name], value)

    def test_more_samples_than_are_taken_together(self) -> None:
        """1, …, 10 000 with a NaN in between: mean (n + 1)/2, variance (n² - 1)/12."""
        x = torch.arange(1, 10_001, dtype=torch.float32)[:, None]
        moments = RunningMoments(1)
        moments.update(torch.cat([x[:5000], torch.tensor([[float("nan")]]), x[5000:]]))
        assert float(moments.count) == 10_000
        assert float(moments.mean) == pytest.approx(5000.5, rel=1e-12)
        assert float(moments.variance) == pytest.approx((10_000**2 - 1) / 12, rel=1e-12)

    def test_a_huge_number_stays_finite(self) -> None:
        moments = RunningMoments(1)
        moments.update(torch.tensor([[1e38], [-1e38]]))
        assert torch.isfinite(moments.variance).all()


class TestNormaliser:
    @pytest.fixture
    def normaliser(self) -> Normaliser:
        normaliser = Normaliser(3)
        normaliser.update(samples(10_000))
        return normaliser

    def test_leaves_numbers_alone_before_it_has_seen_any(self) -> None:
        x = samples(10).clamp(-5, 5)
        torch.testing.assert_close(Normaliser(3)(x), x)

    def test_mean_0_and_deviation_1(self, normaliser: Normaliser) -> None:
        y = normaliser(samples(10_000, seed=1))
        torch.testing.assert_close(y.mean(0), torch.zeros(3), atol=0.05, rtol=0)
        torch.testing.assert_close(y.std(0), torch.ones(3), atol=0.05, rtol=0)

    def test_clips_at_5(self, normaliser: Normaliser) -> None:
        """Mean 5 and deviation 1 in the first feature."""
        y = normaliser(torch.tensor([[1000.0, -100.0, 0.0], [-1000.0, -100.0, 0.0]]))
        assert y[:, 0].tolist() == [5.0, -5.0]

    @pytest.mark.parametrize("training", [True, False])
    def test_forward_changes_nothing(self, normaliser: Normaliser, training: bool) -> None:
        normaliser.train(training)
        before = {name: value.clone() for name, value in normaliser.state_dict().items()}
        normaliser(samples(100, seed=2))
        assert all(torch.equal(before[name], value) for name, value in normaliser.state_dict().items())

    def test_a_feature_that_never_varies_stays_small(self) -> None:
        normaliser = Normaliser(1)
        normaliser.update(torch.full((100, 1), 0.1))
        assert normaliser(torch.full((1, 1), 0.1)).abs().item() < 1e-3
