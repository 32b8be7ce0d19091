"""What a policy lived through: T decisions of B environments. Axes: O observation, D action dimensions, N = T·B.

With a memory, samples are sequences: S of them, L decisions each, S·L = N.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from amble.nets.critics import Critic, ExpectedQ
from amble.nets.memory import Remembered


class Cut(NamedTuple):
    """Episodes that ended with decision t: in `Rollout.cut` those that were cut, in `Rollout.ends` the others."""

    t: int
    environments: Tensor
    """(n,) which."""
    observation: Tensor
    """(n, O) their final ones, normalised."""
    critic_state: Tensor | None = None
    """(n, M) what the critic remembers by then."""


@dataclass
class Rollout:
    """One iteration's data, collected by one fixed policy; observations are normalised as that policy saw them."""

    observation: Float[Tensor, "T B O"]
    action: Shaped[Tensor, "T B ..."]
    """As the head drew them, before they were clipped for the environment."""
    log_prob: Float[Tensor, "T B D"]
    """Of the stored action, by independent dimension; the joint one is the sum over D."""
    reward: Float[Tensor, "T B"]
    terminated: Bool[Tensor, "T B"]
    truncated: Bool[Tensor, "T B"]
    next_observation: Float[Tensor, "B O"]
    """What followed the last decision; the first of a new episode where one ended there."""
    cut: list[Cut]
    """Where episodes were cut and not terminated."""
    begins: Bool[Tensor, "T B"]
    """Whether a decision is an episode's first."""
    policy_state: Float[Tensor, "T B M"] | None = None
    """What the policy remembers before each decision; None without a memory, as are the next two."""
    critic_state: Float[Tensor, "T B M"] | None = None
    next_critic_state: Float[Tensor, "B M"] | None = None
    """What the critic remembers before the decision that `next_observation` is for."""
    sequence_length: int = 1
    """L; a divisor of T."""
    ends: list[Cut] = field(default_factory=list[Cut])
    """Where episodes ended in a terminal state; empty unless a reward signal looks at those."""

    @property
    def size(self) -> int:
        """N = T·B."""
        return self.reward.numel()

    @property
    def done(self) -> Bool[Tensor, "T B"]:
        """Whether an episode ended with a decision, either way."""
        return self.terminated | self.truncated

    def followed(self) -> Float[Tensor, "T B O"]:
        """What each decision led to, an episode's last observation included, where `ends` were kept."""
        following = torch.cat([self.observation[1:], self.next_observation[None]])
        for t, environments, final, _ in (*self.cut, *self.ends):
            following[t, environments] = final
        return following

    @torch.no_grad()
    def values(self, critic: Critic | ExpectedQ) -> tuple[Float[Tensor, "T B *R"], Float[Tensor, "T B *R"]]:
        """V(s_t), and V of the state that each decision led to: of the *final* observation at a time limit.

        With an axis more where the critic has several values. Behind a terminal state the second holds the value of
        the next episode's start, which only those may read whose reward goes on there.
        """
        value = critic.value(self.observation, self.critic_state)
        last = critic.value(self.next_observation, self.next_critic_state)
        next_value = torch.cat([value[1:], last[None]])
        for t, environments, final, state in self.cut:
            next_value[t, environments] = critic.value(final, state)
        return value, next_value

    def samples(self, x: Shaped[Tensor, "T B *more"]) -> Shaped[Tensor, "..."]:
        """(T, B, …) as samples: (N, …), or with a memory (S, L, …)."""
        if self.policy_state is None:
            return x.flatten(0, 1)
        sequences = x.unflatten(0, (-1, self.sequence_length)).transpose(1, 2)  # T/L, B, L
        return sequences.flatten(0, 1)

    def as_samples(
        self,
        advantage: Float[Tensor, "T B"],
        value_target: Float[Tensor, "T B *R"] | None = None,
        value_old: Float[Tensor, "T B *R"] | None = None,
    ) -> Samples:
        """Everything that a gradient step looks at, sample by sample; values in the critic's units."""
        return Samples(
            observation=self.samples(self.observation),
            action=self.samples(self.action),
            log_prob=self.samples(self.log_prob),
            advantage=self.samples(advantage),
            value_target=None if value_target is None else self.samples(value_target),
            value_old=None if value_old is None else self.samples(value_old),
            policy_memory=self.remembered(self.policy_state),
            critic_memory=self.remembered(self.critic_state),
        )

    def remembered(self, state: Float[Tensor, "T B M"] | None) -> Remembered | None:
        """Where the sequences of `samples` pick up; None without a memory."""
        return None if state is None else Remembered(self.samples(state)[:, 0], self.samples(self.begins))


@dataclass
class Samples:
    """A rollout as samples, or a minibatch of it: leading axes N, or with a memory S and L."""

    observation: Float[Tensor, "N *L O"]
    action: Tensor
    log_prob: Float[Tensor, "N *L D"]
    advantage: Float[Tensor, "N *L"]
    value_target: Float[Tensor, "N ..."] | None = None
    """In the critic's units, as is the next one; None where no critic learns from it. (N, *L), or of R rewards one
    axis more."""
    value_old: Float[Tensor, "N ..."] | None = None
    policy_memory: Remembered | None = None
    critic_memory: Remembered | None = None
    distribution_old: Float[Tensor, "N *L P"] | None = None
    """What the head said when the rollout was collected, where an algorithm asks for a KL."""

    def __len__(self) -> int:
        return len(self.observation)

    def take(self, index: Tensor | slice) -> Samples:
        """These samples of them."""
        return Samples(**{name: _taken(value, index) for name, value in vars(self).items()})


def known(x: Tensor | None) -> Tensor:
    """What samples hold because the algorithm put it there before it took gradient steps.

    Raises:
        TypeError: it did not.
    """
    if x is None:
        raise TypeError("these samples lack what the loss asks for")
    return x


def _taken(value: Any, index: Tensor | slice) -> Any:
    if isinstance(value, Remembered):
        return value.take(index)
    return None if value is None else value[index]


def minibatches(
    count: int, batch_size: int, rng: torch.Generator, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Every one of `count` samples once, in a new order; minibatches of nearly equal size, none left with one.

    A single sample is its own mean: its advantage, normalised over the minibatch, would be 0.
    """
    order = torch.randperm(count, generator=rng).to(device)
    yield from torch.tensor_split(order, max(1, count // max(batch_size, 2)))


def horizon_ends(rollout: Rollout, time_horizon: int) -> Bool[Tensor, "T 1"]:
    """Where trajectories are cut and go on from V because they are `time_horizon` decisions long."""
    t = torch.arange(1, len(rollout.reward) + 1, device=rollout.reward.device)
    return (t % time_horizon == 0)[:, None]
