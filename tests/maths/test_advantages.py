"""E15 and E16: worked by hand, and the identities that hold whatever the numbers."""

import pytest
import torch
from torch import Tensor

from amble.maths.advantages import gae, td_error
from amble.maths.returns import reward_to_go

GAMMA = 0.9


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


def never(t: int, b: int = 1) -> Tensor:
    return torch.zeros(t, b, dtype=torch.bool)


def at(t: int, *places: int) -> Tensor:
    flags = torch.zeros(t, 1, dtype=torch.bool)
    flags[list(places)] = True
    return flags


def a_rollout(t: int = 40, b: int = 3) -> dict[str, Tensor]:
    """Random numbers and episode ends, with V of the next state consistent wherever no episode ended."""
    rng = torch.Generator().manual_seed(0)
    value = torch.randn(t + 1, b, generator=rng)
    terminated = torch.rand(t, b, generator=rng) < 0.1
    truncated = (torch.rand(t, b, generator=rng) < 0.1) & ~terminated
    next_value = torch.where(terminated | truncated, torch.randn(t, b, generator=rng), value[1:])
    return {
        "reward": torch.randn(t, b, generator=rng),
        "value": value[:-1],
        "next_value": next_value,
        "terminated": terminated,
        "truncated": truncated,
    }


class TestByHand:
    """γ = ½, λ = ½, so γλ = ¼; r = 1, 2, 4; V = 2, 4, 8; V behind the last decision = 16."""

    reward, value, next_value = column(1.0, 2.0, 4.0), column(2.0, 4.0, 8.0), column(4.0, 8.0, 16.0)

    def advantage(self, terminated: Tensor, truncated: Tensor) -> list[float]:
        found = gae(self.reward, self.value, self.next_value, terminated, truncated, gamma=0.5, lam=0.5)
        return found.flatten().tolist()

    def test_no_episode_ends(self) -> None:
        """δ = 1 + 2 - 2, 2 + 4 - 4, 4 + 8 - 8 = 1, 2, 4; A = 4; 2 + 4/4 = 3; 1 + 3/4 = 1.75."""
        assert self.advantage(never(3), never(3)) == [1.75, 3.0, 4.0]

    def test_a_terminal_state_is_worth_nothing(self) -> None:
        """With decision 1: δ_1 = 2 + 0 - 4 = -2 = A_1; A_0 = 1 - 2/4 = 0.5."""
        assert self.advantage(at(3, 1), never(3)) == [0.5, -2.0, 4.0]

    def test_a_time_limit_is_worth_the_final_observation(self) -> None:
        """With decision 1: δ_1 = 2 + 4 - 4 = 2 = A_1, without δ_2; A_0 = 1 + 2/4 = 1.5."""
        assert self.advantage(never(3), at(3, 1)) == [1.5, 2.0, 4.0]

    def test_terminated_counts_where_both_are_set(self) -> None:
        assert self.advantage(at(3, 1), at(3, 1)) == [0.5, -2.0, 4.0]


def test_td_error_by_hand() -> None:
    """1 + 0.9·3 - 2 = 1.7; at a terminal state 1 - 2 = -1."""
    delta = td_error(column(1.0, 1.0), column(2.0, 2.0), column(3.0, 3.0), at(2, 1), GAMMA)
    torch.testing.assert_close(delta, column(1.7, -1.0))


def test_gae_equals_the_double_sum() -> None:
    """A_t = Σ_l (γλ)^l δ_{t+l}, term by term up to the end of t's own episode."""
    data, lam = a_rollout(), 0.8
    found = gae(**data, gamma=GAMMA, lam=lam)
    done = data["terminated"] | data["truncated"]
    assert 5 < done.sum() < 40
    for b in range(3):
        for t in range(40):
            total = 0.0
            for k in range(t, 40):
                beyond = 0.0 if data["terminated"][k, b] else data["next_value"][k, b].item()
                delta = data["reward"][k, b].item() + GAMMA * beyond - data["value"][k, b].item()
                total += (GAMMA * lam) ** (k - t) * delta
                if done[k, b]:
                    break
            assert found[t, b].item() == pytest.approx(total, abs=1e-5)


def test_lambda_0_is_the_td_error() -> None:
    data = a_rollout()
    expected = td_error(data["reward"], data["value"], data["next_value"], data["terminated"], GAMMA)
    assert torch.equal(gae(**data, gamma=GAMMA, lam=0.0), expected)


def test_lambda_1_is_the_reward_to_go_less_the_value() -> None:
    """The last reward before a cut also carries γ·V of what was cut off."""
    data = a_rollout()
    done = data["terminated"] | data["truncated"]
    cut = data["truncated"].clone()
    cut[-1] |= ~done[-1]
    carried = data["reward"] + GAMMA * torch.where(cut, data["next_value"], 0.0)
    expected = reward_to_go(carried, done, GAMMA) - data["value"]
    torch.testing.assert_close(gae(**data, gamma=GAMMA, lam=1.0), expected)


@pytest.mark.parametrize("lam", [0.0, 0.5, 0.95, 1.0])
def test_reward_1_for_ever_is_worth_1_over_1_minus_gamma(lam: float) -> None:
    """V = 1/(1-γ) = 10 everywhere is the fixed point, cut every 7 decisions or not: no action is better."""
    value = torch.full((30, 2), 10.0)
    truncated = (torch.arange(1, 31) % 7 == 0)[:, None].expand(30, 2)
    advantage = gae(torch.ones(30, 2), value, value, never(30, 2), truncated, gamma=GAMMA, lam=lam)
    torch.testing.assert_close(advantage, torch.zeros(30, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("lam", [0.0, 0.95, 1.0])
def test_what_stands_behind_a_terminal_state_is_never_read(lam: float) -> None:
    data = a_rollout()
    clean = gae(**data, gamma=GAMMA, lam=lam)
    masked = torch.where(data["terminated"], float("nan"), data["next_value"]).requires_grad_()
    spoilt = gae(**{**data, "next_value": masked}, gamma=GAMMA, lam=lam)
    assert torch.equal(spoilt, clean)
    spoilt.sum().backward()
    assert masked.grad is not None
    assert torch.isfinite(masked.grad).all()


def test_no_episode_hears_of_another() -> None:
    """Only t ≤ 3 may change with the reward of decision 3, and only if no episode ended in between."""
    data = a_rollout(8, 1)
    data["terminated"], data["truncated"] = at(8, 1), at(8, 4)
    before = gae(**data, gamma=GAMMA, lam=0.95)
    data["reward"][3] += 1.0
    changed = (gae(**data, gamma=GAMMA, lam=0.95) != before).flatten()
    assert changed.tolist() == [False, False, True, True, False, False, False, False]
