"""The head for actions between bounds: a Beta distribution. Axes: n samples, A action dimensions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from amble.maths import beta

CANDIDATES = 5
"""Each is rejected with probability under 0.05, so all but the last are with one of 7e-6 at most."""
EDGE = 1e-6
"""How near to 0 and 1 an action may come, where the logarithms of its density end."""
EXCESS_MIN = 1e-30
"""The least α - 1 and β - 1 that the mode is computed from, so that it never is 0/0."""


class BetaHead(nn.Module):
    """Actions in [0, 1], a Beta(α, β) a dimension, α and β = 1 + softplus of the net's outputs: always one hump.

    The first A outputs are α's, the last A β's. Unlike a clipped Gaussian it puts no probability outside of the
    bounds. Source: Chou, Maturana, Scherer 2017, "Improving stochastic policy gradients in continuous control with
    deep reinforcement learning using the Beta distribution".
    """

    action_dtype = torch.float32

    def __init__(self, actions: int):
        super().__init__()
        self.outputs = 2 * actions
        self.noise_size = 2 * actions * (CANDIDATES + 1)
        self.dimensions = actions
        self.action_shape = (actions,)

    def noise(self, shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "*n noise"]:
        """For each of a dimension's two Gammas, five normal numbers and a uniform one."""
        noise = torch.randn(*shape, CANDIDATES + 1, 2 * self.dimensions, generator=rng)
        noise[..., -1, :].uniform_(generator=rng)
        return noise.flatten(start_dim=-2)

    def sample(
        self, output: Float[Tensor, "*n P"], noise: Float[Tensor, "*n noise"]
    ) -> Float[Tensor, "*n A"]:
        """a = g_α / (g_α + g_β) with g ~ Gamma, of which the noise decides everything but the shape; no gradient."""
        shape = self.distribution(output).detach()
        first, second = _gamma(shape, noise.unflatten(-1, (CANDIDATES + 1, -1))).chunk(2, dim=-1)
        return (first / (first + second)).clamp(EDGE, 1 - EDGE)

    def mode(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n A"]:
        """a = (α - 1) / (α + β - 2)."""
        first, second = softplus(output).clamp(min=EXCESS_MIN).chunk(2, dim=-1)
        return (first / (first + second)).clamp(EDGE, 1 - EDGE)

    def log_probs(
        self, output: Float[Tensor, "*n P"], action: Float[Tensor, "*n A"]
    ) -> Float[Tensor, "*n A"]:
        """log density of each dimension in [0, 1]."""
        return beta.log_density(action, *self.distribution(output).chunk(2, dim=-1))

    def entropies(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n A"]:
        """Entropy of each dimension."""
        return beta.entropy(*self.distribution(output).chunk(2, dim=-1))

    def distribution(self, output: Float[Tensor, "*n P"]) -> Float[Tensor, "*n P"]:
        """α of every dimension, then β of every dimension."""
        return 1 + softplus(output)

    def kl(self, p: Float[Tensor, "*n P"], q: Float[Tensor, "*n P"]) -> Float[Tensor, "*n"]:
        """D_KL(p ‖ q)."""
        return beta.kl_divergence(*p.chunk(2, dim=-1), *q.chunk(2, dim=-1))

    def ratio_variance(self, p: Float[Tensor, "*n P"], q: Float[Tensor, "*n P"]) -> Float[Tensor, "*n"]:
        """Var_{a~q}[p/q] in closed form; inf where αq ≥ 2αp or βq ≥ 2βp."""
        return beta.predicted_ratio_variance(*p.chunk(2, dim=-1), *q.chunk(2, dim=-1))


def _gamma(shape: Float[Tensor, "*n G"], noise: Float[Tensor, "*n C G"]) -> Float[Tensor, "*n G"]:
    """Samples of Gamma(shape, 1) for shapes of at least 1, from numbers drawn before the shape was known.

    With d = shape - ⅓ the candidate d(1 + x/√9d)³, x normal, is taken with probability
    min(1, exp(½x² + d - dv + d log v)), v being the cube. The first that is taken of five candidates is the sample.
    One uniform number decides all: candidate k is reached where it is below the chance that all before k fail. The
    fifth needs no permission, which moves the distribution by less than 1e-6 in total variation.
    Source: Marsaglia, Tsang 2000, "A simple method for generating gamma variables".
    """
    normal, uniform = noise[..., :-1, :], noise[..., -1:, :]
    d = (shape - 1 / 3).unsqueeze(-2)
    root = (1 + normal * torch.rsqrt(9 * d)).clamp_(min=1e-10)
    v = root * root * root
    taken = torch.exp((0.5 * normal * normal + d * (1 - v + 3 * torch.log(root))).clamp_(max=0.0))
    all_fail = torch.cumprod(1 - taken[..., :-1, :], dim=-2)
    index = (uniform < all_fail).sum(dim=-2, keepdim=True)
    return (d * v.gather(-2, index)).squeeze(-2)
