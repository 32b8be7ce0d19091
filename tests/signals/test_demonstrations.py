"""From a demonstration's records to the policy's rows and actions, and what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.errors import AmbleError, UsageError
from amble.nets.action_features import ActionFeatures
from amble.signals.demonstrations import load_expert
from amble.unity.demonstrations import Demonstration, encode
from factories import BINARY, BOX2, DISCRETE, HYBRID, a_policy
from signals_helpers import a_demonstration

KEY = "reward_signals.gail.demo_path"


def load(folder: Path, one: Demonstration, **policy: Any) -> Any:
    (folder / "one.demo").write_bytes(encode(one))
    return load_expert(KEY, str(folder / "one.demo"), a_policy(**policy))


def test_records_become_decisions(tmp_path: Path) -> None:
    """Records 3 and 6 are ends of episodes of 3 and 2 decisions."""
    one = a_demonstration((3,), continuous=2)
    expert = load(tmp_path, one)
    kept = [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(expert.observation, one.observations[0][kept])
    np.testing.assert_allclose(expert.numbers, one.continuous[kept])
    np.testing.assert_allclose(expert.action, 3 * one.continuous[kept], rtol=1e-6)  # what the head would draw
    assert expert.done.tolist() == [False, False, True, False, True]
    assert expert.begins.tolist() == [True, False, False, True, False]


def test_a_recording_that_was_cut_short_of_its_episodes_end(tmp_path: Path) -> None:
    one = a_demonstration((3,), continuous=2)
    short = {name: value[:6] if isinstance(value, np.ndarray) else value for name, value in vars(one).items()}
    short["observations"] = tuple(part[:6] for part in one.observations)
    expert = load(tmp_path, Demonstration(**short))
    assert len(expert) == 5
    assert expert.done.tolist() == [False, False, True, False, False]


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.demo").write_bytes(encode(a_demonstration((3,), continuous=2)))
    expert = load_expert(KEY, str(tmp_path), a_policy())
    assert len(expert) == 10
    assert expert.begins.tolist() == [True, False, False, True, False] * 2


def test_several_sensors_and_both_kinds_of_action(tmp_path: Path) -> None:
    space = spaces.Dict(
        [
            ("obs_0", spaces.Box(-9, 9, (4,))),
            ("obs_1", spaces.Box(-9, 9, (2,))),
            ("action_mask", spaces.MultiBinary(5)),
        ]
    )
    one = a_demonstration((4,), (2,), continuous=2, branches=(3, 2))
    one.allowed[:, 0] = False
    one.discrete[0, 0] = 0
    expert = load(tmp_path, one, action_space=HYBRID, observation_space=space)
    acting = ~one.done
    np.testing.assert_array_equal(expert.observation[:, :4], one.observations[0][acting])
    np.testing.assert_array_equal(expert.observation[:, 4:6], one.observations[1][acting])
    np.testing.assert_array_equal(expert.choices, one.discrete[acting])
    # What was done is allowed, whatever the mask says of it.
    took_first = expert.choices[:, 0] == 0
    assert took_first.any()
    assert not took_first.all()
    assert torch.equal(expert.observation[:, 6] == 1, took_first)
    assert (expert.observation[:, 7:] == 1).all()


def test_a_mask_of_yes_or_no(tmp_path: Path) -> None:
    space = spaces.Dict([("obs_0", spaces.Box(-9, 9, (3,))), ("action_mask", spaces.MultiBinary(3))])
    one = a_demonstration((3,), branches=(2, 2, 2))
    one.allowed[:, 3] = False  # yes to the second question
    expert = load(tmp_path, one, action_space=BINARY, observation_space=space)
    assert torch.equal(expert.observation[:, 4] == 1, expert.choices[:, 1] == 1)
    assert (expert.observation[:, [3, 5]] == 1).all()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_pictures_in_either_order(tmp_path: Path, first: bool, last: bool) -> None:
    """Whichever way both sides hold them, the policy's encoder must see the same picture."""
    shape, properties = ((3, 20, 24), (1, 2, 2)) if first else ((20, 24, 3), (2, 2, 1))
    space = spaces.Box(0, 1, (20, 24, 3) if last else (3, 20, 24), np.float32)
    one = a_demonstration(shape, continuous=2, properties=properties)
    expert = load(tmp_path, one, observation_space=space)
    shown = one.observations[0][~one.done]
    image = shown if first else shown.transpose(0, 3, 1, 2)
    rows = expert.observation.numpy().reshape(5, *space.shape)
    np.testing.assert_array_equal(rows.transpose(0, 3, 1, 2) if last else rows, image)


def test_categories_are_one_hot(tmp_path: Path) -> None:
    one = a_demonstration((4,), branches=(4,))
    expert = load(tmp_path, one, action_space=DISCRETE, observation_space=spaces.Discrete(4))
    assert expert.observation.shape == (5, 4)
    assert expert.action.tolist() == one.discrete[~one.done, 0].tolist()


@pytest.mark.parametrize(
    ("one", "policy", "message"),
    [
        (
            a_demonstration((8,), continuous=2),
            {},
            r"gail\.demo_path: \S+one\.demo does not fit this run's environment: the demonstration's agent observes 8, "
            r"the policy 3\. Take a demonstration of the same task",
        ),
        (a_demonstration((3,), (2,), continuous=2), {}, "agent observes 3, 2, the policy 3"),
        (
            a_demonstration((3,), continuous=5),
            {},
            r"agent takes 5 continuous actions and branches \[\], the policy 2 continuous actions and branches \[\]",
        ),
        (a_demonstration((3,), branches=(4,)), {}, r"branches \[4\], the policy 2 continuous"),
        (
            a_demonstration((3,), branches=(3,)),
            {"action_space": DISCRETE},
            r"branches \[3\], the policy 0 continuous actions and branches \[4\]",
        ),
        (
            a_demonstration((20, 24, 3), continuous=2, properties=(2, 2, 1)),
            {"observation_space": spaces.Box(0, 1, (24, 20, 3), np.float32)},
            "observes 20×24×3, the policy 24×20×3",
        ),
    ],
    ids=["observation", "sensors", "numbers", "kind", "choices", "picture"],
)
def test_another_task_is_refused(
    tmp_path: Path, one: Demonstration, policy: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load(tmp_path, one, **policy)


def test_files_that_are_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{KEY}: there is no file or folder nowhere\.demo \(seen from /"):
        load_expert(KEY, "nowhere.demo", a_policy())
    with pytest.raises(UsageError, match=r"there is no \.demo file in this folder"):
        load_expert(KEY, str(tmp_path), a_policy())
    (tmp_path / "x.demo").write_text("no")
    with pytest.raises(AmbleError, match=r"x\.demo: no demonstration of ML-Agents"):
        load_expert(KEY, str(tmp_path / "x.demo"), a_policy())


def test_ends_alone_are_no_demonstration(tmp_path: Path) -> None:
    one = a_demonstration((3,), continuous=2, episodes=(0, 0))
    with pytest.raises(UsageError, match="holds no decision, only ends of episodes"):
        load(tmp_path, one)


def test_the_actions_come_back_from_the_environments(tmp_path: Path) -> None:
    """A wider box than ±1: the demonstration holds what the environment took."""
    box = spaces.Box(-2.0, 2.0, (2,), np.float32)
    one = a_demonstration((3,), continuous=2)
    expert = load(tmp_path, one, action_space=box)
    policy = a_policy(box)
    np.testing.assert_allclose(policy.actions.to_env(expert.action), one.continuous[~one.done], atol=1e-6)
    assert ActionFeatures(policy.actions).continuous == BOX2.shape[0]
