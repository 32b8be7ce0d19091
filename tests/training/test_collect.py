"""Rollouts of an environment whose every number is known. T = 4 decisions, B = 2, episodes of 3 decisions.

`Clock` observes 100·episode + t and pays t = 0, 1, 2; episodes 1, 3, … are cut off, episodes 2, 4, … end.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import amble.envs
from amble.errors import AmbleError
from amble.maths.returns import reward_to_go
from amble.training.collect import Collector
from factories import a_policy, rng


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    made = []

    def make(*, normalise: bool = False, decisions: int = 4, **settings: Any) -> Collector:
        env = amble.envs.make("probes:Clock-v0", 2, backend="inprocess", **settings)
        made.append(env)
        policy = a_policy(
            env.single_action_space, observation_space=env.single_observation_space, normalise=normalise
        )
        return Collector(env, policy, decisions, rng(), torch.device("cpu"))

    yield make
    for env in made:
        env.close()


def one_trouble(collector: Collector, index: int, trouble: str, bad: str = "nan") -> None:
    """Let environment `index` alone misbehave."""
    env = collector.env.envs[index].unwrapped  # type: ignore[attr-defined]
    env.trouble, env.bad = trouble, float(bad)


class TestRollout:
    def test_observations_rewards_and_ends(self, collector: Callable[..., Collector]) -> None:
        c = collector()
        c.begin(seed=0)
        data, _ = c.collect()
        for b in range(2):
            assert data.observation[:, b, 0].tolist() == [100, 101, 102, 200]
            assert data.reward[:, b].tolist() == [0, 1, 2, 0]
            assert data.truncated[:, b].tolist() == [False, False, True, False]
            assert data.terminated[:, b].tolist() == [False] * 4
        assert data.next_observation.flatten().tolist() == [201, 201]
        data, _ = c.collect()
        assert data.observation[:, 0, 0].tolist() == [201, 202, 300, 301]
        assert data.terminated[:, 0].tolist() == [False, True, False, False]
        assert not data.truncated.any()

    def test_the_final_observation_of_a_cut_is_kept_and_no_other(
        self, collector: Callable[..., Collector]
    ) -> None:
        c = collector(decisions=9)
        c.begin(seed=0)
        data, _ = c.collect()
        assert [(t, envs.tolist(), final.flatten().tolist()) for t, envs, final, _ in data.cut] == [
            (2, [0, 1], [103, 103]),
            (8, [0, 1], [303, 303]),
        ]
        assert data.next_observation.flatten().tolist() == [400, 400]

    def test_an_end_that_is_both_is_terminal(
        self, collector: Callable[..., Collector], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        c = collector()
        c.begin(seed=0)
        step = c.env.step

        def both(actions: np.ndarray) -> Any:
            observed, reward, terminated, truncated, info = step(actions)
            return observed, reward, terminated | truncated, terminated | truncated, info

        monkeypatch.setattr(c.env, "step", both)
        assert c.collect()[0].cut == []

    def test_what_terminal_states_showed_is_kept_for_those_who_ask(
        self, collector: Callable[..., Collector]
    ) -> None:
        """The first episode is cut behind 102 and shows 103 last, the second ends behind 202 and shows 203."""
        c = collector(decisions=7)
        c._ends = True
        c.begin(seed=0)
        data, _ = c.collect()
        assert [(cut.t, cut.observation.flatten().tolist()) for cut in data.cut] == [(2, [103, 103])]
        assert [(end.t, end.observation.flatten().tolist()) for end in data.ends] == [(5, [203, 203])]
        assert data.followed()[:, 0, 0].tolist() == [101, 102, 103, 201, 202, 203, 301]
        c._ends = False
        data, _ = c.collect()
        assert data.terminated.any()
        assert data.ends == []

    def test_only_one_environment_ends(self, collector: Callable[..., Collector]) -> None:
        c = collector()
        c.env.envs[1].unwrapped.length = 2  # type: ignore[attr-defined]
        c.begin(seed=0)
        data, episodes = c.collect()
        assert [(t, envs.tolist(), final.flatten().tolist()) for t, envs, final, _ in data.cut] == [
            (1, [1], [102]),
            (2, [0], [103]),
        ]
        assert data.terminated[3].tolist() == [False, True]
        assert episodes.returns.tolist() == [1, 3, 1]
        assert episodes.lengths.tolist() == [2, 3, 2]

    def test_log_probs_are_those_of_the_stored_actions(self, collector: Callable[..., Collector]) -> None:
        for continuous in (True, False):
            c = collector(normalise=True, continuous=continuous)
            c.begin(seed=0)
            c.warm_up(8)
            data, _ = c.collect()
            with torch.no_grad():
                expected = c.policy.head.log_probs(c.policy(data.observation), data.action)
            torch.testing.assert_close(data.log_prob, expected, atol=1e-6, rtol=0)

    def test_the_environment_gets_the_mapped_action_and_the_rollout_the_draw(
        self, collector: Callable[..., Collector], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        c = collector()
        c.begin(seed=0)
        sent, step = [], c.env.step
        monkeypatch.setattr(c.env, "step", lambda actions: sent.append(actions) or step(actions))
        data, _ = c.collect()
        np.testing.assert_allclose(np.array(sent), np.clip(data.action.numpy(), -3, 3) / 3, atol=1e-7)

    def test_buffers_are_allocated_once(self, collector: Callable[..., Collector]) -> None:
        c = collector()
        c.begin(seed=0)
        first, _ = c.collect()
        places = [x.data_ptr() for x in vars(first).values() if isinstance(x, torch.Tensor)]
        second, _ = c.collect()
        assert second is first
        assert [x.data_ptr() for x in vars(second).values() if isinstance(x, torch.Tensor)] == places

    def test_double_precision_environments(
        self, collector: Callable[..., Collector], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        c = collector(normalise=True)
        c.env.single_observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
        step, reset = c.env.step, c.env.reset

        def wide_step(actions: np.ndarray) -> Any:
            observed, *rest = step(actions)
            return observed.astype(np.float64), *rest

        def wide_reset(**kwargs: Any) -> Any:
            observed, info = reset(**kwargs)
            return observed.astype(np.float64), info

        monkeypatch.setattr(c.env, "step", wide_step)
        monkeypatch.setattr(c.env, "reset", wide_reset)
        c.begin(seed=0)
        c.warm_up(4)
        data, _ = c.collect()
        assert data.observation.dtype == data.reward.dtype == torch.float32

    def test_begin_comes_first(self, collector: Callable[..., Collector]) -> None:
        with pytest.raises(AmbleError, match="begin was not called before collect"):
            collector().collect()


class TestEpisodes:
    def test_returns_and_lengths_go_on_over_rollouts(self, collector: Callable[..., Collector]) -> None:
        """Every episode pays 0 + 1 + 2 in 3 decisions, wherever a rollout of 4 cuts it."""
        c = collector()
        c.begin(seed=0)
        counts = []
        for _ in range(6):
            _, episodes = c.collect()
            counts.append(len(episodes.returns))
            assert (episodes.returns == 3).all()
            assert (episodes.lengths == 3).all()
        assert counts == [2, 2, 4, 2, 2, 4]

    def test_none_ended(self, collector: Callable[..., Collector]) -> None:
        c = collector(decisions=2)
        c.begin(seed=0)
        _, episodes = c.collect()
        assert episodes.returns.shape == episodes.lengths.shape == (0,)

    def test_the_warm_up_does_not_count(self, collector: Callable[..., Collector]) -> None:
        c = collector(normalise=True)
        c.begin(seed=0)
        c.warm_up(2)
        c.begin(seed=0)
        _, episodes = c.collect()
        assert episodes.lengths.tolist() == [3, 3]

    def test_what_was_collected_is_what_an_episode_returns(self, collector: Callable[..., Collector]) -> None:
        c = collector(decisions=12)
        c.begin(seed=0)
        data, episodes = c.collect()
        to_go = reward_to_go(data.reward, data.terminated | data.truncated, 1.0)
        assert to_go[::3].flatten().tolist() == episodes.returns.tolist()


class TestNormaliser:
    def test_the_rollout_is_normalised_by_what_stood_before_it(
        self, collector: Callable[..., Collector]
    ) -> None:
        c = collector(normalise=True)
        assert c.policy.normaliser is not None
        c.begin(seed=0)
        c.warm_up(8)
        c.begin(seed=0)
        before = c.policy.normaliser.state_dict()
        before = {name: value.clone() for name, value in before.items()}
        data, _ = c.collect()
        assert all(torch.equal(before[name], x) for name, x in c.policy.normaliser.state_dict().items())
        raw = torch.tensor([100.0, 101.0, 102.0, 200.0])
        torch.testing.assert_close(data.observation[:, 0], c.policy.normaliser(raw[:, None]))
        torch.testing.assert_close(data.next_observation, c.policy.normaliser(torch.full((2, 1), 201.0)))
        torch.testing.assert_close(data.cut[0][2], c.policy.normaliser(torch.full((2, 1), 103.0)))

    def test_afterwards_it_takes_in_the_raw_observations(self, collector: Callable[..., Collector]) -> None:
        """Mean of 100, 101, 102 and 200, twice each: 125.75."""
        c = collector(normalise=True)
        assert c.policy.normaliser is not None
        c.begin(seed=0)
        c.collect()
        assert c.policy.normaliser.count == 0
        c.update_normaliser()
        assert c.policy.normaliser.count == 8
        assert c.policy.normaliser.mean.item() == 125.75

    def test_the_warm_up_shows_it_every_observation(self, collector: Callable[..., Collector]) -> None:
        c = collector(normalise=True)
        assert c.policy.normaliser is not None
        c.begin(seed=0)
        c.warm_up(4)
        assert c.policy.normaliser.count == 8
        assert c.policy.normaliser.mean.item() == 125.75

    def test_a_policy_without_one(self, collector: Callable[..., Collector]) -> None:
        c = collector()
        c.begin(seed=0)
        c.warm_up(4)
        c.collect()
        c.update_normaliser()
        assert c.policy.normaliser is None


class TestNumbersThatAreNotFinite:
    """Environment 1 fails alone; nothing of it may reach normaliser or policy."""

    @pytest.fixture
    def guarded(
        self, collector: Callable[..., Collector], monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Collector]:
        c = collector(normalise=True)
        assert c.policy.normaliser is not None
        c.begin(seed=0)
        c.warm_up(2)
        seen: list[torch.Tensor] = []
        forward = c.policy.forward
        monkeypatch.setattr(c.policy, "forward", lambda x: seen.append(x) or forward(x))
        yield c
        assert all(torch.isfinite(x).all() for x in seen)
        assert all(torch.isfinite(x).all() for x in c.policy.normaliser.state_dict().values())
        assert c.policy.normaliser.count == 4  # the warm-up's

    # 1e39 is finite in float64, and not in the float32 that is computed with.
    @pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "1e39"])
    def test_a_reward(self, guarded: Collector, bad: str) -> None:
        one_trouble(guarded, 1, "reward", bad)
        guarded.begin(seed=0)
        message = (
            r"Environment 1 gave a reward that is not finite at decision 2 of this rollout \(decision 2 of"
        )
        with pytest.raises(AmbleError, match=message):
            guarded.collect()

    @pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
    def test_an_observation(self, guarded: Collector, bad: str) -> None:
        one_trouble(guarded, 1, "observation", bad)
        guarded.env.envs[1].unwrapped.at = 1  # type: ignore[attr-defined]
        guarded.begin(seed=0)
        message = "Environment 1 gave an observation that is not finite at decision 1 .* 1 of 2 environments"
        with pytest.raises(AmbleError, match=message):
            guarded.collect()

    def test_the_final_observation_of_a_cut(self, guarded: Collector) -> None:
        one_trouble(guarded, 1, "final")
        guarded.begin(seed=0)
        message = "Environment 1 gave an observation that is not finite as its episode was cut at decision 2"
        with pytest.raises(AmbleError, match=message):
            guarded.collect()

    def test_a_reset(self, guarded: Collector) -> None:
        one_trouble(guarded, 1, "reset")
        with pytest.raises(
            AmbleError, match="Environment 1 gave an observation that is not finite at its reset"
        ):
            guarded.begin(seed=0)

    def test_in_the_warm_up(self, collector: Callable[..., Collector]) -> None:
        c = collector(normalise=True)
        one_trouble(c, 1, "reward")
        c.begin(seed=0)
        with pytest.raises(AmbleError, match=r"Environment 1 gave a reward .* at decision 2 of the warm-up"):
            c.warm_up(8)

    def test_behind_a_terminal_state_nobody_looks(self, collector: Callable[..., Collector]) -> None:
        """The second episode ends in a terminal state whose observation is NaN: harmless."""
        c = collector(decisions=3)
        c.begin(seed=0)
        c.collect()
        one_trouble(c, 1, "final")
        data, _ = c.collect()
        assert data.terminated[2].tolist() == [True, True]
        assert all(torch.isfinite(x).all() for x in vars(data).values() if isinstance(x, torch.Tensor))

    def test_a_huge_reward_passes(self, collector: Callable[..., Collector]) -> None:
        c = collector(trouble="reward", bad="1e30")
        c.begin(seed=0)
        assert c.collect()[0].reward[2].tolist() == [pytest.approx(1e30)] * 2
