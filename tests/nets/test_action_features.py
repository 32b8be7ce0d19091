"""Actions as numbers: the environment's, whatever the head."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.nets.action_features import ActionFeatures
from amble.nets.actions import ActionMap
from factories import BINARY, BOX2, DISCRETE, HYBRID, MULTI, POLICIES, a_policy, a_rollout, rng

WIDE = spaces.Box(np.array([-2.0, 0.0], np.float32), np.array([2.0, 10.0], np.float32))
LOOSE = spaces.Box(np.array([-1.0, -np.inf], np.float32), np.array([1.0, np.inf], np.float32))


@pytest.mark.parametrize(
    ("space", "continuous", "branches"),
    [
        (BOX2, 2, []),
        (DISCRETE, 0, [4]),
        (MULTI, 0, [3, 2]),
        (BINARY, 0, [2, 2, 2]),
        (HYBRID, 2, [3, 2]),
    ],
    ids=str,
)
def test_what_an_action_is_made_of(space: Any, continuous: int, branches: list[int]) -> None:
    actions = ActionFeatures(ActionMap(space, 3.0))
    assert (actions.continuous, actions.branches) == (continuous, branches)
    assert actions.size == continuous + sum(branches)


def test_a_gaussians_draw_in_units_of_the_bounds() -> None:
    """3 is the upper bound, whatever the box; a draw beyond it is not clipped until it becomes features."""
    actions = ActionFeatures(ActionMap(WIDE, 3.0))
    numbers, choices = actions.apart(torch.tensor([[3.0, -1.5], [6.0, 0.0]]))
    torch.testing.assert_close(numbers, torch.tensor([[1.0, -0.5], [2.0, 0.0]]))
    torch.testing.assert_close(actions.features(numbers, choices), torch.tensor([[1.0, -0.5], [1.0, 0.0]]))


def test_a_dimension_without_bounds_is_what_it_is() -> None:
    actions = ActionFeatures(ActionMap(LOOSE, 3.0))
    numbers, choices = actions.apart(torch.tensor([[3.0, 7.0]]))
    assert actions.features(numbers, choices).tolist() == [[1.0, 7.0]]


def test_choices_are_one_hot_behind_the_numbers() -> None:
    actions = ActionFeatures(ActionMap(HYBRID, 3.0))
    numbers, choices = actions.apart(torch.tensor([[1.5, 0.0, 2.0, 0.0]]))
    assert actions.features(numbers, choices).tolist() == [[0.5, 0.0, 0, 0, 1, 1, 0]]
    single = ActionFeatures(ActionMap(DISCRETE, 3.0))
    assert single.features(*single.apart(torch.tensor([2]))).tolist() == [[0, 0, 1, 0]]


@pytest.mark.parametrize("kind", POLICIES)
def test_apart_and_together(kind: str) -> None:
    policy = a_policy(**POLICIES[kind])
    actions = ActionFeatures(policy.actions)
    drawn = a_rollout(policy, 8, 3).action
    again = actions.together(*actions.apart(drawn))
    torch.testing.assert_close(again, drawn, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("distribution", ["gaussian", "squashed", "beta"])
def test_the_environments_actions_are_the_same_numbers(distribution: Any) -> None:
    """What the environment was given comes back as the draw that it was given for."""
    policy = a_policy(WIDE, distribution=distribution)
    actions = ActionFeatures(policy.actions)
    noise = policy.head.noise((50,), rng()) * 0.5
    drawn = policy.head.sample(torch.zeros(50, policy.head.outputs), noise).detach()
    given = policy.actions.to_env(drawn)
    assert isinstance(given, np.ndarray)
    numbers, _ = actions.of_environment(given, np.zeros((50, 0), np.int32))
    expected, _ = actions.apart(drawn)
    torch.testing.assert_close(numbers, expected, atol=1e-5, rtol=1e-5)
    assert given[0, 1] == pytest.approx(5 + 5 * float(numbers[0, 1]), abs=1e-4)


def test_the_gradient_passes() -> None:
    """Of what is likeliest, beyond the bounds too: cloning must be able to come back."""
    actions = ActionFeatures(ActionMap(BOX2, 3.0))
    drawn = torch.tensor([[6.0, 0.0]], requires_grad=True)
    actions.apart(drawn)[0].sum().backward()
    assert drawn.grad is not None
    np.testing.assert_allclose(drawn.grad, [[1 / 3, 1 / 3]])
