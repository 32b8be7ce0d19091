"""The fused learner's policy acts as torch's does: the same noise, the same decisions and log-probabilities."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import VectorEnv

import amble.envs
from amble.algorithms.ppo import PPO
from amble.learner.choice import choose
from amble.learner.fused.acting import FusedActing
from amble.training.collect import Collector
from factories import a_rollout, rng
from learner_helpers import ACTIVATIONS, HEADS, a_learner, fused

T, B = 6, 5


def acting_of(ppo: PPO) -> FusedActing:
    learner = fused(ppo)
    return FusedActing(ppo.policy, learner.flat, learner.nets)


def decisions(
    ppo: PPO, acting: FusedActing | None, raw: torch.Tensor, noise: torch.Tensor
) -> tuple[Any, ...]:
    """What a rollout holds after T decisions."""
    policy = ppo.policy
    data = a_rollout(policy, t=T, b=B)
    for tensor in (data.observation, data.action, data.log_prob):
        tensor.zero_()
    if acting is not None:
        acting.begin(raw, noise, data)
        for t in range(T):
            acting.act(t)
    else:
        with torch.no_grad():
            data.observation = policy.normalised(raw)
            output = policy(data.observation)
            data.action = policy.head.sample(output, noise)
            data.log_prob = policy.head.log_probs(output, data.action)
    return data.observation, data.action, data.log_prob


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
def test_the_same_decisions(head: str, activation: str, normalise: bool, layer_norm: bool) -> None:
    more = {"normalise": normalise, "layer_norm": layer_norm}
    ppo = a_learner(head, activation=activation, hidden=[16, 7], dimensions=3, **more)
    raw = 4 * torch.randn(T, B, 3, generator=rng(50)) + 2
    if ppo.policy.normaliser is not None:
        ppo.policy.normaliser.update(raw[:2] / 4)
    noise = ppo.policy.head.noise((T, B), rng(51))
    expected = decisions(ppo, None, raw, noise)
    found = decisions(ppo, acting_of(ppo), raw, noise)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "layer norm"])
@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_a_collected_rollout(env_id: str, layer_norm: bool) -> None:
    """Collected by either, from the same seeds; then the policy learns and acts by its new parameters."""
    rollouts = []
    for learner in ("torch", "fused"):
        env: VectorEnv = amble.envs.make(env_id, 4, backend="inprocess")
        try:
            size, space = env.single_observation_space.shape, env.single_action_space
            ppo = a_learner(
                "gaussian" if env_id == "Pendulum-v1" else "categorical",
                observations=int(np.prod(size or ())),
                dimensions=1,
                layer_norm=layer_norm,
            )
            assert ppo.policy.actions.choices in (None, getattr(space, "n", None))
            acting = choose(ppo, learner, torch.device("cpu")).acting  # pyright: ignore
            collector = Collector(env, ppo.policy, 16, rng(3), torch.device("cpu"), acting=acting)
            collector.begin(0)
            rollout, _ = collector.collect()
            rollouts.append([x.clone() for x in (rollout.observation, rollout.action, rollout.log_prob)])
            figures = ppo.update(rollout, 0)
            assert figures["skipped_steps"] == 0
            rollout, _ = collector.collect()
            with torch.no_grad():
                output = ppo.policy(rollout.observation)
                again = ppo.policy.head.log_probs(output, rollout.action)
            torch.testing.assert_close(rollout.log_prob, again, rtol=1e-5, atol=1e-5)
        finally:
            env.close()
    for a, b in zip(*rollouts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_a_restored_policy_acts_by_what_was_restored() -> None:
    ppo, other = a_learner(), a_learner(seed=20)
    acting = acting_of(ppo)
    raw, noise = torch.randn(T, B, 3, generator=rng(50)), ppo.policy.head.noise((T, B), rng(51))
    decisions(ppo, acting, raw, noise)
    ppo.policy.load_state_dict(other.policy.state_dict())
    for a, b in zip(decisions(ppo, acting, raw, noise), decisions(other, None, raw, noise), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=2e-6)
