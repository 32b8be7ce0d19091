"""Policy and critic: what they hold, and a critic that changes its units without changing its mind."""

from typing import Any

import pytest
import torch
from gymnasium import spaces

from amble.nets.mlp import last_layer
from factories import a_critic, a_policy, rng


class TestPolicy:
    @pytest.mark.parametrize(
        ("space", "outputs"), [(spaces.Box(-1, 1, (2,)), 2), (spaces.Discrete(4), 4)], ids=["box", "discrete"]
    )
    def test_starts_undecided(self, space: spaces.Space[Any], outputs: int) -> None:
        """The last layer's gain of 0.01 keeps means and logits near 0 whatever the observation."""
        output = a_policy(space)(5 * torch.randn(100, 3, generator=rng()))
        assert output.shape == (100, outputs)
        assert output.abs().max() < 0.1

    def test_everything_that_acts_is_saved_and_comes_back_bit_for_bit(self) -> None:
        space = spaces.Box(-1, 1, (2,))
        policy, other = a_policy(space), a_policy(space, seed=1)
        assert policy.normaliser is not None
        policy.normaliser.update(7 + torch.randn(100, 3, generator=rng()))
        observation = 7 + torch.randn(10, 3, generator=rng())
        assert not torch.equal(other.mode(observation), policy.mode(observation))
        other.load_state_dict(policy.state_dict())
        assert torch.equal(other.mode(observation), policy.mode(observation))
        assert {"normaliser.mean", "normaliser.variance", "normaliser.count"} <= set(policy.state_dict())

    def test_acting_leaves_the_normaliser_alone(self) -> None:
        policy = a_policy(spaces.Discrete(2))
        assert policy.normaliser is not None
        policy.normaliser.update(torch.randn(100, 3, generator=rng()))
        before = [value.clone() for value in policy.normaliser.state_dict().values()]
        policy.mode(100 * torch.ones(5, 3))
        assert all(map(torch.equal, before, policy.normaliser.state_dict().values()))

    def test_without_normaliser_observations_pass_as_they_are(self) -> None:
        x = 100 * torch.randn(5, 3, generator=rng())
        assert torch.equal(a_policy(spaces.Discrete(2), normalise=False).normalised(x), x)

    def test_the_same_generator_gives_the_same_networks(self) -> None:
        torch.manual_seed(1)
        one = a_policy(spaces.Discrete(2)).state_dict()
        torch.manual_seed(2)
        two, three = (
            a_policy(spaces.Discrete(2)).state_dict(),
            a_policy(spaces.Discrete(2), seed=1).state_dict(),
        )
        assert all(torch.equal(one[name], two[name]) for name in one)
        assert any(not torch.equal(one[name], three[name]) for name in one)


class TestCritic:
    observation = torch.randn(50, 3, generator=rng(1))

    @pytest.mark.parametrize("returns", [(300.0, 40.0), (-1e-3, 1e-4), (0.0, 1e4), (5.0, 0.0)])
    def test_taking_in_returns_changes_units_and_not_v(self, returns: tuple[float, float]) -> None:
        critic, (mean, spread) = a_critic(), returns
        for step in range(3):
            before = critic.value(self.observation)
            critic.take_in(mean + (step + 1) * spread * torch.randn(40, 4, generator=rng(step)))
            after = critic.value(self.observation)
            scale = max(abs(mean), spread, 1.0)
            torch.testing.assert_close(after, before, atol=2e-5 * scale, rtol=0)

    def test_the_units_are_the_returns_mean_and_deviation(self) -> None:
        critic, returns = a_critic(), torch.tensor([[8.0, 12.0], [8.0, 12.0]])  # mean 10, deviation 2
        critic.take_in(returns)
        torch.testing.assert_close(
            critic.to_units(torch.tensor([10.0, 12.0, 6.0])), torch.tensor([0.0, 1.0, -2.0])
        )

    def test_to_units_undoes_value(self) -> None:
        critic = a_critic()
        critic.take_in(300 + 40 * torch.randn(1000, generator=rng()))
        torch.testing.assert_close(
            critic.to_units(critic.value(self.observation)), critic(self.observation), atol=1e-4, rtol=1e-4
        )

    def test_without_standardising_v_is_the_net(self) -> None:
        critic = a_critic(standardise=False)
        before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
        critic.take_in(torch.tensor([100.0, 200.0]))
        assert all(torch.equal(before[name], tensor) for name, tensor in critic.state_dict().items())
        assert torch.equal(critic.value(self.observation), critic(self.observation))
        assert critic.to_units(torch.tensor([7.0])).item() == 7.0

    def test_a_return_that_is_not_finite_leaves_everything_as_it_is(self) -> None:
        """To the last bit: not even the last layer is divided by the factor that it was multiplied with."""
        critic = a_critic()
        for step in range(100):
            critic.take_in(10 + 3 * torch.randn(7, generator=rng(step)))
            torch.nn.init.normal_(
                last_layer(critic.net).bias, generator=rng(step)
            )  # as a gradient step would
            before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
            critic.take_in(torch.tensor([float("nan"), float("inf")]))
            assert all(torch.equal(before[name], tensor) for name, tensor in critic.state_dict().items())

    def test_a_return_that_is_not_finite_is_left_out_of_the_others(self) -> None:
        critic, other = a_critic(), a_critic()
        critic.take_in(torch.tensor([1.0, float("nan"), 3.0]))
        other.take_in(torch.tensor([1.0, 3.0]))
        assert all(torch.equal(other.state_dict()[k], tensor) for k, tensor in critic.state_dict().items())

    @pytest.mark.parametrize("activation", ["silu", "tanh", "relu", "elu"])
    def test_every_activation(self, activation: str) -> None:
        value = a_critic(activation=activation)(self.observation)
        assert value.shape == (50,)
        assert value.std() > 0
