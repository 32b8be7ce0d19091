"""Which learner a run gets: `fused` where it can, torch everywhere else."""

from __future__ import annotations

import torch

from amble.algorithms.algorithm import Algorithm
from amble.algorithms.ppo import PPO
from amble.config import LearnerName
from amble.errors import UsageError
from amble.nets.distributions import (
    BernoulliHead,
    CategoricalHead,
    GaussianHead,
    MultiCategoricalHead,
    SquashedGaussianHead,
)

_SERVED = GaussianHead | SquashedGaussianHead | CategoricalHead | MultiCategoricalHead | BernoulliHead


def choose(algorithm: Algorithm, wanted: LearnerName, device: torch.device) -> str:
    """Give the algorithm the learner that is wanted; `auto` is fused where that serves it.

    Args:
        algorithm: as built; its epochs are handed to the fused learner or left to torch.
        wanted: the run file's `torch_settings.learner`.
        device: where the networks are.

    Returns:
        What was chosen, in a few words, with the reason where `auto` came to torch.

    Raises:
        UsageError: fused was asked for, and does not serve this.
    """
    if wanted == "torch":
        return "torch learner"
    reason = not_served(algorithm, device)
    if reason is not None:
        if wanted == "fused":
            raise UsageError(
                f"torch_settings.learner is fused, but {reason}. Use torch, or auto, which takes the faster "
                "one that can."
            )
        return f"torch learner ({reason})"
    if not isinstance(algorithm, PPO):
        raise TypeError(f"{type(algorithm).__name__} is said to be served, but has no epochs")
    # Half a second of numba: only for runs that learn by it.
    from amble.learner.fused.epochs import FusedEpochs

    algorithm.epoch = FusedEpochs(algorithm)
    return "fused learner"


def not_served(algorithm: Algorithm, device: torch.device) -> str | None:
    """Why the fused learner cannot take this algorithm's steps; None if it can."""
    policy, kind = algorithm.policy, type(algorithm).__name__
    if not isinstance(algorithm, PPO):
        return f"the fused learner takes the steps of trainer ppo only, not {kind}'s"
    if device.type != "cpu":
        return f"the fused learner runs on the cpu, and the device is {device}"
    if policy.memory_size:
        return "the fused learner has no memory, and the networks do"
    if policy.encoder is not None:
        return "the fused learner takes plain vectors, and the observation holds images, choices or a mask"
    if not isinstance(policy.head, _SERVED):
        return f"the fused learner does not know the policy's {type(policy.head).__name__}"
    return None
