"""From what an environment shows to one flat row of numbers, and back to what the columns mean.

Whatever the observation space, buffers, normaliser and networks see float32 rows of O numbers. An `ObservationLayout`
knows which columns are what, in this order:

| columns | from | what becomes of them |
|---|---|---|
| vectors (V) | Box | normalised by running mean and deviation |
| categories | Discrete, MultiDiscrete, MultiBinary | one-hot or 0/1, taken as they are |
| mask | the key `action_mask` of a Dict | no input: which choices the action may take |
| images | Box of an image's shape | encoded (`nets/encoders.py`) |

A Dict or Tuple, nested as it may be, is the columns of its parts; parts of one kind stand in the space's order.
Axes: n observations, O columns, C, H, W an image's channels, height and width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float32, Shaped

from amble.errors import AmbleError, EnvironmentFault, UsageError

MASK = "action_mask"
"""The key of a Dict under which an environment says which choices are allowed."""
_CHANNELS_MAX = 4
_TO_INFINITY: dict[str, Any] = {"over": "ignore", "invalid": "ignore"}
"""What float32 cannot hold becomes infinite without a word; the collector stops at it and says where."""

_Kind = Literal["vector", "categories", "mask", "image"]
_ORDER: tuple[_Kind, ...] = ("vector", "categories", "mask", "image")
_Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Image:
    """Where one image lies in a row."""

    columns: slice
    shape: tuple[int, int, int]
    """(C, H, W), whatever the order in memory."""
    channels_last: bool
    """In memory (H, W, C) rather than (C, H, W)."""
    name: str
    """Its place in the space, for messages: `camera`, or `observation` where it is all there is."""


@dataclass(frozen=True)
class Part:
    """One part of the space that is no Dict or Tuple, and where it lies in a row."""

    path: _Path
    space: spaces.Space[Any]
    kind: _Kind
    columns: slice

    @property
    def name(self) -> str:
        """Its place in the space, for messages: `camera`, or `observation` where it is all there is."""
        return ".".join(map(str, self.path)) or "observation"


class ObservationLayout:
    """Which of a row's columns are what.

    A Box of one axis is a vector. A Box of two is an image of one channel; one of three whose first or last axis is
    its shortest and at most 4 long is an image with those channels (the last where both fit). Any other Box is a
    vector of its elements. An image of uint8 is divided by 255, one of another type is taken as it is.

    Attributes:
        space: the observation space.
        size: O.
        parts: what the space is made of, in the space's own order.
        vectors: V, the number of leading columns that a running normaliser is for.
        inputs: the columns that are inputs and no images: those before the mask.
        mask: the mask's columns; None without one.
        images: where each image lies.
    """

    def __init__(self, space: spaces.Space[Any]):
        self.space = space
        leaves = list(_leaves(space, ()))
        masks = [leaf for leaf in leaves if leaf.kind == "mask"]
        if len(masks) > 1:
            raise UsageError(
                f"The observation space {space} has {len(masks)} parts called {MASK!r} "
                f"({', '.join(leaf.name for leaf in masks)}); expected at most one."
            )
        if all(leaf.kind == "mask" for leaf in leaves):
            raise UsageError(f"The observation space {space} has nothing in it that a policy could see.")
        self._leaves: list[Part] = []
        at = 0
        for leaf in sorted(leaves, key=lambda leaf: _ORDER.index(leaf.kind)):
            width = leaf.columns.stop
            self._leaves.append(Part(leaf.path, leaf.space, leaf.kind, slice(at, at + width)))
            at += width
        self.size = at
        self.parts = [next(part for part in self._leaves if part.path == leaf.path) for leaf in leaves]
        self.vectors = sum(_width(leaf.columns) for leaf in self._leaves if leaf.kind == "vector")
        categories = sum(_width(leaf.columns) for leaf in self._leaves if leaf.kind == "categories")
        self.inputs = slice(0, self.vectors + categories)
        self.mask = next((leaf.columns for leaf in self._leaves if leaf.kind == "mask"), None)
        self.images = [_image(leaf) for leaf in self._leaves if leaf.kind == "image"]
        self._plain = isinstance(space, spaces.Box) and self._leaves[0].kind == "vector"

    def flat(
        self, observation: Any, n: int, out: Float32[np.ndarray, "n O"] | None = None
    ) -> Float32[np.ndarray, "n O"]:
        """The rows of n observations as a VectorEnv gives them: an array, or a dict or tuple of arrays, batch first.

        Args:
            observation: what `reset` or `step` returned.
            n: how many observations these are.
            out: where to write the rows; new memory if None, or the observation itself where it is such rows already.

        Raises:
            AmbleError: a part is missing, has another shape than the space says, or a category is out of its range.
        """
        if self._plain and out is None:
            rows = _batch(self._leaves[0], observation, n).reshape(n, self.size)
            with np.errstate(**_TO_INFINITY):
                return rows.astype(np.float32, copy=False)
        if out is None:
            out = np.empty((n, self.size), np.float32)
        for leaf in self._leaves:
            _write(leaf, _batch(leaf, _part(leaf, observation), n), out[:, leaf.columns])
        return out

    def rows(self, observations: Sequence[Any]) -> Float32[np.ndarray, "n O"]:
        """The rows of single observations, each as one environment gives it."""
        n = len(observations)
        out = np.empty((n, self.size), np.float32)
        for leaf in self._leaves:
            parts = [np.asarray(_part(leaf, one)) for one in observations]
            wrong = [part.shape for part in parts if part.shape != leaf.space.shape]
            if wrong:
                raise AmbleError(
                    f"A single {leaf.name} has shape {wrong[0]}; the observation space says {leaf.space.shape}."
                )
            part = np.stack(parts) if parts else np.empty((0, *(leaf.space.shape or ())), leaf.space.dtype)
            _write(leaf, part, out[:, leaf.columns])
        return out

    def final(self, info: dict[str, Any], done: Bool[np.ndarray, "B"]) -> Float32[np.ndarray, "n O"]:
        """The rows of the last observations of the episodes that ended in this step, in `done`'s order.

        `info["final_obs"]` may be B single observations in an array of objects or a list, None where no episode
        ended, or batched as the observations are: an array, a dict or a tuple of arrays of B.

        Raises:
            EnvironmentFault: an ended episode's last observation is missing.
            AmbleError: it has another shape than the space says.
        """
        ids = np.flatnonzero(done)
        if not ids.size:
            return np.empty((0, self.size), np.float32)
        if "final_obs" not in info:
            raise EnvironmentFault(
                int(ids[0]),
                f"ended its episode, but info has no 'final_obs' (keys: {sorted(info)}). "
                "It must autoreset in SAME_STEP mode and put the episode's last observation there.",
            )
        valid = info.get("_final_obs", done)
        singles = [
            _single(self.space, info["final_obs"], int(i), len(done)) if valid[i] else None for i in ids
        ]
        missing = [i for i, single in zip(ids, singles, strict=True) if single is None]
        if missing:
            raise EnvironmentFault(
                int(missing[0]),
                "ended its episode, but info['final_obs'] has no observation for it "
                f"({len(missing)} of {len(ids)} are missing). info['_final_obs'] must be True wherever "
                "terminated or truncated is.",
            )
        return self.rows(singles)


def _leaves(space: spaces.Space[Any], path: _Path) -> Iterator[Part]:
    """The parts in the space's order; `columns` says only how many each takes."""
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, (*path, key))
        return
    if isinstance(space, spaces.Tuple):
        for i, part in enumerate(space.spaces):
            yield from _leaves(part, (*path, i))
        return
    where = f" (at {'.'.join(map(str, path))})" if path else ""
    if path and path[-1] == MASK:
        if not isinstance(space, spaces.Box | spaces.MultiBinary):
            raise UsageError(
                f"The observation space's {MASK!r} is {space}{where}; expected a MultiBinary or a Box with one "
                "number, 0 or 1, for each choice of the action space."
            )
        yield Part(path, space, "mask", slice(0, math.prod(space.shape)))
    elif isinstance(space, spaces.Box):
        kind: _Kind = "vector" if _channels_last(space.shape) is None else "image"
        yield Part(path, space, kind, slice(0, math.prod(space.shape)))
    elif isinstance(space, spaces.Discrete):
        yield Part(path, space, "categories", slice(0, int(space.n)))
    elif isinstance(space, spaces.MultiDiscrete):
        yield Part(path, space, "categories", slice(0, int(space.nvec.sum())))
    elif isinstance(space, spaces.MultiBinary):
        yield Part(path, space, "categories", slice(0, math.prod(space.shape)))
    else:
        raise UsageError(
            f"The observation space {space}{where} is not supported: expected a Box, Discrete, MultiDiscrete or "
            "MultiBinary, or a Dict or Tuple of those. A gymnasium.ObservationWrapper can turn it into one."
        )


def _channels_last(shape: tuple[int, ...]) -> bool | None:
    """Whether an image of this shape has its channels last; None if it is no image."""
    if len(shape) == 2:
        return True
    if len(shape) != 3 or min(shape) > _CHANNELS_MAX:
        return None
    if shape[-1] == min(shape):
        return True
    return False if shape[0] == min(shape) else None


def _image(leaf: Part) -> Image:
    shape = tuple(leaf.space.shape or ())
    last = bool(_channels_last(shape))
    if len(shape) == 2:
        shape = (*shape, 1)
    sizes = (shape[2], shape[0], shape[1]) if last else (shape[0], shape[1], shape[2])
    return Image(leaf.columns, sizes, last, leaf.name)


def _part(leaf: Part, observation: Any) -> Any:
    """What stands at the leaf's place in an observation."""
    for key in leaf.path:
        try:
            observation = observation[key]
        except (KeyError, IndexError, TypeError) as error:
            raise AmbleError(
                f"An observation has no {leaf.name} ({error!r}), which the observation space says it has; "
                f"got a {type(observation).__name__}."
            ) from error
    return observation


def _batch(leaf: Part, part: Any, n: int) -> Shaped[np.ndarray, "n ..."]:
    """The leaf's n observations as an array of the shape that the space says."""
    array = np.asarray(part)
    if array.shape != (n, *(leaf.space.shape or ())):
        raise AmbleError(
            f"{leaf.name}: {n} observations came with shape {array.shape}; "
            f"the observation space says {(n, *(leaf.space.shape or ()))}."
        )
    return array


def _single(space: spaces.Space[Any], final: Any, i: int, n: int) -> Any:
    """Environment i's observation out of a batch in any form; None if it has none."""
    if isinstance(space, spaces.Dict) and isinstance(final, dict):
        parts = {key: _single(part, final.get(key), i, n) for key, part in space.spaces.items()}
        return None if any(part is None for part in parts.values()) else parts
    per_environment = isinstance(final, np.ndarray) and final.dtype == object
    if isinstance(space, spaces.Tuple) and isinstance(final, tuple) and not per_environment:
        parts = tuple(_single(part, one, i, n) for part, one in zip(space.spaces, final, strict=True))
        return None if any(part is None for part in parts) else parts
    return None if final is None or len(final) != n else final[i]


def _write(leaf: Part, part: Shaped[np.ndarray, "n ..."], out: Float32[np.ndarray, "n w"]) -> None:
    """The leaf's n observations into its columns."""
    if leaf.kind == "categories" and not isinstance(leaf.space, spaces.MultiBinary):
        _write_one_hot(leaf, part, out)
    elif leaf.kind == "image" and leaf.space.dtype == np.uint8:
        np.multiply(part.reshape(out.shape), np.float32(1 / 255), out=out)
    else:
        with np.errstate(**_TO_INFINITY):
            out[:] = part.reshape(out.shape)


def _write_one_hot(leaf: Part, part: Shaped[np.ndarray, "n ..."], out: Float32[np.ndarray, "n w"]) -> None:
    counts, start = _counts(leaf.space)
    index = part.reshape(len(out), -1).astype(np.int64) - start
    wrong = (index < 0) | (index >= counts)
    if wrong.any():
        row, branch = np.argwhere(wrong)[0]
        raise AmbleError(
            f"{leaf.name} of observation {row} holds {index[row, branch] + start[branch]}; "
            f"the observation space {leaf.space} goes from {start[branch]} to {start[branch] + counts[branch] - 1}."
        )
    out[:] = 0.0
    first = np.cumsum(counts) - counts
    np.put_along_axis(out, index + first, 1.0, axis=1)


def _counts(space: spaces.Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    """How many values each number of a Discrete or MultiDiscrete has, and where they start; both (D,)."""
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64), space.start.reshape(-1).astype(np.int64)
    assert isinstance(space, spaces.Discrete)
    return np.array([space.n], np.int64), np.array([space.start], np.int64)


def _width(columns: slice) -> int:
    return columns.stop - columns.start
