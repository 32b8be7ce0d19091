"""Which observation's value stands behind each decision."""

import torch

from amble.algorithms.rollout import Rollout
from amble.nets.actor_critic import Critic
from factories import a_critic


class Reads(Critic):
    """V of an observation is its first number."""

    def __init__(self) -> None:
        super().__init__(3, hidden=[4], activation="tanh", standardise=False, rng=torch.Generator())

    def forward(self, normalised: torch.Tensor) -> torch.Tensor:
        return normalised[..., 0]


def observations(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None] * torch.tensor([1.0, 0.0, 0.0])


def a_rollout() -> Rollout:
    """T = 3, B = 2; environment 0 is truncated with decision 0, environment 1 with decisions 1 and 2."""
    truncated = torch.tensor([[True, False], [False, True], [False, True]])
    return Rollout(
        observation=observations(1, 2, 3, 4, 5, 6).reshape(3, 2, 3),
        action=torch.zeros(3, 2, 1),
        log_prob=torch.zeros(3, 2, 1),
        reward=torch.zeros(3, 2),
        terminated=torch.zeros(3, 2, dtype=torch.bool),
        truncated=truncated,
        next_observation=observations(7, 8),
        cut=[
            (0, torch.tensor([0]), observations(30)),
            (1, torch.tensor([1]), observations(41)),
            (2, torch.tensor([1]), observations(52)),
        ],
    )


def test_a_truncated_decision_leads_to_its_final_observation() -> None:
    value, next_value = a_rollout().values(Reads())
    assert value.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert next_value.tolist() == [[30, 4], [5, 41], [7, 52]]


def test_several_environments_cut_at_once() -> None:
    rollout = a_rollout()
    rollout.cut[:] = [(1, torch.tensor([0, 1]), observations(40, 41))]
    assert rollout.values(Reads())[1].tolist() == [[3, 4], [40, 41], [7, 8]]


def test_values_carry_no_gradient() -> None:
    assert not any(v.requires_grad for v in a_rollout().values(a_critic()))


def test_size_is_t_times_b() -> None:
    assert a_rollout().size == 6
