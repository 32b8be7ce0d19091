"""The fused learner's layer norm by itself: numbers worked by hand, and what torch differentiates."""

import numba
import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm as torchs

from amble.learner.fused import layer_norm as ours
from factories import rng

_forward, _backward = ours.layer_norm, ours.layer_norm_backward


@numba.njit
def _forwards(y, gain, shift, normal, inverse_std):
    _forward(y, gain, shift, normal, inverse_std)


@numba.njit
def _backwards(delta, gain, normal, inverse_std, d_gain, d_shift):
    _backward(delta, gain, normal, inverse_std, d_gain, d_shift)


def normalised(
    y: np.ndarray, gain: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output, x̂ and 1/σ."""
    output, normal, inverse_std = y.copy(), np.empty_like(y), np.empty(len(y), np.float32)
    _forwards(output, gain, shift, normal, inverse_std)
    return output, normal, inverse_std


def test_a_row_by_hand() -> None:
    """Of 1, 2, 3, 6 the mean is 3, the variance (4 + 1 + 0 + 9)/4 = 3.5, so x̂ = (-2, -1, 0, 3)/√3.50001."""
    y = np.array([[1, 2, 3, 6]], np.float32)
    gain, shift = np.array([1, 2, 3, -1], np.float32), np.array([0, 1, 5, 0], np.float32)
    output, normal, inverse_std = normalised(y, gain, shift)
    root = 3.50001**0.5
    assert inverse_std == pytest.approx([1 / root])
    assert normal[0] == pytest.approx([-2 / root, -1 / root, 0, 3 / root])
    assert output[0] == pytest.approx([-2 / root, 1 - 2 / root, 5, -3 / root])


def test_equal_units_become_the_shift() -> None:
    """Nothing is divided by 0."""
    shift = np.array([3, -2, 1], np.float32)
    output, _, inverse_std = normalised(np.full((2, 3), 7, np.float32), np.ones(3, np.float32), shift)
    assert (output == shift).all()
    assert inverse_std == pytest.approx([1e5**0.5] * 2)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3], ids=["within the 1e-5", "usual", "large"])
@pytest.mark.parametrize(("n", "units"), [(1, 3), (7, 16), (64, 64), (5, 257)])
def test_backward_is_torchs_derivative(n: int, units: int, scale: float) -> None:
    """Torch's autograd in double precision of a loss Σ c ⊙ (what layer norm gives)."""
    g = rng(units)
    y = (scale * torch.randn(n, units, generator=g) + scale).double().requires_grad_()
    gain = (torch.rand(units, generator=g) + 0.5).double().requires_grad_()
    shift = torch.randn(units, generator=g).double().requires_grad_()
    c = torch.randn(n, units, generator=g)
    expected = torchs(y, (units,), gain, shift, eps=1e-5)
    (c * expected).sum().backward()
    single = [x.detach().float().numpy() for x in (y, gain, shift)]
    output, normal, inverse_std = normalised(*single)
    assert output == pytest.approx(expected.detach().numpy(), rel=1e-5, abs=1e-5)
    delta, d_gain, d_shift = c.numpy().copy(), *np.full((2, units), np.nan, np.float32)
    _backwards(delta, single[1], normal, inverse_std, d_gain, d_shift)
    for found, wanted in ((delta, y.grad), (d_gain, gain.grad), (d_shift, shift.grad)):
        assert wanted is not None
        assert np.linalg.norm(found - wanted.numpy()) < 1e-5 * np.linalg.norm(wanted.numpy())


def test_what_changes_nothing_has_no_derivative() -> None:
    """To add a number to all units, or to scale them about their mean, leaves x̂ as it is."""
    g = rng(3)
    y, c = (torch.randn(8, 32, generator=g).numpy() for _ in range(2))
    gain = (torch.rand(32, generator=g) + 0.5).numpy()
    _, normal, inverse_std = normalised(y, gain, np.zeros(32, np.float32))
    delta, d_gain, d_shift = c.copy(), np.empty(32, np.float32), np.empty(32, np.float32)
    _backwards(delta, gain, normal, inverse_std, d_gain, d_shift)
    assert np.abs(delta).mean() > 0.1
    assert delta.sum(-1) == pytest.approx(np.zeros(8), abs=1e-4)
    assert (delta * normal).sum(-1) == pytest.approx(np.zeros(8), abs=5e-4)
