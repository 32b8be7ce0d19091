"""Adam: torch's kernel without torch's class."""

import torch
from torch import nn

from amble.algorithms.adam import Adam


def two_parameters() -> list[nn.Parameter]:
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(3, 4, generator=rng)), nn.Parameter(torch.randn(5, generator=rng))]


def give_gradients(step: int, *sets: list[nn.Parameter]) -> None:
    rng = torch.Generator().manual_seed(step)
    for pair in zip(*sets, strict=True):
        gradient = torch.randn(pair[0].shape, generator=rng)
        for parameter in pair:
            parameter.grad = gradient.clone()


def test_two_steps_by_hand() -> None:
    """g = 2 twice, α = 0.1, ε = 0: m̂ / √v̂ is 2 / 2 both times, so θ falls by 0.1 each."""
    x = nn.Parameter(torch.tensor([1.0]))
    adam = Adam([x], 0.1, 0.0)
    for expected in (0.9, 0.8):
        x.grad = torch.tensor([2.0])
        adam.step()
        torch.testing.assert_close(x.detach(), torch.tensor([expected]))
    assert adam.state[x]["step"] == 2
    torch.testing.assert_close(adam.state[x]["exp_avg"], torch.tensor([2 * (1 - 0.9**2)]))
    torch.testing.assert_close(adam.state[x]["exp_avg_sq"], torch.tensor([4 * (1 - 0.999**2)]))


def test_it_is_torchs_bit_for_bit() -> None:
    ours, theirs = two_parameters(), two_parameters()
    adam = Adam(ours, 1e-2, 1e-5)
    reference = torch.optim.Adam(theirs, lr=1e-2, eps=1e-5, fused=True)
    for step in range(5):
        give_gradients(step, ours, theirs)
        adam.learning_rate = reference.param_groups[0]["lr"] = 1e-2 / (step + 1)
        adam.step()
        reference.step()
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
    for mine, other in zip(ours, theirs, strict=True):
        assert all(
            torch.equal(adam.state[mine][name], value) for name, value in reference.state[other].items()
        )


def test_a_parameter_without_a_gradient_stays() -> None:
    x, y = two_parameters()
    before = y.detach().clone()
    adam = Adam([x, y], 0.1, 1e-5)
    x.grad = torch.ones_like(x)
    adam.step()
    assert torch.equal(y, before)
    assert set(adam.state) == {x}
    adam.forget_gradient()
    after = x.detach().clone()
    adam.step()
    assert torch.equal(x, after)
    assert adam.state[x]["step"] == 1
