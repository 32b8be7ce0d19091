"""Gymnasium spaces as JSON and back: Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of those."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from amble.errors import AmbleError, UsageError

_ELEMENTS_MAX = 10**8
_DTYPES = frozenset(
    f"{kind}{bits}"
    for kind in ("int", "uint", "float")
    for bits in (8, 16, 32, 64)
    if (kind, bits) != ("float", 8)
) | {"bool"}


def space_to_json(space: spaces.Space) -> dict[str, Any]:
    """`space` as JSON. A bound that is the same everywhere is one number; infinity is "inf" or "-inf".

    Raises:
        UsageError: a kind of space that a policy cannot have.
    """
    if isinstance(space, spaces.Box):
        return {
            "type": "Box",
            "dtype": _dtype_name(space),
            "shape": [int(size) for size in space.shape],
            "low": _bound_to_json(space.low),
            "high": _bound_to_json(space.high),
        }
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "dtype": _dtype_name(space), "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {
            "type": "MultiDiscrete",
            "dtype": _dtype_name(space),
            "nvec": space.nvec.tolist(),
            "start": space.start.tolist(),
        }
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "shape": [int(size) for size in space.shape]}
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": {key: space_to_json(part) for key, part in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "spaces": [space_to_json(part) for part in space.spaces]}
    raise UsageError(
        f"the space {space} is a {type(space).__name__}; expected Box, Discrete, MultiDiscrete, "
        "MultiBinary, or a Dict or Tuple of those. Flatten it with gymnasium.wrappers.FlattenObservation."
    )


def space_from_json(value: Any) -> spaces.Space:
    """The space that `space_to_json` wrote.

    Raises:
        AmbleError: `value` describes no such space.
    """
    kinds = {
        "Box": _box,
        "Discrete": _discrete,
        "MultiDiscrete": _multi_discrete,
        "MultiBinary": _multi_binary,
        "Dict": _dict,
        "Tuple": _tuple,
    }
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise AmbleError(
            f"no space: expected an object with a type of {', '.join(kinds)}, got {str(value)[:200]}"
        )
    try:
        return kinds[kind](value)
    except (KeyError, TypeError, ValueError, OverflowError, AssertionError) as error:
        raise AmbleError(f"no valid {kind} space ({error!r}): {str(value)[:200]}") from error


def _box(value: dict[str, Any]) -> spaces.Box:
    dtype, shape = _dtype(value), _shape(value["shape"])
    low, high = _bound(value["low"], shape, dtype), _bound(value["high"], shape, dtype)
    return spaces.Box(low, high, shape, dtype.type)


def _discrete(value: dict[str, Any]) -> spaces.Discrete:
    return spaces.Discrete(value["n"], start=value["start"], dtype=_dtype(value).type)


def _multi_discrete(value: dict[str, Any]) -> spaces.MultiDiscrete:
    dtype = _dtype(value)
    return spaces.MultiDiscrete(
        np.array(value["nvec"], dtype=dtype), dtype=dtype.type, start=np.array(value["start"], dtype=dtype)
    )


def _multi_binary(value: dict[str, Any]) -> spaces.MultiBinary:
    shape = _shape(value["shape"])
    return spaces.MultiBinary(shape[0] if len(shape) == 1 else list(shape))


def _dict(value: dict[str, Any]) -> spaces.Space:
    # Gymnasium sorts a plain dict's keys; a list of pairs keeps the order in which a policy's columns stand.
    return spaces.Dict([(key, space_from_json(part)) for key, part in value["spaces"].items()])


def _tuple(value: dict[str, Any]) -> spaces.Space:
    return spaces.Tuple([space_from_json(part) for part in value["spaces"]])


def _dtype_name(space: spaces.Space) -> str:
    name = np.dtype(space.dtype).name
    if name not in _DTYPES:
        raise UsageError(
            f"the space {space} has the dtype {name}; expected one of {', '.join(sorted(_DTYPES))}."
        )
    return name


def _dtype(value: dict[str, Any]) -> np.dtype:
    if value["dtype"] not in _DTYPES:
        raise ValueError(f"dtype {value['dtype']!r}")
    return np.dtype(value["dtype"])


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(size) is int and size >= 0 for size in value):
        raise ValueError(f"shape {value!r}")
    if math.prod(value) > _ELEMENTS_MAX:
        raise ValueError(f"shape {value!r} of more than {_ELEMENTS_MAX} elements")
    return tuple(value)


def _bound_to_json(bound: np.ndarray) -> Any:
    values = bound.tolist()
    if bound.size and (bound == bound.flat[0]).all():
        values = bound.flat[0].item()
    return _named_infinities(values)


def _named_infinities(value: Any) -> Any:
    if isinstance(value, list):
        return [_named_infinities(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _bound(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    numbers = _numbers(value)
    # Not through float64: it would round the bounds of 64-bit integers.
    bound = np.array(numbers, dtype=dtype)
    return np.full(shape, bound, dtype=dtype) if not isinstance(numbers, list) else bound.reshape(shape)


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if value in ("inf", "-inf"):
        return float(value)
    if not isinstance(value, int | float):
        raise TypeError(f"bound {value!r}")
    return value
