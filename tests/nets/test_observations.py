"""Every kind of observation space as rows of numbers, and every form that Gymnasium gives observations in."""

import re
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import batch_space

from amble.errors import AmbleError, UsageError
from amble.nets.observations import Image, ObservationLayout

INF = float("inf")
NESTED = spaces.Dict(
    {
        "action_mask": spaces.Box(0, 1, (3,), np.int8),
        "camera": spaces.Box(0, 255, (6, 5, 3), np.uint8),
        "inner": spaces.Tuple(
            [spaces.Box(-INF, INF, (2,)), spaces.Discrete(3, start=1), spaces.MultiBinary(2)]
        ),
        "speed": spaces.Box(-1, 1, ()),
        "switches": spaces.MultiDiscrete([2, 3], start=[0, 5]),
    }
)


def nested() -> dict[str, Any]:
    """Two observations, batched as a VectorEnv does."""
    return {
        "action_mask": np.array([[1, 0, 1], [1, 1, 1]], np.int8),
        "camera": np.arange(180, dtype=np.uint8).reshape(2, 6, 5, 3),
        "inner": (
            np.array([[0.5, -7.0], [1.0, 2.0]], np.float32),
            np.array([1, 3]),
            np.array([[0, 1], [1, 1]], np.int8),
        ),
        "speed": np.array([0.25, -0.5], np.float32),
        "switches": np.array([[0, 7], [1, 5]]),
    }


class TestColumns:
    def test_a_box_of_one_axis_is_a_vector(self) -> None:
        layout = ObservationLayout(spaces.Box(-1, 1, (5,)))
        assert (layout.size, layout.vectors, layout.inputs) == (5, 5, slice(0, 5))
        assert (layout.mask, layout.images) == (None, [])

    @pytest.mark.parametrize(
        ("shape", "expected", "last"),
        [
            ((84, 84, 3), (3, 84, 84), True),
            ((3, 84, 60), (3, 84, 60), False),
            ((4, 84, 60), (4, 84, 60), False),
            ((84, 60), (1, 84, 60), True),
            ((84, 60, 1), (1, 84, 60), True),
            ((3, 84, 3), (3, 3, 84), True),
        ],
    )
    def test_images(self, shape: tuple[int, ...], expected: tuple[int, int, int], last: bool) -> None:
        layout = ObservationLayout(spaces.Box(0, 255, shape, np.uint8))
        size = int(np.prod(shape))
        assert layout.images == [Image(slice(0, size), expected, last, "observation")]
        assert (layout.size, layout.vectors, layout.inputs) == (size, 0, slice(0, 0))

    @pytest.mark.parametrize("shape", [(), (9, 9, 7), (8, 2, 8), (2, 3, 4, 5)])
    def test_other_boxes_are_vectors_of_their_elements(self, shape: tuple[int, ...]) -> None:
        layout = ObservationLayout(spaces.Box(-1, 1, shape))
        assert layout.vectors == layout.size == np.prod(shape)
        batch = np.arange(2 * layout.size, dtype=np.float32).reshape(2, *shape)
        np.testing.assert_array_equal(layout.flat(batch, 2), batch.reshape(2, -1))

    def test_vectors_then_categories_then_mask_then_images(self) -> None:
        """2 + 1 numbers; 3 + 2 + (2 + 3) categories; 3 of the mask; 6·5·3 pixels."""
        layout = ObservationLayout(NESTED)
        assert layout.vectors == 3
        assert layout.inputs == slice(0, 13)
        assert layout.mask == slice(13, 16)
        assert layout.images == [Image(slice(16, 106), (3, 6, 5), True, "camera")]
        assert layout.size == 106


class TestFlat:
    def test_every_kind_lands_in_its_columns(self) -> None:
        row = ObservationLayout(NESTED).flat(nested(), 2)
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row[:, :3], [[0.5, -7, 0.25], [1, 2, -0.5]])
        np.testing.assert_array_equal(row[:, 3:6], [[1, 0, 0], [0, 0, 1]])
        np.testing.assert_array_equal(row[:, 6:8], [[0, 1], [1, 1]])
        np.testing.assert_array_equal(row[:, 8:13], [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]])
        np.testing.assert_array_equal(row[:, 13:16], [[1, 0, 1], [1, 1, 1]])
        np.testing.assert_allclose(row[:, 16:], nested()["camera"].reshape(2, -1) / 255, rtol=1e-6)

    def test_float_images_are_taken_as_they_are(self) -> None:
        image = np.full((1, 4, 4), 200.0, np.float32)
        assert (ObservationLayout(spaces.Box(0, 255, (4, 4))).flat(image, 1) == 200).all()

    def test_rows_that_are_rows_already_are_not_copied(self) -> None:
        layout = ObservationLayout(spaces.Box(-1, 1, (4,)))
        rows = np.ones((3, 4), np.float32)
        assert np.shares_memory(layout.flat(rows, 3), rows)

    @pytest.mark.parametrize(
        "space", [spaces.Box(-1, 1, (4,), np.float64), NESTED, spaces.Discrete(3)], ids=str
    )
    def test_out_is_written_over_and_returned(self, space: spaces.Space) -> None:
        layout = ObservationLayout(space)
        batch = batch_space(space, 2)
        batch.seed(0)
        observation = batch.sample()
        out = np.full((5, 2, layout.size), np.nan, np.float32)
        assert layout.flat(observation, 2, out[3]) is not None
        np.testing.assert_array_equal(out[3], layout.flat(observation, 2))
        assert np.isnan(out[[0, 1, 2, 4]]).all()

    def test_what_float32_cannot_hold_becomes_infinite_for_the_collector_to_see(self) -> None:
        layout = ObservationLayout(spaces.Box(-INF, INF, (2,), np.float64))
        huge = np.array([[1e300, np.nan]])
        for rows in (
            layout.flat(huge, 1),
            layout.flat(huge, 1, np.zeros((1, 2), np.float32)),
            layout.rows([huge[0]]),
        ):
            assert rows[0, 0] == INF
            assert np.isnan(rows[0, 1])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"speed": np.zeros((2, 1))},
                r"speed: 2 observations came with shape \(2, 1\); the .* says \(2,\)",
            ),
            (
                {"switches": np.array([[0, 7], [1, 8]])},
                r"switches of observation 1 holds 8; .* from 5 to 7\.",
            ),
            (
                {"switches": np.array([[-1, 7], [1, 5]])},
                r"switches of observation 0 holds -1; .* from 0 to 1\.",
            ),
            ({"inner": (np.zeros((2, 2)), np.ones(2))}, r"An observation has no inner\.2 .* got a tuple"),
        ],
    )
    def test_what_does_not_fit_the_space_is_named(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(AmbleError, match=message):
            ObservationLayout(NESTED).flat({**nested(), **change}, 2)

    def test_a_missing_part_is_named(self) -> None:
        observation = nested()
        del observation["speed"]
        with pytest.raises(AmbleError, match=r"An observation has no speed \(KeyError"):
            ObservationLayout(NESTED).flat(observation, 2)


SPACES = [
    spaces.Box(-1, 1, (3,)),
    spaces.Box(-1, 1, (3,), np.float64),
    spaces.Box(-1, 1, ()),
    spaces.Box(0, 255, (8, 7, 3), np.uint8),
    spaces.Box(0, 1, (2, 8, 7)),
    spaces.Discrete(4, start=-2),
    spaces.MultiDiscrete([[2, 3], [4, 2]]),
    spaces.MultiBinary([2, 3]),
    spaces.Dict({"b": spaces.Box(-1, 1, (2,)), "a": spaces.Discrete(3)}),
    spaces.Tuple(
        [spaces.Discrete(3), spaces.Dict({"x": spaces.Box(-1, 1, (2,)), "y": spaces.MultiBinary(2)})]
    ),
    NESTED,
]


class Clock(gymnasium.Env):
    """Ends every `length` steps; shows what its space samples."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: spaces.Space, length: int):
        self.observation_space, self.length, self.shown = space, length, []

    def _see(self) -> Any:
        self.shown.append(self.observation_space.sample())
        return self.shown[-1]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.t = 0
        return self._see(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.t += 1
        return self._see(), 0.0, False, self.t >= self.length, {}


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_gymnasium_gives_is_what_its_environments_showed(space: spaces.Space) -> None:
    """Batched observations and final ones; environments end every 1, 2 and 3 steps."""
    layout = ObservationLayout(space)
    envs = SyncVectorEnv(
        [lambda length=length: Clock(deepcopy(space), length) for length in (1, 2, 3)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    observation, _ = envs.reset(seed=0)
    singles: list[Clock] = [env.unwrapped for env in envs.envs]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(
        layout.flat(observation, 3), layout.rows([env.shown[-1] for env in singles])
    )
    for _ in range(6):
        observation, _, terminated, truncated, info = envs.step(np.zeros(3, np.int64))
        done = terminated | truncated
        shown = layout.rows([env.shown[-1] for env in singles])
        np.testing.assert_array_equal(layout.flat(observation, 3), shown)
        last = layout.rows([env.shown[-2] for env, ended in zip(singles, done, strict=True) if ended])
        np.testing.assert_array_equal(layout.final(info, done), last)


class TestFinal:
    done = np.array([False, True, True])

    def test_nothing_ended(self) -> None:
        assert ObservationLayout(NESTED).final({}, np.zeros(3, bool)).shape == (0, 106)

    @pytest.mark.parametrize("space", SPACES, ids=str)
    def test_batched_as_the_observations_are(self, space: spaces.Space) -> None:
        layout, batch = ObservationLayout(space), batch_space(space, 3)
        batch.seed(1)
        observation = batch.sample()
        np.testing.assert_array_equal(
            layout.final({"final_obs": observation}, self.done), layout.flat(observation, 3)[1:]
        )

    def test_a_dict_of_object_arrays(self) -> None:
        space = spaces.Dict({"x": spaces.Box(-9, 9, (2,))})
        final = np.full(3, None, object)
        final[1], final[2] = np.array([1.0, 2.0]), np.array([3.0, 4.0])
        info = {"final_obs": {"x": final}, "_final_obs": self.done}
        np.testing.assert_array_equal(ObservationLayout(space).final(info, self.done), [[1, 2], [3, 4]])
        final[2] = None
        with pytest.raises(
            AmbleError, match=r"Environment 2 .* no observation for it \(1 of 2 are missing\)"
        ):
            ObservationLayout(space).final(info, self.done)

    def test_none_at_all_is_named(self) -> None:
        with pytest.raises(
            AmbleError, match=r"Environment 1 .* no 'final_obs' \(keys: \['x'\]\)\. .*SAME_STEP"
        ):
            ObservationLayout(spaces.Discrete(2)).final({"x": 1}, self.done)

    def test_one_that_is_not_marked_is_missing(self) -> None:
        info = {"final_obs": np.array([0, 1, 1]), "_final_obs": np.array([False, True, False])}
        with pytest.raises(AmbleError, match=r"Environment 2 ended its episode"):
            ObservationLayout(spaces.Discrete(2)).final(info, self.done)

    def test_another_shape_is_named(self) -> None:
        with pytest.raises(AmbleError, match=r"A single observation has shape \(5,\); .* says \(4,\)"):
            ObservationLayout(spaces.Box(-1, 1, (4,))).final({"final_obs": np.zeros((3, 5))}, self.done)


class TestRefusals:
    @pytest.mark.parametrize(
        "space",
        [
            spaces.Sequence(spaces.Discrete(2)),
            spaces.Text(5),
            spaces.Graph(spaces.Discrete(2), None),
            spaces.OneOf([spaces.Discrete(2), spaces.Discrete(3)]),
        ],
        ids=lambda space: type(space).__name__,
    )
    def test_other_spaces_are_refused_by_name(self, space: spaces.Space) -> None:
        supported = "expected a Box, Discrete, MultiDiscrete or MultiBinary, or a Dict or Tuple"
        with pytest.raises(UsageError, match=re.escape(f"{space} is not supported: {supported}")):
            ObservationLayout(space)
        with pytest.raises(UsageError, match=re.escape(f"{space} (at a.1) is not supported")):
            ObservationLayout(spaces.Dict({"a": spaces.Tuple([spaces.Discrete(2), space])}))

    def test_a_mask_that_is_none(self) -> None:
        space = spaces.Dict({"action_mask": spaces.Discrete(3), "x": spaces.Discrete(2)})
        with pytest.raises(
            UsageError, match=r"'action_mask' is Discrete\(3\) \(at action_mask\); expected a Multi"
        ):
            ObservationLayout(space)

    def test_two_masks(self) -> None:
        inner = spaces.Dict({"action_mask": spaces.MultiBinary(2), "x": spaces.Discrete(2)})
        with pytest.raises(
            UsageError, match=r"2 parts called 'action_mask' \(a\.action_mask, b\.action_mask\)"
        ):
            ObservationLayout(spaces.Dict({"a": inner, "b": inner}))

    def test_a_mask_and_nothing_else(self) -> None:
        with pytest.raises(UsageError, match="nothing in it that a policy could see"):
            ObservationLayout(spaces.Dict({"action_mask": spaces.MultiBinary(2)}))
