"""Which learner a run gets: `fused` where it can, torch everywhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Algorithm
from amble.algorithms.pg import PG
from amble.algorithms.ppo import PPO
from amble.algorithms.reward_signals import Extrinsic
from amble.algorithms.rollout import Rollout
from amble.config import A3CHyperparameters, LearnerName
from amble.errors import UsageError
from amble.nets.actor_critic import Policy
from amble.nets.distributions import (
    BernoulliHead,
    CategoricalHead,
    GaussianHead,
    MultiCategoricalHead,
    SquashedGaussianHead,
)

_SERVED = GaussianHead | SquashedGaussianHead | CategoricalHead | MultiCategoricalHead | BernoulliHead


@runtime_checkable
class Acting(Protocol):
    """Acts in the place of torch while a rollout is collected."""

    def alone(self) -> AbstractContextManager[object]:
        """Within, decisions are computed on one thread."""
        ...

    def begin(self, raw: Tensor, noise: Tensor, data: Rollout) -> None:
        """A rollout begins: `raw` (T, B, O) will hold its observations, `noise` (T, B, …) decides what is drawn."""
        ...

    def act(self, t: int) -> None:
        """Write decision t into `data`: normalised observation, actions, their log-probabilities."""
        ...


@dataclass(frozen=True)
class Choice:
    """Who learns."""

    words: str
    """For the lines that a run starts with, with the reason where `auto` came to torch."""
    acting: Acting | None = None
    """Who acts; None for torch."""


def choose(algorithm: Algorithm, wanted: LearnerName, device: torch.device) -> Choice:
    """Give the algorithm the learner that is wanted; `auto` is fused where that serves it.

    Args:
        algorithm: as built; its epochs are handed to the fused learner or left to torch.
        wanted: the run file's `torch_settings.learner`.
        device: where the networks are.

    Raises:
        UsageError: fused was asked for, and does not serve this.
    """
    if wanted == "torch":
        return Choice("torch learner")
    reason = not_served(algorithm, device)
    if reason is not None:
        if wanted == "fused":
            raise UsageError(
                f"torch_settings.learner is fused, but {reason}. Use torch, or auto, which takes the faster "
                "one that can."
            )
        return Choice(f"torch learner ({reason})")
    # Half a second of numba: only for runs that learn by it.
    from amble.learner.fused.acting import FusedActing
    from amble.learner.fused.epochs import FusedEpochs
    from amble.learner.fused.steps import FusedA2CStep, FusedFit, FusedPGStep

    match algorithm:
        case PPO():
            algorithm.epoch = fused = FusedEpochs(algorithm)
        case A2C():
            algorithm.step = fused = FusedA2CStep(algorithm)
        case PG():
            algorithm.step = fused = FusedPGStep(algorithm)
            algorithm.fit = FusedFit(algorithm)
        case _:
            raise TypeError(f"{type(algorithm).__name__} is said to be served, but nothing serves it")
    return Choice("fused learner", FusedActing(algorithm.policy, fused.flat, fused.nets))


def not_served(algorithm: Algorithm, device: torch.device) -> str | None:
    """Why the fused learner cannot take this algorithm's steps; None if it can."""
    if not isinstance(algorithm, PPO | A2C | PG):
        kind = type(algorithm).__name__
        return f"the fused learner takes the steps of trainers ppo, a2c and pg, not {kind}'s"
    if isinstance(algorithm.settings, A3CHyperparameters):
        return "the fused learner shares no parameters between processes, and trainer a3c's workers do"
    if isinstance(algorithm, PPO):
        learned = [signal.name for signal in algorithm.signals if not isinstance(signal, Extrinsic)]
        if learned:
            return f"the fused learner knows the extrinsic reward alone, and {' and '.join(learned)} pays too"
    if device.type != "cpu":
        return f"the fused learner runs on the cpu, and the device is {device}"
    return _policy_not_served(algorithm.policy)


def _policy_not_served(policy: Policy) -> str | None:
    if policy.memory_size:
        return "the fused learner has no memory, and the networks do"
    if policy.encoder is not None:
        return "the fused learner takes plain vectors, and the observation holds images, choices or a mask"
    if not isinstance(policy.head, _SERVED):
        return f"the fused learner does not know the policy's {type(policy.head).__name__}"
    return None
