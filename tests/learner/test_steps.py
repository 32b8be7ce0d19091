"""A2C's and PG's steps and critic fits by the fused learner are torch's: losses, gradients, parameters, updates."""

import math
from collections.abc import Iterator
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Problem
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.pg import NEEDS_Q, NEEDS_VALUE, PG
from amble.config import A2CHyperparameters, PGHyperparameters
from amble.learner.choice import choose
from amble.nets.critics import QCritic
from amble.nets.network import NetShape
from factories import a_rollout, rng
from learner_helpers import ACTIVATIONS, HEADS, a_learner, far_apart, order_of, some_samples, widths

KINDS = ("a2c", "pg")
ESTIMATORS = ("reward_to_go", "gae", "td", "q", "advantage")
_OURS = ("hidden", "activation", "observations", "dimensions", "normalise", "layer_norm")


@pytest.fixture
def _unchecked() -> Iterator[None]:
    """Without the checks of shapes, which take more time than torch's hundred steps; other tests have them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def an_algorithm(kind: str, head: str, *, learner: Any, **more: Any) -> A2C | PG:
    """The networks of `a_learner`, learning by either."""
    nets = {key: more.pop(key) for key in _OURS if key in more}
    ppo = a_learner(head, **nets)
    policy, critic, problem = ppo.policy, ppo.critic, Problem(0.9, 1000)
    given = {
        "learning_rate_schedule": "constant",
        "distribution": "squashed" if head == "squashed" else "gaussian",
        **more,
    }
    if kind == "a2c":
        algorithm: A2C | PG = A2C(policy, critic, A2CHyperparameters.model_validate(given), problem, rng(7))
    else:
        hyper = PGHyperparameters.model_validate({"batch_size": 16, "critic_epochs": 2, **given})
        q_critic = None
        if hyper.estimator in NEEDS_Q:
            shape = NetShape(
                nets.get("hidden", [16, 16]),
                nets.get("activation", "tanh"),
                layer_norm=nets.get("layer_norm", False),
            )
            q_critic = QCritic(
                policy.layout,
                policy.actions,
                policy.head.dimensions,
                shape=shape,
                standardise=True,
                rng=rng(3),
            )
        algorithm = PG(
            policy,
            hyper,
            problem,
            rng(7),
            critic=critic if hyper.estimator in NEEDS_VALUE else None,
            q_critic=q_critic,
        )
    choose(algorithm, learner, torch.device("cpu"))
    return algorithm


def pair(kind: str, head: str, **more: Any) -> tuple[A2C | PG, A2C | PG]:
    """The same twice: by torch and fused."""
    theirs, ours = (an_algorithm(kind, head, learner=learner, **more) for learner in ("torch", "fused"))
    return theirs, ours


def stepped(algorithm: A2C | PG) -> Optimiser:
    """The optimiser of its step."""
    return algorithm.optimiser if isinstance(algorithm, A2C) else algorithm.optimisers["policy"]


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(KINDS),
    head=st.sampled_from(HEADS),
    activation=st.sampled_from(ACTIVATIONS),
    layer_norm=st.booleans(),
    hidden=st.lists(st.integers(1, 40), max_size=3),
    observations=st.integers(1, 20),
    dimensions=st.integers(1, 6),
    n=st.integers(1, 70),
    max_grad_norm=st.sampled_from([None, 0.5]),
    beta=st.sampled_from([0.0, 0.02]),
)
def test_a_step_of_any_shape(
    kind: str, head: str, n: int, beta: float, hidden: list[int], layer_norm: bool, **more: Any
) -> None:
    """Its figures to 1e-5 and each parameter's gradient to 1e-4."""
    more |= {"hidden": widths(hidden, layer_norm), "layer_norm": layer_norm}
    theirs, ours = pair(kind, head, **more)
    samples = some_samples(a_learner(head, **{k: v for k, v in more.items() if k in _OURS}), n)
    expected, found = theirs.step(samples, beta), ours.step(samples, beta)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    flat = ours.step.flat  # type: ignore[attr-defined]
    scale = min(1.0, stepped(ours).limit / (expected["grad_norm"] + 1e-6))
    for p, q in zip(stepped(theirs).parameters, stepped(ours).parameters, strict=True):
        start = flat.start(q)
        gradient = torch.from_numpy(flat.gradient[start : start + q.numel()])
        assert p.grad is not None
        wanted = p.grad.flatten() / scale
        away = float((gradient - wanted).norm())
        assert away <= 1e-4 * float(wanted.norm()) + 1e-6 * expected["grad_norm"]


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_updates_end_in_the_same_parameters(
    kind: str, head: str, activation: str, layer_norm: bool
) -> None:
    more: dict[str, Any] = {"activation": activation, "hidden": [12], "layer_norm": layer_norm}
    theirs, ours = pair(kind, head, learning_rate=1e-3, **more)
    samples = some_samples(a_learner(head, **more), 80)
    start = [p.detach().clone() for p in stepped(ours).parameters]
    for k in range(10):
        for index in order_of(80, 8, seed=k):
            for algorithm in (theirs, ours):
                assert algorithm.step(samples.take(index), 0.01)["skipped_steps"] == 0
    for p, q, before in zip(stepped(ours).parameters, stepped(theirs).parameters, start, strict=True):
        assert far_apart(p, q) < 1e-3
        assert far_apart(q, before) > 1e-3  # they have moved by more than they may differ


def agree_on_updates(kind: str, head: str, **more: Any) -> None:
    theirs, ours = pair(kind, head, learning_rate=1e-3, **more)
    for k in range(3):
        rollout = a_rollout(theirs.policy, seed=k)
        expected, found = theirs.update(rollout, 0), ours.update(rollout, 0)
        assert found == pytest.approx(expected, rel=2e-3, abs=2e-5, nan_ok=True)
    for p, q in zip(ours.parameters, theirs.parameters, strict=True):
        assert far_apart(p, q) < 1e-3


@pytest.mark.parametrize("head", HEADS)
def test_whole_updates_of_a2c(head: str) -> None:
    agree_on_updates("a2c", head, value_coefficient=0.7, beta=0.01)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("head", ["gaussian", "squashed", "categorical"])
def test_whole_updates_of_pg(head: str, estimator: str) -> None:
    """With the critics that the estimator has: V, Q of numbers, Q of choices, or none."""
    agree_on_updates("pg", head, estimator=estimator, beta=0.01)


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("estimator", "head"), [("gae", "gaussian"), ("q", "gaussian"), ("q", "categorical")]
)
def test_a_hundred_steps_of_a_fit(estimator: str, head: str, activation: str, layer_norm: bool) -> None:
    """The critic ends where torch brings it, by losses that are torch's, on minibatches of unequal size."""
    settings: dict[str, Any] = {"estimator": estimator, "critic_epochs": 25, "activation": activation}
    settings["layer_norm"] = layer_norm
    theirs, ours = pair("pg", head, critic_learning_rate=1e-3, **settings)
    before = [p.detach().clone() for p in ours.parameters]
    rollout = a_rollout(theirs.policy, t=22, b=3, seed=1)
    expected, found = theirs.update(rollout, 0), ours.update(rollout, 0)
    name = "value_loss" if estimator == "gae" else "q_loss"
    assert found[name] == pytest.approx(expected[name], rel=1e-4)
    moved = [far_apart(p, q) for p, q in zip(ours.parameters, before, strict=True)]
    assert max(moved) > 1e-2
    for p, q in zip(ours.parameters, theirs.parameters, strict=True):
        assert far_apart(p, q) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["observation", "action", "advantage"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_step_is_left_out(kind: str, field: str, bad: float) -> None:
    theirs, ours = pair(kind, "gaussian")
    samples = some_samples(a_learner("gaussian"), 32)
    getattr(samples, field).view(-1)[0] = bad
    before = [p.detach().clone() for p in ours.parameters]
    assert ours.step(samples, 0.01)["skipped_steps"] == theirs.step(samples, 0.01)["skipped_steps"] == 1
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters, before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_it_goes_on_bit_for_bit(kind: str) -> None:
    (_, first), (_, second), (_, straight) = (pair(kind, "gaussian") for _ in range(3))
    rollouts = [a_rollout(a_learner("gaussian").policy, seed=k) for k in range(2)]
    for rollout in rollouts:
        straight.update(rollout, 0)
    second.update(rollouts[1], 0)  # it has learned something else
    first.update(rollouts[0], 0)
    for name, net in second.networks.items():
        net.load_state_dict(first.networks[name].state_dict())
    second.restore_optimiser({k: v.clone() for k, v in first.optimiser_tensors().items()})
    second.rng.set_state(first.rng.get_state())
    second.update(rollouts[1], 0)
    assert all(torch.equal(p, q) for p, q in zip(second.parameters, straight.parameters, strict=True))
