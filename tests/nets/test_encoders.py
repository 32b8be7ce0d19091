"""Shapes, sizes and refusals of the image encoders, and what passes them by."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from amble.errors import UsageError
from amble.nets.encoders import MINIMUM, Encoder, EncoderKind
from amble.nets.observations import ObservationLayout


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


def encoder(space: spaces.Space, kind: EncoderKind = "fully_connected", features: int = 7) -> Encoder:
    return Encoder(ObservationLayout(space), kind, features, rng())


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("kind", MINIMUM)
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_any_leading_axes(kind: EncoderKind, lead: tuple[int, ...]) -> None:
    """A vector of 4 passes, two images give 7 features each; every parameter gets a gradient."""
    space = spaces.Dict({"v": spaces.Box(-1, 1, (4,)), "a": image(40, 36, 3), "b": image(2, 36, 37)})
    encode, layout = encoder(space, kind), ObservationLayout(space)
    rows = torch.rand(*lead, layout.size, generator=rng())
    features = encode(rows)
    assert features.shape == (*lead, 18)
    assert encode.outputs == 18
    assert torch.equal(features[..., :4], rows[..., :4])
    features.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encode.parameters())


@pytest.mark.parametrize("kind", MINIMUM)
def test_the_smallest_image_fits_and_one_pixel_less_does_not(kind: EncoderKind) -> None:
    side = MINIMUM[kind]
    assert encoder(image(side, side, 3), kind)(torch.rand(2, side * side * 3)).shape == (2, 7)
    if side > 1:
        with pytest.raises(UsageError) as info:
            encoder(spaces.Dict({"eye": image(side - 1, side, 3)}), kind)
        fitting = ", ".join(f"{other} (from {least})" for other, least in MINIMUM.items() if least < side)
        assert str(info.value) == (
            f"vis_encode_type {kind} takes images of at least {side}×{side} pixels, but eye is "
            f"{side - 1}×{side}. These would fit: {fitting}."
        )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # conv: (in·k² + 1)·out; 84 → 20 → 9
        ("simple", (3 * 64 + 1) * 16 + (16 * 16 + 1) * 32 + (32 * 81 + 1) * 7),
        # 84 → 20 → 9 → 7
        ("nature_cnn", (3 * 64 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 9 + 1) * 64 + (64 * 49 + 1) * 7),
        # 84 → 82 → 80
        ("match3", (3 * 9 + 1) * 35 + (35 * 9 + 1) * 144 + (144 * 6400 + 1) * 7),
        ("fully_connected", (3 * 84 * 84 + 1) * 7),
        # 84 → 41 → 20 → 9, and four convolutions in the two blocks of each
        (
            "resnet",
            (27 + 1) * 16
            + 4 * (16 * 9 + 1) * 16
            + (16 * 9 + 1) * 32
            + 4 * (32 * 9 + 1) * 32
            + (32 * 9 + 1) * 32
            + 4 * (32 * 9 + 1) * 32
            + (32 * 81 + 1) * 7,
        ),
    ],
)
def test_parameters_of_an_84_by_84_image_by_hand(kind: EncoderKind, expected: int) -> None:
    assert parameters(encoder(image(84, 84, 3), kind)) == expected


def test_vectors_alone_are_handed_on_without_a_copy() -> None:
    encode = encoder(spaces.Dict({"a": spaces.Box(-1, 1, (3,)), "b": spaces.Discrete(2)}))
    rows = torch.rand(4, 5)
    assert encode(rows) is rows
    assert (encode.outputs, parameters(encode)) == (5, 0)


def test_the_mask_is_left_out() -> None:
    space = spaces.Dict(
        {"action_mask": spaces.MultiBinary(2), "x": spaces.Box(-1, 1, (3,)), "i": image(2, 5, 5)}
    )
    encode, layout = encoder(space), ObservationLayout(space)
    rows = torch.rand(4, layout.size, generator=rng())
    other = rows.clone()
    other[:, layout.mask] = -9.0
    assert torch.equal(encode(rows), encode(other))
    only_mask = encoder(spaces.Dict({"action_mask": spaces.MultiBinary(2), "x": spaces.Box(-1, 1, (3,))}))
    assert torch.equal(only_mask(rows[:, :5]), rows[:, :3])


@pytest.mark.parametrize("kind", MINIMUM)
def test_the_order_of_channels_in_memory_makes_no_difference(kind: EncoderKind) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 38, 3), np.uint8)
    channels_first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    rows = [ObservationLayout(image(*batch.shape[1:])).flat(batch, 2) for batch in (pixels, channels_first)]
    last, first = encoder(image(40, 38, 3), kind), encoder(image(3, 40, 38), kind)
    torch.testing.assert_close(
        last(torch.as_tensor(rows[0])), first(torch.as_tensor(rows[1])), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("kind", MINIMUM)
def test_weights_come_from_the_generator(kind: EncoderKind) -> None:
    layout = ObservationLayout(image(36, 36, 3))
    one, same, other = (Encoder(layout, kind, 7, rng(seed)) for seed in (0, 0, 1))
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, same.state_dict()[name])
        assert torch.equal(parameter, other.state_dict()[name]) == name.endswith("bias")
