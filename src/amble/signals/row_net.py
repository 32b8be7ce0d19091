"""Networks of reward signals: from rows as the policy sees them to numbers.

Axes: n rows, O observation, I = O + what else stands behind it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.nets.encoders import Encoder
from amble.nets.mlp import mlp
from amble.nets.network import NetShape
from amble.nets.normaliser import Normaliser
from amble.nets.observations import ObservationLayout


class RowNet(nn.Module):
    """Encoder → layers → linear, of an observation and of `extra` further numbers behind it."""

    def __init__(
        self,
        layout: ObservationLayout,
        shape: NetShape,
        outputs: int,
        *,
        normalise: bool,
        rng: torch.Generator,
        extra: int = 0,
    ):
        """Weights are drawn from `rng`; with `normalise` vectors pass a normaliser of the network's own first."""
        super().__init__()
        self._size, self._vectors = layout.size, layout.vectors
        self.normaliser = Normaliser(layout.vectors) if normalise and layout.vectors else None
        self.encoder = None
        if layout.size != layout.vectors:
            self.encoder = Encoder(layout, shape.encoder, shape.hidden[-1], rng)
        self.net = mlp(
            (layout.size if self.encoder is None else self.encoder.outputs) + extra,
            shape.hidden,
            outputs,
            activation=shape.activation,
            head_gain=1.0,
            rng=rng,
            layer_norm=shape.layer_norm,
        )

    def forward(self, x: Float[Tensor, "*n I"]) -> Float[Tensor, "*n outputs"]:
        """The outputs for observations as the policy sees them, with the extra numbers behind."""
        rows, extra = x[..., : self._size], x[..., self._size :]
        if self.normaliser is not None:
            rows = torch.cat(
                [self.normaliser(rows[..., : self._vectors]), rows[..., self._vectors :]], dim=-1
            )
        features = rows if self.encoder is None else self.encoder(rows)
        return self.net(torch.cat([features, extra], dim=-1) if extra.shape[-1] else features)

    def take_in(self, rows: Float[Tensor, "*n O"]) -> None:
        """Let the network's own normaliser see observations."""
        if self.normaliser is not None:
            self.normaliser.update(rows[..., : self._vectors])
