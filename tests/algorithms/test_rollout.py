"""Which observation's value stands behind each decision."""

from typing import Any

import torch

from amble.algorithms.rollout import Cut, Rollout, Samples, horizon_ends, minibatches
from amble.nets.critics import Critic
from amble.nets.memory import Remembered
from amble.nets.network import NetShape
from amble.nets.observations import ObservationLayout
from factories import OBSERVATION, a_critic, rng


class Reads(Critic):
    """V of an observation is its first number."""

    def __init__(self) -> None:
        super().__init__(
            ObservationLayout(OBSERVATION), shape=NetShape([4]), standardise=False, rng=torch.Generator()
        )

    def step(self, normalised: torch.Tensor, state: torch.Tensor | None) -> Any:
        return normalised[..., 0], None


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
        begins=torch.zeros(3, 2, dtype=torch.bool),
        next_observation=observations(7, 8),
        cut=[
            Cut(0, torch.tensor([0]), observations(30)),
            Cut(1, torch.tensor([1]), observations(41)),
            Cut(2, torch.tensor([1]), observations(52)),
        ],
    )


def test_a_truncated_decision_leads_to_its_final_observation() -> None:
    value, next_value = a_rollout().values(Reads())
    assert value.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert next_value.tolist() == [[30, 4], [5, 41], [7, 52]]


def test_several_environments_cut_at_once() -> None:
    rollout = a_rollout()
    rollout.cut[:] = [Cut(1, torch.tensor([0, 1]), observations(40, 41))]
    assert rollout.values(Reads())[1].tolist() == [[3, 4], [40, 41], [7, 8]]


def test_values_carry_no_gradient() -> None:
    assert not any(v.requires_grad for v in a_rollout().values(a_critic()))


def test_size_is_t_times_b() -> None:
    assert a_rollout().size == 6


class TestSamples:
    def test_rows_without_a_memory(self) -> None:
        """Decision t of environment b is row t·B + b."""
        rollout = a_rollout()
        rows = rollout.as_samples(torch.arange(6.0).reshape(3, 2))
        assert rows.observation[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
        assert rows.advantage.tolist() == [0, 1, 2, 3, 4, 5]
        assert rows.policy_memory is None
        assert rows.value_target is None

    def test_sequences_with_a_memory(self) -> None:
        """T = 4 in sequences of 2 of 2 environments: each environment's first half, then each one's second."""
        x = torch.tensor([[10, 20], [11, 21], [12, 22], [13, 23]])
        rollout = a_rollout()
        rollout.policy_state, rollout.sequence_length = x[..., None].float(), 2
        rollout.begins = x == 12
        assert rollout.samples(x).tolist() == [[10, 11], [20, 21], [12, 13], [22, 23]]
        remembered = rollout.remembered(rollout.policy_state)
        assert remembered is not None
        assert remembered.state.flatten().tolist() == [10, 20, 12, 22]
        assert remembered.begins.tolist() == [[False, False], [False, False], [True, False], [False, False]]

    def test_taking_keeps_rows_together(self) -> None:
        samples = Samples(
            observation=torch.arange(4.0)[:, None],
            action=torch.arange(4),
            log_prob=torch.arange(4.0)[:, None],
            advantage=torch.arange(4.0),
            policy_memory=Remembered(torch.arange(4.0)[:, None], torch.tensor([[True], [False]] * 2)),
        )
        taken = samples.take(torch.tensor([3, 1]))
        assert len(taken) == 2
        assert taken.action.tolist() == taken.advantage.tolist() == [3, 1]
        assert taken.policy_memory is not None
        assert taken.policy_memory.state.flatten().tolist() == [3, 1]
        assert taken.value_old is None


def test_minibatches_take_every_sample_once() -> None:
    parts = list(minibatches(10, 3, rng()))
    assert sorted(torch.cat(parts).tolist()) == list(range(10))
    assert [len(part) for part in parts] == [4, 3, 3]
    assert [len(part) for part in minibatches(3, 1, rng())] == [3]


def test_a_horizon_ends_after_so_many_decisions() -> None:
    assert horizon_ends(a_rollout(), 2).flatten().tolist() == [False, True, False]
    assert not horizon_ends(a_rollout(), 4).any()
