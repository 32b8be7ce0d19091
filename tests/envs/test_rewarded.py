"""Environments whose reward is made of terms."""

from typing import Any

import numpy as np
import pytest

import amble.envs
from amble.config import RewardSettings, load_run
from amble.envs.bodies.walker import WalkerVectorEnv
from amble.envs.conformance import VectorEnvConformance
from amble.envs.rewarded import RewardedVectorEnv, signal_source
from amble.errors import UsageError

UNITY = load_run("walker-terms").rewards
assert UNITY is not None


def rewarded(env: Any, **given: Any) -> RewardedVectorEnv:
    return RewardedVectorEnv(env, RewardSettings.model_validate(given))


def test_the_product_of_unitys_terms_is_the_walkers_own_reward_to_the_last_bit() -> None:
    """10 000 random decisions: 50 Walkers, 200 decisions, falls and new episodes among them."""
    own, made = WalkerVectorEnv(50, threads=2), RewardedVectorEnv(WalkerVectorEnv(50, threads=2), UNITY)
    own.reset(seed=3)
    made.reset(seed=3)
    rng = np.random.default_rng(3)
    falls = paying = 0
    for _ in range(200):
        actions = rng.uniform(-1, 1, (50, 39)).astype(np.float32)
        observed, expected, terminated, truncated, _ = own.step(actions)
        again, reward, over, cut, info = made.step(actions)
        assert reward.tobytes() == expected.tobytes()
        assert info["reference_reward"].tobytes() == expected.tobytes()
        np.testing.assert_array_equal(observed, again)
        np.testing.assert_array_equal((terminated, truncated), (over, cut))
        falls += int(over.sum())
        paying += int((reward > 0).sum())
    assert falls > 100
    assert paying > 1000


def test_the_task_goes_on_paying_beside_another_reward() -> None:
    env = rewarded(
        amble.envs.make("CartPole-v1", 4),
        terms={"tilt": {"term": "square", "signals": {"x": "observation[2]"}}},
    )
    env.reset(seed=0)
    lengths = np.zeros(4)
    ended: list[float] = []
    for _ in range(60):
        observation, reward, terminated, truncated, info = env.step(np.ones(4, np.int64))
        lengths += 1
        done = terminated | truncated
        last = np.where(done, info["final_obs"][:, 2] if done.any() else 0.0, observation[:, 2])
        np.testing.assert_allclose(
            reward, last.astype(np.float64) ** 2
        )  # an ended episode's last, not the next one's first
        np.testing.assert_array_equal(info["reference_reward"], np.ones(4))
        ended += list(lengths[done])
        lengths[done] = 0
    row = env.engine.ledger.take()
    assert row["reference_return_mean"] == pytest.approx(np.mean(ended))


def test_info_of_a_gymnasium_task_is_a_signal() -> None:
    env = rewarded(
        amble.envs.make("HalfCheetah-v5", 2),
        terms={
            "forward": {"term": "signal", "signals": {"x": "info.x_velocity"}},
            "effort": {"weight": -0.6},
        },
    )
    env.reset(seed=0)
    for _ in range(5):
        actions = env.action_space.sample()
        _, reward, *_, info = env.step(actions)
        # HalfCheetah pays the speed less 0.1 Σ a²; its six motors' mean square times 0.6 is the same
        np.testing.assert_allclose(reward, info["reference_reward"], rtol=1e-5)
        np.testing.assert_allclose(
            reward, info["x_velocity"] - 0.1 * np.square(actions).sum(axis=1), rtol=1e-5
        )


def test_a_rule_ends_an_episode_of_a_body_and_begins_the_next() -> None:
    env = rewarded(
        WalkerVectorEnv(3, threads=1),
        terms={"alive": {}},
        terminations={"old": {"signal": "decisions", "above": 4.5, "reward": -2.0}},
    )
    env.reset(seed=0)
    paid = []
    for t in range(1, 11):
        _, reward, terminated, truncated, info = env.step(np.zeros((3, 39), np.float32))
        assert terminated.all() == (t % 5 == 0)
        assert not truncated.any()
        assert ("final_obs" in info) == (t % 5 == 0)
        paid.append(reward[0])
    assert paid == [5.0] * 4 + [-2.0] + [5.0] * 4 + [-2.0]
    row = env.engine.ledger.take()
    assert (row["term.alive"], row["term.terminal"], row["reshaped_return_mean"]) == (20.0, -2.0, 18.0)


def test_rules_are_for_bodies_that_can_be_ended() -> None:
    env = amble.envs.make("CartPole-v1", 2)
    with pytest.raises(UsageError, match=r"rewards.terminations.tilt: .* cannot be ended from outside"):
        rewarded(env, terms={"alive": {}}, terminations={"tilt": {"signal": "observation[2]", "above": 0.1}})


@pytest.mark.parametrize(
    "env_id", ["amble/3DBall-v0", "Ant-v5", "Pendulum-v1", "Swimmer-v5", "FrozenLake-v1"]
)
def test_every_signal_has_the_shape_that_it_says(env_id: str) -> None:
    env = amble.envs.make(env_id, 3)
    source = signal_source(env)
    assert "reward" in source.signals
    every = {f"t{i}": {"term": "alive", "signals": {"reward": name}} for i, name in enumerate(source.signals)
             if source.signals[name].shape == "(B,)"}  # fmt: skip
    made = rewarded(env, terms=every)
    made.engine.source.watch(source.signals)
    made.reset(seed=0)
    made.env.action_space.seed(0)
    for _ in range(3):
        made.step(made.env.action_space.sample())
    for name, signal in source.signals.items():
        shape = signal.shape.replace("B", "3").replace(",)", ",)")
        assert str(made.engine.source.read(name).shape) == shape, name


class TestConformance(VectorEnvConformance):
    """With a reward of terms an environment still keeps the boundary's contract."""

    def make(self, num_envs: int) -> RewardedVectorEnv:
        return rewarded(
            WalkerVectorEnv(num_envs, threads=1, max_substeps=60), terms={"upright": {}, "smoothness": {}}
        )
