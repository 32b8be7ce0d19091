"""The trust region holds, the step is the natural gradient's, and a step that is refused leaves no trace."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import amble.algorithms.trpo
from amble.algorithms.rollout import Rollout, Samples
from amble.algorithms.trpo import TRPO
from amble.maths.flat import assign, flatten
from factories import BOX2, DISCRETE, POLICIES, a_trpo, rng, rollout_of

NAN = float("nan")


def weights(trpo: TRPO) -> Tensor:
    return flatten(trpo.policy_parameters).detach().clone()


def moments(trpo: TRPO) -> list[Tensor]:
    return [p.detach().clone() for p in trpo.critic.parameters()]


def distribution(trpo: TRPO, rollout: Rollout) -> Tensor:
    """What the policy says now in every state of the rollout."""
    samples = rollout.as_samples(rollout.reward)
    with torch.no_grad():
        return trpo.policy.head.distribution(trpo.policy(samples.observation, samples.policy_memory))


@pytest.mark.parametrize("kind", POLICIES)
class TestEveryPolicy:
    def test_stays_within_the_trust_region(self, kind: str) -> None:
        """Mean KL(new‖old) of every accepted step, measured anew, is at most δ, and near it most of the time."""
        shares: list[float] = []
        for delta in (0.001, 0.05):
            trpo = a_trpo(delta=delta, critic_epochs=1, **POLICIES[kind])
            for seed in range(4):
                rollout = rollout_of(trpo, t=16, seed=seed)
                old = distribution(trpo, rollout)
                before = weights(trpo)
                figures = trpo.update(rollout, 0)
                assert figures["line_search"] == "accepted"
                kl = float(trpo.policy.head.kl(distribution(trpo, rollout), old).mean())
                assert 0 < kl <= delta * (1 + 1e-4)
                assert figures["kl"] == pytest.approx(kl, rel=1e-3)
                assert figures["improvement"] > 0  # type: ignore[operator]
                assert not torch.equal(weights(trpo), before)
                shares.append(kl / delta)
        assert sorted(shares)[len(shares) // 2] > 0.2

    def test_the_step_is_the_natural_gradient(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a policy with few parameters, in float64: F by differences of the KL's gradient, F x = g solved densely.

        The Fisher matrix is the Hessian of the mean KL; the step is √(2δ / xᵀFx) x.
        """
        more = {**POLICIES[kind], "memory_size": 2} if kind == "memory" else POLICIES[kind]
        trpo = a_trpo(delta=1e-4, damping=0.1, cg_iterations=300, hidden=(2,), seed=3, **more)
        rollout = rollout_of(trpo, t=8)
        samples = in_float64(trpo, rollout)
        steps: list[Tensor] = []
        found = amble.algorithms.trpo.backtrack

        def recorded(evaluate: Any, step: Tensor, **settings: Any) -> Any:
            steps.append(step.clone())
            return found(evaluate, step, **settings)

        monkeypatch.setattr(amble.algorithms.trpo, "backtrack", recorded)
        start = weights(trpo)
        figures = trpo._improve_policy(samples, 1e-4, 0.0)
        assert figures["conjugate_gradient"] == "converged"

        def gradients(at: Tensor) -> tuple[Tensor, Tensor]:
            assign(trpo.policy_parameters, at)
            gain, kl, _ = trpo._objective(samples, 0.0)
            return tuple(
                flatten(
                    torch.autograd.grad(x, trpo.policy_parameters, retain_graph=True, materialize_grads=True)
                ).detach()
                for x in (gain, kl)
            )  # type: ignore[return-value]

        h = 1e-5
        fisher = torch.stack(
            [
                (gradients(start + h * row)[1] - gradients(start - h * row)[1]) / (2 * h)
                for row in torch.eye(len(start), dtype=torch.float64)
            ]
        )
        torch.testing.assert_close(fisher, fisher.T, atol=1e-7, rtol=1e-5)
        assert fisher.norm() > 1e-3
        damped = fisher + 0.1 * torch.eye(len(start), dtype=torch.float64)
        x = torch.linalg.solve(damped, gradients(start)[0])
        expected = (2e-4 / (x @ damped @ x)).sqrt() * x
        torch.testing.assert_close(steps[0], expected, atol=1e-6, rtol=1e-3)
        # The quadratic model of the KL is that of the step itself.
        assert figures["kl"] <= 1e-4  # type: ignore[operator]


def in_float64(trpo: TRPO, rollout: Rollout) -> Samples:
    """The rollout with random advantages, and the policy, in twice the precision."""
    trpo.policy.double()
    advantage = torch.randn(rollout.reward.shape, generator=rng(5))
    samples = rollout.as_samples(advantage)
    for name, value in vars(samples).items():
        if isinstance(value, Tensor) and value.is_floating_point():
            setattr(samples, name, value.double())
    if samples.policy_memory is not None:
        object.__setattr__(samples.policy_memory, "state", samples.policy_memory.state.double())
    return samples


class TestShrinkingRegion:
    """`delta_schedule: linear`: δ falls with the square of what is left, so that steps shorten linearly."""

    def test_its_course(self) -> None:
        trpo = a_trpo(delta=0.04, delta_schedule="linear", max_steps=1000)
        for env_steps, delta in ((0, 0.04), (500, 0.04 * 0.505**2), (1000, 0.04 * 0.01**2)):
            rollout = rollout_of(trpo, t=16, seed=env_steps)
            old = distribution(trpo, rollout)
            figures = trpo.update(rollout, env_steps)
            assert figures["delta"] == pytest.approx(delta)
            assert figures["line_search"] == "accepted"
            kl = float(trpo.policy.head.kl(distribution(trpo, rollout), old).mean())
            assert 0.2 * delta < kl <= delta * 1.01

    def test_constant_unless_it_is_asked_for(self) -> None:
        trpo = a_trpo(delta=0.04, max_steps=1000)
        assert trpo.update(rollout_of(trpo, t=16), 1000)["delta"] == 0.04


class TestRefused:
    """Bit for bit the old policy, the outcome by name, and a critic that learned all the same."""

    def refused(self, trpo: TRPO, rollout: Rollout) -> dict[str, Any]:
        before, critic = weights(trpo), moments(trpo)
        figures = trpo.update(rollout, 0)
        assert torch.equal(weights(trpo), before)
        assert any(not torch.equal(a, b) for a, b in zip(critic, trpo.critic.parameters(), strict=True))
        assert all(torch.isfinite(p).all() for p in trpo.parameters)
        assert (figures["kl"], figures["improvement"]) == (0, 0)
        assert figures["importance_kl"] == pytest.approx(0, abs=1e-9)
        return figures

    def spoil(self, trpo: TRPO, monkeypatch: pytest.MonkeyPatch, worse: Any) -> None:
        """Change what the line search sees of every step but the first look at the old policy."""
        original, calls = trpo._objective, []

        def changed(samples: Samples, beta: float) -> Any:
            calls.append(0)
            gain, kl, entropy = original(samples, beta)
            return (*worse(gain, kl), entropy) if len(calls) > 2 else (gain, kl, entropy)

        monkeypatch.setattr(trpo, "_objective", changed)

    @pytest.mark.parametrize(
        ("worse", "outcome"),
        [
            (lambda gain, kl: (gain - 1.0, kl), "no_improvement"),
            (lambda gain, kl: (gain + 1.0, kl + 1.0), "kl_too_large"),
            (lambda gain, kl: (gain * NAN, kl), "not_finite"),
            (lambda gain, kl: (gain + 1.0, kl * NAN), "not_finite"),
            (lambda gain, kl: (gain + math.inf, kl), "not_finite"),
        ],
    )
    def test_steps_that_get_worse(self, worse: Any, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
        trpo = a_trpo(backtracks=4)
        self.spoil(trpo, monkeypatch, worse)
        figures = self.refused(trpo, rollout_of(trpo))
        assert (figures["line_search"], figures["backtracks"]) == (outcome, 4)
        assert figures["conjugate_gradient"] in ("converged", "iterations_used")

    def test_advantages_that_are_not_numbers(self) -> None:
        """The one at t = 0 makes the standardised advantages NaN, and one sample of the critic's."""
        trpo = a_trpo()
        rollout = rollout_of(trpo)
        rollout.reward[0, 0] = NAN
        figures = self.refused(trpo, rollout)
        assert (figures["line_search"], figures["conjugate_gradient"]) == ("not_finite", "not_finite")
        assert figures["skipped_value_steps"] == 2  # a minibatch in each of two epochs

    def test_no_gradient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trpo = a_trpo()
        monkeypatch.setattr(amble.algorithms.trpo, "standardise", torch.zeros_like)
        figures = self.refused(trpo, rollout_of(trpo))
        assert (figures["line_search"], figures["conjugate_gradient"]) == ("no_improvement", "zero_gradient")
        assert figures["grad_norm"] == 0

    def test_a_policy_that_is_refused_goes_on_the_next_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trpo = a_trpo()
        with monkeypatch.context() as patch:
            self.spoil(trpo, patch, lambda gain, kl: (gain - 1.0, kl))
            self.refused(trpo, rollout_of(trpo))
        assert trpo.update(rollout_of(trpo, seed=1), 0)["line_search"] == "accepted"

    @pytest.mark.parametrize("field", ["reward", "log_prob", "observation", "action"])
    @pytest.mark.parametrize("bad", [NAN, math.inf])
    def test_one_bad_number_spoils_nothing(self, field: str, bad: float) -> None:
        trpo = a_trpo()
        rollout = rollout_of(trpo)
        getattr(rollout, field).view(-1)[17] = bad
        trpo.update(rollout, 0)
        for net in trpo.networks.values():
            assert all(torch.isfinite(x).all() for x in net.state_dict().values())
        sound = trpo.update(rollout_of(trpo, seed=1), 0)
        assert sound["line_search"] == "accepted"
        assert all(math.isfinite(x) for x in sound.values() if not isinstance(x, str))


class TestLearning:
    @pytest.mark.parametrize("space", [BOX2, DISCRETE], ids=["continuous", "discrete"])
    def test_improves_on_a_toy(self, space: Any) -> None:
        trpo = a_trpo(space, gamma=0.0, delta=0.05)
        first = float(rollout_of(trpo, seed=99).reward.mean())
        for k in range(8):
            trpo.update(rollout_of(trpo, seed=k), 0)
        assert float(rollout_of(trpo, seed=99).reward.mean()) > first + 0.5

    def test_entropy_is_paid_for(self) -> None:
        trpo = a_trpo(beta=1.0, delta=0.05)
        for k in range(3):
            rollout = rollout_of(trpo, seed=k)
            rollout.reward[:] = 0.0
            trpo.update(rollout, 0)
        assert (trpo.policy.head.log_std > 0.1).all()  # type: ignore[operator]

    def test_restored_it_goes_on_bit_for_bit(self) -> None:
        trpo, other, without = a_trpo(), a_trpo(), a_trpo()
        trpo.update(rollout_of(trpo), 0)
        for twin in (other, without):
            for name, net in twin.networks.items():
                net.load_state_dict(trpo.networks[name].state_dict())
            twin.rng.set_state(trpo.rng.get_state())
        saved = copy.deepcopy(trpo.optimiser_tensors())
        assert {name.split(".")[0] for name in saved} == {"critic"}
        other.restore_optimiser(saved)
        rollout = rollout_of(trpo, seed=1)
        expected = trpo.update(rollout, 0)
        assert other.update(rollout, 0) == expected
        assert without.update(rollout, 0) != expected
        assert all(torch.equal(a, b) for a, b in zip(trpo.parameters, other.parameters, strict=True))
