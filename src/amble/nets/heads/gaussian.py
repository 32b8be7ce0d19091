"""Heads that draw from a diagonal Gaussian: as it is, or squashed by tanh. Axes: n samples, A action dimensions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.maths import gaussian, squashed
from amble.maths.importance import predicted_ratio_variance_gaussian


class GaussianHead(nn.Module):
    """Diagonal Gaussian with a mean from the net and one free log σ a dimension, the same in every state."""

    action_dtype = torch.float32

    def __init__(self, actions: int, initial_std: float):
        super().__init__()
        self.outputs = self.noise_size = self.dimensions = actions
        self.action_shape = (actions,)
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

    def distribution(self, output: Float[Tensor, "*n A"]) -> Float[Tensor, "*n P"]:
        """μ of every dimension, then log σ of every dimension."""
        return torch.cat([output, self.log_std.expand_as(output)], dim=-1)

    def kl(self, p: Float[Tensor, "*n P"], q: Float[Tensor, "*n P"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q); squashing both by the same function leaves it what it is."""
        return gaussian.kl_divergence(*p.chunk(2, dim=-1), *q.chunk(2, dim=-1))

    def ratio_variance(self, p: Float[Tensor, "*n P"], q: Float[Tensor, "*n P"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form, squashed or not; inf where σp² ≥ 2σq²."""
        return predicted_ratio_variance_gaussian(*p.chunk(2, dim=-1), *q.chunk(2, dim=-1))


class SquashedGaussianHead(GaussianHead):
    """The action is tanh(u) with u from the Gaussian; u is what is sampled and stored, and `ActionMap` squashes it.

    Source: Haarnoja et al. 2018, arXiv:1801.01290, appendix C.
    """

    def log_probs(
        self, output: Float[Tensor, "*n A"], action: Float[Tensor, "*n A"]
    ) -> Float[Tensor, "*n A"]:
        """log density of tanh(u) of each dimension, in (-1, 1), from the stored u."""
        return squashed.log_density(action, output, self.log_std)

    def entropies(self, output: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
        """Entropy of tanh(u) of each dimension by quadrature, differentiable in μ and σ."""
        return squashed.entropy(output, self.log_std)
