"""The policy heads: what turns the actor's output into actions and their probabilities.

Every head answers the same questions, so that an algorithm need not know which it has:

| | shape | |
|---|---|---|
| `outputs` | | P₀, the width of the net's output that it takes |
| `dimensions` | | D, the number of independent dimensions |
| `action_shape`, `action_dtype` | | one stored action |
| `noise_size`, `noise(shape, rng)` | (*shape, noise_size) | what many samples need, drawn in one call |
| `sample(output, noise)` | (*n, *action_shape) | an action; the same noise gives the same one |
| `mode(output)` | (*n, *action_shape) | how a finished policy acts: the likeliest action |
| `log_probs(output, action)` | (*n, D) | by dimension; the joint log-probability is the sum |
| `entropies(output)` | (*n, D) | in nats; the joint entropy is the sum |
| `distribution(output)` | (*n, P) | all that the distribution depends on, differentiable |
| `kl(p, q)` | (*n) | joint D_KL(p ‖ q) of two such tensors, in closed form, differentiable |
| `ratio_variance(p, q)` | (*n) | Var of p/q over actions of q, in closed form; may be inf |
| `masked(output, mask)` | (*n, P₀) | heads that choose only: the output with choices taken away |

| head | of | stored action | `distribution` |
|---|---|---|---|
| `GaussianHead` | Box | (A,) floats | μ, log σ |
| `SquashedGaussianHead` | bounded Box | (A,) floats u; the action is tanh(u), and so is the density's | μ, log σ of u |
| `BetaHead` | bounded Box | (A,) floats in [0, 1] | α, β |
| `CategoricalHead` | Discrete | () int | log-probabilities |
| `MultiCategoricalHead` | MultiDiscrete | (D,) ints | log-probabilities of the branches in turn |
| `BernoulliHead` | MultiBinary | (D,) ints 0 or 1 | logits |
| `HybridHead` | Tuple of a Box and one of the last three | (A + D,) floats | the first head's, then the second's |

Where a mask applies, every call takes the masked output. `isinstance(head, DiscreteHead | HybridHead)` tells which
can be masked.
"""

from __future__ import annotations

from amble.nets.heads.beta import BetaHead
from amble.nets.heads.categorical import BernoulliHead, CategoricalHead, MultiCategoricalHead
from amble.nets.heads.gaussian import GaussianHead, SquashedGaussianHead
from amble.nets.heads.hybrid import HybridHead

ContinuousHead = GaussianHead | SquashedGaussianHead | BetaHead
DiscreteHead = CategoricalHead | MultiCategoricalHead | BernoulliHead
Head = ContinuousHead | DiscreteHead | HybridHead

__all__ = [
    "BernoulliHead",
    "BetaHead",
    "CategoricalHead",
    "ContinuousHead",
    "DiscreteHead",
    "GaussianHead",
    "Head",
    "HybridHead",
    "MultiCategoricalHead",
    "SquashedGaussianHead",
]
