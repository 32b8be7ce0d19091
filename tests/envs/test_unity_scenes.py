"""Unity scenes with several behaviours: each at its own pace, whichever build its agents live in."""

from pathlib import Path

import numpy as np
import pytest

from amble.envs.backends.unity_agents import Board
from amble.envs.backends.unity_scenes import UnityScenes
from amble.envs.scene import EnvironmentScene
from amble.envs.scenes import SharedScene
from amble.envs.serve import Order, write_program
from amble.errors import UsageError
from amble.unity.channels import Aggregation
from amble.unity.faults import PeerSilent
from unity_helpers import NAME, SOON, TOY, Running, ScriptedScene, frame, free_port

OTHER = "Other?team=0"
BOTH = {NAME: TOY, OTHER: TOY}


def around(scene, **settings) -> UnityScenes:
    port = free_port()
    running = Running(scene, port)
    scenes = UnityScenes(base_port=port, **{"timeout": SOON, "behaviors": ["Toy", "Other"], **settings})
    scenes.running = running  # type: ignore[attr-defined]
    return scenes


def ones(count: int, value: float = 1.0) -> np.ndarray:
    return np.full((count, 3), value, np.float32)


def test_behaviours_with_periods_of_their_own() -> None:
    """Toy asks at every message, Other at every second one, whose agents are never answered twice for one decision."""
    quick = {NAME: frame({0: [1, 0]}, reward=1)}
    together = {NAME: frame({0: [2, 0]}, reward=1), OTHER: frame({3: [0, 3], 4: [0, 4]}, reward=5)}
    scene = ScriptedScene([together, quick, together, quick, together], BOTH)
    scenes = around(scene)
    assert {name: board.count for name, board in scenes.boards.items()} == {"Other": 2, "Toy": 1}
    first = scenes.reset()
    assert first["Other"].tolist() == [[0, 3], [0, 4]]
    ready = scenes.step({"Toy": ones(1, 0.1), "Other": ones(2, 0.5)})
    assert list(ready) == ["Toy"]
    ready = scenes.step({"Toy": ones(1, 0.2)})
    assert sorted(ready) == ["Other", "Toy"]
    assert ready["Other"][1].tolist() == [5, 5]
    ready = scenes.step({"Toy": ones(1, 0.3), "Other": ones(2, 0.6)})
    assert list(ready) == ["Toy"]
    scenes.step({"Toy": ones(1, 0.4)})
    sent = [
        {name: given.continuous[:, 0].tolist() for name, given in step.items()} for step in scene.of("step")
    ]
    np.testing.assert_allclose([step[NAME][0] for step in sent], [0.1, 0.2, 0.3, 0.4])
    assert [OTHER in step for step in sent] == [True, False, True, False]
    assert [board.repeated for board in scenes.boards.values()] == [0, 0]
    scenes.close()


def test_a_behaviour_that_comes_later_is_waited_for() -> None:
    later = {NAME: frame({0: [1, 0]}), OTHER: frame({3: [0, 3]})}
    scenes = around(ScriptedScene([{NAME: frame({0: [0, 0]})}, later], BOTH))
    assert sorted(scenes.boards) == ["Other", "Toy"]
    scenes.close()


def test_a_behaviour_that_does_not_come() -> None:
    scene = ScriptedScene([{NAME: frame({0: [0, 0]})}] * 10**4, BOTH)
    with pytest.raises(
        PeerSilent, match=r"1 agents of Toy have asked .* expected at least one, of each of Other, Toy\."
    ):
        around(scene, timeout=0.3)


def test_a_behaviour_that_falls_silent() -> None:
    together = {NAME: frame({0: [2, 0]}), OTHER: frame({3: [0, 3]})}
    scene = ScriptedScene([together, *[{NAME: frame({0: [1, 0]})}] * 10**4], BOTH)
    scenes = around(scene, timeout=0.3)
    scenes.reset()
    scenes.step({"Toy": ones(1), "Other": ones(1)})
    with pytest.raises(PeerSilent, match=r"agent 3 \(Other\?team=0\) has not asked for a decision"):
        step_on(scenes)


def step_on(scenes: UnityScenes) -> None:
    for _ in range(10**4):
        scenes.step({"Toy": ones(1)})


def test_a_behaviour_that_nobody_names() -> None:
    scene = ScriptedScene(
        [{NAME: frame({0: [0, 0]}), OTHER: frame({3: [0, 3]}), "Third?team=0": frame({1: [1, 1]})}]
    )
    scene.behaviors = {**BOTH, "Third?team=0": TOY}
    with pytest.raises(
        UsageError, match=r"behaviours Other, Third, Toy, and Third is not named here\. List it"
    ):
        around(scene)


def shared() -> SharedScene:
    return SharedScene(
        [
            EnvironmentScene("amble/3DBall-v0", "Toy?team=0", 2, threads=1),
            EnvironmentScene("CartPole-v1", "Other?team=0", 3),
        ]
    )


def test_environments_that_share_a_scene() -> None:
    scenes = around(shared(), seed=4)
    observation = scenes.reset()
    assert observation["Toy"].shape == (2, 8)
    assert observation["Other"]["obs_0"].shape == (3, 4)
    for _ in range(3):
        ready = scenes.step({"Toy": np.zeros((2, 2), np.float32), "Other": np.ones(3, np.int64)})
        assert ready["Toy"][1].tolist() == pytest.approx([0.1, 0.1])
        assert ready["Other"][1].tolist() == [1, 1, 1]
    again = scenes.reset()
    assert again["Toy"].shape == (2, 8)
    scenes.close()
    assert scenes.running.ended() is None  # type: ignore[attr-defined]


def test_a_build_that_is_killed_cuts_off_its_agents_of_every_behaviour(tmp_path: Path) -> None:
    build = write_program(Order("3dball", agents=2, threads=1, others=("CartPole-v1",)), tmp_path / "Both")
    scenes = UnityScenes(
        2, path=build, base_port=free_port(), timeout=60, behaviors=["3DBall", "CartPole-v1"], seed=3
    )
    actions = {"3DBall": np.zeros((4, 2), np.float32), "CartPole-v1": np.ones(4, np.int64)}
    scenes.reset()
    seen = {name: outcome[0] for name, outcome in scenes.step(actions).items()}
    process = scenes.scenes[1].session._build.process  # type: ignore[union-attr]
    process.kill()
    process.wait()
    for observation, reward, terminated, truncated, info in (ready := scenes.step(actions)).values():
        assert truncated.tolist() == [False, False, True, True]
        assert not terminated.any()
        assert (reward[:2] > 0).all()
        assert reward[2:].tolist() == [0.0, 0.0]
        assert info["_final_obs"].tolist() == truncated.tolist()
        assert observation is not None
    poles, balls = ready["CartPole-v1"], ready["3DBall"]
    np.testing.assert_array_equal(poles[4]["final_obs"]["obs_0"][2:], seen["CartPole-v1"]["obs_0"][2:])
    assert (np.abs(poles[0]["obs_0"][2:]) <= 0.05).all()  # where an episode begins
    assert (np.abs(poles[0]["obs_0"][:2, 1]) > 0.3).all()  # pushed twice
    np.testing.assert_array_equal(balls[4]["final_obs"][2:], seen["3DBall"][2:])
    assert scenes.restarts == 1
    for outcome in scenes.step(actions).values():
        assert not outcome[3].any()
        assert (outcome[1] > 0).all()
    scenes.close()


def test_an_agent_that_waits_is_cut_off_with_what_it_was_paid() -> None:
    """It has come to its next decision, another of its behaviour has not, and its build crashes."""
    board = Board("Toy", 2, TOY)
    board.begin(np.zeros((2, 3), np.float32))
    board.observations[0][:] = [[1, 2], [3, 4]]
    board.fresh[0], board.reward[0] = True, 5.0
    board.cut(slice(0, 1))
    assert board.truncated.tolist() == [True, False]
    assert board.reward.tolist() == [5.0, 0.0]
    assert board.final[0].tolist() == [[1, 2], [0, 0]]
    assert not board.fresh.any()


def test_what_scenes_report_is_told_to_every_behaviour() -> None:
    together = {NAME: frame({0: [2, 0]}), OTHER: frame({3: [0, 3]})}
    scene = ScriptedScene([together] * 3, BOTH)
    scenes = around(scene)
    scene.statistics.report("Goals", 2.0, Aggregation.SUM)
    scenes.step({"Toy": ones(1), "Other": ones(1)})
    scenes.step({"Toy": ones(1), "Other": ones(1)})
    assert scenes.take_statistics("Toy") == ({"Goals": 2.0}, {})
    assert scenes.take_statistics("Toy") == ({}, {})
    assert scenes.take_statistics("Other") == ({"Goals": 2.0}, {})
    scenes.close()


def test_environments_of_one_name_cannot_share_a_scene() -> None:
    scene = EnvironmentScene("CartPole-v1", "A?team=0", 1)
    with pytest.raises(UsageError, match=r"needs a behaviour of its own, got A\?team=0, A\?team=0"):
        SharedScene([scene, scene])
    scene.close()
