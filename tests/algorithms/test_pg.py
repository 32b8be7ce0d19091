"""The ladder's rungs against each other, and the one gradient that PG, A2C, PPO and TRPO share."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import amble.algorithms.trpo
from amble.algorithms.algorithm import Algorithm
from amble.algorithms.pg import NEEDS_Q, NEEDS_VALUE, PG
from amble.maths.advantages import td_error
from amble.maths.returns import reward_to_go
from factories import BOX2, DISCRETE, POLICIES, a_a2c, a_pg, a_ppo, a_trpo, rollout_of

ESTIMATORS = ("total_return", "reward_to_go", "baseline", "q", "advantage", "td", "gae")
WHOLE = {"advantage_normalization": "none", "beta": 0.0}
"""Settings under which all algorithms take the plain gradient of the whole rollout."""
ONE_STEP = {"batch_size": 128, "num_epoch": 1, "max_grad_norm": None, **WHOLE}


def weights(pg: PG) -> Tensor:
    """The policy's parameters."""
    return torch.cat([p.detach().flatten() for p in pg.policy.parameters()])


def stepped(estimator: str, *, prepare: Callable[[PG], object] = lambda _: None, **settings: Any) -> Tensor:
    """The policy after one update."""
    pg = a_pg(estimator, **settings)
    prepare(pg)
    pg.update(rollout_of(pg), 0)
    return weights(pg)


def worth_nothing(pg: PG) -> None:
    """V ≡ 0."""
    if pg.critic is not None:
        with torch.no_grad():
            pg.critic.net[-1].weight.zero_()


def gradient(algorithm: Algorithm) -> Tensor:
    """What is left of the last step's gradient."""
    return torch.cat([p.grad.flatten() for p in algorithm.policy.parameters() if p.grad is not None])


class TestRungs:
    """Different names of one weight make the same step, bit for bit."""

    def test_gae_with_lambda_1_is_the_baseline(self) -> None:
        assert torch.equal(stepped("gae", lambd=1.0), stepped("baseline", lambd=1.0))
        assert torch.equal(stepped("baseline", lambd=0.5), stepped("baseline", lambd=1.0))
        assert not torch.equal(stepped("gae", lambd=0.5), stepped("gae", lambd=1.0))

    def test_gae_with_lambda_0_is_the_td_error(self) -> None:
        assert torch.equal(stepped("gae", lambd=0.0), stepped("td", lambd=0.9))
        assert not torch.equal(stepped("gae", lambd=0.9), stepped("td", lambd=0.9))

    def test_a_baseline_of_nothing_is_the_reward_to_go(self) -> None:
        plain = stepped("reward_to_go")
        assert torch.equal(stepped("baseline", prepare=worth_nothing), plain)
        assert not torch.equal(stepped("baseline"), plain)

    def test_q_that_is_the_return_is_the_reward_to_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pg = a_pg("q")
        rollout = rollout_of(pg)
        to_go = reward_to_go(rollout.reward, rollout.done, 0.9)
        monkeypatch.setattr(pg.q_critic, "value", lambda observation, action: to_go[: len(observation)])
        monkeypatch.setattr(rollout, "values", lambda critic: (to_go, to_go))
        pg.update(rollout, 0)
        assert torch.equal(weights(pg), stepped("reward_to_go"))

    def test_advantage_of_a_q_that_looks_one_decision_ahead_is_the_td_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pg = a_pg("advantage")
        assert pg.critic is not None
        rollout = rollout_of(pg)
        value, next_value = rollout.values(pg.critic)
        ahead = value + td_error(rollout.reward, value, next_value, rollout.terminated, 0.9)
        monkeypatch.setattr(pg.q_critic, "value", lambda observation, action: ahead)
        monkeypatch.setattr("amble.algorithms.pg.ExpectedQ", lambda *_: pg.critic)
        pg.update(rollout, 0)
        torch.testing.assert_close(weights(pg), stepped("td"), atol=1e-6, rtol=1e-5)
        assert not torch.equal(weights(pg), stepped("reward_to_go"))

    def test_episodes_of_one_decision_have_one_return(self) -> None:
        found = []
        for estimator in ("total_return", "reward_to_go"):
            pg = a_pg(estimator)
            rollout = rollout_of(pg)
            rollout.terminated[:], rollout.truncated[:], rollout.cut[:] = True, False, []
            pg.update(rollout, 0)
            found.append(weights(pg))
        assert torch.equal(*found)
        assert not torch.equal(stepped("total_return"), stepped("reward_to_go"))

    def test_weights_worked_by_hand(self) -> None:
        """Rewards 1, 3 | 2 with an end after the second, γ = ½: R = 1 + 3/2 | 2, G = 5/2, 3 | 2."""
        for estimator, expected in (("total_return", [2.5, 2.5, 2]), ("reward_to_go", [2.5, 3, 2])):
            pg = a_pg(estimator, gamma=0.5)
            rollout = rollout_of(pg, t=3, b=1)
            rollout.reward = torch.tensor([[1.0], [3.0], [2.0]])
            rollout.terminated = torch.tensor([[False], [True], [False]])
            rollout.truncated = torch.zeros(3, 1, dtype=torch.bool)
            assert pg._judge(rollout).weight.flatten().tolist() == expected

    @pytest.mark.parametrize("estimator", ESTIMATORS)
    def test_a_horizon_cuts_only_where_v_goes_on(self, estimator: str) -> None:
        cut, whole = (a_pg(estimator, time_horizon=horizon) for horizon in (1, 1000))
        rollout = rollout_of(cut)
        same = torch.equal(cut._judge(rollout).weight, whole._judge(rollout).weight)
        assert same == (estimator not in ("baseline", "gae"))
        if estimator == "baseline":
            td = a_pg("td")._judge(rollout).weight
            torch.testing.assert_close(cut._judge(rollout).weight, td)


class TestOneGradient:
    """At θ = θ_k, all are -mean(∇log π A)."""

    @pytest.mark.parametrize("kind", POLICIES)
    def test_of_pg_a2c_ppo_and_trpo(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        more = {**POLICIES[kind], "lambd": 0.8}
        pg = a_pg("gae", max_grad_norm=None, **WHOLE, **more)
        rollout = rollout_of(pg)
        pg.update(rollout, 0)
        expected = gradient(pg)
        assert expected.norm() > 1e-2
        a2c = a_a2c(max_grad_norm=None, **WHOLE, **more)
        ppo = a_ppo(**ONE_STEP, **more)
        unclipped = a_ppo(**ONE_STEP, **more, objective="kl_penalty", kl_coefficient=0.0)
        for algorithm in (a2c, ppo, unclipped):
            algorithm.update(rollout, 0)
            torch.testing.assert_close(gradient(algorithm), expected, atol=1e-5, rtol=1e-4)

        trpo = a_trpo(**WHOLE, **more)
        seen: list[Tensor] = []
        solve = amble.algorithms.trpo.conjugate_gradient

        def recorded(product: Any, b: Tensor, *settings: Any) -> Any:
            seen.append(b)
            return solve(product, b, *settings)

        monkeypatch.setattr(amble.algorithms.trpo, "conjugate_gradient", recorded)
        trpo.update(rollout, 0)
        torch.testing.assert_close(-seen[0], expected, atol=1e-5, rtol=1e-4)

    def test_the_entropy_bonus_is_the_same_too(self) -> None:
        with_beta = {**WHOLE, "beta": 0.3}
        pg = a_pg("gae", max_grad_norm=None, **with_beta)
        a2c, ppo = a_a2c(max_grad_norm=None, lambd=0.95, **with_beta), a_ppo(**{**ONE_STEP, **with_beta})
        rollout = rollout_of(pg)
        for algorithm in (pg, a2c, ppo):
            algorithm.update(rollout, 0)
        torch.testing.assert_close(gradient(a2c), gradient(pg), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(gradient(ppo), gradient(pg), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
class TestUpdate:
    def test_has_the_critics_that_it_needs_and_fits_them(self, estimator: str) -> None:
        pg = a_pg(estimator)
        assert ("critic" in pg.networks) == (estimator in NEEDS_VALUE)
        assert ("q_critic" in pg.networks) == (estimator in NEEDS_Q)
        assert set(pg.optimisers) == set(pg.networks)
        before = {name: copy.deepcopy(net.state_dict()) for name, net in pg.networks.items()}
        figures = pg.update(rollout_of(pg), 0)
        for name, net in pg.networks.items():
            moved = [not torch.equal(before[name][key], x) for key, x in net.state_dict().items()]
            assert sum(moved) >= len(list(net.parameters())), name
        assert all(math.isfinite(figure) for figure in figures.values())
        assert ("value_loss" in figures) == (estimator in NEEDS_VALUE)
        assert ("q_loss" in figures) == (estimator in NEEDS_Q)

    def test_the_policy_takes_one_step_a_rollout(self, estimator: str) -> None:
        pg = a_pg(estimator, critic_epochs=5)
        for _ in range(3):
            pg.update(rollout_of(pg), 0)
        steps = {name: float(o.tensors()["0.step"]) for name, o in pg.optimisers.items()}
        assert steps.pop("policy") == 3
        assert set(steps.values()) <= {3 * 5 * 4}  # 128 samples in minibatches of 32

    @pytest.mark.parametrize("field", ["reward", "log_prob", "observation", "action"])
    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_one_bad_number_spoils_nothing(self, estimator: str, field: str, bad: float) -> None:
        pg = a_pg(estimator)
        rollout = rollout_of(pg)
        getattr(rollout, field).view(-1)[17] = bad
        pg.update(rollout, 0)
        for net in pg.networks.values():
            assert all(torch.isfinite(x).all() for x in net.state_dict().values())
        assert all(torch.isfinite(x).all() for x in pg.optimiser_tensors().values())
        sound = pg.update(rollout_of(pg, seed=1), 0)
        assert all(math.isfinite(figure) for figure in sound.values())
        assert sound["skipped_steps"] == 0

    @pytest.mark.parametrize("space", [BOX2, DISCRETE], ids=["continuous", "discrete"])
    def test_improves_on_a_toy(self, estimator: str, space: Any) -> None:
        """The reward is 5 + the action + a number observed; γ = 0."""
        pg = a_pg(estimator, space, gamma=0.0, learning_rate=5e-2, critic_learning_rate=1e-2, critic_epochs=4)
        first = float(rollout_of(pg, seed=99).reward.mean())
        for k in range(10):
            pg.update(rollout_of(pg, seed=k), 0)
        assert float(rollout_of(pg, seed=99).reward.mean()) > first + 0.5

    def test_restored_it_goes_on_bit_for_bit(self, estimator: str) -> None:
        pg, other, without = (a_pg(estimator) for _ in range(3))
        pg.update(rollout_of(pg), 0)
        for twin in (other, without):
            for name, net in twin.networks.items():
                net.load_state_dict(pg.networks[name].state_dict())
            twin.rng.set_state(pg.rng.get_state())
        other.restore_optimiser({name: x.clone() for name, x in pg.optimiser_tensors().items()})
        rollout = rollout_of(pg, seed=1)
        for one in (pg, other, without):
            one.update(rollout, 0)
        for ours, theirs in zip(pg.parameters, other.parameters, strict=True):
            assert torch.equal(ours, theirs)
        assert not torch.equal(weights(without), weights(pg))


def test_standardised_weights_have_no_units() -> None:
    large = stepped("reward_to_go", reward_strength=100.0)
    torch.testing.assert_close(large, stepped("reward_to_go"), atol=1e-6, rtol=1e-5)
    plain = {"advantage_normalization": "none", "adam_epsilon": 1.0}
    assert not torch.allclose(
        stepped("reward_to_go", reward_strength=100.0, **plain), stepped("reward_to_go", **plain)
    )


def test_schedules_follow_the_environment_steps() -> None:
    pg = a_pg(learning_rate_schedule="linear", learning_rate=1e-3, beta=0.1, max_steps=1000)
    figures = pg.update(rollout_of(pg), 500)
    assert figures["learning_rate"] == pytest.approx(5e-4, rel=1e-6)
    assert figures["beta"] == pytest.approx(0.05, rel=1e-3)


def test_entropy_is_paid_for() -> None:
    pg = a_pg("reward_to_go", beta=1.0, learning_rate=1e-2)
    for k in range(5):
        rollout = rollout_of(pg, seed=k)
        rollout.reward[:] = 0.0
        pg.update(rollout, 0)
    assert (pg.policy.head.log_std > 0.04).all()  # type: ignore[operator]
