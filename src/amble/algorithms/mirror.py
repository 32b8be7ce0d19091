"""Samples seen in a mirror. Axes: N samples, O observation, D action dimensions.

Where a body and its task are the same on both sides, P(M·s'|M·s, M·a) = P(s'|s, a) and r(M·s, M·a) = r(s, a), for M
that exchanges left and right. What was lived through then teaches as much about the other side: a sample's advantage
and return are those of its mirror image. So is its probability, if the policy is the same on both sides as well,
π(M·a|M·s) = π(a|s). It is taken to be: one that is not is drawn toward one that is.
Sources: Abdolhosseini et al. 2019 (`DUP`); Mittal et al. 2024, arXiv:2403.04359.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from amble.algorithms.rollout import Samples
from amble.nets.normaliser import Normaliser


@dataclass(frozen=True)
class Exchange:
    """M of one vector: x in the mirror is `x[..., index] * sign`."""

    index: Int[Tensor, "n"]
    sign: Float[Tensor, "n"]

    def __call__(self, x: Float[Tensor, "*m n"]) -> Float[Tensor, "*m n"]:
        """M·x."""
        return x[..., self.index] * self.sign


@dataclass(frozen=True)
class Mirror:
    """M of a policy's samples.

    Attributes:
        observation: of raw observations.
        action: of the Gaussian's actions.
        normaliser: that the samples' observations went through; None where they are raw.
    """

    observation: Exchange
    action: Exchange
    normaliser: Normaliser | None = None

    def half_of(self, samples: Samples, rng: torch.Generator) -> Samples:
        """`samples`, each of them with probability 1/2 replaced by its mirror image."""
        chosen = torch.rand(len(samples), generator=rng) < 0.5
        chosen = chosen.to(samples.observation.device)
        observation, action = samples.observation.clone(), samples.action.clone()
        log_prob = samples.log_prob.clone()
        observation[chosen] = self._normalised(observation[chosen])
        action[chosen] = self.action(action[chosen])
        log_prob[chosen] = log_prob[chosen][..., self.action.index]
        return replace(samples, observation=observation, action=action, log_prob=log_prob)

    def _normalised(self, observation: Float[Tensor, "N O"]) -> Float[Tensor, "N O"]:
        """M·s of normalised s. Where normalising has clipped s, of the bound."""
        normaliser = self.normaliser
        if normaliser is None:
            return self.observation(observation)
        dtype = observation.dtype
        raw = observation * normaliser.std.to(dtype) + normaliser.mean.to(dtype)
        return normaliser(self.observation(raw))
