"""Advantages and value targets, by hand."""

import torch
from torch import Tensor, nn

from amble.spinup.epoch import Trajectories, judge


class Shown(nn.Module):
    """V(s) is what s shows; log π is ten times it."""

    def pi(self, obs: Tensor, act: Tensor) -> tuple[None, Tensor]:
        return None, 10 * obs[:, 0]

    def v(self, obs: Tensor) -> Tensor:
        return obs[:, 0]


def trajectories(
    lengths: list[int], terminated: list[bool], reward: list[float], value: list[float], final: list[float]
) -> Trajectories:
    return Trajectories(
        observation=torch.tensor(value, dtype=torch.float32)[:, None],
        action=torch.zeros(len(value), 1),
        reward=torch.tensor(reward, dtype=torch.float32),
        lengths=lengths,
        terminated=terminated,
        final_observation=torch.tensor(final, dtype=torch.float32)[:, None],
        episode_returns=[],
        episode_lengths=[],
    )


def test_by_hand() -> None:
    """γ = λ = ½. The first trajectory ends, so the NaN behind it is not read; the second is cut before a V of 6.

    δ = 1 + ½·2 - 1 = 1 | 2 - 2 = 0 | 3 + ½·6 - 4 = 2, so A = (1 + ¼·0, 0, 2) = (1, 0, 2): mean 1, std √⅔.
    Targets: 1 + ½·2 = 2 | 2 | 3 + ½·6 = 6.
    """
    epoch = judge(
        trajectories([2, 1], [True, False], [1, 2, 3], [1, 2, 4], [float("nan"), 6]), Shown(), 0.5, 0.5
    )
    assert torch.allclose(epoch.advantage, torch.tensor([0, -1, 1]) / (2 / 3) ** 0.5)
    assert epoch.value_target.tolist() == [2, 2, 6]
    assert epoch.log_prob.tolist() == [10, 20, 40]
    assert epoch.value.tolist() == [1, 2, 4]


def test_lambda_shapes_the_advantage_and_not_the_target() -> None:
    """λ = 0: A = δ. γ = 1: δ = 1 + 5 - 0 = 6, 1 + 7 - 5 = 3; the target is the reward-to-go either way."""
    given = trajectories([2], [False], [1, 1], [0, 5], [7])
    low, high = judge(given, Shown(), 1.0, 0.0), judge(given, Shown(), 1.0, 1.0)
    assert torch.allclose(low.advantage, torch.tensor([1.0, -1.0]))  # (6, 3) standardised
    assert low.value_target.tolist() == high.value_target.tolist() == [9, 8]
    assert torch.allclose(high.advantage, torch.tensor([1.0, -1.0]))  # 9 - 0, 8 - 5


def test_order_survives_the_columns() -> None:
    """Many trajectories of unlike lengths: with γ = 0 the target of each decision is its own reward."""
    lengths = [3, 1, 4, 1, 5]
    reward = [float(i) for i in range(sum(lengths))]
    epoch = judge(
        trajectories(lengths, [True, False] * 2 + [True], reward, reward, [0.0] * 5), Shown(), 0.0, 0.9
    )
    assert epoch.value_target.tolist() == reward
