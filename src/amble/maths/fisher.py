"""The Fisher information times a vector, without ever forming the matrix. Axes: P parameters.

F = E[∇log π ∇log πᵀ] is the Hessian of the mean KL (E21) between the policy and a fixed copy of itself, taken where
the two are equal. Source: Schulman et al. 2015, arXiv:1502.05477, appendix C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from amble.maths.flat import flatten


def fisher_product(
    kl: Float[Tensor, ""], parameters: Sequence[Tensor], damping: float
) -> Callable[[Float[Tensor, "P"]], Float[Tensor, "P"]]:
    """The function v ↦ (F + damping·1) v, for conjugate gradients: ∇KL is taken once, ∇(∇KL · v) at each call.

    Args:
        kl: mean KL with its graph, between the policy (with gradient) and the fixed copy of it (without).
        parameters: those of the policy, in the order that `flat.flatten` gives them; unused ones count as 0.
        damping: added to the diagonal, so that directions which no sample speaks of do not become infinitely long.
    """
    first = torch.autograd.grad(kl, parameters, create_graph=True, materialize_grads=True)
    gradient = flatten(first)

    def product(v: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
        second = torch.autograd.grad(gradient, parameters, v, retain_graph=True, materialize_grads=True)
        return flatten(second) + damping * v

    return product


def fisher_vector_product(
    kl: Float[Tensor, ""], parameters: Sequence[Tensor], v: Float[Tensor, "P"], damping: float
) -> Float[Tensor, "P"]:
    """(F + damping·1) v for one vector; whoever needs more than one takes `fisher_product`."""
    return fisher_product(kl, parameters, damping)(v)
