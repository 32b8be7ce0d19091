"""ML-Agents' rules for lessons, worked by hand, and parameters that arrive in environments as lessons say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amble.config import CompletionCriteria, RunConfig, load_run, run_from_env
from amble.envs.parameters import Drawn
from amble.envs.scene import EnvironmentScene
from amble.errors import AmbleError, UsageError
from amble.training.evaluate import env_of_policy
from amble.training.lessons import Lessons, completed
from amble.training.policy import PortablePolicy
from amble.training.run import train
from amble.training.trainer import Trainer
from unity_helpers import Running, free_port


def criteria(**given: Any) -> CompletionCriteria:
    return CompletionCriteria.model_validate({"behavior": "A", **given})


class TestTheRule:
    def test_reward_is_the_mean_of_the_latest_returns(self) -> None:
        rule = criteria(threshold=2.0, min_lesson_length=2, signal_smoothing=False)
        assert completed(rule, 0.0, [9.0], 0.0) == (False, 0.0)  # one episode too few
        assert completed(rule, 0.0, [1.0, 3.0], 0.0) == (False, 0.0)  # 2 is not above 2
        assert completed(rule, 0.0, [1.0, 3.1], 0.0) == (True, 0.0)

    def test_smoothing_keeps_a_quarter_of_what_was(self) -> None:
        rule = criteria(threshold=2.9)
        # 0.25 · 0 + 0.75 · 3 = 2.25, then 0.25 · 2.25 + 0.75 · 3 = 2.8125, then 2.953125 > 2.9
        smoothed, seen = 0.0, []
        for _ in range(3):
            is_over, smoothed = completed(rule, 0.0, [3.0], smoothed)
            seen.append((is_over, smoothed))
        assert seen == [(False, 2.25), (False, 2.8125), (True, 2.953125)]

    def test_nothing_is_smoothed_before_an_episode_has_ended(self) -> None:
        assert completed(criteria(threshold=-1.0), 1.0, [], 0.5) == (False, 0.5)
        assert completed(criteria(threshold=-1.0, min_lesson_length=3), 1.0, [1.0], 0.5) == (False, 0.5)

    def test_progress_is_steps_by_max_steps(self) -> None:
        rule = criteria(measure="progress", threshold=0.5)
        assert completed(rule, 0.5, [], 0.0) == (False, 0.0)
        assert completed(rule, 0.51, [], 0.0) == (True, 0.0)
        patient = criteria(measure="progress", threshold=0.5, min_lesson_length=1)
        assert completed(patient, 0.51, [], 0.0) == (False, 0.0)
        assert completed(patient, 0.51, [0.0], 0.0) == (True, 0.0)


def lesson(value: Any, **completion: Any) -> dict[str, Any]:
    named = {"name": f"L{value}", "value": value}
    return {**named, "completion_criteria": {"behavior": "A", **completion}} if completion else named


def course(parameters: dict[str, Any], behaviors: tuple[str, ...] = ("A",)) -> Lessons:
    return Lessons(
        RunConfig.model_validate(
            {
                "behaviors": {name: {} for name in behaviors},
                "env_settings": {"seed": 40},
                "environment_parameters": parameters,
            }
        )
    )


def sampler(kind: str, **numbers: Any) -> dict[str, Any]:
    return {"sampler_type": kind, "sampler_parameters": numbers}


class TestLessons:
    def test_one_after_the_other_and_the_last_for_ever(self) -> None:
        lessons = course(
            {
                "wall": {
                    "curriculum": [
                        lesson(1.0, threshold=0.5, min_lesson_length=2, signal_smoothing=False),
                        lesson(2.0, measure="progress", threshold=0.1, require_reset=True),
                        lesson(3.0, measure="progress", threshold=0.0),
                    ]
                }
            }
        )
        assert lessons.values == {"wall": 1.0}
        lessons.ended("A", [0.4, 0.5, 0.4])
        assert lessons.look({"A": 1}, {"A": 100}) is None
        lessons.ended("A", [0.7])  # the latest two: 0.4 and 0.7
        change = lessons.look({"A": 2}, {"A": 100})
        assert change is not None
        assert (change.parameters, change.reset) == ({"wall": 2.0}, False)
        assert change.words == ["Environment parameter wall: lesson 2 of 3, 'L2.0' (2) begins after 2 steps."]
        assert lessons.look({"A": 10}, {"A": 100}) is None
        change = lessons.look({"A": 11}, {"A": 100})
        assert change is not None
        assert (change.parameters, change.reset) == ({"wall": 3.0}, True)
        assert lessons.over
        assert lessons.look({"A": 100}, {"A": 100}) is None
        assert lessons.figures() == {"lesson.wall": 2}

    def test_any_new_lesson_forgets_the_returns_of_all(self) -> None:
        quick = [lesson(1.0, threshold=0.5, min_lesson_length=1, signal_smoothing=False), lesson(2.0)]
        slow = [lesson(1.0, threshold=0.5, min_lesson_length=2, signal_smoothing=False), lesson(2.0)]
        lessons = course({"quick": {"curriculum": quick}, "slow": {"curriculum": slow}})
        lessons.ended("A", [0.9])
        assert lessons.look({"A": 1}, {"A": 9}).parameters == {"quick": 2.0}  # type: ignore[union-attr]
        lessons.ended("A", [0.9])
        assert lessons.look({"A": 2}, {"A": 9}) is None
        lessons.ended("A", [0.9])
        assert lessons.look({"A": 3}, {"A": 9}).parameters == {"slow": 2.0}  # type: ignore[union-attr]

    def test_the_memory_is_as_long_as_the_longest_lesson_asks(self) -> None:
        """As in ML-Agents: the mean is over the longest `min_lesson_length` of any lesson of that behaviour."""
        first = lesson(1.0, threshold=0.5, min_lesson_length=1, signal_smoothing=False)
        lessons = course({"p": {"curriculum": [first, lesson(2.0, min_lesson_length=4), lesson(3.0)]}})
        lessons.ended("A", [0.0, 0.0, 0.0, 1.0])
        assert lessons.look({"A": 1}, {"A": 9}) is None  # mean of four: 0.25
        lessons.ended("A", [1.0, 1.0])
        assert lessons.look({"A": 1}, {"A": 9}) is not None  # 0.75

    def test_another_behaviours_lessons_wait_for_it(self) -> None:
        named = lesson(1.0, measure="progress", threshold=0.1)
        named["completion_criteria"]["behavior"] = "B"
        lessons = course({"p": {"curriculum": [named, lesson(2.0)]}}, ("A", "B"))
        assert lessons.look({"A": 9}, {"A": 9}) is None
        assert lessons.look({"A": 9, "B": 9}, {"A": 9, "B": 9}) is not None

    def test_samplers_take_their_seeds_in_turn(self) -> None:
        """Every value without a seed counts, as in ML-Agents: 40 is the number's, 41 and 42 the samplers'."""
        lessons = course(
            {
                "number": 3,
                "a": sampler("uniform", min_value=1, max_value=2),
                "own": sampler("gaussian", mean=0, st_dev=1, seed=7),
                "b": {
                    "curriculum": [
                        {
                            **lesson(0.0, measure="progress", threshold=0.5),
                            "value": sampler("multirangeuniform", intervals=[[0, 1], [2, 3]]),
                        },
                        lesson(9.0),
                    ]
                },
            }
        )
        assert lessons.values == {
            "a": Drawn("uniform", (1.0, 2.0), 41),
            "own": Drawn("gaussian", (0.0, 1.0), 7),
            "b": Drawn("multirangeuniform", (0.0, 1.0, 2.0, 3.0), 42),
        }
        assert lessons.describe() == [
            "Environment parameter a: drawn for each episode, uniform in [1, 2].",
            "Environment parameter own: drawn for each episode, Gaussian 0 ± 1.",
            "Environment parameter b: lesson 1 of 2, 'L0.0' (drawn for each episode, uniform in [0, 1] and [2, 3]).",
        ]

    def test_constants_are_not_among_them(self) -> None:
        lessons = course(
            {"a": 1, "b": sampler("constant", value=2), "c": {"curriculum": [lesson(3.0)]}, "d": 4}
        )
        assert lessons.values == {}
        assert lessons.over

    def test_of_the_checkpoints_of_several_behaviours_the_latest_lesson(self) -> None:
        lessons = course({"p": {"curriculum": [lesson(1.0, threshold=1.0), lesson(2.0)]}})
        for numbers in ({"p": 1}, {"p": 0}):
            lessons.restore(numbers)
        assert lessons.numbers == {"p": 1}

    def test_a_checkpoint_from_a_longer_curriculum(self) -> None:
        lessons = course({"p": {"curriculum": [lesson(1.0, threshold=1.0), lesson(2.0)]}})
        lessons.restore({"other": 1})
        assert lessons.numbers == {"p": 0}
        lessons.restore({"p": 1})
        assert lessons.values == {"p": 2.0}
        with pytest.raises(
            AmbleError, match=r"environment_parameters\.p: the checkpoint is in lesson 3, and the"
        ):
            lessons.restore({"p": 2})


RUN = """
behaviors:
  3DBall:
    hyperparameters: {buffer_size: 40, batch_size: 20, num_epoch: 1}
    network_settings: {hidden_units: 8, num_layers: 1}
    max_steps: 160
    checkpoint_interval: 40
torch_settings: {learner: torch}
env_settings: {num_envs: 4, seed: 3}
environment_parameters:
  scale: {sampler_type: uniform, sampler_parameters: {min_value: 0.5, max_value: 1.5}}
  gravity:
    curriculum:
      - name: Moon
        completion_criteria: {behavior: 3DBall, measure: progress, threshold: 0.3, require_reset: true}
        value: 1.6
      - name: Mars
        completion_criteria: {behavior: 3DBall, measure: progress, threshold: 0.6}
        value: 3.7
      - name: Earth
        value: 9.81
"""


def settings(folder: Path, *more: str) -> list[str]:
    return [f"checkpoint_settings.results_dir={folder / 'results'}", *more]


def run_file(folder: Path) -> Path:
    path = folder / "run.yaml"
    path.write_text(RUN)
    return path


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_served_environment_is_told_what_lessons_say(tmp_path: Path) -> None:
    """Each value comes over the wire after the decision that passed the threshold, and in no other step."""
    port = free_port()
    more = settings(tmp_path, "env_settings.env_id=amble/Unity-v0", f"env_settings.base_port={port}")
    config = load_run(run_file(tmp_path), [*more, "env_settings.num_envs=1"])
    scene = EnvironmentScene("amble/3DBall-v0", "3DBall?team=0", 4, threads=1)
    told: list[tuple[int, str, float]] = []
    resets: list[int] = []
    steps = 0
    step, parameter, reset = scene.step, scene.parameter, scene.reset

    def counted(actions: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(actions)

    def noted(setting: Any) -> None:
        told.append((steps, setting.name, setting.numbers[0]))
        parameter(setting)

    def begun() -> Any:
        resets.append(steps)
        return reset()

    scene.step, scene.parameter, scene.reset = counted, noted, begun  # type: ignore[method-assign]
    running = Running(scene, port)
    assert train(config) == 0
    assert running.ended() is None
    # 4 agents: 0.3 · 160 = 48 is passed by the 13th decision, 0.6 · 160 = 96 by the 25th.
    assert told == [(0, "scale", 0.5), (0, "gravity", pytest.approx(1.6)), (13, "gravity", pytest.approx(3.7)),
                    (25, "gravity", pytest.approx(9.81))]  # fmt: skip
    assert resets == [0, 13]  # the first lesson asks for a reset, the second for none
    run = tmp_path / "results" / "run"
    assert [row["lesson.gravity"] for row in rows(run)] == [0, 1, 2, 2]
    spec = PortablePolicy.load(run / "policy").spec
    assert spec["parameters"]["gravity"] == 9.81
    assert spec["env_kwargs"]["parameters"] == {}


def test_lessons_in_process_and_after_a_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run_file(tmp_path)
    assert train(load_run(path, settings(tmp_path, "max_steps=160"))) == 0
    out = capsys.readouterr().out
    assert "Environment parameter gravity: lesson 1 of 3, 'Moon' (1.6)." in out
    assert "Environment parameter scale: drawn for each episode, uniform in [0.5, 1.5]." in out
    assert "Environment parameter gravity: lesson 2 of 3, 'Mars' (3.7) begins after 52 steps." in out
    assert "Environment parameter gravity: lesson 3 of 3, 'Earth' (9.81) begins after 100 steps." in out
    run = tmp_path / "results" / "run"
    assert [row["lesson.gravity"] for row in rows(run)] == [0, 1, 2, 2]
    policy = PortablePolicy.load(run / "policy")
    env = env_of_policy(policy, 2)
    env.reset(seed=0)
    models = [env.unwrapped.batch.get_model(i) for i in range(2)]  # type: ignore[attr-defined]
    assert [model.opt.gravity[2] for model in models] == [-9.81] * 2
    radii = [model.geom("ball").size[0] for model in models]
    assert all(0.25 <= radius <= 0.75 for radius in radii)
    assert radii[0] != radii[1]

    more = settings(tmp_path, "max_steps=200", "checkpoint_settings.resume=true")
    assert train(load_run(path, more)) == 0
    assert "gravity: lesson 3 of 3, 'Earth' (9.81)." in capsys.readouterr().out
    assert [row["lesson.gravity"] for row in rows(run)] == [0, 1, 2, 2, 2]


def test_a_reset_cuts_episodes_as_a_limit_of_steps_does(tmp_path: Path) -> None:
    """Decision 13 of each of 4 environments is the last before the reset; the value of what followed is kept."""
    trainer = Trainer(load_run(run_file(tmp_path), settings(tmp_path, "hyperparameters.buffer_size=80")))
    trainer._begin()
    rollout, episodes = trainer.collector.collect()
    assert rollout.truncated[12].all()
    assert rollout.begins[13].all()
    assert not rollout.truncated[[0, 5, 11, 13, 19]].any()
    (cut,) = rollout.cut
    assert (cut.t, cut.environments.tolist()) == (12, [0, 1, 2, 3])
    following = rollout.observation[13]
    assert not np.allclose(cut.observation.numpy(), following.numpy())
    assert len(episodes.returns) == 0  # none ended by itself
    trainer.close()


def test_what_takes_its_settings_when_it_is_made_has_no_lessons() -> None:
    changing = "environment_parameters={g: {sampler_type: gaussian, sampler_parameters: {mean: 9.8}}}"
    with pytest.raises(UsageError, match=r"environment_parameters\.g: Pendulum-v1 takes its settings when"):
        Trainer(run_from_env("Pendulum-v1", "ppo", [changing, "env_settings.num_envs=2"]))


def test_a_sampler_that_a_body_cannot_take(tmp_path: Path) -> None:
    wide = "environment_parameters.scale.sampler_parameters.max_value=5"
    with pytest.raises(UsageError, match="BallVectorEnv: scale must be above 0 and at most 3"):
        Trainer(load_run(run_file(tmp_path), settings(tmp_path, wide)))
