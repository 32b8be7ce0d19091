"""Unity scenes as environments: the boundary's conformance, the same episodes as without the wire, and odd scenes."""

import os
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

import amble.envs
from amble.envs.backends.unity import UnityVectorEnv
from amble.envs.conformance import VectorEnvConformance
from amble.envs.parameters import Drawn
from amble.envs.scene import EnvironmentScene
from amble.envs.serve import Order, write_program
from amble.errors import AmbleError, EnvironmentFault, UsageError
from amble.unity.channels import Aggregation, Sampler, Setting
from amble.unity.faults import PeerGone, PeerSilent, UnityFault
from amble.unity.spec import GOAL, ActionSpec, BehaviorSpec, ObservationSpec
from unity_helpers import NAME, SOON, TOY, VECTOR, Running, ScriptedScene, frame, free_port


def around(scene, **settings) -> UnityVectorEnv:
    """The environment that waits for an editor, with this scene for one."""
    port = free_port()
    running = Running(scene, port)
    env = UnityVectorEnv(base_port=port, **{"timeout": SOON, **settings})
    env.running = running  # type: ignore[attr-defined]
    return env


def ball(agents: int, **kwargs) -> EnvironmentScene:
    return EnvironmentScene("amble/3DBall-v0", "3DBall?team=0", agents, threads=1, env_kwargs=kwargs)


class TestBallOverTheWire(VectorEnvConformance):
    steps = 25
    steps_to_an_end = 200
    deterministic = False  # a reset goes on from the scene's random numbers: the wire has no word for a seed

    def make(self, num_envs):
        return around(ball(num_envs))


def test_the_same_episodes_as_without_the_wire() -> None:
    """From one seed, what the environment says is bit for bit what comes out behind the boundary."""
    local = amble.envs.make("amble/3DBall-v0", 3, threads=1)
    remote = around(ball(3), seed=9, behavior="3DBall")
    here, _ = local.reset(seed=9)
    there, _ = remote.reset(seed=1)
    np.testing.assert_array_equal(here, there)
    rng, ends = np.random.default_rng(0), 0
    for _ in range(120):
        actions = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
        mine, theirs = local.step(actions), remote.step(actions)
        for one, other in zip(mine[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        done = mine[2] | mine[3]
        if done.any():
            ends += int(done.sum())
            np.testing.assert_array_equal(mine[4]["final_obs"][done], theirs[4]["final_obs"][done])
            np.testing.assert_array_equal(theirs[4]["_final_obs"], done)
    assert ends > 3
    assert (remote.repeated, remote.skipped) == (0, 0)
    remote.close()
    assert remote.running.ended() is None  # type: ignore[attr-defined]


def test_truncated_is_not_terminated() -> None:
    scene = EnvironmentScene("Pendulum-v1", "P?team=0", 2, env_kwargs={"max_episode_steps": 3})
    env = around(scene)
    env.reset()
    flags = [env.step(np.zeros((2, 1), np.float32))[2:4] for _ in range(6)]
    assert [terminated.any() for terminated, _ in flags] == [False] * 6
    assert [truncated.tolist() for _, truncated in flags] == [[False] * 2, [False] * 2, [True] * 2] * 2
    env.close()


def test_actions_of_any_box_are_scaled() -> None:
    """±1 on the wire is Pendulum's ±2 N·m: the reward at rest is −0.001·u² off the rest's."""
    scene = EnvironmentScene("Pendulum-v1", "P?team=0", 1)
    given = []
    step = scene._env.step
    scene._env.step = lambda actions: given.append(np.array(actions)) or step(actions)  # type: ignore[method-assign]
    env = around(scene)
    env.reset()
    env.step(np.array([[0.5]], np.float32))
    env.step(np.array([[3.0]], np.float32))
    assert [one.tolist() for one in given] == [[[1.0]], [[2.0]]]
    env.close()


# Scenes as Unity's own are: ends alone in a message, agents that ask at different times, that come and go.


def test_an_end_that_comes_alone() -> None:
    scene = ScriptedScene(
        [
            {NAME: frame({5: [1, 0], 3: [2, 0]})},
            {NAME: frame({}, {3: [9, 9]}, last_reward=-1)},
            {NAME: frame({3: [4, 0], 5: [3, 0]}, reward=0.5)},
        ]
    )
    env = around(scene)
    observation, _ = env.reset()
    assert observation.tolist() == [[2, 0], [1, 0]]  # by their numbers, whatever their order in the message
    observation, reward, terminated, truncated, info = env.step(np.array([[3, 0, 0], [5, 0, 0]], np.float32))
    assert observation.tolist() == [[4, 0], [3, 0]]
    assert reward.tolist() == [-1, 0.5]  # a new episode's first record pays nothing for the old one
    assert (terminated.tolist(), truncated.tolist()) == ([True, False], [False, False])
    assert info["final_obs"][0].tolist() == [9, 9]
    assert info["_final_obs"].tolist() == [True, False]
    sent = [step[NAME].continuous[:, 0].tolist() for step in scene.of("step") if NAME in step]
    assert sent == [[5, 3], []]  # in the message's order
    assert (env.repeated, env.skipped) == (0, 0)
    env.close()


def test_agents_that_ask_at_different_times(caplog: pytest.LogCaptureFixture) -> None:
    scene = ScriptedScene(
        [
            {NAME: frame({0: [0, 0], 1: [0, 0]})},
            {NAME: frame({0: [1, 0]}, reward=1)},
            {NAME: frame({0: [2, 0], 1: [2, 1]}, reward=1)},
            {NAME: frame({0: [3, 0]}, {0: [7, 7]}, last_reward=5)},
            {NAME: frame({0: [4, 0], 1: [4, 1]}, reward=1)},
        ]
    )
    env = around(scene)
    env.reset()
    observation, reward, *_ = env.step(np.array([[1, 1, 1], [2, 2, 2]], np.float32))
    assert (observation.tolist(), reward.tolist()) == ([[2, 0], [2, 1]], [2, 1])
    assert "do not ask for decisions together" in caplog.text
    assert (env.repeated, env.skipped) == (1, 0)
    observation, reward, terminated, _, info = env.step(np.array([[3, 3, 3], [4, 4, 4]], np.float32))
    assert (observation.tolist(), reward.tolist(), terminated.tolist()) == (
        [[4, 0], [4, 1]],
        [5, 1],
        [True, False],
    )
    assert info["final_obs"][0].tolist() == [7, 7]
    assert (env.repeated, env.skipped) == (1, 1)
    sent = [step[NAME].continuous[:, 0].tolist() for step in scene.of("step")]
    # the last action again, and zeros for an episode that the policy has not seen yet
    assert sent == [[1, 2], [1], [3, 4], [0]]
    env.close()


def test_agents_that_come_and_go() -> None:
    scene = ScriptedScene(
        [
            {NAME: frame({0: [0, 0], 1: [0, 1]})},
            {NAME: frame({1: [1, 1]}, {0: [9, 9]})},
            {NAME: frame({1: [2, 1], 7: [2, 7]})},
            {NAME: frame({1: [3, 1], 7: [3, 7], 8: [3, 8]})},
        ]
    )
    env = around(scene)
    env.reset()
    observation, _, terminated, _, _ = env.step(np.ones((2, 3), np.float32))
    assert (observation.tolist(), terminated.tolist()) == (
        [[2, 7], [2, 1]],
        [True, False],
    )  # 7 in the place of 0
    with pytest.raises(UnityFault, match=r"agent 8 of 'Toy\?team=0' has come, and all 2 places are taken"):
        env.step(np.ones((2, 3), np.float32))
    with pytest.raises(AmbleError, match="are closed"):
        env.step(np.ones((2, 3), np.float32))


def test_an_agent_that_leaves_for_good() -> None:
    scene = ScriptedScene([{NAME: frame({0: [0, 0], 1: [0, 1]})}, *[{NAME: frame({1: [1, 1]}, {})}] * 10**6])
    env = around(scene, timeout=0.5)
    env.reset()
    with pytest.raises(
        PeerSilent, match=r"agent 0 \(Toy\?team=0\) has not asked for a decision in \d+ messages"
    ):
        env.step(np.ones((2, 3), np.float32))


def test_agents_are_waited_for_and_a_reset_finds_them_again() -> None:
    late = [{}, {NAME: frame({4: [1, 4]})}, {NAME: frame({4: [2, 4], 5: [2, 5]})}]
    again = [{NAME: frame({8: [0, 8]})}, {NAME: frame({9: [1, 9]})}]  # a scene loaded anew has new agents
    scene = ScriptedScene(
        [*late, {NAME: frame({4: [3, 4], 5: [3, 5]})}, *again, {NAME: frame({8: [2, 8], 9: [2, 9]})}]
    )
    env = around(scene, agents=2)
    assert env.num_envs == 2
    assert env.reset()[0].tolist() == [[2, 4], [2, 5]]
    env.step(np.ones((2, 3), np.float32))
    assert env.reset()[0].tolist() == [[0, 8], [1, 9]]
    assert env.step(np.ones((2, 3), np.float32))[0].tolist() == [[2, 8], [2, 9]]
    env.close()


def test_another_number_of_agents_after_a_reset() -> None:
    scene = ScriptedScene(
        [{NAME: frame({1: [0, 0]})}, {NAME: frame({1: [0, 0]})}, {NAME: frame({1: [0, 0], 2: [0, 0]})}]
    )
    env = around(scene)
    env.reset()
    env.step(np.ones((1, 3), np.float32))
    with pytest.raises(UnityFault, match="2 agents began after a reset, and there were 1 at first"):
        env.reset()


def test_two_teams_of_one_behaviour_are_one_policys() -> None:
    both = {"Toy?team=0": TOY, "Toy?team=1": TOY}
    scene = ScriptedScene([dict.fromkeys(both, frame({1: [1, 2]}))] * 2, both)
    env = around(scene, behavior="Toy")
    assert env.num_envs == 2
    env.close()


def test_several_behaviours_are_refused_by_name() -> None:
    both = {NAME: TOY, "Other?team=0": TOY}
    scene = ScriptedScene([dict.fromkeys(both, frame({1: [1, 2]}))], both)
    with pytest.raises(
        UsageError,
        match=r"has 2 behaviours \(Other, Toy\): name the one that is meant, and set the others to",
    ):
        around(scene)
    scene = ScriptedScene([dict.fromkeys(both, frame({1: [1, 2]}))], both)
    with pytest.raises(
        UsageError, match=r"has the behaviours Other, Toy, and Other is not named here\. List it"
    ):
        around(scene, behavior="Toy")


def test_a_behaviour_that_is_not_in_the_scene() -> None:
    with pytest.raises(UsageError, match="has no behaviour 'Walker'; it has Toy"):
        around(ScriptedScene([{NAME: frame({1: [1, 2]})}]), behavior="Walker")


# What agents observe and do, as spaces.


def spaces_of(spec: BehaviorSpec, scene_frame) -> UnityVectorEnv:
    env = around(ScriptedScene([{NAME: scene_frame}] * 3, {NAME: spec}))
    env.reset()
    return env


def test_choices_come_with_a_mask() -> None:
    allowed = np.array([[True, False, True, True, False]])
    env = spaces_of(BehaviorSpec((VECTOR,), ActionSpec(0, (2, 3))), frame({1: [1, 2]}, allowed=allowed))
    assert env.single_action_space == spaces.MultiDiscrete([2, 3])
    assert env.single_observation_space["action_mask"] == spaces.MultiBinary(5)  # type: ignore[index]
    observation = env.step(np.array([[0, 1]]))[0]
    assert env.observation_space.contains(observation)
    assert observation["action_mask"].tolist() == [[1, 0, 1, 1, 0]]
    assert observation["obs_0"].tolist() == [[1, 2]]
    env.close()


def test_hybrid_actions_are_a_tuple() -> None:
    env = spaces_of(BehaviorSpec((VECTOR,), ActionSpec(1, (4,))), frame({1: [1, 2]}))
    assert env.single_action_space == spaces.Tuple([spaces.Box(-1, 1, (1,)), spaces.Discrete(4)])
    env.step((np.array([[0.5]], np.float32), np.array([3])))
    last = env.running.scene.of("step")[-1][NAME]  # type: ignore[attr-defined]
    assert (last.continuous.tolist(), last.discrete.tolist()) == ([[0.5]], [[3]])
    env.close()


@pytest.mark.parametrize(
    ("actions", "fault", "words"),
    [
        (np.ones((2, 3), np.float32), AmbleError, r"of shape \(1, 3\) \(agents first\), got \(2, 3\)"),
        (
            np.full((1, 3), np.nan, np.float32),
            EnvironmentFault,
            r"Environment 0 \(Unity\) was given an action",
        ),
    ],
)
def test_actions_that_cannot_be(actions: np.ndarray, fault: type[Exception], words: str) -> None:
    env = spaces_of(TOY, frame({1: [1, 2]}))
    with pytest.raises(fault, match=words):
        env.step(actions)
    env.close()


def test_no_observations() -> None:
    empty = frame({1: [1, 2]})
    bare = BehaviorSpec((), ActionSpec(1))
    from dataclasses import replace

    nothing = type(empty)(
        replace(empty.decisions, observations=()), replace(empty.terminals, observations=())
    )
    with pytest.raises(UnityFault, match="observe nothing"):
        around(ScriptedScene([{NAME: nothing}], {NAME: bare}))


def test_two_editors_cannot_be_waited_for() -> None:
    with pytest.raises(UsageError, match="One Unity editor can be waited for, not 2"):
        amble.envs.make("amble/Unity-v0", 2)


def test_no_editor_comes() -> None:
    with pytest.raises(PeerSilent, match=r"has not spoken for 0\.2 s"):
        amble.envs.make("amble/Unity-v0", 1, base_port=free_port(), timeout=0.2)


# What the trainer asks of our environments.


def test_a_parameter_that_changes_waits_for_the_next_episode() -> None:
    scene = ball(2)
    said: list[str] = []
    scene._say = said.append
    env = around(scene)
    env.reset()
    env.set_parameters(
        {"mass": 4.0, "gravity": Drawn("uniform", (3.0, 5.0), 1), "nonsense": 1.0, "scale": 9.0}
    )
    tilt = np.array([[1, 0], [0, 0]], np.float32)
    while not (done := np.logical_or(*env.step(tilt)[2:4])).any():
        pass
    models = [scene._env.unwrapped.batch.get_model(i) for i in range(2)]  # type: ignore[attr-defined]
    masses = np.array([model.body("ball").mass[0] for model in models])
    np.testing.assert_array_equal(masses, np.where(done, 4.0, 1.0))
    gravity = -np.array([model.opt.gravity[2] for model in models])
    assert ((gravity[done] >= 3.0) & (gravity[done] <= 5.0)).all()
    assert "The environment parameter mass is 4, from each agent's next episode on." in said
    assert any("gravity is drawn for each episode, uniform in [3, 5], from each" in line for line in said)
    assert any("nonsense has no effect" in line for line in said)
    assert any(
        "scale has no effect: BallVectorEnv: scale must be above 0 and at most 3" in line for line in said
    )
    assert any("time_scale 20 has no effect" in line for line in said)
    env.reset()
    assert all(
        scene._env.unwrapped.batch.get_model(i).body("ball").mass[0] == 4.0
        for i in range(2)  # type: ignore[attr-defined]
    )
    env.close()


def test_a_setting_of_any_other_environment_cuts_the_episodes_off() -> None:
    scene = EnvironmentScene("Pendulum-v1", "P?team=0", 2)
    said: list[str] = []
    scene._say = said.append
    env = around(scene)
    env.reset()
    env.step(np.zeros((2, 1), np.float32))
    env.set_parameters({"g": 3.0, "l": Drawn("uniform", (1.0, 2.0), 1)})
    _, _, terminated, truncated, info = env.step(np.zeros((2, 1), np.float32))
    assert (terminated.tolist(), truncated.tolist()) == ([False] * 2, [True] * 2)
    assert info["_final_obs"].all()
    assert "The environment parameter g is 3 from now on." in said
    assert any("l has no effect: it is to be drawn for each episode" in line for line in said)
    env.step(np.zeros((2, 1), np.float32))
    env.close()


def test_a_parameter_that_the_wire_cannot_carry() -> None:
    env = around(ball(1))
    for name, value in (("größe", 1.0), ("mass", 1e300), ("mass", Drawn("uniform", (0.0, 1.0), 2**40))):
        with pytest.raises(UsageError, match=f"environment_parameters.{name}: cannot be sent"):
            env.set_parameters({name: value})
    env.close()


def test_a_sampler_is_sent_as_it_is() -> None:
    scene = ScriptedScene([{NAME: frame({1: [1, 2]})}] * 4)
    env = around(scene, parameters={"a": 2.0, "b": Drawn("gaussian", (1.0, 0.5), 7)})
    env.reset()
    env.set_parameters({"b": Drawn("multirangeuniform", (0.0, 1.0, 2.0, 4.0), 8)})
    env.step(np.ones((1, 3), np.float32))
    assert scene.of("parameter") == [
        Setting("a", (2.0,)),
        Setting("b", (1.0, 0.5), Sampler.GAUSSIAN, 7),
        Setting("b", (0.0, 1.0, 2.0, 4.0), Sampler.MULTI_RANGE_UNIFORM, 8),
    ]
    assert len(scene.of("reset")) == 1
    env.set_parameters({"a": 3.0})
    env.reset()
    assert len(scene.of("reset")) == 2
    env.close()


def test_a_reset_after_a_parameter_begins_anew() -> None:
    """What a scene began with before it was told is no episode of the new value."""
    scene = ScriptedScene([{NAME: frame({1: [i, 2]})} for i in range(3)])
    env = around(scene)
    env.set_parameters({"a": 3.0})
    assert env.reset()[0].tolist() == [[1, 2]]
    env.close()


def test_goals_are_known() -> None:
    goal = ObservationSpec((2,), "GoalSensor", (1,), GOAL)
    env = around(ScriptedScene([{NAME: frame({1: [1, 2]})}], {NAME: BehaviorSpec((goal,), ActionSpec(3))}))
    assert env.goals == ["GoalSensor"]
    env.close()


def test_what_scenes_report() -> None:
    scene = ScriptedScene([{NAME: frame({1: [1, 2]})}] * 3)
    env = around(scene)
    env.reset()
    env.take_statistics()
    scene.statistics.report("Goals", 2.0, Aggregation.SUM)
    scene.statistics.report("Goals", 3.0, Aggregation.SUM)
    env.step(np.ones((1, 3), np.float32))
    env.step(np.ones((1, 3), np.float32))
    assert env.take_statistics() == ({"Goals": 5.0}, {})
    env.close()


@pytest.mark.parametrize(
    ("space", "spec"),
    [
        (spaces.Box(-1, 1, (4,)), [ObservationSpec((4,), "VectorSensor_size4", (1,))]),
        (spaces.Box(-1, 1, (2, 3, 4)), [ObservationSpec((24,), "VectorSensor_size24", (1,))]),
        (
            spaces.Box(0, 255, (20, 30, 3), np.uint8),
            [ObservationSpec((20, 30, 3), "CameraSensor", (2, 2, 1))],
        ),
        (
            spaces.Box(0, 255, (3, 20, 30), np.uint8),
            [ObservationSpec((3, 20, 30), "CameraSensor", (1, 2, 2))],
        ),
        (spaces.Box(0, 255, (20, 30), np.uint8), [ObservationSpec((20, 30, 1), "CameraSensor", (2, 2, 1))]),
        (spaces.Discrete(5, start=2), [ObservationSpec((5,), "VectorSensor_size5", (1,))]),
        (
            spaces.Dict(a=spaces.MultiBinary(3), action_mask=spaces.MultiBinary(2)),
            [ObservationSpec((3,), "a", (1,))],
        ),
    ],
)
def test_spaces_on_the_wire(space, spec) -> None:
    from amble.envs.scene import _parts

    parts, mask = _parts(space)
    assert [part.spec for part in parts] == spec
    assert (mask is not None) == ("action_mask" in getattr(space, "keys", list)())
    sample = space.sample()
    if isinstance(space, spaces.Discrete):
        assert parts[0].of(np.array([sample, sample])).tolist() == [np.eye(5)[sample - 2].tolist()] * 2
    elif isinstance(space, spaces.Box):
        np.testing.assert_array_equal(parts[0].of(sample[None]).ravel(), sample.ravel())


# Builds: programs that are started.


def serving(path: Path, environment: str, **settings) -> Path:
    return write_program(Order(environment, threads=1, **settings), path)


def test_several_builds_are_one_environment(tmp_path: Path) -> None:
    build = serving(tmp_path / "Ball", "3dball", agents=3)
    port = free_port()
    env = amble.envs.make("amble/Unity-v0", 2, path=build, base_port=port, seed=4, timeout=60)
    processes = [scene.session._build.process for scene in env.scenes.scenes]
    assert env.metadata["amble_backend"] == "unity"
    assert env.num_envs == 6
    observation, _ = env.reset()
    local = [amble.envs.make("amble/3DBall-v0", 3, threads=1).reset(seed=seed)[0] for seed in (4, 5)]
    np.testing.assert_array_equal(observation, np.concatenate(local))
    observation, reward, *_ = env.step(np.zeros((6, 2), np.float32))
    assert reward.tolist() == pytest.approx([0.1] * 6)
    env.close()
    assert [process.returncode for process in processes] == [0, 0]


def killed(scene) -> None:
    process = scene.session._build.process
    os.kill(process.pid, 9)
    process.wait()


def test_a_build_that_is_killed_is_started_again_once_and_then_ends_them_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build = serving(tmp_path / "Ball", "3dball", agents=2)
    env = amble.envs.make(
        "amble/Unity-v0", 2, path=build, base_port=free_port(), timeout=60, parameters={"gravity": 3.0}
    )
    env.reset()
    seen, *_ = env.step(np.zeros((4, 2), np.float32))
    killed(env.scenes.scenes[1])
    begun, reward, terminated, truncated, info = env.step(np.zeros((4, 2), np.float32))
    assert truncated.tolist() == [False, False, True, True]
    assert not terminated.any()
    assert reward.tolist() == pytest.approx([0.1, 0.1, 0.0, 0.0])
    np.testing.assert_array_equal(info["final_obs"][2:], seen[2:])
    assert (begun[2:, 3] == 4.0).all()  # a ball that is about to fall
    assert "Unity environment 1: " in caplog.text
    assert "It is started again" in caplog.text
    assert env.restarts == 1
    fallen, *_ = env.step(np.zeros((4, 2), np.float32))
    assert fallen[2:, 6] == pytest.approx([-0.3] * 2, abs=1e-6)  # 5 substeps of 0.02 s at 3 m/s²: told again
    processes = [scene.session._build.process for scene in env.scenes.scenes]
    killed(env.scenes.scenes[1])
    with pytest.raises(
        PeerGone, match=r"Unity environment 1: .* not started again: restarts_rate_limit_n \(1\)"
    ):
        step_on(env)
    assert all(process.returncode is not None for process in processes)


def test_a_build_that_is_killed_before_a_reset(tmp_path: Path) -> None:
    build = serving(tmp_path / "Ball", "3dball", agents=2)
    env = amble.envs.make("amble/Unity-v0", 1, path=build, base_port=free_port(), timeout=60)
    env.reset()
    env.step(np.zeros((2, 2), np.float32))
    killed(env.scenes.scenes[0])
    observation, _ = env.reset()
    assert (observation[:, 3] == 4.0).all()
    assert not env.step(np.zeros((2, 2), np.float32))[3].any()
    env.close()


def test_no_restarts_are_asked_for(tmp_path: Path) -> None:
    build = serving(tmp_path / "Ball", "3dball", agents=1)
    env = amble.envs.make(
        "amble/Unity-v0", 2, path=build, base_port=free_port(), timeout=60, restarts={"lifetime": 0}
    )
    env.reset()
    killed(env.scenes.scenes[1])
    with pytest.raises(PeerGone, match=r"max_lifetime_restarts \(0\) is used up"):
        step_on(env)


def step_on(env) -> None:
    for _ in range(3):
        env.step(np.zeros((env.num_envs, 2), np.float32))
