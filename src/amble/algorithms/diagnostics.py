"""How far an update took the policy from the one that collected: what its rollout is still worth (E18, E19)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from amble.algorithms.rollout import Samples
from amble.maths.importance import effective_sample_share, kl_estimate, ratio, ratio_variance
from amble.nets.actor_critic import Policy

_MOST_SAMPLES = 2048
"""Looked at, evenly spread over a larger rollout: enough for three digits, at a hundredth of an update's cost."""


class ImportanceDiagnostics:
    """Made before an update, asked after it."""

    @torch.no_grad()
    def __init__(self, policy: Policy, samples: Samples):
        self.policy = policy
        decisions = samples.log_prob[..., 0].numel()
        self.samples = samples.take(slice(None, None, max(1, decisions // _MOST_SAMPLES)))
        self.before = policy.head.distribution(self._output())

    @torch.no_grad()
    def figures(self) -> dict[str, float]:
        """Of the ratio ρ = π_new/π_old over the rollout's decisions.

        `ratio_variance` is what it was, `predicted_ratio_variance` the one that the two distributions imply: it
        explodes when they part, while a sample that never met the rare large ratios still looks calm.
        `effective_sample_size` is the share of the rollout that it is worth to the new policy, and
        `importance_kl` the estimate of KL(old‖new) in nats.
        """
        output, head = self._output(), self.policy.head
        rho = ratio(
            head.log_probs(output, self.samples.action).sum(-1), self.samples.log_prob.sum(-1)
        ).flatten()
        predicted = head.ratio_variance(head.distribution(output), self.before)
        return {
            "effective_sample_size": float(effective_sample_share(rho)),
            "ratio_variance": float(ratio_variance(rho)),
            "predicted_ratio_variance": float(predicted.mean()),
            "importance_kl": float(kl_estimate(rho)),
        }

    def _output(self) -> Float[Tensor, "N *L outputs"]:
        return self.policy(self.samples.observation, self.samples.policy_memory)
