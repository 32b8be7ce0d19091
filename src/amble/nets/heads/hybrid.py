"""The head for continuous and discrete actions together. Axes: n samples, A continuous dimensions, D branches."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from amble.nets.heads.beta import BetaHead
from amble.nets.heads.categorical import BernoulliHead, CategoricalHead, MultiCategoricalHead, joint_variance
from amble.nets.heads.gaussian import GaussianHead


class HybridHead(nn.Module):
    """π(a, c | s) = π(a | s) · π(c | s): a continuous head and a discrete one, independent given the state.

    An action is stored as one row of floats, the continuous numbers first; a float32 holds every index that a branch
    can have. The net's outputs, the noise and the distribution lie in the same order. Source: Unity ML-Agents'
    hybrid action spaces; Neunert et al. 2020, arXiv:2001.00449.
    """

    action_dtype = torch.float32

    def __init__(
        self,
        continuous: GaussianHead | BetaHead,
        discrete: CategoricalHead | MultiCategoricalHead | BernoulliHead,
    ):
        super().__init__()
        self.continuous, self.discrete = continuous, discrete
        self.outputs = continuous.outputs + discrete.outputs
        self.noise_size = continuous.noise_size + discrete.noise_size
        self.dimensions = continuous.dimensions + discrete.dimensions
        self.action_shape = (self.dimensions,)

    def masked(self, output: Float[Tensor, "*n P"], mask: Shaped[Tensor, "*n K"]) -> Float[Tensor, "*n P"]:
        """The output with choices taken away that the mask does not allow."""
        continuous, logits = self._outputs(output)
        return torch.cat([continuous, self.discrete.masked(logits, mask)], dim=-1)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n noise"]:
        """What both need."""
        return torch.cat([self.continuous.noise(shape, rng), self.discrete.noise(shape, rng)], dim=-1)

    def sample(
        self, output: Float[Tensor, "*n P"], noise: Float[Tensor, "*n noise"]
    ) -> Float[Tensor, "*n dimensions"]:
        """An action of each."""
        continuous, logits = self._outputs(output)
        first, second = noise.tensor_split([self.continuous.noise_size], dim=-1)
        return self._joined(self.continuous.sample(continuous, first), self.discrete.sample(logits, second))

    def mode(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n dimensions"]:
        """The likeliest of each."""
        continuous, logits = self._outputs(output)
        return self._joined(self.continuous.mode(continuous), self.discrete.mode(logits))

    def log_probs(
        self, output: Float[Tensor, "*n P"], action: Float[Tensor, "*n dimensions"]
    ) -> Float[Tensor, "*n dimensions"]:
        """Log density of each continuous dimension, then log p of each branch's choice."""
        continuous, logits = self._outputs(output)
        numbers, choices = self.split(action)
        return torch.cat(
            [self.continuous.log_probs(continuous, numbers), self.discrete.log_probs(logits, choices)], dim=-1
        )

    def entropies(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n dimensions"]:
        """Entropy of each dimension and of each branch."""
        continuous, logits = self._outputs(output)
        return torch.cat([self.continuous.entropies(continuous), self.discrete.entropies(logits)], dim=-1)

    def distribution(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n Q"]:
        """What the continuous distribution depends on, then what the discrete one does."""
        continuous, logits = self._outputs(output)
        return torch.cat(
            [self.continuous.distribution(continuous), self.discrete.distribution(logits)], dim=-1
        )

    def kl(self, p: Float[Tensor, "*n Q"], q: Float[Tensor, "*n Q"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q), the sum of both since they are independent."""
        (p_a, p_c), (q_a, q_c) = self._distributions(p), self._distributions(q)
        return self.continuous.kl(p_a, q_a) + self.discrete.kl(p_c, q_c)

    def ratio_variance(self, p: Float[Tensor, "*n Q"], q: Float[Tensor, "*n Q"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form; inf where one of the two is."""
        (p_a, p_c), (q_a, q_c) = self._distributions(p), self._distributions(q)
        return joint_variance(
            [self.continuous.ratio_variance(p_a, q_a), self.discrete.ratio_variance(p_c, q_c)]
        )

    def split(self, action: Float[Tensor, "*n dimensions"]) -> tuple[Float[Tensor, "*n A"], Tensor]:
        """Continuous numbers, and choices as the discrete head stores them."""
        numbers, choices = action.tensor_split([self.continuous.dimensions], dim=-1)
        return numbers, choices.long().reshape((*action.shape[:-1], *self.discrete.action_shape))

    def _joined(self, numbers: Float[Tensor, "*n A"], choices: Tensor) -> Float[Tensor, "*n dimensions"]:
        branches = choices.reshape((*numbers.shape[:-1], self.discrete.dimensions))
        return torch.cat([numbers, branches.to(numbers.dtype)], dim=-1)

    def _outputs(self, output: Float[Tensor, "*n P"]) -> tuple[Float[Tensor, "*n Pa"], Float[Tensor, "*n K"]]:
        continuous, logits = output.tensor_split([self.continuous.outputs], dim=-1)
        return continuous, logits

    def _distributions(self, x: Float[Tensor, "*n Q"]) -> tuple[Tensor, Tensor]:
        # μ and log σ, or α and β: two numbers for each continuous dimension, whichever head it is.
        continuous, discrete = x.tensor_split([2 * self.continuous.dimensions], dim=-1)
        return continuous, discrete
