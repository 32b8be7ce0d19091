"""Parameters as one long vector and back. Axes: P parameters in all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor


def flatten(tensors: Sequence[Shaped[Tensor, "..."]]) -> Shaped[Tensor, "P"]:
    """All numbers of the tensors, one tensor after the other; gradients flow through."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def unflatten_like(
    vector: Float[Tensor, "P"], like: Sequence[Shaped[Tensor, "..."]]
) -> list[Float[Tensor, "..."]]:
    """The vector cut into pieces of the shapes of `like`: what `flatten` put together."""
    size = sum(tensor.numel() for tensor in like)
    if size != len(vector):
        raise ValueError(f"unflatten_like: the tensors hold {size} numbers, the vector {len(vector)}")
    pieces = torch.split(vector, [tensor.numel() for tensor in like])
    return [piece.reshape(tensor.shape) for piece, tensor in zip(pieces, like, strict=True)]


@torch.no_grad()
def assign(parameters: Sequence[Tensor], vector: Float[Tensor, "P"]) -> None:
    """Write the vector into the parameters, in place."""
    for parameter, piece in zip(parameters, unflatten_like(vector, parameters), strict=True):
        parameter.copy_(piece)
