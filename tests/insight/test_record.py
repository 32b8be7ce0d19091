"""A policy's episodes on file are what the policy saw, did and was paid."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.cli import main
from amble.errors import UsageError
from amble.insight.record import _as_unity, record
from amble.nets.actions import ActionMap
from amble.training.policy import PortablePolicy
from amble.unity.demonstrations import read
from factories import HYBRID


def test_a_recording_plays_again(trained: Path, tmp_path: Path) -> None:
    """Each action is the policy's for its observation; rewards are CartPole's, 1 a step."""
    found = read(record(trained, tmp_path / "pole.demo", seed=3, episodes=4))
    assert found.behavior == found.name == "CartPole-v1"
    assert found.done.sum() == 4
    assert found.done[-1]
    policy = PortablePolicy.load(trained / "policy")
    acting = ~found.done
    np.testing.assert_array_equal(found.discrete[acting, 0], policy.act(found.observations[0][acting]))
    begins = np.concatenate([[True], found.done[:-1]])
    np.testing.assert_array_equal(found.reward, np.where(begins, 0.0, 1.0))
    # what follows an action is what CartPole's own equations make of it: x' = x + 0.02 v
    x, v = found.observations[0][:-1, 0], found.observations[0][:-1, 1]
    goes_on = acting[:-1]
    np.testing.assert_allclose(found.observations[0][1:, 0][goes_on], (x + 0.02 * v)[goes_on], atol=1e-5)


def test_the_command(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pole.demo"
    words = ["play", str(trained), "--record-demo", str(path), "--seed", "1", "--episodes", "2"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert read(path).done.sum() == 2
    assert main([*words, "--video", "x.mp4"]) == 2
    assert "leave out --video" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"name a file that ends in \.demo"):
        record(trained, tmp_path / "pole.json")


@pytest.mark.parametrize(
    ("space", "stored", "numbers", "choices"),
    [
        (spaces.Box(-1, 1, (2,)), [[1.5, -3.0]], [[0.5, -1.0]], [[]]),
        (spaces.Discrete(4, start=3), [2], [[]], [[2]]),
        (spaces.MultiDiscrete([3, 2], start=[5, 6]), [[1, 0]], [[]], [[1, 0]]),
        (spaces.MultiBinary(3), [[1, 0, 1]], [[]], [[1, 0, 1]]),
        (HYBRID, [[3.0, 0.0, 2.0, 1.0]], [[1.0, 0.0]], [[2, 1]]),
    ],
    ids=str,
)
def test_actions_as_unity_counts_them(space: Any, stored: Any, numbers: Any, choices: Any) -> None:
    actions = ActionMap(space, 3.0)
    found = _as_unity(actions, actions.to_env(torch.tensor(stored)))
    assert [part.tolist() for part in found] == [numbers, choices]
