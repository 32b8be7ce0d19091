"""Samples in a mirror, by hand, and the probability of a policy that is the same on both sides."""

import pytest
import torch

from amble.algorithms.mirror import Exchange, Mirror
from amble.algorithms.rollout import Samples
from amble.nets.normaliser import Normaliser
from factories import BOX2, a_ppo, a_rollout

SWAP = Exchange(torch.tensor([1, 0]), torch.tensor([-1.0, -1.0]))
"""Two numbers, of the left and of the right side, that turn round."""


def two_numbers(n: int) -> Samples:
    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
    return Samples(observation=draw(n, 2), action=draw(n, 2), log_prob=draw(n, 2), advantage=draw(n))


def halved(samples: Samples, normaliser: Normaliser | None = None) -> tuple[Samples, torch.Tensor]:
    """What the mirror leaves of the samples, and which it has shown."""
    after = Mirror(SWAP, SWAP, normaliser).half_of(samples, torch.Generator().manual_seed(1))
    return after, (after.log_prob != samples.log_prob).any(dim=1)


def test_some_samples_are_exchanged_and_the_others_left_alone() -> None:
    before = two_numbers(1000)
    kept = before.observation.clone()
    after, shown = halved(before)
    assert 450 < shown.sum() < 550
    assert torch.equal(before.observation, kept)
    for name in ("observation", "action"):
        was, now = getattr(before, name), getattr(after, name)
        assert torch.equal(now[shown], -was[shown].flip(1))
        assert torch.equal(now[~shown], was[~shown])
    assert torch.equal(after.log_prob[shown], before.log_prob[shown].flip(1))
    assert torch.equal(after.log_prob[~shown], before.log_prob[~shown])
    assert torch.equal(after.advantage, before.advantage)


def test_normalised_observations_are_mirrored_as_what_was_observed() -> None:
    normaliser = Normaliser(2)
    raw = torch.tensor([[1.0, 10.0], [3.0, 30.0], [5.0, 20.0], [7.0, 0.0]]).repeat(50, 1)
    normaliser.update(raw)
    before = two_numbers(len(raw))
    before.observation = normaliser(raw)
    after, shown = halved(before, normaliser)
    torch.testing.assert_close(after.observation[shown], normaliser(-raw[shown].flip(1)))
    assert torch.equal(after.observation[~shown], before.observation[~shown])


def test_of_a_policy_that_is_the_same_on_both_sides_even_the_probability_is() -> None:
    mean = torch.tensor([[0.7, -0.2], [-0.2, 0.7]])  # commutes with the exchange
    before = two_numbers(200)
    gaussian = lambda s: torch.distributions.Normal(s.observation @ mean, 0.3)  # noqa: E731
    before.log_prob = gaussian(before).log_prob(before.action)
    after, shown = halved(before)
    assert shown.any()
    torch.testing.assert_close(gaussian(after).log_prob(after.action), after.log_prob)


@pytest.mark.parametrize("ratio", ["joint", "per_dimension"])
def test_an_update_learns_from_what_it_is_shown(ratio: str) -> None:
    plain, shown = a_ppo(BOX2, ratio=ratio), a_ppo(BOX2, ratio=ratio)
    size = plain.policy.layout.size
    places = Exchange(torch.arange(size).flip(0), torch.ones(size))
    shown.mirror = Mirror(places, SWAP)
    figures = [ppo.update(a_rollout(ppo.policy, seed=0), 0) for ppo in (plain, shown)]
    assert figures[0]["policy_loss"] != figures[1]["policy_loss"]
    assert figures[0]["value_mean"] == figures[1]["value_mean"], "the advantages come before the mirror"
    assert "in a mirror" in shown.describe()
    assert "in a mirror" not in plain.describe()
