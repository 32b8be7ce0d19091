import json

import numpy as np
import pytest
from gymnasium import spaces

from amble.errors import AmbleError, UsageError
from amble.training.spaces import space_from_json, space_to_json


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-np.inf, np.inf, (243,), np.float32),
        spaces.Box(-1.0, 1.0, (39,), np.float64),
        spaces.Box(0, 255, (3, 84, 84), np.uint8),
        spaces.Box(np.float32([-1.0, -np.inf]), np.float32([0.1, np.inf]), dtype=np.float32),
        spaces.Box(np.array([[0.1, 1 / 3]]), np.array([[1.0, 2.0]]), dtype=np.float64),
        spaces.Box(-(2**62) - 1, 2**62 + 1, (2,), np.int64),
        spaces.Box(0, 1, (2,), np.bool_),
        spaces.Box(-1.0, 1.0, (), np.float32),
        spaces.Box(-1.0, 1.0, (0,), np.float32),
        spaces.Discrete(5),
        spaces.Discrete(5, start=-2, dtype=np.int32),
        spaces.MultiDiscrete([3, 2], start=[1, 0]),
        spaces.MultiDiscrete(np.array([[3, 2], [4, 5]]), dtype=np.int32),
        spaces.MultiBinary(4),
        spaces.MultiBinary([2, 3]),
        spaces.Dict(
            {"b": spaces.Discrete(2), "a": spaces.Tuple([spaces.MultiBinary(2), spaces.Discrete(3)])}
        ),
    ],
    ids=str,
)
def test_comes_back_equal(space):
    back = space_from_json(json.loads(json.dumps(space_to_json(space), allow_nan=False)))
    assert back == space
    assert (back.dtype, back.shape) == (space.dtype, space.shape)
    if isinstance(space, spaces.Box):
        np.testing.assert_array_equal(back.low, space.low)
        np.testing.assert_array_equal(back.high, space.high)


def test_a_uniform_bound_is_one_number():
    box = spaces.Box(-np.inf, 1.0, (243,), np.float32)
    assert space_to_json(box) == {
        "type": "Box",
        "dtype": "float32",
        "shape": [243],
        "low": "-inf",
        "high": 1.0,
    }


def test_other_spaces_are_refused_with_a_way_out():
    with pytest.raises(UsageError, match=r"is a Text; expected Box, Discrete.*FlattenObservation"):
        space_to_json(spaces.Dict({"a": spaces.Text(2)}))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected an object with a type of Box"),
        ({"type": ["Box"]}, "expected an object with a type"),
        ({"type": "Box"}, "no valid Box space"),
        ({"type": "Box", "dtype": "object", "shape": [1], "low": 0, "high": 1}, "no valid Box space"),
        ({"type": "Box", "dtype": "float32", "shape": [10**6, 10**6], "low": 0, "high": 1}, "more than"),
        ({"type": "Box", "dtype": "float32", "shape": [-1], "low": 0, "high": 1}, "shape"),
        ({"type": "Box", "dtype": "float32", "shape": [2], "low": [0, 0, 0], "high": 1}, "no valid Box"),
        ({"type": "Box", "dtype": "float32", "shape": [2], "low": "x", "high": 1}, "bound 'x'"),
        ({"type": "Box", "dtype": "float32", "shape": [2], "low": 2, "high": 1}, "no valid Box"),
        ({"type": "Discrete", "dtype": "int64", "n": 0, "start": 0}, "no valid Discrete"),
        ({"type": "MultiDiscrete", "dtype": "int64", "nvec": [0], "start": [0]}, "no valid MultiDiscrete"),
        ({"type": "MultiBinary", "shape": "x"}, "no valid MultiBinary"),
        ({"type": "Dict", "spaces": {"a": 1}}, "no space: expected an object"),
        ({"type": "Tuple"}, "no valid Tuple"),
    ],
)
def test_no_space(value, message):
    with pytest.raises(AmbleError, match=message):
        space_from_json(value)
