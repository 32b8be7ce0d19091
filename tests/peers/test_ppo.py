"""Our PPO is Stable-Baselines3's: loss, gradient and whole updates, its own `train` beside ours.

Axes: T decisions, B environments, N = T·B, all of them one minibatch.
"""

from typing import Any

import pytest
import torch

from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples
from factories import BOX2, DISCRETE, a_ppo, rng, rollout_of
from sb3_peers import a_peer, fill, hand_over, logged, pairs, relative, sb3, spread

T, B = 32, 4
N = T * B
EPSILON, VALUE_CLIP = 0.2, 0.3
TOLERANCE = 1e-6
"""‖ours - theirs‖ / ‖theirs‖ of each parameter's gradient, and |ours - theirs| of the loss and its parts."""

UPDATE_TOLERANCE = 1e-5
"""The same of the way that each parameter went in ten steps of Adam, which divides rounding by rounding."""

SPACES = pytest.mark.parametrize("space", [BOX2, DISCRETE], ids=["gaussian", "categorical"])


def twins(
    space: Any, *, normalised: bool, beta: float, value_coefficient: float, **more: Any
) -> tuple[PPO, Any, Any]:
    """Our PPO, SB3's with the same weights and settings, and their parameters in pairs.

    Both minimise L_π + c_v L_v - β H with L_v the mean square, no ½; SB3 adds β times "entropy loss" -H. Where the
    minibatch is normalised, our advantages are divided by their standard deviation over N and SB3's by that over
    N - 1 (and 1e-8), so our L_π is √(N/(N-1)) times theirs: with c_v and β times as much, so is the whole loss.
    """
    ppo = a_ppo(
        space,
        batch_size=N,
        ratio="joint",
        epsilon=EPSILON,
        epsilon_schedule="constant",
        beta=beta * scale(normalised),
        beta_schedule="constant",
        value_coefficient=value_coefficient * scale(normalised),
        advantage_normalization="minibatch" if normalised else "none",
        normalise=False,
        normalize_returns=False,
        **{"value_clip": None, "num_epoch": 1, "max_grad_norm": None, **more},
    )
    spread(ppo.policy, ppo.critic)
    s = ppo.settings
    peer = a_peer(
        sb3.PPO,
        space,
        T,
        B,
        gamma=ppo.problem.gamma,
        gae_lambda=s.lambd,
        learning_rate=s.learning_rate,
        n_epochs=s.num_epoch,
        clip_range=EPSILON,
        clip_range_vf=s.value_clip,
        normalize_advantage=normalised,
        ent_coef=beta,
        vf_coef=value_coefficient,
        max_grad_norm=float("inf") if s.max_grad_norm is None else s.max_grad_norm,
    )
    found = pairs(ppo.policy, ppo.critic, peer)
    hand_over(found)
    return ppo, peer, found


def scale(normalised: bool) -> float:
    """Ours / theirs."""
    return (N / (N - 1)) ** 0.5 if normalised else 1.0


def a_minibatch(ppo: PPO, peer: Any, *, moved_towards_target: bool = True) -> Samples:
    """One in the middle of an iteration: the policy has moved away from the one that collected, V from V_old.

    The advantages and values are drawn, and written into SB3's buffer in place of those that it made.

    Args:
        ppo: ours; its policy and critic are those that moved.
        peer: gets the same minibatch.
        moved_towards_target: every V lies between V_old and the return.
    """
    random = rng(11)
    collector = a_ppo(peer.action_space, normalise=False).policy
    collector.load_state_dict(ppo.policy.state_dict())
    spread(collector, seed=12)
    rollout = rollout_of(ppo, t=T, b=B)
    with torch.no_grad():
        output = collector(rollout.observation)
        rollout.action = collector.head.sample(output, collector.head.noise((T, B), random))
        rollout.log_prob = collector.head.log_probs(output, rollout.action)
    fill(peer, rollout, ppo.critic)

    advantage = 2.0 * torch.randn(T, B, generator=random) + 0.5
    value = rollout.values(ppo.critic)[0]
    moved = VALUE_CLIP * (torch.randn(T, B, generator=random) + 0.5)
    further = torch.randn(T, B, generator=random)
    value_old = value - moved
    value_target = value + (moved.sign() * further.abs() if moved_towards_target else further)
    buffer = peer.rollout_buffer
    buffer.advantages, buffer.returns, buffer.values = (
        x.numpy().copy() for x in (advantage, value_target, value_old)
    )
    return rollout.as_samples(advantage, value_target, value_old)


def apart(ppo: PPO, peer: Any, found: Any, samples: Samples, factor: float) -> dict[str, float]:
    """Differences of the loss, its parts and every parameter's gradient, which `train` leaves where nothing clips it.

    Args:
        found: pairs of parameters that have a gradient.
        factor: our loss / theirs.
    """
    loss, ours = ppo._loss(samples, EPSILON, ppo.settings.beta)
    ppo.optimiser.gradient(loss)
    peer.train()
    theirs = logged(peer)
    assert ours["clip_fraction"] > 0.1
    assert all(own.grad.norm() > 1e-3 for own, _ in found)
    return {
        "loss": abs(float(loss.detach()) - factor * theirs["train/loss"]),
        "policy loss": abs(ours["policy_loss"] - factor * theirs["train/policy_gradient_loss"]),
        "value loss": abs(ours["value_loss"] - theirs["train/value_loss"]),
        "entropy": abs(ours["entropy"] + theirs["train/entropy_loss"]),
        "kl": abs(ours["kl"] - theirs["train/approx_kl"]),
        "clip fraction": abs(ours["clip_fraction"] - theirs["train/clip_fraction"]),
        **{f"gradient {k}": relative(own.grad, factor * peers.grad) for k, (own, peers) in enumerate(found)},
    }


@SPACES
@pytest.mark.parametrize("normalised", [False, True], ids=["raw", "normalised"])
@pytest.mark.parametrize("value_clip", [None, VALUE_CLIP], ids=["", "value clip"])
@pytest.mark.parametrize(("beta", "value_coefficient"), [(0.0, 0.0), (0.02, 0.5)])
def test_loss_and_gradient(
    space: Any, normalised: bool, value_clip: float | None, beta: float, value_coefficient: float
) -> None:
    ppo, peer, found = twins(
        space, normalised=normalised, beta=beta, value_coefficient=value_coefficient, value_clip=value_clip
    )
    samples = a_minibatch(ppo, peer)
    with_gradient = found if value_coefficient else found[: len(list(ppo.policy.parameters()))]
    differences = apart(ppo, peer, with_gradient, samples, scale(normalised))
    assert max(differences.values()) < TOLERANCE, differences


@SPACES
def test_where_the_value_clips_differ(space: Any) -> None:
    """SB3's takes the clipped value's error, ours the larger of both: the same only while V nears the return."""
    ppo, peer, found = twins(space, normalised=False, beta=0.0, value_coefficient=0.5, value_clip=VALUE_CLIP)
    samples = a_minibatch(ppo, peer, moved_towards_target=False)
    differences = apart(ppo, peer, found, samples, 1.0)
    assert differences["policy loss"] < TOLERANCE
    _, ours = ppo._loss(samples, EPSILON, 0.0)
    assert ours["value_loss"] > 1.01 * logged(peer)["train/value_loss"]


@SPACES
@pytest.mark.parametrize("normalised", [False, True], ids=["raw", "normalised"])
def test_whole_updates(space: Any, normalised: bool) -> None:
    """From a rollout to new weights: advantages, returns, ten epochs, limit on the gradient, Adam.

    The limit is so small that it always holds, which takes the factor between the losses out of the gradients.
    """
    ppo, peer, found = twins(
        space,
        normalised=normalised,
        beta=0.02,
        value_coefficient=0.5,
        num_epoch=10,
        max_grad_norm=0.1,
        learning_rate=3e-3,
    )
    rollout = rollout_of(ppo, t=T, b=B)
    fill(peer, rollout, ppo.critic)
    start = [own.detach().clone() for own, _ in found]
    figures = ppo.update(rollout, 0)
    peer.train()
    assert figures["grad_norm"] > 0.1  # type: ignore[operator]
    assert figures["clip_fraction"] > 0.05  # type: ignore[operator]
    moved = {
        k: relative(own.detach() - at, peers.detach() - at)
        for k, (at, (own, peers)) in enumerate(zip(start, found, strict=True))
    }
    assert max(moved.values()) < UPDATE_TOLERANCE, moved
