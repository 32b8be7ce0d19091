"""E1 and E11, by hand."""

import pytest
import torch

from amble.maths.returns import discounted_return, reward_to_go


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def test_discounted_return_by_hand() -> None:
    """1 + 0.5·2 + 0.25·4 = 3; 0 + 0.5·0 + 0.25·8 = 2."""
    reward = torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 8.0]])
    assert discounted_return(reward, 0.5).tolist() == [3.0, 2.0]
    assert discounted_return(reward[:, 0], 0.5).item() == 3.0


@pytest.mark.parametrize(("gamma", "expected"), [(0.0, 1.0), (1.0, 7.0)])
def test_discounted_return_at_both_ends(gamma: float, expected: float) -> None:
    assert discounted_return(torch.tensor([1.0, 2.0, 4.0]), gamma).item() == expected


def test_reward_to_go_by_hand() -> None:
    """γ = ½: 4; 2 + 4/2 = 4; 1 + 4/2 = 3."""
    reward, done = column(1.0, 2.0, 4.0), torch.zeros(3, 1, dtype=torch.bool)
    assert reward_to_go(reward, done, 0.5).flatten().tolist() == [3.0, 4.0, 4.0]


def test_reward_to_go_stops_at_the_end_of_an_episode() -> None:
    """The episode ends with decision 1: 2 stands alone and 1 sees only it: 1 + 2/2 = 2. The other column goes on."""
    reward = torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    done = torch.tensor([[False, False], [True, False], [False, False]])
    assert reward_to_go(reward, done, 0.5).T.tolist() == [[2.0, 2.0, 4.0], [3.0, 4.0, 4.0]]


def test_the_first_reward_to_go_is_the_return() -> None:
    reward = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    to_go = reward_to_go(reward, torch.zeros(20, 3, dtype=torch.bool), 0.9)
    torch.testing.assert_close(to_go[0], discounted_return(reward, 0.9))
    torch.testing.assert_close(to_go[7], discounted_return(reward[7:], 0.9))


def test_a_nan_of_another_episode_does_no_harm() -> None:
    reward, done = column(1.0, 2.0, float("nan")), torch.tensor([[False], [True], [False]])
    assert reward_to_go(reward, done, 0.5).flatten().tolist()[:2] == [2.0, 2.0]
