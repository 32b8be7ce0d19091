"""The policy heads: what turns the actor's output into actions and their probabilities.

Every head answers the same questions, so that an algorithm need not know which it has: `outputs`, the width of the
net's output it takes; `noise` of many samples in one call; `sample` and `mode`; `log_probs` and `entropies` by
independent dimension, of which the joint ones are the sums over the last axis. Axes: n samples, A action dimensions
(Gaussian), K choices (categorical).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from amble.maths import gaussian


class GaussianHead(nn.Module):
    """Diagonal Gaussian with a mean from the net and one free log σ a dimension, the same in every state."""

    def __init__(self, actions: int, initial_std: float):
        super().__init__()
        self.outputs = self.noise_size = actions
        self.log_std = nn.Parameter(torch.full((actions,), initial_std).log())

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n A"]:
        """Standard normal noise."""
        return torch.randn(*shape, self.noise_size, generator=rng)

    def sample(self, output: Float[Tensor, "*n A"], noise: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        """a = μ + σ·noise."""
        return output + self.log_std.exp() * noise

    def mode(self, output: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        """a = μ."""
        return output

    def log_probs(
        self, output: Float[Tensor, "*n A"], action: Float[Tensor, "*n A"]
    ) -> Float[Tensor, "*n A"]:
        """log N(a; μ, σ²) of each dimension."""
        return gaussian.log_density(action, output, self.log_std)

    def entropies(self, output: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        """Entropy of each dimension, the same for every sample."""
        return gaussian.entropy(self.log_std).expand_as(output)


class CategoricalHead(nn.Module):
    """One choice among K, with the net's outputs as logits."""

    def __init__(self, choices: int):
        super().__init__()
        self.outputs = self.noise_size = choices

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n K"]:
        """Gumbel noise, -log(-log u) with u uniform."""
        u = torch.rand(*shape, self.noise_size, generator=rng).clamp_(1e-20, 1 - 1e-7)
        return -torch.log(-torch.log(u))

    def sample(self, output: Float[Tensor, "*n K"], noise: Float[Tensor, "*n K"]) -> Int[Tensor, "*n"]:
        """argmax(logits + Gumbel noise) is a sample of softmax(logits)."""
        return (output + noise).argmax(dim=-1)

    def mode(self, output: Float[Tensor, "*n K"]) -> Int[Tensor, "*n"]:
        """The likeliest choice."""
        return output.argmax(dim=-1)

    def log_probs(self, output: Float[Tensor, "*n K"], action: Int[Tensor, "*n"]) -> Float[Tensor, "*n 1"]:
        """log softmax(logits)[a]."""
        return torch.log_softmax(output, dim=-1).gather(-1, action.unsqueeze(-1))

    def entropies(self, output: Float[Tensor, "*n K"]) -> Float[Tensor, "*n 1"]:
        """-Σ p log p."""
        log_p = torch.log_softmax(output, dim=-1)
        return -(log_p.exp() * log_p).sum(dim=-1, keepdim=True)
