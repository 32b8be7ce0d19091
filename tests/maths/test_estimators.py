"""E10 to E16: by hand, and how the rungs hang together. Their means and variances: test_exact_gradients."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from amble.maths.advantages import gae, td_error
from amble.maths.estimators import Estimator, advantage_weight, baseline, q_weight, total_return, weight
from amble.maths.returns import discounted_return, reward_to_go

GAMMA = 0.9


def a_rollout(t: int = 30, b: int = 4) -> dict[str, Tensor]:
    """Random numbers and episode ends, with V of the next state consistent wherever no episode ended."""
    rng = torch.Generator().manual_seed(0)
    terminated = torch.rand(t, b, generator=rng) < 0.1
    truncated = (torch.rand(t, b, generator=rng) < 0.1) & ~terminated
    reward, q, final = (torch.randn(t, b, generator=rng) for _ in range(3))
    value = torch.randn(t + 1, b, generator=rng)
    return {
        "reward": reward,
        "value": value[:-1],
        "next_value": torch.where(terminated | truncated, final, value[1:]),
        "q": q,
        "terminated": terminated,
        "truncated": truncated,
    }


class TestTotalReturn:
    def test_by_hand(self) -> None:
        """γ = ½. The first column ends with decision 1: 1 + 2/2 = 2 twice, then 4 + 8/2 = 8 twice.

        The second never ends: 1 + 2/2 + 4/4 + 8/8 = 4.
        """
        reward = torch.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0], [8.0, 8.0]])
        done = torch.tensor([[False, False], [True, False], [False, False], [True, False]])
        assert total_return(reward, done, 0.5).T.tolist() == [[2.0, 2.0, 8.0, 8.0], [4.0, 4.0, 4.0, 4.0]]

    def test_is_the_reward_to_go_of_each_first_decision(self) -> None:
        data = a_rollout()
        done = data["terminated"] | data["truncated"]
        found = total_return(data["reward"], done, GAMMA)
        begins = torch.cat([torch.ones(1, 4, dtype=torch.bool), done[:-1]])
        assert torch.equal(found[begins], reward_to_go(data["reward"], done, GAMMA)[begins])
        assert torch.equal(found[1:][~done[:-1]], found[:-1][~done[:-1]])

    def test_of_one_trajectory_is_e1(self) -> None:
        reward = a_rollout()["reward"]
        found = total_return(reward, torch.zeros_like(reward, dtype=torch.bool), GAMMA)
        torch.testing.assert_close(found, discounted_return(reward, GAMMA).expand_as(reward))

    def test_an_episode_without_reward_teaches_nothing(self) -> None:
        """The lecture's complaint about Monte Carlo: Φ = 0 for every decision of it."""
        reward = torch.tensor([[0.0], [0.0], [1.0]])
        done = torch.tensor([[False], [True], [True]])
        assert total_return(reward, done, GAMMA).flatten().tolist() == [0.0, 0.0, 1.0]

    def test_a_nan_of_another_episode_does_no_harm(self) -> None:
        reward, done = torch.tensor([[1.0], [torch.nan], [2.0]]), torch.tensor([[True], [True], [True]])
        assert total_return(reward, done, GAMMA)[[0, 2]].flatten().tolist() == [1.0, 2.0]


class TestBaseline:
    def test_by_hand(self) -> None:
        """γ = ½, r = 1, 2, 4, V = 2, 4, 8; cut behind the last decision, where V = 16.

        G = 4 + 16/2 = 12; 2 + 12/2 = 8; 1 + 8/2 = 5; less V: 3, 4, 4. With a terminal state there: 4, 4, 3 less V.
        """
        reward, value, next_value = (
            torch.tensor(row)[:, None] for row in ([1.0, 2.0, 4.0], [2.0, 4.0, 8.0], [4.0, 8.0, 16.0])
        )
        never, last = torch.zeros(3, 1, dtype=torch.bool), torch.tensor([[False], [False], [True]])
        for truncated in (never, last):  # the rollout's own end is a cut like any other
            cut = baseline(reward, value, next_value, never, truncated, gamma=0.5)
            assert cut.flatten().tolist() == [3.0, 4.0, 4.0]
        ended = baseline(reward, value, next_value, last, never, gamma=0.5)
        assert ended.flatten().tolist() == [1.0, 0.0, -4.0]

    def test_of_whole_episodes_is_the_reward_to_go_less_the_value(self) -> None:
        data = a_rollout()
        terminated, never = data["terminated"] | data["truncated"], torch.zeros(30, 4, dtype=torch.bool)
        terminated[-1] = True
        found = baseline(data["reward"], data["value"], data["next_value"], terminated, never, gamma=GAMMA)
        torch.testing.assert_close(found, reward_to_go(data["reward"], terminated, GAMMA) - data["value"])

    @pytest.mark.parametrize(("cut_is_an_end", "worth"), [(False, 10.0), (True, 1 + GAMMA)])
    def test_reward_1_for_ever(self, cut_is_an_end: bool, worth: float) -> None:
        """V ← Φ + V leads from 0 to 1/(1-γ) = 10, though cut every 2 decisions; taken for an end, to 1 + γ."""
        cut, never = (torch.arange(20) % 2 == 1)[:, None].expand(20, 1), torch.zeros(20, 1, dtype=torch.bool)
        terminated, truncated = (cut, never) if cut_is_an_end else (never, cut)
        value = torch.zeros(20, 1)
        for _ in range(200):
            v = value[0, 0].expand(20, 1)  # one state for ever
            value = v + baseline(torch.ones(20, 1), v, v, terminated, truncated, gamma=GAMMA)
        assert value[0, 0].item() == pytest.approx(worth, abs=1e-4)


class TestCritics:
    def test_by_hand(self) -> None:
        q, value = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 3.0])
        assert q_weight(q).tolist() == [1.0, 2.0]
        assert advantage_weight(q, value).tolist() == [0.5, -1.0]

    def test_the_policys_loss_does_not_reach_the_critics(self) -> None:
        q, value = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        assert not q_weight(q).requires_grad
        assert not advantage_weight(q, value).requires_grad


def test_each_name_is_its_rung() -> None:
    data = a_rollout()
    done = data["terminated"] | data["truncated"]
    values = {key: data[key] for key in ("reward", "value", "next_value", "terminated", "truncated")}
    rungs = {
        "total_return": total_return(data["reward"], done, GAMMA),
        "reward_to_go": reward_to_go(data["reward"], done, GAMMA),
        "baseline": gae(**values, gamma=GAMMA, lam=1.0),
        "q": data["q"],
        "advantage": data["q"] - data["value"],
        "td": td_error(data["reward"], data["value"], data["next_value"], data["terminated"], GAMMA),
        "gae": gae(**values, gamma=GAMMA, lam=0.8),
    }
    assert set(rungs) == set(get_args(Estimator))
    for name, expected in rungs.items():
        assert torch.equal(weight(name, **data, gamma=GAMMA, lam=0.8), expected), name


@pytest.mark.parametrize(("lam", "name"), [(1.0, "baseline"), (0.0, "td")])
def test_gae_lies_between_the_baseline_and_td(lam: float, name: Estimator) -> None:
    data = a_rollout()
    ends = weight(name, **data, gamma=GAMMA, lam=0.5)
    torch.testing.assert_close(weight("gae", **data, gamma=GAMMA, lam=lam), ends)
