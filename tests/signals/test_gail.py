"""GAIL pays for what looks like the demonstration."""

import math
from typing import Any

import pytest
import torch

from amble.config import GailReward
from amble.nets.actor_critic import Policy
from amble.signals.demonstrations import Expert
from amble.signals.gail import Gail
from factories import HYBRID, a_policy, a_rollout, rng
from signals_helpers import NETWORK, SHAPE, expert_of, learn


def a_gail(policy: Policy, expert: Expert, **settings: Any) -> Gail:
    given = {"demo_path": "x.demo", "network_settings": NETWORK, "learning_rate": 3e-3, **settings}
    return Gail(policy, GailReward(**given), SHAPE, expert, rng(5))


def elsewhere(policy: Policy) -> tuple[Expert, Any]:
    """A demonstration two units away from where the rollout is."""
    rollout, shown = a_rollout(policy), a_rollout(policy, seed=1)
    shown.observation = shown.observation + 2.0
    return expert_of(policy, shown), rollout


@pytest.mark.parametrize("vail", [False, True])
def test_it_learns_to_tell_and_pays_for_looking_alike(vail: bool) -> None:
    policy = a_policy(normalise=False)
    expert, rollout = elsewhere(policy)
    gail = a_gail(policy, expert, use_vail=vail, strength=0.5)
    last = learn(gail, rollout, 20)
    assert last["gail_expert_estimate"] > 0.5 + 0.05 > 0.5 - 0.05 > last["gail_policy_estimate"]
    alike = a_rollout(policy, seed=2)
    alike.observation = alike.observation + 2.0
    assert gail.reward(alike).mean() > 2 * gail.reward(rollout).mean()
    assert (gail.reward(rollout) > 0).all()


def test_what_is_paid_by_who_cannot_tell() -> None:
    """D = ½ everywhere: strength · log 2."""
    policy = a_policy()
    expert, rollout = elsewhere(policy)
    gail = a_gail(policy, expert, strength=0.1)
    for parameter in gail.discriminator.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(gail.reward(rollout), torch.full((32, 4), 0.1 * math.log(2)))


@pytest.mark.parametrize("seen", [False, True])
def test_actions_count_where_they_are_seen(seen: bool) -> None:
    """The same states; the demonstration's actions are the rollout's reversed."""
    policy = a_policy(HYBRID)
    rollout = a_rollout(policy, ends=0.0)
    shown = a_rollout(policy, ends=0.0)
    shown.action = torch.cat([2.0 + 0 * shown.action[..., :2], shown.action[..., 2:]], dim=-1)
    gail = a_gail(policy, expert_of(policy, shown), use_actions=seen)
    figures = learn(gail, rollout, 30)
    apart = figures["gail_expert_estimate"] - figures["gail_policy_estimate"]
    assert apart > 0.3 if seen else abs(apart) < 0.05
    assert bool(gail.reward(shown).mean() > 1.5 * gail.reward(rollout).mean()) is seen


def test_the_demonstration_is_seen_as_the_policy_sees() -> None:
    policy = a_policy()
    assert policy.normaliser is not None
    policy.normaliser.update(torch.tensor([[9.0, 9.0, 9.0], [11.0, 11.0, 11.0]]))  # mean 10, deviation 1
    expert = expert_of(policy, a_rollout(policy))
    gail = a_gail(policy, expert)
    torch.testing.assert_close(gail._expert_inputs(), (expert.observation - 10).clamp(-5, 5))


def test_the_slope_between_two_samples() -> None:
    """σ(w·x) has the gradient σ(1 - σ) w; with w = (4, 0, 0) that is (1, 0, 0) at x = 0."""
    policy = a_policy(normalise=False)
    gail = a_gail(policy, elsewhere(policy)[0])
    gail.discriminator.body.net = torch.nn.Sequential(torch.nn.Linear(3, 1))
    layer = gail.discriminator.body.net[0]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, 0.0, 0.0]]))  # type: ignore[operator]
        layer.bias.zero_()  # type: ignore[operator]
    nowhere = torch.zeros(2, 3)
    slope = gail._gradient_between(nowhere, nowhere, rng())
    torch.testing.assert_close(slope, torch.tensor([[1.0, 0.0, 0.0]] * 2))
    _, figures = gail._loss(nowhere, nowhere, rng())
    assert float(figures["gail_grad_mag_loss"].detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(figures["gail_loss"].detach()) == pytest.approx(math.log(4))


def test_the_bottlenecks_price() -> None:
    """β goes up by 5·10⁻⁴ (KL - ½) each step, and is what a checkpoint keeps."""
    policy = a_policy(normalise=False)
    gail = a_gail(policy, elsewhere(policy)[0], use_vail=True)
    x = torch.full((4, 3), 50.0)
    _, figures = gail._loss(x, x, rng())
    assert float(figures["gail_beta"]) == 0.0
    price = 5e-4 * (float(figures["gail_kl_loss"].detach()) - 0.5)
    assert price > 0
    assert float(gail.discriminator.state_dict()["beta"]) == pytest.approx(price)
    loss, again = gail._loss(x, x, rng())
    parts = again["gail_loss"] + again["gail_grad_mag_loss"] + price * (again["gail_kl_loss"] - 0.5)
    assert float(loss.detach()) == pytest.approx(float(parts.detach()), rel=1e-5)
