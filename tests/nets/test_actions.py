"""From draws to environment actions."""

import math
import re

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.errors import UsageError
from amble.nets.actions import ActionMap, Distribution, mask_fits
from amble.nets.distributions import (
    BernoulliHead,
    BetaHead,
    CategoricalHead,
    GaussianHead,
    HybridHead,
    MultiCategoricalHead,
    SquashedGaussianHead,
)
from amble.nets.observations import ObservationLayout


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
        spaces.Box(0, 5, (2,), np.int64),
        spaces.Dict({"a": spaces.Discrete(2)}),
        spaces.Tuple([spaces.Discrete(2)]),
        spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, (2,))]),
        spaces.Text(3),
    ],
    ids=lambda space: type(space).__name__,
)
def test_other_spaces_are_refused_by_name(space: spaces.Space) -> None:
    supported = "expected a Box of floats, a Discrete, a MultiDiscrete or a MultiBinary"
    with pytest.raises(
        UsageError, match=re.escape(f"The action space {space} is not supported: {supported}")
    ):
        ActionMap(space, 3.0)


SPACES = [
    (spaces.Box(-2, 3, (2, 3)), "gaussian"),
    (spaces.Box(-2, 3, (2, 3)), "squashed"),
    (spaces.Box(-2, 3, (2, 3), np.float64), "beta"),
    (spaces.Box(-2, 3, ()), "gaussian"),
    (spaces.Discrete(4, start=3), "gaussian"),
    (spaces.MultiDiscrete([2, 3], start=[-1, 5]), "beta"),
    (spaces.MultiDiscrete([[2, 3], [4, 5]]), "gaussian"),
    (spaces.MultiBinary(3), "squashed"),
    (spaces.MultiBinary([2, 3]), "gaussian"),
    (spaces.Tuple([spaces.Box(-2, 3, (2,)), spaces.Discrete(4, start=3)]), "gaussian"),
    (spaces.Tuple([spaces.Box(-2, 3, (2, 3)), spaces.MultiDiscrete([[2, 3], [4, 5]])]), "squashed"),
    (spaces.Tuple([spaces.Box(-2, 3, (2,)), spaces.MultiBinary(3)]), "beta"),
]


@pytest.mark.parametrize(("space", "distribution"), SPACES, ids=str)
def test_what_a_head_draws_is_an_action_of_the_space(space: spaces.Space, distribution: Distribution) -> None:
    actions = ActionMap(space, 3.0, distribution)
    head = actions.head(1.0)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        drawn = head.sample(3 * torch.randn(200, head.outputs, generator=rng), head.noise((200,), rng))
    stored = actions.empty(7, 200)
    assert stored.dtype == drawn.dtype == head.action_dtype
    stored[3] = drawn
    found = actions.to_env(stored[3])
    for part, array in (
        zip(space, found, strict=True) if isinstance(space, spaces.Tuple) else [(space, found)]
    ):
        assert array.shape == (200, *part.shape)
        assert all(part.contains(np.asarray(action)) for action in array)
    assert actions.is_continuous == isinstance(space, spaces.Box)


@pytest.mark.parametrize(
    ("space", "kind", "choices"),
    [
        (spaces.Box(-1, 1, (2,)), GaussianHead, None),
        (spaces.Discrete(4), CategoricalHead, 4),
        (spaces.MultiDiscrete([[2, 3], [4, 5]]), MultiCategoricalHead, 14),
        (spaces.MultiBinary([2, 3]), BernoulliHead, 6),
        (spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(4)]), HybridHead, 4),
    ],
)
def test_each_space_has_its_head(space: spaces.Space, kind: type, choices: int | None) -> None:
    actions = ActionMap(space, 3.0)
    assert type(actions.head(0.5)) is kind
    assert actions.choices == choices


def test_branches_keep_their_place() -> None:
    found = ActionMap(spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[0, 1], [0, -9]]), 3.0).to_env(
        torch.tensor([[1, 2, 3, 4]])
    )
    assert found.tolist() == [[[1, 3], [3, -5]]]


def test_both_kinds_are_a_tuple() -> None:
    """Drawn 1.5 of ±3 is half of the box's way up from its middle; the second choice of a Discrete from 5 is 6."""
    space = spaces.Tuple([box([-1.0, 0.0], [1.0, 4.0]), spaces.Discrete(3, start=5)])
    numbers, choices = ActionMap(space, 3.0).to_env(torch.tensor([[1.5, 1.5, 1.0], [-9.0, 0.0, 2.0]]))
    assert numbers.tolist() == [[0.5, 3.0], [-1.0, 2.0]]
    assert choices.tolist() == [6, 7]


def test_squashed_actions_fill_the_box() -> None:
    """tanh(0) = 0 is the middle, tanh(½ log 3) = ½ three quarters, far out the bounds themselves."""
    space = box([0.0, -10.0], [4.0, -9.0])
    u = torch.tensor([[0.0, 0.0], [0.5 * math.log(3)] * 2, [40.0, -40.0]])
    found = ActionMap(space, 3.0, "squashed").to_env(u)
    np.testing.assert_allclose(found, [[2, -9.5], [3, -9.25], [4, -10]], atol=1e-6)
    assert isinstance(ActionMap(space, 3.0, "squashed").head(0.5), SquashedGaussianHead)


def test_beta_actions_fill_the_box() -> None:
    space = box([0.0, -10.0], [4.0, -9.0])
    found = ActionMap(space, 3.0, "beta").to_env(torch.tensor([[0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]))
    np.testing.assert_allclose(found, [[0, -9], [2, -9.5], [3, -9.75]], atol=1e-6)
    assert isinstance(ActionMap(space, 3.0, "beta").head(0.5), BetaHead)


@pytest.mark.parametrize("distribution", ["squashed", "beta"])
def test_bounded_distributions_need_bounds(distribution: Distribution) -> None:
    inf = float("inf")
    message = r"The {} distribution needs .* dimension 1 of Box.* goes from 0\.0 to inf\. Use the gaussian"
    with pytest.raises(UsageError, match=message.format(distribution)):
        ActionMap(box([-1.0, 0.0], [1.0, inf]), 3.0, distribution)


class TestMaskFits:
    def layout(self, mask: spaces.Space | None) -> ObservationLayout:
        parts = {"x": spaces.Box(-1, 1, (2,))} | ({} if mask is None else {"action_mask": mask})
        return ObservationLayout(spaces.Dict(parts))

    @pytest.mark.parametrize(
        "space", [spaces.Discrete(5), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(5)], ids=str
    )
    def test_one_number_for_each_choice(self, space: spaces.Space) -> None:
        actions = ActionMap(space, 3.0)
        mask_fits(self.layout(spaces.MultiBinary(5)), actions)
        mask_fits(self.layout(spaces.Box(0, 1, (5,), np.int8)), actions)
        mask_fits(self.layout(None), actions)
        with pytest.raises(
            UsageError, match=r"'action_mask' has 4 numbers, but the action space .* has 5 choices"
        ):
            mask_fits(self.layout(spaces.MultiBinary(4)), actions)

    def test_a_box_cannot_be_masked(self) -> None:
        actions = ActionMap(box([-1.0], [1.0]), 3.0)
        mask_fits(self.layout(None), actions)
        with pytest.raises(UsageError, match=r"'action_mask', but the action space Box.* is continuous"):
            mask_fits(self.layout(spaces.MultiBinary(1)), actions)
