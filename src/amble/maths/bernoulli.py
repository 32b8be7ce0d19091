"""A yes or no, each on its own, from logits l = log p/(1-p). Axes: N samples, A answers."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import logsigmoid


def log_density(yes: Shaped[Tensor, "*n A"], logits: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """log p where the answer (1 or True) is yes, log (1 - p) where it is no. The joint one is their sum."""
    return logsigmoid(torch.where(yes > 0.5, logits, -logits))


def entropy(logits: Float[Tensor, "*n A"]) -> Float[Tensor, "*n A"]:
    """H = -p log p - (1-p) log (1-p) of each answer in nats, with p = sigmoid(l) and 1-p = sigmoid(-l)."""
    return -torch.sigmoid(logits) * logsigmoid(logits) - torch.sigmoid(-logits) * logsigmoid(-logits)


def kl_divergence(logits_p: Float[Tensor, "*n A"], logits_q: Float[Tensor, "*n A"]) -> Float[Tensor, "*n"]:
    """E21's D_KL(p ‖ q): Σ_a p log p/q + (1-p) log (1-p)/(1-q)."""
    yes = torch.sigmoid(logits_p) * (logsigmoid(logits_p) - logsigmoid(logits_q))
    no = torch.sigmoid(-logits_p) * (logsigmoid(-logits_p) - logsigmoid(-logits_q))
    return (yes + no).sum(dim=-1)
