"""One environment, stepped: where trajectories end and how."""

import gymnasium
import numpy as np
import pytest
import torch

from amble.errors import AmbleError
from amble.spinup import MLPActorCritic
from amble.spinup.collect import Collector
from amble.spinup.drawing import drawer, numpy_forward
from spinup_helpers import OneNumber, probe


def collector(steps: int = 8, max_ep_len: int = 1000, **kwargs: object) -> Collector:
    return Collector(probe("Clock", **kwargs)(), steps, max_ep_len, seed=0)


def test_ends_time_limits_and_the_epochs_cut_stay_apart() -> None:
    """Episodes of 3; the first is cut by its own limit, the second ends, the third is cut by the epoch."""
    clock = collector()
    ac = OneNumber(None, None)
    first = clock.collect(ac)
    assert first.lengths == [3, 3, 2]
    assert first.terminated == [False, True, False]
    assert first.observation[:, 0].tolist() == [100, 101, 102, 200, 201, 202, 300, 301]
    assert first.final_observation[:, 0].tolist() == [103, 203, 302]
    assert first.reward.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert (first.episode_returns, first.episode_lengths) == ([3, 3], [3, 3])
    assert clock.collect(ac).observation[0, 0] == 400


def test_max_ep_len_cuts() -> None:
    cut = collector(steps=4, max_ep_len=2).collect(OneNumber(None, None))
    assert cut.lengths == cut.episode_lengths == [2, 2]
    assert cut.terminated == [False, False]
    assert cut.final_observation[:, 0].tolist() == [102, 202]


def test_an_end_at_max_ep_len_is_an_end() -> None:
    assert collector(steps=6, max_ep_len=3).collect(OneNumber(None, None)).terminated == [False, True]


@pytest.mark.parametrize(
    ("trouble", "match"),
    [
        ("reward", "the reward of step 2"),
        ("observation", "the observation of step 3"),
        ("final", "the final obs.* 2"),
    ],
)
def test_numbers_that_run_away_are_named(trouble: str, match: str) -> None:
    at = 2 if trouble == "reward" else 3
    length = 1000 if trouble == "observation" else 3
    with pytest.raises(AmbleError, match=match):
        collector(trouble=trouble, at=at - (trouble == "observation"), length=length).collect(
            OneNumber(None, None)
        )


def test_a_terminal_state_may_show_anything() -> None:
    seen = collector(trouble="final", steps=3)
    seen.env.unwrapped.episode = 0  # the next ends
    seen._seed = None
    assert seen.collect(OneNumber(None, None)).terminated == [True]


@pytest.mark.parametrize("activation", [torch.nn.Tanh, torch.nn.ReLU])
def test_numpy_and_torch_agree(activation: type[torch.nn.Module]) -> None:
    env = gymnasium.make("HalfCheetah-v5") if activation is torch.nn.Tanh else gymnasium.make("CartPole-v1")
    ac = MLPActorCritic(env.observation_space, env.action_space, activation=activation)
    net = ac.pi.mu_net if activation is torch.nn.Tanh else ac.pi.logits_net
    forward = numpy_forward(net)
    obs = np.random.default_rng(0).normal(size=(20, *env.observation_space.shape))
    with torch.no_grad():
        for _ in range(2):
            there = net(torch.as_tensor(obs, dtype=torch.float32)).numpy()
            np.testing.assert_allclose([forward(each) for each in obs], there, rtol=0, atol=2e-6)
            for parameter in net.parameters():  # it sees the weights as they are
                parameter.mul_(1.5)
    env.close()


def test_drawn_actions_have_the_policys_law() -> None:
    """Mean and spread of 5000 Gaussian draws, shares of 5000 categorical ones, within 5 standard errors."""
    n = 5_000
    box, three = gymnasium.spaces.Box(-1, 1, (2,)), gymnasium.spaces.Discrete(3)
    obs = np.array([0.3, -0.7], np.float32)
    gaussian, categorical = MLPActorCritic(box, box), MLPActorCritic(box, three)
    draw = drawer(gaussian, n, discrete=False)
    drawn = np.array([draw(obs) for _ in range(n)])
    pi, _ = gaussian.pi(torch.tensor(obs))
    np.testing.assert_allclose(drawn.mean(0), pi.mean.detach(), atol=5 * 0.61 / n**0.5)
    np.testing.assert_allclose(drawn.std(0), np.exp(-0.5), rtol=5 / (2 * n) ** 0.5)
    draw = drawer(categorical, n, discrete=True)
    shares = np.bincount([draw(obs) for _ in range(n)], minlength=3) / n
    pi, _ = categorical.pi(torch.tensor(obs))
    np.testing.assert_allclose(shares, pi.probs.detach(), atol=5 * 0.5 / n**0.5)


def test_other_nets_and_subclasses_answer_through_step() -> None:
    box = gymnasium.spaces.Box(-1, 1, (2,))

    class Still(MLPActorCritic):
        def step(self, obs: torch.Tensor):
            return np.zeros(2, np.float32), 0.0, 0.0

    assert drawer(Still(box, box), 1, discrete=False)(np.ones(2)).tolist() == [0, 0]
    odd = MLPActorCritic(box, box, activation=torch.nn.Softsign)
    assert drawer(odd, 1, discrete=False)(np.ones(2)).shape == (2,)
