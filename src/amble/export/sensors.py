"""From Unity's sensors, one input each, to the features that the layers take.

A part of the observation space is a sensor, in the space's order; the part `action_mask` is none. Unity's sensors
give vectors, one-hot vectors for categories, and images as (C, H, W) floats between 0 and 1, whatever the order and
the type in which our space holds them. Axes: n rows, C, H, W an image's channels, height and width.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from amble.errors import UsageError
from amble.export.graph import Graph
from amble.export.layers import add
from amble.nets.actor_critic import Policy
from amble.nets.normaliser import Normaliser
from amble.nets.observations import Part

_AXES_MAX = 3


def sensor_shapes(policy: Policy) -> list[tuple[int, ...]]:
    """The shape of each sensor that the policy's observation space asks for, without the batch."""
    images = {image.name: image.shape for image in policy.layout.images}
    shapes: list[tuple[int, ...]] = []
    for part in policy.layout.parts:
        shape = tuple(part.space.shape or ())
        if part.kind == "mask":
            continue
        if part.kind == "categories" or not shape:
            shapes.append((part.columns.stop - part.columns.start,))
        elif len(shape) > _AXES_MAX:
            raise UsageError(
                f"The observation {part.name} has {len(shape)} axes, {shape}; Unity's sensors have at most "
                f"{_AXES_MAX}. Flatten it in the environment and train again."
            )
        else:
            shapes.append(images[part.name] if part.kind == "image" and len(shape) == _AXES_MAX else shape)
    return shapes


def add_sensors(graph: Graph, policy: Policy) -> str:
    """The inputs `obs_0`, `obs_1` …, and the features made of them (n, F)."""
    parts = [part for part in policy.layout.parts if part.kind != "mask"]
    values: dict[str, list[str]] = {"vector": [], "categories": [], "image": []}
    for i, (part, shape) in enumerate(zip(parts, sensor_shapes(policy), strict=True)):
        values[part.kind].append(_shaped(graph, part, graph.input(f"obs_{i}", *shape), len(shape)))
    features: list[str] = []
    if values["vector"]:
        vector = graph.joined(values["vector"])
        features.append(
            vector if policy.normaliser is None else _normalised(graph, policy.normaliser, vector)
        )
    features += values["categories"]
    if policy.encoder is not None:
        encoders = zip(policy.encoder.encoders, values["image"], strict=True)
        features += [add(graph, encoder, image) for encoder, image in encoders]
    return graph.joined(features)


def _shaped(graph: Graph, part: Part, value: str, axes: int) -> str:
    """(n, w) for a vector, (n, C, H, W) for an image."""
    if part.kind == "image":
        return value if axes == _AXES_MAX else graph.node("Unsqueeze", value, axes=[1])
    return value if axes == 1 else graph.node("Flatten", value, axis=1)


def _normalised(graph: Graph, normaliser: Normaliser, vector: str) -> str:
    centred = graph.node("Sub", vector, graph.constant(normaliser.mean.float()))
    scaled = graph.node("Div", centred, graph.constant(normaliser.std.float()))
    return graph.node("Clip", scaled, min=-normaliser.limit, max=normaliser.limit)


def sensor_values(policy: Policy, rows: Float32[np.ndarray, "n O"]) -> dict[str, np.ndarray]:
    """What Unity's sensors show where our rows hold the same observations: the model's `obs_…`."""
    parts = [part for part in policy.layout.parts if part.kind != "mask"]
    last = {image.name for image in policy.layout.images if image.channels_last}
    values: dict[str, np.ndarray] = {}
    for i, (part, shape) in enumerate(zip(parts, sensor_shapes(policy), strict=True)):
        value = rows[:, part.columns]
        if len(shape) == _AXES_MAX and part.name in last:
            channels, height, width = shape
            value = value.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        values[f"obs_{i}"] = np.ascontiguousarray(value.reshape(-1, *shape))
    return values
