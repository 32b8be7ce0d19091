"""From a row of observations to what a network's hidden layers take, images encoded by convolutions.

The image encoders are those of Unity ML-Agents' `vis_encode_type`, by their published sizes. Source: ML-Agents,
`mlagents/trainers/torch/encoders.py`; `nature_cnn` after Mnih et al. 2015, `resnet` after Espeholt et al. 2018,
arXiv:1802.01561 (IMPALA). Axes: n samples (any number of leading axes), O columns of a row, F features,
C, H, W an image's channels, height and width.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.errors import UsageError
from amble.nets.observations import Image, ObservationLayout

EncoderKind = Literal["simple", "nature_cnn", "resnet", "match3", "fully_connected"]

MINIMUM: dict[EncoderKind, int] = {
    "simple": 20,
    "nature_cnn": 36,
    "resnet": 15,
    "match3": 5,
    "fully_connected": 1,
}
"""The shortest side of an image, in pixels, that each kind takes."""


class Encoder(nn.Module):
    """(*n, O) → (*n, F): vectors and categories as they are, then F_i features of each image; the mask is left out.

    Attributes:
        outputs: F.
    """

    def __init__(self, layout: ObservationLayout, kind: EncoderKind, features: int, rng: torch.Generator):
        """`features` of each image by an encoder of this kind, weights drawn from `rng`."""
        super().__init__()
        self._inputs, self._images = layout.inputs, layout.images
        self._is_identity = layout.inputs == slice(0, layout.size)
        self.encoders = nn.ModuleList(_image_encoder(image, kind, features, rng) for image in layout.images)
        self.outputs = layout.inputs.stop + features * len(layout.images)

    def forward(self, rows: Float[Tensor, "*n O"]) -> Float[Tensor, "*n F"]:
        """The features; the rows themselves where all their columns are vectors and categories."""
        if self._is_identity:
            return rows
        parts = [rows[..., self._inputs]] if self._inputs.stop else []
        for image, encode in zip(self._images, self.encoders, strict=True):
            encoded = encode(_pixels(rows, image))
            parts.append(encoded.reshape(*rows.shape[:-1], encoded.shape[-1]))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class ResidualBlock(nn.Module):
    """x + conv(swish(conv(swish(x)))), 3×3, size kept."""

    def __init__(self, channels: int, rng: torch.Generator):
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(),
            _conv(channels, channels, 3, 1, rng, padding=1),
            nn.SiLU(),
            _conv(channels, channels, 3, 1, rng, padding=1),
        )

    def forward(self, x: Float[Tensor, "m C H W"]) -> Float[Tensor, "m C H W"]:
        """The input and what the block adds to it."""
        return x + self.layers(x)


def _image_encoder(image: Image, kind: EncoderKind, features: int, rng: torch.Generator) -> nn.Sequential:
    channels, height, width = image.shape
    side = min(height, width)
    if side < MINIMUM[kind]:
        fitting = [f"{other} (from {least})" for other, least in MINIMUM.items() if least <= side]
        raise UsageError(
            f"vis_encode_type {kind} takes images of at least {MINIMUM[kind]}×{MINIMUM[kind]} pixels, but "
            f"{image.name} is {height}×{width}. These would fit: {', '.join(fitting)}."
        )
    layers = _convolutions(kind, channels, rng)
    with torch.no_grad():
        flat = math.prod(nn.Sequential(*layers)(torch.zeros(1, *image.shape)).shape)
    dense = nn.Linear(flat, features)
    _draw(dense, rng)
    activation = nn.SiLU() if kind == "resnet" else nn.LeakyReLU()
    return nn.Sequential(*layers, nn.Flatten(), dense, activation)


def _convolutions(kind: EncoderKind, channels: int, rng: torch.Generator) -> list[nn.Module]:
    """The layers before the dense one, from (m, C, H, W) to (m, C', H', W')."""
    if kind == "fully_connected":
        return []
    if kind == "resnet":
        layers: list[nn.Module] = []
        for wide in (16, 32, 32):
            layers += [_conv(channels, wide, 3, 1, rng, padding=1), nn.MaxPool2d(3, 2)]
            layers += [ResidualBlock(wide, rng), ResidualBlock(wide, rng)]
            channels = wide
        return [*layers, nn.SiLU()]
    sizes = {
        "simple": [(16, 8, 4), (32, 4, 2)],
        "nature_cnn": [(32, 8, 4), (64, 4, 2), (64, 3, 1)],
        "match3": [(35, 3, 1), (144, 3, 1)],
    }
    layers = []
    for wide, kernel, stride in sizes[kind]:
        layers += [_conv(channels, wide, kernel, stride, rng), nn.LeakyReLU()]
        channels = wide
    return layers


def _conv(
    channels: int, wide: int, kernel: int, stride: int, rng: torch.Generator, padding: int = 0
) -> nn.Conv2d:
    conv = nn.Conv2d(channels, wide, kernel, stride, padding)
    _draw(conv, rng)
    return conv


def _draw(layer: nn.Conv2d | nn.Linear, rng: torch.Generator) -> None:
    """Normal weights of variance 2 / fan-in (He et al. 2015, arXiv:1502.01852), zero biases."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _pixels(rows: Float[Tensor, "*n O"], image: Image) -> Float[Tensor, "m C H W"]:
    channels, height, width = image.shape
    pixels = rows[..., image.columns]
    if image.channels_last:
        return pixels.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
    return pixels.reshape(-1, channels, height, width)
