"""A worker alone is A2C; with others, what it pushes is counted stale and moves what all share."""

import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.a3c import A3C, everything, learned, live_in
from amble.algorithms.algorithm import Problem
from amble.algorithms.rollout import Rollout
from amble.config import A3CHyperparameters
from factories import BOX2, a_critic, a_policy, a_rollout, rng

SEEN = torch.full((32, 4, 3), 2.0)


def an_a2c(**hyperparameters: Any) -> A2C:
    given = {"buffer_size": 128, "learning_rate": 1e-2, "learning_rate_schedule": "linear", **hyperparameters}
    settings = A3CHyperparameters.model_validate(given)
    critic = a_critic(standardise=settings.normalize_returns)
    return A2C(a_policy(BOX2), critic, settings, Problem(0.9, 1000), rng())


class Sharing:
    """`count` workers over one set of tensors, all in this process."""

    def __init__(self, count: int, **hyperparameters: Any):
        like = an_a2c(**hyperparameters)
        self.memory = {name: tensor.detach().clone() for name, tensor in everything(like).items()}
        self.updates = torch.zeros((), dtype=torch.int64)
        self.workers = [self.worker(**hyperparameters) for _ in range(count)]

    def worker(self, **hyperparameters: Any) -> A3C:
        everybodys = an_a2c(**hyperparameters)
        live_in(everybodys, self.memory)
        return A3C(an_a2c(**hyperparameters), everybodys, self.updates, contextlib.nullcontext())


def lived(worker: A3C, seed: int = 0) -> Rollout:
    return a_rollout(worker.own.policy, seed=seed)


def copied(memory: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in memory.items()}


@pytest.mark.parametrize("normalize_returns", [True, False], ids=["standardised", "plain"])
def test_one_worker_does_what_a2c_does(normalize_returns: bool) -> None:
    """Networks, critic's scale, normaliser and Adam's statistics, after five rollouts."""
    alone = an_a2c(normalize_returns=normalize_returns)
    sharing = Sharing(1, normalize_returns=normalize_returns)
    (worker,) = sharing.workers
    for k in range(5):
        rollout = a_rollout(alone.policy, seed=k)
        worker.pull()
        figures = worker.push(rollout, SEEN + k, 100 * k)
        expected = alone.update(rollout, 100 * k)
        assert alone.policy.normaliser is not None
        alone.policy.normaliser.update(SEEN + k)
        assert figures.pop("staleness") == 0
        for name, figure in figures.items():
            assert figure == pytest.approx(expected[name], rel=1e-5), name
    for name, tensor in everything(alone).items():
        torch.testing.assert_close(
            sharing.memory[name],
            tensor.detach(),
            atol=1e-6,
            rtol=1e-5,
            msg=lambda text, name=name: f"{name}: {text}",
        )
    assert int(sharing.updates) == 5
    assert float(sharing.memory["optimiser.0.step"]) == 5


def test_staleness_is_how_often_others_pushed_meanwhile() -> None:
    slow, quick = (sharing := Sharing(2)).workers
    slow.pull()
    rollout = lived(slow)
    for k in range(3):
        quick.pull()
        assert quick.push(lived(quick, k), SEEN, 0)["staleness"] == 0
    assert slow.push(rollout, SEEN, 0)["staleness"] == 3
    slow.pull()
    assert slow.push(lived(slow), SEEN, 0)["staleness"] == 0
    assert int(sharing.updates) == 5


def test_a_push_moves_what_is_shared_and_a_pull_brings_it() -> None:
    one, other = (sharing := Sharing(2)).workers
    one.pull()
    other.pull()
    before = copied(sharing.memory)
    one.push(lived(one), SEEN, 0)
    moved = [name for name, tensor in sharing.memory.items() if not torch.equal(tensor, before[name])]
    parameters = {
        f"{part}.{name}"
        for part in ("policy", "critic")
        for name, _ in one.own.networks[part].named_parameters()
    }
    assert parameters <= set(moved)
    assert all(torch.equal(tensor, before[name]) for name, tensor in learned(other.own).items())
    other.pull()
    for name, tensor in learned(other.own).items():
        assert torch.equal(tensor, sharing.memory[name]), name


def test_a_stale_gradient_is_the_one_of_the_parameters_pulled() -> None:
    """Two workers pull at once; the second's push is Adam's second step by the gradient at the first parameters."""
    first, second = (sharing := Sharing(2, normalize_returns=False)).workers
    first.pull()
    second.pull()
    a, b = lived(first, 1), lived(second, 2)
    reference = an_a2c(normalize_returns=False)
    gradients = []
    for rollout in (a, b):
        loss, _ = reference.loss(reference.samples(rollout)[0], 0.0)
        reference.optimiser.gradient(loss)
        gradients.append(
            [parameter.grad.clone() for parameter in reference.parameters if parameter.grad is not None]
        )
    for gradient in gradients:
        for parameter, value in zip(reference.parameters, gradient, strict=True):
            parameter.grad = value
        reference.optimiser.adam.step()
    first.push(a, SEEN, 0)
    second.push(b, SEEN, 0)
    for mine, theirs in zip(reference.parameters, first.shared.parameters, strict=True):
        torch.testing.assert_close(theirs, mine, atol=1e-7, rtol=1e-6)
    assert torch.equal(sharing.memory["optimiser.0.step"], torch.tensor(2.0))


def test_every_workers_observations_are_in_the_moments_and_no_policy_acts_by_them_before_its_pull() -> None:
    one, other = (sharing := Sharing(2)).workers
    one.pull()
    other.pull()
    one.push(lived(one), torch.zeros(32, 4, 3), 0)
    assert other.own.policy.normaliser is not None
    assert float(other.own.policy.normaliser.count) == 0
    other.push(lived(other), torch.full((32, 4, 3), 2.0), 0)
    # As many zeros as twos: mean 1, variance 1.
    assert float(sharing.memory["policy.normaliser.count"]) == 256
    assert sharing.memory["policy.normaliser.mean"].tolist() == [1, 1, 1]
    assert sharing.memory["policy.normaliser.variance"].tolist() == [1, 1, 1]


def test_a_gradient_that_is_not_finite_moves_nothing() -> None:
    """Nor do targets move the critic, or observations the normaliser, where none of them is finite."""
    (worker,) = (sharing := Sharing(1)).workers
    worker.pull()
    worker.push(lived(worker), SEEN, 0)
    worker.pull()
    before = copied(sharing.memory)
    rollout = lived(worker, 1)
    rollout.reward.fill_(float("nan"))
    figures = worker.push(rollout, torch.full_like(SEEN, float("nan")), 0)
    assert figures["skipped_steps"] == 1
    assert int(sharing.updates) == 1
    for name, tensor in sharing.memory.items():
        assert torch.equal(tensor, before[name]), name


def test_after_a_rollout_that_is_not_finite_in_part_one_worker_still_does_what_a2c_does() -> None:
    """The targets that are finite move the scale of both, and Adam goes on from where it was."""
    alone, (worker,) = an_a2c(), (sharing := Sharing(1)).workers
    for k, bad in enumerate([False, True, False]):
        rollout, seen = a_rollout(alone.policy, seed=k), SEEN + k
        if bad:
            rollout.reward[20, 1] = float("nan")
            seen[5, 2, 0] = float("inf")
        worker.pull()
        assert worker.push(rollout, seen, 0)["skipped_steps"] == bad
        alone.update(rollout, 0)
        assert alone.policy.normaliser is not None
        alone.policy.normaliser.update(seen)
    for name, tensor in everything(alone).items():
        assert torch.isfinite(tensor).all(), name
        torch.testing.assert_close(sharing.memory[name], tensor.detach(), atol=1e-6, rtol=1e-5)
    assert float(sharing.memory["critic.returns.count"]) < 3 * 128
    assert float(sharing.memory["policy.normaliser.count"]) == 3 * 128 - 1


def test_the_lock_is_held_once_to_pull_and_once_to_push() -> None:
    held = []

    @contextlib.contextmanager
    def lock():
        held.append("in")
        yield
        held.append("out")

    class Again:
        def __enter__(self) -> None:
            self.inner = lock()
            self.inner.__enter__()

        def __exit__(self, *error: object) -> None:
            self.inner.__exit__(None, None, None)

    (worker,) = Sharing(1).workers
    worker.lock = Again()
    worker.pull()
    worker.push(lived(worker), SEEN, 0)
    assert held == ["in", "out"] * 2
