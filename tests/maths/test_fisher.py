"""The product without the matrix against the matrix, which torch can form for a net this small."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from amble.maths import categorical, gaussian
from amble.maths.fisher import fisher_product, fisher_vector_product
from amble.maths.flat import flatten, unflatten_like


def a_policy(kind: str) -> tuple[list[Tensor], Callable[[list[Tensor]], Tensor], Tensor]:
    """Parameters, their KL to a fixed copy of themselves as a function, and observations (N O), in float64."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2)).double()
    names = [name for name, _ in net.named_parameters()]
    observation = torch.randn(16, 2, dtype=torch.float64)
    parameters = [parameter.detach().clone().requires_grad_() for parameter in net.parameters()]
    if kind == "gaussian":
        parameters.append(torch.tensor([-0.5, 0.3], dtype=torch.float64, requires_grad=True))

    def output(values: list[Tensor]) -> Tensor:
        return functional_call(net, dict(zip(names, values, strict=False)), (observation,))

    old = [parameter.detach() for parameter in parameters]

    def kl(values: list[Tensor]) -> Tensor:
        if kind == "gaussian":
            return gaussian.kl_divergence(output(old), old[-1], output(values), values[-1]).mean()
        log_p, log_q = categorical.log_probs(output(old)), categorical.log_probs(output(values))
        return categorical.kl_divergence(log_p, log_q).mean()

    return parameters, kl, observation


def hessian(parameters: list[Tensor], kl: Callable[[list[Tensor]], Tensor]) -> Tensor:
    point = flatten(parameters).detach()
    found = torch.autograd.functional.hessian(lambda x: kl(unflatten_like(x, parameters)), point)
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
class TestProduct:
    def test_is_the_hessian_of_the_kl_times_v(self, kind: str) -> None:
        parameters, kl, _ = a_policy(kind)
        matrix = hessian(parameters, kl)
        product = fisher_product(kl(parameters), parameters, damping=0.0)
        rng = torch.Generator().manual_seed(1)
        for _ in range(3):
            v = torch.randn(len(matrix), generator=rng, dtype=torch.float64)
            torch.testing.assert_close(product(v), matrix @ v)

    def test_damping_adds_to_the_diagonal(self, kind: str) -> None:
        parameters, kl, _ = a_policy(kind)
        matrix = hessian(parameters, kl)
        v = torch.ones(len(matrix), dtype=torch.float64)
        found = fisher_vector_product(kl(parameters), parameters, v, damping=0.1)
        torch.testing.assert_close(found, matrix @ v + 0.1 * v)

    def test_is_symmetric_and_never_negative(self, kind: str) -> None:
        parameters, kl, _ = a_policy(kind)
        product = fisher_product(kl(parameters), parameters, damping=0.0)
        size = len(flatten(parameters))
        matrix = torch.stack([product(row) for row in torch.eye(size, dtype=torch.float64)])
        torch.testing.assert_close(matrix, matrix.T)
        assert torch.linalg.eigvalsh(matrix).min() > -1e-12

    def test_works_with_gradients_switched_off(self, kind: str) -> None:
        parameters, kl, _ = a_policy(kind)
        product = fisher_product(kl(parameters), parameters, damping=0.0)
        v = torch.ones(len(flatten(parameters)), dtype=torch.float64)
        with torch.no_grad():
            assert torch.equal(product(v), product(v))


def test_a_gaussian_by_hand() -> None:
    """Of μ and log σ themselves: F = diag(1/σ², 2), here with σ = 2 and v = (4, 1): 4/4 = 1 and 2."""
    mean = torch.tensor([0.7], requires_grad=True)
    log_std = torch.tensor([2.0]).log().requires_grad_()
    kl = gaussian.kl_divergence(mean.detach(), log_std.detach(), mean, log_std)
    found = fisher_vector_product(kl, [mean, log_std], torch.tensor([4.0, 1.0]), damping=0.0)
    torch.testing.assert_close(found, torch.tensor([1.0, 2.0]))


def test_is_the_mean_square_of_the_score() -> None:
    """F = E[∇log π ∇log πᵀ], for a softmax over three logits: diag(p) - p pᵀ."""
    logits = torch.tensor([0.2, -1.0, 0.5], requires_grad=True)
    log_p = categorical.log_probs(logits)
    kl = categorical.kl_divergence(log_p.detach(), log_p)
    p = log_p.exp().detach()
    score = torch.eye(3) - p  # of each outcome
    fisher = (p[:, None, None] * score[:, :, None] * score[:, None, :]).sum(0)
    for v in torch.eye(3):
        torch.testing.assert_close(fisher_vector_product(kl, [logits], v, 0.0), fisher @ v)


def test_an_unused_parameter_counts_as_0() -> None:
    mean, other = torch.tensor([0.7], requires_grad=True), torch.tensor([1.0, 2.0], requires_grad=True)
    kl = gaussian.kl_divergence(mean.detach(), torch.zeros(1), mean, torch.zeros(1))
    found = fisher_vector_product(kl, [mean, other], torch.tensor([1.0, 1.0, 1.0]), damping=0.5)
    assert found.tolist() == [1.5, 0.5, 0.5]
