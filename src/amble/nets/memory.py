"""Memory: an LSTM behind a network's body. Axes: S sequences of L decisions, n rows, M numbers remembered.

What is remembered of a row is one vector: the cell's hidden state and, behind it, its cell state, M/2 numbers each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Remembered:
    """Where S sequences pick up, and where within them an episode begins, with nothing remembered."""

    state: Float[Tensor, "S M"]
    """Before each sequence's first decision, as it was when the rollout was collected."""
    begins: Bool[Tensor, "S L"]

    def take(self, index: Tensor | slice) -> Remembered:
        """These sequences of them."""
        return Remembered(self.state[index], self.begins[index])


class RecurrentNet(nn.Module):
    """body → LSTM → linear layer: `step` goes one decision on, `forward` along whole sequences."""

    def __init__(
        self, body: nn.Module, width: int, memory_size: int, outputs: nn.Linear, rng: torch.Generator
    ):
        super().__init__()
        self.body, self.outputs, self.memory_size = body, outputs, memory_size
        self.cell = nn.LSTMCell(width, memory_size // 2)
        _initialise(self.cell, rng)

    def step(
        self, x: Float[Tensor, "*n I"], state: Float[Tensor, "*n M"]
    ) -> tuple[Float[Tensor, "*n outputs"], Float[Tensor, "*n M"]]:
        """The output for one decision of each row, and what is remembered after it."""
        features = self.body(x)
        flat, before = features.reshape(-1, features.shape[-1]), state.reshape(-1, self.memory_size)
        after = self._advance(flat, before)
        hidden = after[:, : self.memory_size // 2]
        return self.outputs(hidden).unflatten(0, x.shape[:-1]), after.view(state.shape)

    def forward(self, x: Float[Tensor, "S L I"], remembered: Remembered) -> Float[Tensor, "S L outputs"]:
        """The outputs along each sequence; the gradient goes back to its first decision and no further."""
        features, state = self.body(x), remembered.state
        goes_on = (~remembered.begins).to(x.dtype)
        hidden: list[Tensor] = []
        for t in range(x.shape[1]):
            state = self._advance(features[:, t], state * goes_on[:, t, None])
            hidden.append(state[:, : self.memory_size // 2])
        return self.outputs(torch.stack(hidden, dim=1))

    def _advance(self, features: Float[Tensor, "n F"], state: Float[Tensor, "n M"]) -> Float[Tensor, "n M"]:
        return torch.cat(self.cell(features, tuple(state.chunk(2, dim=-1))), dim=-1)


@torch.no_grad()
def _initialise(cell: nn.LSTMCell, rng: torch.Generator) -> None:
    """Glorot-uniform weights; biases 0 but for the forget gate's, 1 in all, so that it remembers from the start.

    Source of the forget gate's bias: Jozefowicz et al. 2015, "An empirical exploration of recurrent network
    architectures".
    """
    hidden = cell.hidden_size
    for weight in (cell.weight_ih, cell.weight_hh):
        for gate in weight.split(hidden):
            nn.init.xavier_uniform_(gate, generator=rng)
    cell.bias_ih.zero_()
    cell.bias_hh.zero_()
    cell.bias_ih[hidden : 2 * hidden] = 1.0
