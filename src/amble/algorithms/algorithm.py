"""What every algorithm is given, and what a run asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from amble.algorithms.optimiser import Optimiser
from amble.algorithms.rollout import Rollout, Samples
from amble.config import GradientHyperparameters, Hyperparameters
from amble.maths.schedules import scheduled
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic, QCritic

# Where ML-Agents' linear schedules end.
_FINAL_LEARNING_RATE, _FINAL_BETA = 1e-10, 1e-5


Figures = dict[str, float | str]


@dataclass(frozen=True)
class Problem:
    """What is to be learned."""

    gamma: float
    """γ, discount per decision."""
    max_steps: int
    """Environment steps of the whole run: the end of every schedule."""
    reward_strength: float = 1.0
    """Factor on the reward."""
    time_horizon: int = 2**31
    """Decisions after which a trajectory is cut and goes on from V."""


class GradientStep(Protocol):
    """The one gradient step that a rollout is good for; `amble.learner` has another way of carrying it out."""

    def __call__(self, samples: Samples, beta: float) -> dict[str, float]:
        """A step down the algorithm's loss.

        Args:
            samples: the rollout.
            beta: β of the entropy.

        Returns:
            The losses, `entropy`, `grad_norm`, and `skipped_steps`: 1 where the step was left out because loss or
            gradient was not finite, else 0.
        """
        ...


class Algorithm(ABC):
    """Improves a policy, and the critics it has, by one rollout at a time.

    Attributes:
        networks: what is learned, by name: `policy`, and `critic` and `q_critic` where the algorithm has them.
        optimisers: by the name of what they step; a single one is named "".
    """

    def __init__(
        self,
        policy: Policy,
        problem: Problem,
        rng: torch.Generator,
        *,
        critic: Critic | None = None,
        q_critic: QCritic | None = None,
    ):
        self.policy, self.problem, self.rng = policy, problem, rng
        networks = {"policy": policy, "critic": critic, "q_critic": q_critic}
        self.networks: dict[str, nn.Module] = {name: net for name, net in networks.items() if net is not None}
        self.parameters = [parameter for net in self.networks.values() for parameter in net.parameters()]
        self.optimisers: dict[str, Optimiser] = {}

    @abstractmethod
    def update(self, rollout: Rollout, env_steps: int) -> Figures:
        """Improve policy and critics by one rollout.

        Args:
            rollout: collected by the policy as it stands.
            env_steps: environment steps taken before it; the schedules' clock.

        Returns:
            The update's figures: losses, entropy (nats), and the like; outcomes by name.
        """

    @abstractmethod
    def describe(self) -> str:
        """In a few words, what becomes of a rollout; shown when a run starts."""

    def optimiser_tensors(self) -> dict[str, Tensor]:
        """What the algorithm carries from update to update besides the networks: its optimisers' moments."""
        return {
            f"{name}.{key}" if name else key: value
            for name, optimiser in self.optimisers.items()
            for key, value in optimiser.tensors().items()
        }

    def restore_optimiser(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `optimiser_tensors` gave."""
        for name, optimiser in self.optimisers.items():
            prefix = f"{name}." if name else ""
            optimiser.restore(
                {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            )


def rate_at(env_steps: int, settings: GradientHyperparameters, problem: Problem) -> float:
    """α after so many environment steps; as it began where it follows no clock."""
    course = "linear" if settings.learning_rate_schedule == "linear" else "constant"
    return scheduled(course, settings.learning_rate, _FINAL_LEARNING_RATE, env_steps, problem.max_steps)


def beta_at(env_steps: int, settings: Hyperparameters, problem: Problem) -> float:
    """β after so many environment steps."""
    final = min(_FINAL_BETA, settings.beta)
    return scheduled(settings.beta_schedule, settings.beta, final, env_steps, problem.max_steps)
