"""PPO's update: identities between its settings, samples used once, guards that a NaN does not pass."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples
from amble.maths.advantages import gae
from factories import BOX1, BOX2, DISCRETE, POLICIES, a_ppo, a_rollout, rollout_of

NAN, INF = float("nan"), float("inf")


def parameters(ppo: PPO) -> list[Tensor]:
    return [p.detach().clone() for p in ppo.parameters]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def learned(space: Any = BOX2, updates: int = 2, **settings: Any) -> list[Tensor]:
    """The parameters after a few updates by rollouts that are the same for all settings."""
    ppo = a_ppo(space, **settings)
    for k in range(updates):
        rollout = a_rollout(a_ppo(space).policy, seed=k)
        ppo.update(rollout, 0)
    return parameters(ppo)


def batches_of(ppo: PPO, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record the minibatch of every gradient step, with the figures that came of it."""
    seen: list[Any] = []
    original = ppo._loss

    def recorded(batch: Any, epsilon: float, beta: float) -> tuple[Tensor, dict[str, float]]:
        loss, figures = original(batch, epsilon, beta)
        seen.append((batch, dict(figures)))
        return loss, figures

    monkeypatch.setattr(ppo, "_loss", recorded)
    return seen


class TestIdentities:
    """Settings that must not make a difference, bit for bit or to rounding."""

    def test_the_same_update_twice_is_the_same(self) -> None:
        assert same(learned(), learned())
        assert not same(learned(), learned(learning_rate=1e-4))

    @pytest.mark.parametrize("space", [BOX1, DISCRETE], ids=["one dimension", "discrete"])
    def test_the_joint_ratio_of_one_dimension_is_its_own(self, space: Any) -> None:
        torch.testing.assert_close(learned(space, ratio="per_dimension"), learned(space, ratio="joint"))

    def test_the_joint_ratio_of_two_is_not(self) -> None:
        assert not same(learned(ratio="per_dimension"), learned(ratio="joint"))

    def test_one_minibatch_is_the_rollout(self) -> None:
        one = {"batch_size": 128, "num_epoch": 3}
        whole = learned(advantage_normalization="rollout", **one)
        torch.testing.assert_close(whole, learned(advantage_normalization="minibatch", **one))
        assert not same(whole, learned(advantage_normalization="none", **one))

    def test_standardised_advantages_and_returns_have_no_units(self) -> None:
        """From V = 0, rewards a hundred times as large teach the same."""
        found = []
        for strength in (1.0, 100.0):
            ppo = a_ppo(reward_strength=strength)
            with torch.no_grad():
                ppo.critic.net[-1].weight.zero_()
            for k in range(2):
                ppo.update(a_rollout(a_ppo().policy, seed=k), 0)
            found.append(parameters(ppo))
        torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)

    def test_a_clip_too_wide_to_bite_is_none(self) -> None:
        torch.testing.assert_close(learned(value_clip=1e6), learned(value_clip=None))
        torch.testing.assert_close(learned(max_grad_norm=1e6), learned(max_grad_norm=None))
        assert not same(learned(value_clip=0.01), learned(value_clip=None))
        assert not same(learned(max_grad_norm=0.01, adam_epsilon=0.1), learned(adam_epsilon=0.1))

    def test_a_horizon_of_one_decision_is_lambda_0(self) -> None:
        torch.testing.assert_close(learned(time_horizon=1, lambd=0.95), learned(lambd=0.0))
        assert not same(learned(time_horizon=4), learned())
        assert same(learned(time_horizon=32), learned())  # as long as the rollout

    def test_reward_strength_is_a_factor_on_the_reward(self) -> None:
        ppo = a_ppo(reward_strength=3.0)
        rollout = a_rollout(ppo.policy)
        ppo.update(rollout, 0)
        other = a_ppo()
        rollout.reward *= 3.0
        other.update(rollout, 0)
        assert same(parameters(ppo), parameters(other))


class TestSamples:
    @pytest.mark.parametrize("minibatches", [1, 2, 3, 4, 5])
    def test_every_sample_once_an_epoch_and_never_one_alone(
        self, minibatches: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for size in range(1, 18):
            batch_size = max(1, size // minibatches)
            ppo = a_ppo(batch_size=batch_size, num_epoch=1)
            seen = batches_of(ppo, monkeypatch)
            rollout = a_rollout(ppo.policy, t=size, b=1)
            rollout.observation[:, 0, 0] = torch.arange(size)
            figures = ppo.update(rollout, 0)
            ids = [batch.observation[:, 0].long() for batch, _ in seen]
            assert torch.cat(ids).bincount().tolist() == [1] * size
            assert min(map(len, ids)) >= min(2, size)
            assert max(map(len, ids)) < 2 * max(2, batch_size)
            assert all(
                math.isfinite(figures[name]) for name in ("policy_loss", "value_loss", "kl", "grad_norm")
            )

    def test_shuffled_anew_each_epoch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ppo = a_ppo(num_epoch=2, batch_size=128)
        seen = batches_of(ppo, monkeypatch)
        ppo.update(a_rollout(ppo.policy), 0)
        (first, _), (second, _) = seen
        assert not torch.equal(first.observation, second.observation)
        assert torch.equal(first.observation.sort(0)[0], second.observation.sort(0)[0])

    @pytest.mark.parametrize("ratio", ["joint", "per_dimension"])
    def test_rows_belong_together(self, ratio: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The ratio is 1 before the first step only if observation, action and log-probability match."""
        ppo = a_ppo(ratio=ratio)
        seen = batches_of(ppo, monkeypatch)
        for _ in range(2):
            seen.clear()
            ppo.update(a_rollout(ppo.policy), 0)
            assert seen[0][1]["ratio"] == pytest.approx(1, abs=1e-6)
            assert seen[0][1]["kl"] < 1e-10
            assert seen[-1][1]["kl"] > 1e-6

    def test_advantages_and_targets_are_e16(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the critic's units the target is (advantage + V), and V_old what the critic still says."""
        ppo = a_ppo(batch_size=128, num_epoch=1, advantage_normalization="none", lambd=0.8)
        rollout = a_rollout(ppo.policy)
        value, next_value = rollout.values(ppo.critic)
        expected = gae(
            rollout.reward, value, next_value, rollout.terminated, rollout.truncated, gamma=0.9, lam=0.8
        )
        seen = batches_of(ppo, monkeypatch)
        ppo.update(rollout, 0)
        batch = seen[0][0]
        order = [
            int((rollout.observation.flatten(0, 1) == row).all(1).nonzero()) for row in batch.observation
        ]
        advantage, target = expected.flatten()[order], (expected + value).flatten()
        torch.testing.assert_close(batch.advantage, advantage)
        standard = (target - target.mean()) / target.std(correction=0)
        torch.testing.assert_close(batch.value_target, standard[order], atol=1e-5, rtol=1e-5)
        mean, std = target.mean(), target.std(correction=0)
        torch.testing.assert_close(batch.value_old * std + mean, value.flatten()[order], atol=1e-4, rtol=1e-4)


class TestSchedules:
    settings = {
        "learning_rate": 3e-4,
        "learning_rate_schedule": "linear",
        "epsilon": 0.2,
        "beta": 5e-3,
        "max_steps": 1000,
    }

    @pytest.mark.parametrize(
        ("env_steps", "learning_rate", "epsilon", "beta"),
        [
            (0, 3e-4, 0.2, 5e-3),
            (500, 1.5e-4, 0.15, 2.505e-3),
            (1000, 1e-10, 0.1, 1e-5),
            (1500, 1e-10, 0.1, 1e-5),
        ],
    )
    def test_linear_in_environment_steps(
        self, env_steps: int, learning_rate: float, epsilon: float, beta: float
    ) -> None:
        ppo = a_ppo(**self.settings)
        figures = ppo.update(a_rollout(ppo.policy), env_steps)
        assert figures["learning_rate"] == pytest.approx(learning_rate, rel=1e-6)
        assert figures["epsilon"] == pytest.approx(epsilon)
        assert figures["beta"] == pytest.approx(beta)

    def test_at_the_end_nothing_moves_any_more(self) -> None:
        ppo = a_ppo(**self.settings, normalize_returns=False)
        before = parameters(ppo)
        ppo.update(a_rollout(ppo.policy), 1000)
        torch.testing.assert_close(parameters(ppo), before, atol=1e-8, rtol=0)

    def test_none_rises(self) -> None:
        """An ε of 0.05 and a β of 0 do not climb to ML-Agents' 0.1 and 1e-5."""
        ppo = a_ppo(**{**self.settings, "epsilon": 0.05, "beta": 0.0})
        for env_steps in (0, 500, 1000):
            figures = ppo.update(a_rollout(ppo.policy), env_steps)
            assert (figures["epsilon"], figures["beta"]) == (0.05, 0.0)

    def test_each_follows_its_own(self) -> None:
        ppo = a_ppo(**{**self.settings, "epsilon_schedule": "constant", "beta_schedule": "constant"})
        figures = ppo.update(a_rollout(ppo.policy), 1000)
        assert (figures["epsilon"], figures["beta"]) == (0.2, 5e-3)
        assert figures["learning_rate"] == 1e-10


class TestKlGuard:
    def test_stops_the_epochs(self) -> None:
        far, near = a_ppo(target_kl=1e-9, num_epoch=5), a_ppo(target_kl=1e9, num_epoch=5)
        assert far.update(a_rollout(far.policy), 0)["epochs"] == 1
        assert near.update(a_rollout(near.policy), 0)["epochs"] == 5

    def test_a_nan_does_not_pass(self) -> None:
        ppo = a_ppo(target_kl=1e9, num_epoch=5)
        rollout = a_rollout(ppo.policy)
        rollout.log_prob[3, 1] = NAN
        before = parameters(ppo)
        figures = ppo.update(rollout, 0)
        assert figures["epochs"] == 1
        assert math.isnan(figures["kl"])
        assert figures["skipped_steps"] == 1
        assert all(torch.isfinite(p).all() for p in ppo.parameters)
        assert not same(parameters(ppo), before)  # the other minibatches were sound


class TestNothingSpoilsTheParameters:
    @pytest.mark.parametrize("target_kl", [None, 0.05])
    @pytest.mark.parametrize("field", ["reward", "log_prob", "observation", "action"])
    @pytest.mark.parametrize("bad", [NAN, INF, -INF])
    def test_one_bad_number_in_the_rollout(self, field: str, bad: float, target_kl: float | None) -> None:
        ppo = a_ppo(target_kl=target_kl)
        rollout = a_rollout(ppo.policy)
        getattr(rollout, field).view(-1)[17] = bad
        ppo.update(rollout, 0)
        assert all(torch.isfinite(p).all() for p in ppo.parameters)
        assert all(torch.isfinite(m).all() for m in ppo.optimiser_tensors().values())
        sound = ppo.update(a_rollout(ppo.policy, seed=1), 0)
        assert all(math.isfinite(figure) for figure in sound.values())

    @pytest.mark.parametrize("shift", [100.0, -100.0])
    def test_log_ratios_of_a_hundred(self, shift: float) -> None:
        ppo = a_ppo(beta=0.0)
        rollout = a_rollout(ppo.policy)
        rollout.log_prob += shift
        figures = ppo.update(rollout, 0)
        assert all(math.isfinite(figure) for figure in figures.values())
        assert figures["skipped_steps"] == 0

    @pytest.mark.parametrize("bad", [NAN, INF, 1e30])
    def test_a_bad_gradient_skips_its_step_and_leaves_the_moments(self, bad: float) -> None:
        """1e30 is finite and its square is not: Adam's second moment would never come back."""
        ppo = a_ppo(batch_size=128, num_epoch=1)
        ppo.update(a_rollout(ppo.policy), 0)
        before, moments = parameters(ppo), copy.deepcopy(ppo.optimiser_tensors())
        weight = ppo.policy.actor[0].weight
        handle = weight.register_hook(lambda gradient: torch.full_like(gradient, bad))
        figures = ppo.update(a_rollout(ppo.policy, seed=1), 0)
        handle.remove()
        assert figures["skipped_steps"] == 1
        assert same(
            parameters(ppo)[: len(before) - 2], before[:-2]
        )  # the last layer moved with the returns' scale
        after = ppo.optimiser_tensors()
        assert moments.keys() == after.keys()
        assert all(torch.equal(moments[name], after[name]) for name in moments)
        assert ppo.update(a_rollout(ppo.policy, seed=2), 0)["skipped_steps"] == 0

    def test_parameters_that_are_not_finite_are_rolled_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ppo = a_ppo()
        ppo.update(a_rollout(ppo.policy), 0)
        before, moments = parameters(ppo), copy.deepcopy(ppo.optimiser_tensors())
        step = ppo.optimiser.adam.step

        def spoilt() -> None:
            step()
            with torch.no_grad():
                ppo.policy.actor[0].weight[0, 0] = NAN

        with monkeypatch.context() as patch:
            patch.setattr(ppo.optimiser.adam, "step", spoilt)
            figures = ppo.update(a_rollout(ppo.policy, seed=1), 0)
        assert figures["rolled_back"] == 1
        assert same(parameters(ppo)[:-2], before[:-2])
        after = ppo.optimiser_tensors()
        assert all(torch.equal(moments[name], after[name]) for name in moments)
        sound = ppo.update(a_rollout(ppo.policy, seed=2), 0)
        assert (sound["rolled_back"], sound["skipped_steps"]) == (0, 0)


class TestLearning:
    @pytest.mark.parametrize("space", [BOX2, DISCRETE], ids=["continuous", "discrete"])
    @pytest.mark.parametrize("dialect", ["amble", "ml-agents"])
    def test_both_dialects_improve_on_a_toy(self, space: Any, dialect: str) -> None:
        """The reward is 5 + the action + a number observed; γ = 0. Choosing more is learned, and so is V."""
        ppo = a_ppo(space, gamma=0.0, dialect=dialect, learning_rate=1e-2, num_epoch=4, beta=1e-3)
        first = float(a_rollout(ppo.policy, seed=99).reward.mean())
        figures: dict[str, float] = {}
        for k in range(12):
            figures = ppo.update(a_rollout(ppo.policy, seed=k), 0)
        last = float(a_rollout(ppo.policy, seed=99).reward.mean())
        assert last > first + 1
        assert figures["value_mean"] > first + 1
        assert figures["explained_variance"] > 0.15  # the action's half of the variance no critic can know
        assert figures["skipped_steps"] == figures["rolled_back"] == 0

    def test_entropy_is_paid_for(self) -> None:
        """A large β widens the policy where the reward does not care."""
        ppo = a_ppo(beta=1.0, learning_rate=1e-2)
        for k in range(5):
            rollout = a_rollout(ppo.policy, seed=k)
            rollout.reward[:] = 0.0
            ppo.update(rollout, 0)
        head = ppo.policy.head
        assert isinstance(head.log_std, Tensor)
        assert (head.log_std > 0.1).all()


class TestOptimiserState:
    @pytest.fixture
    def pair(self) -> tuple[PPO, Callable[[PPO], PPO]]:
        ppo = a_ppo()
        ppo.update(a_rollout(ppo.policy), 0)

        def twin(source: PPO) -> PPO:
            other = a_ppo()
            other.policy.load_state_dict(source.policy.state_dict())
            other.critic.load_state_dict(source.critic.state_dict())
            other.rng.set_state(source.rng.get_state())
            return other

        return ppo, twin

    def test_restored_it_goes_on_bit_for_bit(self, pair: tuple[PPO, Callable[[PPO], PPO]]) -> None:
        ppo, twin = pair
        other, without = twin(ppo), twin(ppo)
        other.restore_optimiser({name: value.clone() for name, value in ppo.optimiser_tensors().items()})
        rollout = a_rollout(ppo.policy, seed=1)
        for one in (ppo, other, without):
            one.update(rollout, 0)
        assert same(parameters(other), parameters(ppo))
        assert not same(parameters(without), parameters(ppo))

    def test_moments_have_the_names_of_their_parameters_places(self) -> None:
        ppo = a_ppo()
        assert ppo.optimiser_tensors() == {}
        ppo.update(a_rollout(ppo.policy), 0)
        names = {name.split(".", 1)[1] for name in ppo.optimiser_tensors()}
        assert names == {"step", "exp_avg", "exp_avg_sq"}
        assert len(ppo.optimiser_tensors()) == 3 * len(ppo.parameters)

    @pytest.mark.parametrize(
        "settings",
        [{"learning_rate_schedule": "adaptive", "desired_kl": 1e-9}, {"objective": "kl_penalty"}],
        ids=lambda settings: next(iter(settings.values())),
    )
    def test_what_adapts_to_the_kl_goes_on_bit_for_bit(self, settings: dict[str, Any]) -> None:
        ppo, other, without = (a_ppo(**settings, learning_rate=1e-2) for _ in range(3))
        for k in range(2):
            ppo.update(a_rollout(ppo.policy, seed=k), 0)
        assert (ppo.optimiser.learning_rate, ppo.kl_coefficient) != (1e-2, 1.0)
        saved = {name: value.clone() for name, value in ppo.optimiser_tensors().items()}
        for twin in (other, without):
            for name, net in twin.networks.items():
                net.load_state_dict(ppo.networks[name].state_dict())
            twin.rng.set_state(ppo.rng.get_state())
        other.restore_optimiser(saved)
        without.restore_optimiser({name: value for name, value in saved.items() if name != "adapted"})
        rollout = a_rollout(ppo.policy, seed=5)
        expected = ppo.update(rollout, 0)
        assert other.update(rollout, 0) == expected
        assert same(parameters(other), parameters(ppo))
        without.update(rollout, 0)
        assert not same(parameters(without), parameters(ppo))


class TestKlPenalty:
    """The penalty's coefficient moves by the KL of the last epoch; α does in the schedule `adaptive`."""

    penalty = {"objective": "kl_penalty", "num_epoch": 3, "learning_rate": 1e-3}

    def test_the_coefficient_halves_and_doubles(self) -> None:
        for desired, factor in ((1e9, 0.5), (1e-9, 2.0)):
            ppo = a_ppo(**self.penalty, desired_kl=desired)
            for k in range(3):
                figures = ppo.update(a_rollout(ppo.policy, seed=k), 0)
                assert figures["kl_coefficient"] == factor**k  # the one that was used
                assert ppo.kl_coefficient == factor ** (k + 1)

    def test_near_the_target_it_stays(self) -> None:
        probe = a_ppo(**self.penalty)
        kl = probe.update(a_rollout(probe.policy), 0)["kl"]
        ppo = a_ppo(**self.penalty, desired_kl=kl)
        assert ppo.update(a_rollout(ppo.policy), 0)["kl"] == kl
        assert ppo.kl_coefficient == 1.0

    def test_a_nan_doubles_it(self) -> None:
        ppo = a_ppo(**self.penalty)
        rollout = a_rollout(ppo.policy)
        rollout.log_prob[3, 1] = NAN
        ppo.update(rollout, 0)
        assert ppo.kl_coefficient == 2.0

    def test_a_coefficient_of_0_is_the_surrogate_without_a_clip(self) -> None:
        """Which a clip that cannot bite is, too."""
        free = learned(objective="kl_penalty", kl_coefficient=0.0)
        torch.testing.assert_close(free, learned(epsilon=0.999))
        assert not same(free, learned(objective="kl_penalty", kl_coefficient=1.0))

    def test_a_large_coefficient_holds_the_policy(self) -> None:
        moved = []
        for coefficient in (0.0, 1.0, 1000.0):
            ppo = a_ppo(**{**self.penalty, "learning_rate": 1e-2, "num_epoch": 5}, kl_coefficient=coefficient)
            moved.append(ppo.update(a_rollout(ppo.policy), 0)["importance_kl"])
        assert moved == sorted(moved, reverse=True)
        assert moved[-1] < moved[0] / 10

    @pytest.mark.parametrize("kind", POLICIES)
    def test_for_every_policy(self, kind: str) -> None:
        ppo = a_ppo(**self.penalty, **POLICIES[kind])
        figures = ppo.update(rollout_of(ppo), 0)
        assert all(math.isfinite(figure) for figure in figures.values())
        assert (figures["skipped_steps"], figures["kl"] > 0) == (0, True)

    def test_the_clip_has_no_coefficient(self) -> None:
        ppo = a_ppo()
        assert "kl_coefficient" not in ppo.update(a_rollout(ppo.policy), 0)
        assert ppo.kl_coefficient == 1.0


class TestAdaptiveLearningRate:
    adaptive = {"learning_rate_schedule": "adaptive", "learning_rate": 1e-3}

    def test_by_half_after_every_epoch(self) -> None:
        for desired, expected in ((1e-9, 1e-3 / 1.5**3), (1e9, 1e-3 * 1.5**3)):
            ppo = a_ppo(**self.adaptive, desired_kl=desired, num_epoch=3)
            figures = ppo.update(a_rollout(ppo.policy), 500)
            assert figures["learning_rate"] == pytest.approx(expected)
            assert ppo.optimiser.learning_rate == figures["learning_rate"]

    def test_the_kl_aimed_at_falls_with_the_square_of_what_is_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        aims: list[float] = []
        monkeypatch.setattr(
            "amble.algorithms.ppo.adapted_learning_rate",
            lambda rate, kl, target: aims.append(target) or rate,
        )
        for schedule in ("constant", "linear"):
            ppo = a_ppo(**self.adaptive, desired_kl=0.1, desired_kl_schedule=schedule, num_epoch=1)
            for env_steps in (0, 500, 900):
                ppo.update(a_rollout(ppo.policy), env_steps)
        assert aims == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.025, 0.001])

    def test_the_first_minibatch_tells_nothing(self) -> None:
        """Its policy is still the old one: its KL is 0 but for rounding, which is no reason for larger steps."""
        ppo = a_ppo(**self.adaptive, desired_kl=0.01, num_epoch=1, batch_size=128)
        for k in range(3):
            ppo.update(a_rollout(ppo.policy, seed=k), 0)
        assert ppo.optimiser.learning_rate == 1e-3

    def test_a_nan_makes_it_smaller_and_going_back_does_not_undo_that(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ppo = a_ppo(**self.adaptive, num_epoch=2)
        ppo.update(a_rollout(ppo.policy), 0)
        before = ppo.optimiser.learning_rate
        step = ppo.optimiser.adam.step

        def spoilt() -> None:
            step()
            with torch.no_grad():
                ppo.policy.actor[0].weight[0, 0] = NAN

        monkeypatch.setattr(ppo.optimiser.adam, "step", spoilt)
        assert ppo.update(a_rollout(ppo.policy, seed=1), 0)["rolled_back"] == 1
        assert ppo.optimiser.learning_rate < before

    def test_the_other_schedules_keep_theirs(self) -> None:
        ppo = a_ppo(learning_rate=1e-3, desired_kl=1e9)
        assert ppo.update(a_rollout(ppo.policy), 500)["learning_rate"] == 1e-3


class TestMemory:
    def test_the_first_minibatch_retraces_the_rollout(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sequences with their stored states, and episodes that begin within them, give every ratio as 1."""
        ppo = a_ppo(memory_size=8, batch_size=32, num_epoch=2)
        seen = batches_of(ppo, monkeypatch)
        rollout = rollout_of(ppo, ends=0.1)
        inside = rollout.samples(rollout.begins)[:, 1:]
        assert inside.any()
        assert rollout.policy_state is not None
        assert (rollout.policy_state[rollout.begins] == 0).all()
        ppo.update(rollout, 0)
        first, figures = seen[0]
        assert first.observation.shape == (4, 8, 3)
        assert figures["ratio"] == pytest.approx(1, abs=1e-6)
        assert figures["kl"] < 1e-10

        ppo = a_ppo(memory_size=8, batch_size=32, num_epoch=2)
        seen = batches_of(ppo, monkeypatch)
        rollout.begins = torch.zeros_like(rollout.begins)
        ppo.update(rollout, 0)
        assert seen[0][1]["kl"] > 1e-9  # without the beginnings it is another policy

    def test_values_along_sequences_are_those_of_its_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ppo = a_ppo(memory_size=8, batch_size=32)
        seen = batches_of(ppo, monkeypatch)
        found: list[Tensor] = []
        original = ppo._value_loss

        def recorded(value: Tensor, batch: Any) -> Tensor:
            found.append(value.detach())
            return original(value, batch)

        monkeypatch.setattr(ppo, "_value_loss", recorded)
        ppo.update(rollout_of(ppo, ends=0.1), 0)
        torch.testing.assert_close(found[0], seen[0][0].value_old)

    def test_every_sequence_once_an_epoch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ppo = a_ppo(memory_size=8, batch_size=24, num_epoch=1)  # 16 sequences of 8, 3 a minibatch
        seen = batches_of(ppo, monkeypatch)
        rollout = rollout_of(ppo)
        rollout.observation[..., 0] = torch.arange(128.0).reshape(32, 4)
        ppo.update(rollout, 0)
        ids = torch.cat([batch.observation[..., 0].flatten() for batch, _ in seen])
        assert ids.sort()[0].tolist() == list(range(128))
        assert [len(batch) for batch, _ in seen] == [4, 3, 3, 3, 3]


def test_kl_of_a_ratio_per_dimension_is_the_sum_over_dimensions() -> None:
    """Ratios of 2 and ½: (2 - 1 - log 2) + (½ - 1 + log 2) = ½, where the action's ratio is 1 and tells nothing."""
    ppo = a_ppo(ratio="per_dimension")
    observation, action = torch.zeros(4, 3), torch.zeros(4, 2)
    with torch.no_grad():
        log_prob = ppo.policy.head.log_probs(ppo.policy(observation), action)
    old, zeros = log_prob - torch.tensor([2.0, 0.5]).log(), torch.zeros(4)
    _, figures = ppo._loss(Samples(observation, action, old, zeros, zeros, zeros), 0.2, 0.0)
    assert figures["kl"] == pytest.approx(0.5)
