"""RND pays for states until they are known."""

from typing import Any

import pytest
import torch

from amble.config import RndReward
from amble.nets.actor_critic import Policy
from amble.signals.rnd import Rnd
from factories import a_policy, a_rollout, rng
from signals_helpers import NETWORK, SHAPE, learn


def a_rnd(policy: Policy, **settings: Any) -> Rnd:
    settings = {"strength": 0.5, "network_settings": NETWORK, "learning_rate": 3e-3, **settings}
    return Rnd(policy, RndReward(**settings), SHAPE, rng(5))


def test_what_is_paid_is_the_state_that_follows() -> None:
    policy = a_policy()
    rnd, rollout = a_rnd(policy), a_rollout(policy, ends=0.0)
    with torch.no_grad():
        after = torch.cat([rollout.observation[1:], rollout.next_observation[None]])
        expected = 0.5 * (rnd.nets.predictor(after) - rnd.nets.target(after)).square().sum(-1)
    torch.testing.assert_close(rnd.reward(rollout), expected)


def test_a_network_that_knows_all_pays_nothing() -> None:
    policy = a_policy()
    rnd, rollout = a_rnd(policy), a_rollout(policy)
    rnd.nets.predictor.load_state_dict(rnd.nets.target.state_dict())
    assert (rnd.reward(rollout) == 0).all()


def test_what_was_seen_pays_less_than_what_was_not() -> None:
    policy = a_policy()
    rnd, seen, new = a_rnd(policy), a_rollout(policy), a_rollout(policy, seed=1)
    new.observation = new.observation + 4.0
    before, target = rnd.reward(seen).mean(), rnd.nets.target.net[0].weight.clone()
    first = learn(rnd, seen)["rnd_loss"]
    assert learn(rnd, seen, 30)["rnd_loss"] < 0.3 * first
    assert rnd.reward(seen).mean() < 0.3 * before
    assert rnd.reward(new).mean() > 3 * rnd.reward(seen).mean()
    assert torch.equal(rnd.nets.target.net[0].weight, target)


def test_the_loss_is_the_mean_reward() -> None:
    """One minibatch of everything, a step too small to matter."""
    policy = a_policy()
    rnd, rollout = a_rnd(policy, learning_rate=1e-12), a_rollout(policy)
    paid = float(rnd.reward(rollout).mean())
    assert learn(rnd, rollout, batch_size=128)["rnd_loss"] == pytest.approx(paid / 0.5, rel=1e-4)


def test_both_networks_see_through_the_same_normaliser() -> None:
    policy = a_policy(normalise=False)
    rnd = a_rnd(policy, network_settings=NETWORK.model_copy(update={"normalize": True}))
    learn(rnd, a_rollout(policy))
    one, other = rnd.nets.target.normaliser, rnd.nets.predictor.normaliser
    assert one is not None
    assert other is not None
    assert one.count == 32 * 4
    assert torch.equal(one.mean, other.mean)
