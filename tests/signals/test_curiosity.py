"""Curiosity pays for what its model of the dynamics did not foresee, and for less of it the better it knows them."""

from typing import Any

import pytest
import torch

from amble.algorithms.rollout import Cut, Rollout
from amble.config import CuriosityReward
from amble.nets.actor_critic import Policy
from amble.signals.curiosity import Curiosity
from factories import POLICIES, a_policy, a_rollout, rng
from signals_helpers import NETWORK, SHAPE, learn


def a_curiosity(policy: Policy, **settings: Any) -> Curiosity:
    settings = {"strength": 0.5, "network_settings": NETWORK, "learning_rate": 3e-3, **settings}
    return Curiosity(policy, CuriosityReward(**settings), SHAPE, rng(5))


def a_walk(policy: Policy, seed: int = 0, offset: float = 0.0) -> Rollout:
    """Endless episodes in which a state is moved by the action: s_{t+1} = ½ s_t + (a, 0)."""
    rollout = a_rollout(policy, 32, 8, seed=seed, ends=0.0)
    states = [rollout.observation[0] + offset]
    for t in range(32):
        push = torch.nn.functional.pad(rollout.action[t], (0, 1))
        states.append(0.5 * states[-1] + push + 0.5 * offset)
    rollout.observation, rollout.next_observation = torch.stack(states[:-1]), states[-1]
    return rollout


def test_nothing_is_paid_before_something_was_learned() -> None:
    policy = a_policy()
    curiosity, rollout = a_curiosity(policy), a_walk(policy)
    assert (curiosity.reward(rollout) == 0).all()
    learn(curiosity, rollout)
    assert (curiosity.reward(rollout) > 0).all()


def test_what_is_paid() -> None:
    """A forward model that always says 0: strength · min(½ ‖φ(s_{t+1})‖², 1/strength)."""
    policy = a_policy()
    curiosity, rollout = a_curiosity(policy, strength=0.02), a_walk(policy)
    net = curiosity.net
    net.has_learned.fill_(True)
    for parameter in net.forward_model[-1].parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        after = net.features(torch.cat([rollout.observation[1:], rollout.next_observation[None]]))
    expected = 0.02 * (after**2).sum(-1) / 2
    torch.testing.assert_close(curiosity.reward(rollout), expected)
    assert expected.max() < 1
    curiosity.strength = 1e3
    assert curiosity.reward(rollout).max() == pytest.approx(1.0)  # 1000 · min(…, 1/1000)


def test_what_is_known_pays_less_than_what_is_not() -> None:
    """The same law everywhere, learned around 0 and not around 5."""
    policy = a_policy()
    curiosity, walk = a_curiosity(policy, strength=1e-6), a_walk(policy)
    first = learn(curiosity, walk, 1)
    before = curiosity.reward(walk).mean()
    last = learn(curiosity, walk, 20)
    assert last["curiosity_inverse_loss"] < 0.5 * first["curiosity_inverse_loss"]
    again, elsewhere = a_walk(policy, seed=1), a_walk(policy, seed=1, offset=5.0)
    assert curiosity.reward(again).mean() < 0.5 * before
    assert curiosity.reward(elsewhere).mean() > 5 * curiosity.reward(again).mean()


def test_the_last_state_of_an_episode_is_what_followed() -> None:
    policy = a_policy()
    curiosity, rollout = a_curiosity(policy), a_walk(policy)
    learn(curiosity, rollout)
    plain = curiosity.reward(rollout)
    rollout.ends.append(Cut(3, torch.tensor([2]), torch.full((1, 3), 4.0)))
    changed = curiosity.reward(rollout)
    assert (changed != plain).nonzero().tolist() == [[3, 2]]


@pytest.mark.parametrize("kind", POLICIES)
def test_every_kind_of_action(kind: str) -> None:
    policy = a_policy(**POLICIES[kind])
    curiosity, rollout = a_curiosity(policy), a_rollout(policy)
    figures = learn(curiosity, rollout)
    assert set(figures) == {"curiosity_forward_loss", "curiosity_inverse_loss"}
    assert all(0 < figure < 1e3 for figure in figures.values())
    assert torch.isfinite(curiosity.reward(rollout)).all()
    assert learn(curiosity, rollout, 5)["curiosity_inverse_loss"] < figures["curiosity_inverse_loss"]


def test_a_normaliser_of_its_own() -> None:
    policy = a_policy(normalise=False)
    curiosity = a_curiosity(policy, network_settings=NETWORK.model_copy(update={"normalize": True}))
    learn(curiosity, a_walk(policy))
    normaliser = curiosity.net.features.normaliser
    assert normaliser is not None
    assert normaliser.count == 32 * 8
    assert a_curiosity(policy).net.features.normaliser is None
