"""The contract's one function, in both forms that environments give final observations."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from amble.envs import final_observations
from amble.envs.boundary import check_boundary
from amble.errors import AmbleError

SPACE = spaces.Box(-np.inf, np.inf, (2,), np.float32)
DONE = np.array([True, False, True])


def test_numeric_form():
    final = np.array([[1, 2], [0, 0], [3, 4]], np.float32)
    rows = final_observations({"final_obs": final, "_final_obs": DONE}, DONE, SPACE)
    np.testing.assert_array_equal(rows, [[1, 2], [3, 4]])
    assert rows.dtype == np.float32


def test_object_form():
    final = np.array([None, None, None], object)
    final[0], final[2] = np.array([1, 2], np.float32), np.array([3, 4], np.float32)
    rows = final_observations({"final_obs": final, "_final_obs": DONE}, DONE, SPACE)
    np.testing.assert_array_equal(rows, [[1, 2], [3, 4]])


def test_nothing_ended():
    assert final_observations({}, np.zeros(3, bool), SPACE).shape == (0, 2)


def test_discrete_observations():
    rows = final_observations({"final_obs": np.array([4, 0, 2])}, DONE, spaces.Discrete(5))
    np.testing.assert_array_equal(rows, [4, 2])


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"other": 1}, r"Environment 0 ended its episode, but info has no 'final_obs' \(keys: \['other'\]\)"),
        (
            {"final_obs": np.zeros((3, 2)), "_final_obs": np.array([True, False, False])},
            r"Environment 2 .* no observation for it \(1 of 2 are missing\)",
        ),
        (
            {"final_obs": np.zeros((3, 5))},
            r"environment 0 has shape \(5,\); the observation space says \(2,\)",
        ),
    ],
)
def test_broken_forms_are_named(info, message):
    with pytest.raises(AmbleError, match=message):
        final_observations(info, DONE, SPACE)


def test_a_space_of_parts_is_refused():
    with pytest.raises(AmbleError, match="its elements are no arrays"):
        final_observations({}, DONE, spaces.Dict({"a": SPACE}))


def test_another_autoreset_mode_is_refused():
    env = gymnasium.make_vec("CartPole-v1", num_envs=2)
    with pytest.raises(AmbleError, match=r"NEXT_STEP; expected AutoresetMode.SAME_STEP"):
        check_boundary(env)
