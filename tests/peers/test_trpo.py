"""Our TRPO takes sb3-contrib's step: from the same weights and rollout, its own `train` beside our `update`.

Axes: T decisions, B environments, N = T·B, A action dimensions, P parameters of the policy.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import amble.algorithms.trpo
from amble.algorithms.trpo import TRPO
from amble.maths.flat import flatten
from factories import BOX1, BOX2, DISCRETE, a_trpo, rollout_of
from sb3_peers import a_peer, contrib, fill, hand_over, pairs, relative, spread

T, B = 32, 4
N = T * B
TOLERANCE = 1e-4
"""‖ours - theirs‖ / ‖theirs‖."""
RESIDUAL = 1e-7
"""Where both solvers stop, as a share of the gradient. By itself theirs has an absolute limit, ours a wider one."""


@dataclass
class Seen:
    """What one of the two made of the rollout."""

    gradient: Tensor = field(default_factory=lambda: torch.empty(0))
    direction: Tensor = field(default_factory=lambda: torch.empty(0))
    full_step: Tensor = field(default_factory=lambda: torch.empty(0))
    step: Tensor = field(default_factory=lambda: torch.empty(0))
    tries: int = 0
    figures: dict[str, Any] = field(default_factory=dict)


def ours(trpo: TRPO, rollout: Any, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Our update, its solver and its line search watched."""
    seen, module = Seen(), amble.algorithms.trpo
    solve, search = module.conjugate_gradient, module.backtrack

    def solving(product: Any, b: Tensor, iterations: int, tolerance: float) -> Any:
        solved = solve(product, b, iterations, tolerance)
        seen.gradient, seen.direction = b, solved.solution
        return solved

    def searching(evaluate: Any, full_step: Tensor, **settings: Any) -> Any:
        seen.full_step = full_step
        return search(evaluate, full_step, **settings)

    start = flatten(trpo.policy_parameters).detach().clone()
    with monkeypatch.context() as patch:
        patch.setattr(module, "conjugate_gradient", solving)
        patch.setattr(module, "backtrack", searching)
        patch.setattr(module, "_CG_TOLERANCE", RESIDUAL)
        seen.figures = trpo.update(rollout, 0)
    seen.step = flatten(trpo.policy_parameters).detach() - start
    seen.tries = int(seen.figures["backtracks"]) + 1
    return seen


def theirs(peer: Any, parameters: list[Any], monkeypatch: pytest.MonkeyPatch) -> Seen:
    """sb3-contrib's update, its solver watched, and its policy each time that it is asked.

    `train` asks the policy twice before its line search and once for each step that it tries.
    """
    seen, module, places = Seen(), contrib.trpo.trpo, []
    solve, differentiate, look = (
        module.conjugate_gradient_solver,
        peer._compute_actor_grad,
        peer.policy.get_distribution,
    )

    def solving(product: Any, b: Tensor, max_iter: int) -> Tensor:
        square = float(b @ b)
        seen.gradient, seen.direction = b, solve(product, b, max_iter, residual_tol=RESIDUAL**2 * square)
        return seen.direction

    def differentiating(*of: Tensor) -> Any:
        found = differentiate(*of)
        assert [id(p) for p in found[0]] == [id(p) for p in parameters]  # vectors are laid out as ours are
        return found

    def looking(observation: Tensor) -> Any:
        places.append(flatten(parameters).detach().clone())
        return look(observation)

    with monkeypatch.context() as patch:
        patch.setattr(module, "conjugate_gradient_solver", solving)
        patch.setattr(peer, "_compute_actor_grad", differentiating)
        patch.setattr(peer.policy, "get_distribution", looking)
        peer.train()
    seen.full_step, seen.tries = places[2] - places[0], len(places) - 2
    seen.step = flatten(parameters).detach() - places[0]
    return seen


def both(
    space: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cg_iterations: int,
    damping: float,
    normalised: bool,
    delta: float,
) -> tuple[Seen, Seen]:
    trpo = a_trpo(
        space,
        cg_iterations=cg_iterations,
        damping=damping,
        delta=delta,
        normalise=False,
        normalize_returns=False,
        advantage_normalization="rollout" if normalised else "none",
    )
    spread(trpo.policy, trpo.critic)
    # The joint KL of a Gaussian is the sum over its dimensions; sb3-contrib takes their mean, so its KL and its Fisher
    # matrix are ours divided by A. F/A + (d/A) 1 solves for A x, and ½ xᵀFx/A ≤ δ/A is the same trust region.
    share = 1 / trpo.policy.head.dimensions
    peer = a_peer(
        contrib.TRPO,
        space,
        T,
        B,
        gamma=trpo.problem.gamma,
        gae_lambda=trpo.settings.lambd,
        cg_max_steps=cg_iterations,
        cg_damping=damping * share,
        target_kl=delta * share,
        line_search_shrinking_factor=trpo.settings.backtrack_coefficient,
        line_search_max_iter=trpo.settings.backtracks
        + 1,  # ours counts how often a step is shortened, theirs tries
        n_critic_updates=1,
        normalize_advantage=normalised,
    )
    found = pairs(trpo.policy, trpo.critic, peer)
    hand_over(found)
    rollout = rollout_of(trpo, t=T, b=B)
    fill(peer, rollout, trpo.critic)
    parameters = [peers for own, peers in found if any(own is p for p in trpo.policy_parameters)]
    a, b = ours(trpo, rollout, monkeypatch), theirs(peer, parameters, monkeypatch)
    # Our advantages are divided by their standard deviation over N, theirs by that over N - 1: g and x are longer.
    longer = (N / (N - 1)) ** 0.5 if normalised else 1.0
    b.gradient, b.direction = longer * b.gradient, longer * share * b.direction
    return a, b


def compare(a: Seen, b: Seen) -> None:
    found = {
        "gradient": relative(a.gradient, b.gradient),
        "direction": relative(a.direction, b.direction),
        "full step": relative(a.full_step, b.full_step),
        "step": relative(a.step, b.step),
    }
    assert max(found.values()) < TOLERANCE, found
    assert a.tries == b.tries


CASES = pytest.mark.parametrize(
    ("space", "normalised"),
    [(BOX1, True), (BOX2, True), (BOX2, False), (DISCRETE, True), (DISCRETE, False)],
    ids=["gaussian-1", "gaussian-2", "gaussian-2-raw", "categorical", "categorical-raw"],
)


@CASES
@pytest.mark.parametrize("damping", [0.1, 0.01])
def test_solved_to_the_end(
    space: Any, normalised: bool, damping: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs starts its solver from noise, ours from 0; it matters no more once they have converged."""
    a, b = both(space, monkeypatch, cg_iterations=400, damping=damping, normalised=normalised, delta=0.01)
    assert a.figures["conjugate_gradient"] == "converged"
    compare(a, b)


@CASES
def test_ten_iterations(space: Any, normalised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The direction is the solver's after as many iterations, once its start is 0 as well."""
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    a, b = both(space, monkeypatch, cg_iterations=10, damping=0.1, normalised=normalised, delta=0.01)
    assert a.figures["cg_iterations"] == 10
    assert a.figures["conjugate_gradient"] == "iterations_used"
    compare(a, b)


@pytest.mark.parametrize("space", [BOX2, DISCRETE], ids=["gaussian", "categorical"])
def test_steps_that_are_shortened(space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So far that the quadratic model of the KL fails: both go back as often and land in the same place."""
    a, b = both(space, monkeypatch, cg_iterations=400, damping=0.001, normalised=True, delta=0.1)
    assert a.tries > 2
    assert a.figures["line_search"] == "accepted"
    compare(a, b)
