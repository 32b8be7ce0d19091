"""The fused learner takes torch's steps: losses, gradients, parameters, whole updates, for whatever it serves."""

import math
from collections.abc import Iterator
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amble.algorithms.ppo import PPO
from factories import a_rollout
from learner_helpers import (
    ACTIVATIONS,
    FORMS,
    HEADS,
    a_learner,
    far_apart,
    fused,
    order_of,
    pair,
    some_samples,
    widths,
)


@pytest.fixture
def _unchecked() -> Iterator[None]:
    """Without the checks of shapes, which take more time than torch's hundred steps; other tests have them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def agree_on_a_gradient(n: int, head: str, **more: Any) -> None:
    """One minibatch: its figures to 1e-5 and each parameter's gradient to 1e-4."""
    theirs, ours = a_learner(head, **more), a_learner(head, **more)
    learner = fused(ours)
    samples, order = some_samples(theirs, n), [torch.randperm(n)]
    expected = theirs.epoch(samples, order, 0.2, 0.01).means()
    found = ours.epoch(samples, order, 0.2, 0.01).means()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    limit = ours.optimiser.limit
    scale = min(1.0, limit / (expected["grad_norm"] + 1e-6))
    total = expected["grad_norm"]
    for parameter in theirs.parameters:
        place = next(k for k, p in enumerate(theirs.parameters) if p is parameter)
        start = learner.flat.start(ours.parameters[place])
        gradient = torch.from_numpy(learner.flat.gradient[start : start + parameter.numel()])
        assert parameter.grad is not None
        wanted = parameter.grad.flatten() / scale
        assert float((gradient - wanted).norm()) <= 1e-4 * float(wanted.norm()) + 1e-6 * total


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("head", HEADS)
def test_a_hundred_updates_end_in_the_same_parameters(
    head: str, form: str, activation: str, layer_norm: bool
) -> None:
    more = {"activation": activation, "hidden": [12], "learning_rate": 1e-3, **FORMS[form]}
    more["layer_norm"] = layer_norm
    theirs, ours = pair(head, **more)
    samples = some_samples(theirs, 80)
    for k in range(10):
        for ppo in (theirs, ours):
            assert ppo.epoch(samples, order_of(80, 8, seed=k), 0.2, 0.01).count == 10
    start = a_learner(head, **more).parameters
    for p, q, before in zip(ours.parameters, theirs.parameters, start, strict=True):
        assert far_apart(p, q) < 1e-3
        assert far_apart(q, before) > 1e-3  # they have moved by more than they may differ


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    head=st.sampled_from(HEADS),
    form=st.sampled_from(list(FORMS)),
    activation=st.sampled_from(ACTIVATIONS),
    layer_norm=st.booleans(),
    hidden=st.lists(st.integers(1, 40), max_size=3),
    observations=st.integers(1, 20),
    dimensions=st.integers(1, 6),
    n=st.integers(2, 70),
    value_clip=st.sampled_from([None, 0.1, 0.5]),
    normalization=st.sampled_from(["minibatch", "none"]),
    max_grad_norm=st.sampled_from([None, 0.5]),
    value_coefficient=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_a_gradient_of_any_shape(
    head: str, form: str, n: int, normalization: str, hidden: list[int], layer_norm: bool, **more: Any
) -> None:
    more |= {"hidden": widths(hidden, layer_norm), "layer_norm": layer_norm, **FORMS[form]}
    agree_on_a_gradient(n, head, advantage_normalization=normalization, **more)


@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
@pytest.mark.parametrize("head", HEADS)
def test_a_gradient_at_the_sizes_of_a_run(head: str, layer_norm: bool) -> None:
    agree_on_a_gradient(1024, head, hidden=[256, 256], observations=243, dimensions=39, layer_norm=layer_norm)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"target_kl": 1e-3, "learning_rate": 3e-3, "num_epoch": 6},
        {"learning_rate_schedule": "adaptive", "learning_rate": 1e-3, "desired_kl": 1e-3},
        {"objective": "kl_penalty", "learning_rate": 1e-3, "desired_kl": 1e-3},
        {"dialect": "ml-agents"},
        {"advantage_normalization": "rollout", "value_clip": 0.2, "normalize_returns": False},
        {"layer_norm": True},
    ],
    ids=["default", "target_kl", "adaptive", "penalty", "ml-agents", "rollout", "layer norm"],
)
@pytest.mark.parametrize("head", ["gaussian", "multi-discrete"])
def test_whole_updates_tell_the_same(head: str, more: dict[str, Any]) -> None:
    theirs, ours = pair(head, **{"num_epoch": 3, **more})
    for k in range(3):
        rollout = a_rollout(theirs.policy, seed=k)
        expected, found = theirs.update(rollout, 0), ours.update(rollout, 0)
        assert found == pytest.approx(expected, rel=2e-3, abs=2e-5, nan_ok=True)
        assert found["epochs"] == expected["epochs"]
    for p, q in zip(ours.parameters, theirs.parameters, strict=True):
        assert far_apart(p, q) < 1e-3


def test_the_ratio_of_the_first_minibatch_is_one() -> None:
    for head in HEADS:
        _, ours = pair(head, num_epoch=1, batch_size=10_000)
        figures = ours.update(a_rollout(ours.policy), 0)
        assert figures["ratio"] == pytest.approx(1, abs=1e-6)
        assert figures["kl"] < 1e-10


class TestState:
    """Adam's moments are the same tensors by the same names, whoever moved them."""

    def continued(self, first: PPO, second: PPO) -> list[torch.Tensor]:
        """The second goes on for an update from where one update has brought the first."""
        first.update(a_rollout(a_learner().policy), 0)
        for name, net in second.networks.items():
            net.load_state_dict(first.networks[name].state_dict())
        second.restore_optimiser({k: v.clone() for k, v in first.optimiser_tensors().items()})
        second.rng.set_state(first.rng.get_state())
        second.update(a_rollout(a_learner().policy, seed=1), 0)
        return [p.detach().clone() for p in second.parameters]

    def straight(self, ppo: PPO) -> list[torch.Tensor]:
        for k in range(2):
            ppo.update(a_rollout(a_learner().policy, seed=k), 0)
        return [p.detach().clone() for p in ppo.parameters]

    @pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
    def test_resumed_it_goes_on_bit_for_bit(self, layer_norm: bool) -> None:
        (_, first), (_, second), (_, straight) = (pair(layer_norm=layer_norm) for _ in range(3))
        resumed = self.continued(first, second)
        assert all(torch.equal(p, q) for p, q in zip(resumed, self.straight(straight), strict=True))

    def test_so_it_does_where_it_had_learned_something_else(self) -> None:
        (_, first), (_, second), (_, straight) = pair(), pair(), pair()
        second.update(a_rollout(a_learner().policy, seed=9), 0)
        resumed = self.continued(first, second)
        assert all(torch.equal(p, q) for p, q in zip(resumed, self.straight(straight), strict=True))

    @pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
    @pytest.mark.parametrize("first_is_fused", [True, False])
    def test_the_other_learner_goes_on_from_it(self, first_is_fused: bool, layer_norm: bool) -> None:
        theirs, ours = pair(layer_norm=layer_norm)
        first, second = (ours, theirs) if first_is_fused else (theirs, ours)
        resumed = self.continued(first, second)
        for p, q in zip(resumed, self.straight(a_learner(layer_norm=layer_norm)), strict=True):
            assert far_apart(p, q) < 1e-4
        moments = second.optimiser_tensors()
        assert {float(value) for name, value in moments.items() if name.endswith("step")} == {24.0}

    def test_torch_and_kernels_see_one_memory(self) -> None:
        ours = a_learner()
        learner = fused(ours)
        learner.flat.adopt()
        with torch.no_grad():
            ours.parameters[0].fill_(3.0)
        start = learner.flat.start(ours.parameters[0])
        assert (learner.flat.theta[start : start + ours.parameters[0].numel()] == 3.0).all()
        addresses = [p.data_ptr() for p in ours.parameters]
        learner.flat.adopt()
        assert [p.data_ptr() for p in ours.parameters] == addresses
        assert all(address % 64 == 0 for address in addresses)


class TestNothingSpoilsTheParameters:
    @pytest.mark.parametrize(
        "field", ["observation", "action", "log_prob", "advantage", "value_target", "value_old"]
    )
    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("more", [{}, {"value_clip": 0.2}, {"layer_norm": True}])
    def test_a_bad_minibatch_is_left_out(self, field: str, bad: float, more: dict[str, Any]) -> None:
        theirs, ours = pair(**more)
        samples, order = some_samples(theirs, 64), order_of(64, 16)
        getattr(samples, field).view(-1)[0] = bad
        expected, found = (ppo.epoch(samples, order, 0.2, 0.01) for ppo in (theirs, ours))
        assert found.sums["skipped_steps"] == expected.sums["skipped_steps"]
        for p, q in zip(ours.parameters, theirs.parameters, strict=True):
            assert torch.isfinite(p).all()
            assert far_apart(p, q) < 1e-4
        steps = {float(v) for k, v in ours.optimiser_tensors().items() if k.endswith("step")}
        assert steps == {4.0 - found.sums["skipped_steps"]}
        assert all(torch.isfinite(moment).all() for moment in ours.optimiser_tensors().values())

    def test_a_gradient_whose_square_is_not_finite(self) -> None:
        """Adam's second moment would never come back from it."""
        theirs, ours = pair(advantage_normalization="none", max_grad_norm=None)
        samples, order = some_samples(theirs, 32), order_of(32, 32)
        samples.advantage.mul_(1e30)
        for ppo in (theirs, ours):
            before = [p.detach().clone() for p in ppo.parameters]
            assert ppo.epoch(samples, order, 0.2, 0.0).sums["skipped_steps"] == 1
            assert all(torch.equal(p, q) for p, q in zip(ppo.parameters, before, strict=True))

    def test_parameters_that_are_not_finite_are_rolled_back(self) -> None:
        """The moments are of before the update again, and the next update is sound."""
        _, ours = pair()
        ours.update(a_rollout(ours.policy), 0)
        epoch = ours.epoch
        before = [p.detach().clone() for p in ours.parameters]
        moments = {k: v.clone() for k, v in ours.optimiser_tensors().items()}

        def spoilt(*arguments: Any) -> Any:
            tally = epoch(*arguments)
            with torch.no_grad():
                ours.parameters[1].view(-1)[0] = math.nan
            return tally

        ours.epoch = spoilt
        rollout = a_rollout(a_learner().policy, seed=1)
        assert ours.update(rollout, 0)["rolled_back"] == 1
        assert all(torch.equal(p, q) for p, q in zip(ours.parameters[:-2], before[:-2], strict=True))
        assert all(torch.equal(moments[k], v) for k, v in ours.optimiser_tensors().items())
        ours.epoch = epoch
        sound = ours.update(rollout, 0)
        assert (sound["rolled_back"], sound["skipped_steps"]) == (0, 0)
        assert all(torch.isfinite(p).all() for p in ours.parameters)
