"""Cloning: a policy comes to do what a demonstration does, for as long as it lasts."""

from typing import Any

import pytest
import torch

from amble.config import CloningSettings, PPOHyperparameters
from amble.nets.action_features import ActionFeatures
from amble.nets.actor_critic import Policy
from amble.signals.cloning import Cloning
from factories import POLICIES, a_policy, a_rollout
from signals_helpers import expert_of, learn

PPO = {"batch_size": 32, "learning_rate": 3e-3, "max_grad_norm": None}


def a_cloning(policy: Policy, rollout: Any, length: int = 8, **settings: Any) -> Cloning:
    trainer = PPOHyperparameters.model_validate(PPO)
    given = CloningSettings(demo_path="x.demo", **settings)
    return Cloning(policy, given, trainer, expert_of(policy, rollout), length)


def a_rule(policy: Policy) -> Any:
    """A rollout in which the action says whether the first observation is positive; without a mask but for it."""
    rollout = a_rollout(policy, ends=0.02)
    positive = rollout.observation[..., 0] > 0
    actions = ActionFeatures(policy.actions)
    numbers = torch.where(positive, 0.5, -0.5)[..., None].expand(*positive.shape, actions.continuous)
    choices = positive.long()[..., None].expand(*positive.shape, len(actions.branches))
    if policy.layout.mask is not None:
        rollout.observation[..., policy.layout.mask] = 1.0
    rollout.action = actions.together(numbers, choices)
    return rollout


def actor(policy: Policy) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in policy.parameters()]


@pytest.mark.parametrize("kind", POLICIES)
def test_the_policy_comes_to_do_the_same(kind: str) -> None:
    policy = a_policy(**POLICIES[kind])
    rollout = a_rule(policy)
    cloning = a_cloning(policy, rollout)
    first = learn(cloning, rollout)["cloning_loss"]
    last = learn(cloning, rollout, 40)["cloning_loss"]
    assert last < 0.3 * first
    head, actions = policy.head, ActionFeatures(policy.actions)
    with torch.no_grad():
        samples = rollout.as_samples(rollout.reward)
        numbers, choices = actions.apart(head.mode(policy(samples.observation, samples.policy_memory)))
    wanted = samples.observation[..., 0] > 0
    agrees = [((numbers > 0) == wanted[..., None]).float().mean()] if actions.continuous else []
    agrees += [(choices == wanted[..., None]).float().mean()] if actions.branches else []
    assert min(agrees) > 0.9


def test_the_policys_noise_is_its_own() -> None:
    policy = a_policy()
    rollout = a_rule(policy)
    learn(a_cloning(policy, rollout), rollout, 3)
    assert (policy.head.log_std == 0).all()


def test_the_loss_by_hand() -> None:
    """A policy that does nothing (means about 0) against ±½ in each dimension: ¼."""
    policy = a_policy(normalise=False)
    rollout = a_rule(policy)
    cloning = a_cloning(policy, rollout, strength=1e-9)
    assert learn(cloning, rollout)["cloning_loss"] == pytest.approx(0.25, rel=0.03)


class TestFadingOut:
    def test_its_rate_falls_to_0_linearly(self) -> None:
        policy = a_policy()
        rollout = a_rule(policy)
        cloning = a_cloning(policy, rollout, steps=1000, strength=0.5)
        for env_steps, rate in ((0, 1.5e-3), (500, 0.75e-3), (900, 0.15e-3)):
            learn(cloning, rollout, env_steps=env_steps)
            assert cloning.optimisers["cloning"].learning_rate == pytest.approx(rate, rel=1e-5)
        before = actor(policy)
        assert learn(cloning, rollout, env_steps=1000) == {}
        assert all(torch.equal(a, b) for a, b in zip(before, actor(policy), strict=True))

    def test_without_steps_it_stays(self) -> None:
        policy = a_policy()
        rollout = a_rule(policy)
        cloning = a_cloning(policy, rollout)
        assert learn(cloning, rollout, env_steps=10**9)["cloning_loss"] > 0
        assert cloning.optimisers["cloning"].learning_rate == 3e-3


def steps_taken(cloning: Cloning) -> int:
    state = next(iter(cloning.optimisers["cloning"].adam.state.values()))
    return int(state["step"])


@pytest.mark.parametrize(
    ("settings", "kind", "steps"),
    [
        ({}, "gaussian", 2 * 4),  # 2 epochs of 128 decisions in minibatches of 32
        ({"num_epoch": 5}, "gaussian", 5 * 4),
        ({"batch_size": 64}, "gaussian", 2 * 2),
        ({"samples_per_update": 70}, "gaussian", 2 * 2),
        ({"samples_per_update": 5}, "gaussian", 2 * 1),
        ({}, "memory", 2 * 4),  # 16 sequences of 8, 4 in a minibatch
        ({"samples_per_update": 64}, "memory", 2 * 2),
    ],
)
def test_how_many_steps(settings: dict[str, Any], kind: str, steps: int) -> None:
    policy = a_policy(**POLICIES[kind])
    rollout = a_rule(policy)
    cloning = a_cloning(policy, rollout, **settings)
    learn(cloning, rollout)
    assert steps_taken(cloning) == steps
