"""One step a rollout of actor and critic together: the first step of PPO, without its clip."""

import math

import pytest
import torch

from amble.algorithms.algorithm import Algorithm
from factories import POLICIES, a_a2c, a_ppo, rollout_of


def gradients(algorithm: Algorithm) -> torch.Tensor:
    """What is left of the last step's gradient, of policy and critic."""
    return torch.cat([p.grad.flatten() for p in algorithm.parameters if p.grad is not None])


@pytest.mark.parametrize("kind", POLICIES)
def test_it_is_one_epoch_of_one_minibatch_of_ppo(kind: str) -> None:
    """The same gradient of the whole loss, and so the same step."""
    same = {"advantage_normalization": "rollout", "lambd": 0.9, "beta": 0.01, **POLICIES[kind]}
    a2c = a_a2c(**same, learning_rate=1e-3)
    ppo = a_ppo(**same, learning_rate=1e-3, batch_size=128, num_epoch=1)
    before = [p.detach().clone() for p in a2c.parameters]
    rollout = rollout_of(a2c)
    figures, other = a2c.update(rollout, 0), ppo.update(rollout, 0)
    torch.testing.assert_close(gradients(a2c), gradients(ppo), atol=1e-5, rtol=1e-3)
    for name in ("value_loss", "entropy", "grad_norm", "explained_variance", "value_mean"):
        assert figures[name] == pytest.approx(other[name], rel=1e-3), name
    assert any(not torch.equal(a, b) for a, b in zip(before, a2c.parameters, strict=True))


def test_each_rollout_makes_one_step() -> None:
    a2c = a_a2c()
    for k in range(3):
        a2c.update(rollout_of(a2c, seed=k), 0)
    assert float(a2c.optimiser.tensors()["0.step"]) == 3


def test_lambda_1_is_the_return_less_v() -> None:
    """T = 3 without an end: A_0 = r_0 + γ r_1 + γ² r_2 + γ³ V(s_3) - V(s_0), the n-step advantage."""
    a2c = a_a2c(gamma=0.5)
    rollout = rollout_of(a2c, t=3, b=2, ends=0.0)
    value, next_value = rollout.values(a2c.critic)
    r = rollout.reward
    expected = r[0] + 0.5 * r[1] + 0.25 * r[2] + 0.125 * next_value[2] - value[0]
    samples, _ = a2c.samples(rollout)
    torch.testing.assert_close(samples.advantage[:2], expected)


@pytest.mark.parametrize("field", ["reward", "observation", "action"])
def test_a_bad_number_skips_the_step(field: str) -> None:
    a2c = a_a2c()
    rollout = rollout_of(a2c)
    getattr(rollout, field).view(-1)[17] = math.nan
    before = [p.detach().clone() for p in a2c.policy.parameters()]
    figures = a2c.update(rollout, 0)
    assert figures["skipped_steps"] == 1
    assert all(torch.equal(a, b) for a, b in zip(before, a2c.policy.parameters(), strict=True))
    assert all(torch.isfinite(p).all() for p in a2c.parameters)
    assert a2c.optimiser_tensors() == {}
    sound = a2c.update(rollout_of(a2c, seed=1), 0)
    assert sound["skipped_steps"] == 0


def test_rewards_that_are_not_finite_leave_the_critic_as_it_is() -> None:
    a2c = a_a2c()
    a2c.update(rollout_of(a2c), 0)
    before = {name: tensor.clone() for name, tensor in a2c.critic.state_dict().items()}
    rollout = rollout_of(a2c, seed=1)
    rollout.reward.fill_(math.nan)
    a2c.update(rollout, 0)
    assert all(torch.equal(before[name], tensor) for name, tensor in a2c.critic.state_dict().items())


def test_improves_on_a_toy() -> None:
    a2c = a_a2c(gamma=0.0, learning_rate=1e-2)
    first = float(rollout_of(a2c, seed=99).reward.mean())
    for k in range(60):
        a2c.update(rollout_of(a2c, t=8, seed=k), 0)
    assert float(rollout_of(a2c, seed=99).reward.mean()) > first + 0.5


def test_restored_it_goes_on_bit_for_bit() -> None:
    a2c, other = a_a2c(), a_a2c()
    a2c.update(rollout_of(a2c), 0)
    for name, net in other.networks.items():
        net.load_state_dict(a2c.networks[name].state_dict())
    other.restore_optimiser({name: x.clone() for name, x in a2c.optimiser_tensors().items()})
    rollout = rollout_of(a2c, seed=1)
    assert a2c.update(rollout, 0) == other.update(rollout, 0)
    assert all(torch.equal(a, b) for a, b in zip(a2c.parameters, other.parameters, strict=True))
