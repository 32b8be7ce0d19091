"""From draws to environment actions."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.errors import UsageError
from amble.nets.actions import ActionMap
from amble.nets.distributions import CategoricalHead, GaussianHead


def box(low: list[float], high: list[float], dtype: type = np.float32) -> spaces.Box:
    return spaces.Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)


def to_env(space: spaces.Space, clip: float, *rows: list[float]) -> np.ndarray:
    return ActionMap(space, clip).to_env(torch.tensor(rows))


def test_ml_agents_clip_over_a_symmetric_box() -> None:
    """clip(raw, -3, 3) / 3."""
    raw = [-9.0, -3.0, -1.5, 0.0, 0.3, 3.0, 9.0]
    found = to_env(box([-1] * 7, [1] * 7), 3.0, raw)
    np.testing.assert_allclose(found, [[-1, -1, -0.5, 0, 0.1, 1, 1]], atol=1e-7)
    assert found.dtype == np.float32


def test_an_asymmetric_box_is_filled() -> None:
    """Box [0, 4]: -3 → 0, 0 → the middle 2, 1.5 → 3, 3 → 4. Box [-10, -9]: 0 → -9.5."""
    found = to_env(box([0.0, -10.0], [4.0, -9.0]), 3.0, [-3.0, -3.0], [0.0, 0.0], [1.5, 1.5], [7.0, 7.0])
    np.testing.assert_allclose(found, [[0, -10], [2, -9.5], [3, -9.25], [4, -9]], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip", [1.0, 2.0, 3.0, 0.7])
def test_no_action_leaves_its_box_by_a_rounding(dtype: type, clip: float) -> None:
    """Many environments assert `action_space.contains(action)`."""
    rng = np.random.default_rng(0)
    low = rng.normal(size=200) * 10
    space = box(list(low), list(low + rng.uniform(0.01, 20, 200)), dtype)
    for action in to_env(space, clip, [-1e6] * 200, [1e6] * 200, [clip] * 200, [-clip] * 200):
        assert space.contains(action)


def test_a_dimension_without_bounds_takes_the_draw_as_it_is() -> None:
    """The second is bounded, the third only below: a draw of 2 is 2 there, and -7 is 0."""
    inf = float("inf")
    found = to_env(box([-inf, -1.0, 0.0], [inf, 1.0, inf]), 3.0, [7.0, 7.0, -7.0], [-7.0, 1.5, 2.0])
    np.testing.assert_allclose(found, [[7, 1, 0], [-7, 0.5, 2]])


def test_bounds_as_wide_as_the_numbers_reach() -> None:
    most = float(np.finfo(np.float32).max)
    found = to_env(box([-most], [most]), 3.0, [0.0], [1.5])
    np.testing.assert_allclose(found, [[0.0], [most / 2]], rtol=1e-6)


def test_discrete_actions_begin_where_the_space_does() -> None:
    space = spaces.Discrete(3, start=-1)
    actions = ActionMap(space, 3.0)
    found = actions.to_env(torch.tensor([0, 1, 2]))
    assert found.tolist() == [-1, 0, 1]
    assert all(space.contains(action) for action in found)
    assert isinstance(actions.head(1.0), CategoricalHead)
    assert actions.head(1.0).outputs == 3
    assert actions.empty(4, 2).shape == (4, 2)
    assert actions.empty(4, 2).dtype == torch.int64


def test_continuous_actions_get_a_gaussian() -> None:
    actions = ActionMap(box([-1, -1], [1, 1]), 3.0)
    head = actions.head(0.5)
    assert isinstance(head, GaussianHead)
    assert head.outputs == 2
    assert actions.empty(4, 3).shape == (4, 3, 2)


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Box(-1, 1, (2, 2)),
        spaces.Box(0, 5, (2,), np.int64),
        spaces.Dict({"a": spaces.Discrete(2)}),
        spaces.Tuple([spaces.Discrete(2)]),
    ],
    ids=lambda space: type(space).__name__,
)
def test_other_spaces_are_refused_by_name(space: spaces.Space) -> None:
    with pytest.raises(UsageError, match=r"The action space .* is not supported: expected a one-dim") as info:
        ActionMap(space, 3.0)
    assert str(space) in str(info.value)
