"""Several behaviours of one scene, trained in one run over a real socket."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from amble.config import RunConfig, load_run
from amble.envs.scene import EnvironmentScene
from amble.envs.scenes import SharedScene
from amble.errors import AmbleError, UsageError
from amble.export.policy import export
from amble.training.evaluate import evaluate
from amble.training.metrics import read_metrics
from amble.training.run import train
from amble.training.run_directory import runs_within
from unity_helpers import Running, free_port

RUN = """
default_settings:
  hyperparameters: {buffer_size: 64, batch_size: 32, num_epoch: 3, learning_rate: 1e-2, lambd: 0.95}
  network_settings: {hidden_units: 16, num_layers: 1}
  reward_signals: {extrinsic: {gamma: 0.9}}
  max_steps: 1600
behaviors:
  Numbers:
  Choices: {max_steps: 2400, hyperparameters: {buffer_size: 96}}
env_settings: {seed: 0}
torch_settings: {learner: torch}
"""


def scene() -> SharedScene:
    """Two probes: both pay most for the action that what is observed asks for."""
    return SharedScene(
        [
            EnvironmentScene("probes:SeenAction-v0", "Numbers?team=0", 32, env_kwargs={"continuous": True}),
            EnvironmentScene("probes:SeenAction-v0", "Choices?team=0", 16),
        ]
    )


def config(folder: Path, port: int, *more: str) -> RunConfig:
    path = folder / "both.yaml"
    path.write_text(RUN)
    where = [f"env_settings.base_port={port}", f"checkpoint_settings.results_dir={folder / 'results'}"]
    return load_run(path, [*where, *more])


def rows(run: Path, name: str) -> list[dict[str, Any]]:
    return read_metrics(run / name)


def test_both_learn_each_by_its_own_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    playing = Running(scene(), port)
    assert train(config(tmp_path, port)) == 0
    assert playing.ended() is None
    run = tmp_path / "results" / "both"
    assert [path.name for path in runs_within(run)] == ["Choices", "Numbers"]
    assert sorted(path.name for path in run.iterdir()) == ["Choices", "Numbers", "run.yaml"]
    # 1600 / 64 and 2400 / 96 rollouts: the one that is done earlier writes no further rows
    assert [row["env_steps"] for row in rows(run, "Numbers")] == [64 * k for k in range(1, 26)]
    assert [row["env_steps"] for row in rows(run, "Choices")] == [96 * k for k in range(1, 26)]
    said = capsys.readouterr().out
    assert "Numbers: Done after 1,600 steps." in said
    assert "Choices: Done after 2,400 steps." in said
    assert load_run(run / "Choices" / "run.yaml").behavior[0] == "Choices"
    assert list(load_run(run / "run.yaml").behaviors) == ["Numbers", "Choices"]

    playing = Running(scene(), port)
    result = evaluate(run, 40, None)
    assert playing.ended() is None
    assert list(result) == ["Choices", "Numbers"]
    assert result["Numbers"]["return_mean"] > 0.95  # 1 − (a − s/2)²
    assert result["Choices"]["return_mean"] == 1.0  # ±1
    assert [figures["episodes"] for figures in result.values()] == [40, 40]
    playing = Running(scene(), port)
    alone = evaluate(run / "Choices", 8, None)
    assert playing.ended() is None
    assert (alone["return_mean"], alone["episodes"]) == (1.0, 8)
    assert export(run / "Numbers" / "policy").name == "Numbers.onnx"


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    seen = []
    for number in range(2):
        port = free_port()
        Running(scene(), port)
        assert train(config(tmp_path, port, "max_steps=192", f"checkpoint_settings.run_id=r{number}")) == 0
        run = tmp_path / "results" / f"r{number}"
        seen.append(
            [
                [(row["return_mean"], row["kl"], row["value_loss"]) for row in rows(run, name)]
                for name in ("Numbers", "Choices")
            ]
        )
    assert seen[0] == seen[1]
    assert [len(of) for of in seen[0]] == [3, 2]


def test_resume_goes_on_with_each(tmp_path: Path) -> None:
    port = free_port()
    Running(scene(), port)
    assert train(config(tmp_path, port, "max_steps=128")) == 0
    Running(scene(), port)
    more = ["checkpoint_settings.resume=true", "behaviors.Choices.max_steps=384", "env_settings.seed=77"]
    assert train(config(tmp_path, port, "behaviors.Numbers.max_steps=128", *more)) == 0
    run = tmp_path / "results" / "both"
    assert [row["env_steps"] for row in rows(run, "Numbers")] == [64, 128]  # it had nothing left to do
    assert [row["env_steps"] for row in rows(run, "Choices")] == [96, 192, 288, 384]
    assert load_run(run / "run.yaml").env_settings.seed == 0  # what it began with

    Running(scene(), port)
    start = ["checkpoint_settings.run_id=next", "checkpoint_settings.initialize_from=both", "max_steps=64"]
    assert train(config(tmp_path, port, *start)) == 0
    again = rows(tmp_path / "results" / "next", "Choices")
    assert [row["env_steps"] for row in again] == [96]


LESSONS = """
environment_parameters:
  ease:
    curriculum:
      - {name: Easy, value: 1, completion_criteria: {behavior: Choices, measure: progress, threshold: 0.5}}
      - {name: Hard, value: 0}
  wind: {curriculum: [{name: Only, value: 7}]}
"""


def test_lessons_follow_one_behaviour_and_reach_the_scene_of_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers is done before Choices, whose steps end the lesson, is half way; the shared scene is told."""

    def played() -> tuple[list[tuple[str, float]], SharedScene]:
        told, playing = [], scene()
        playing.parameter = lambda setting: told.append((setting.name, *setting.numbers))  # type: ignore[method-assign]
        return told, playing

    def of(*more: str) -> RunConfig:
        config(tmp_path, port)
        path = tmp_path / "both.yaml"
        path.write_text(RUN + LESSONS)
        where = [f"env_settings.base_port={port}", f"checkpoint_settings.results_dir={tmp_path / 'results'}"]
        return load_run(path, [*where, *more])

    port = free_port()
    told, playing = played()
    Running(playing, port)
    assert train(of("behaviors.Numbers.max_steps=128", "behaviors.Choices.max_steps=960")) == 0
    assert sorted(told) == [("ease", 0.0), ("ease", 1.0), ("wind", 7.0)]
    out = capsys.readouterr().out
    assert "Environment parameter ease: lesson 2 of 2, 'Hard' (0) begins after 496 steps." in out  # 31 · 16
    run = tmp_path / "results" / "both"
    assert {row["lesson.ease"] for row in rows(run, "Numbers")} == {0}
    assert [row["lesson.ease"] for row in rows(run, "Choices")] == [0] * 5 + [1] * 5
    for name in ("Numbers", "Choices"):  # the one that was done before was saved again
        assert json.loads((run / name / "policy" / "policy.json").read_text())["parameters"] == {"ease": 0.0}
    assert "Easy" in (run / "run.yaml").read_text()
    assert load_run(run / "Numbers" / "run.yaml").environment_parameters == {"wind": 7.0}

    told, playing = played()
    Running(playing, port)
    assert evaluate(run, 4, None)["Numbers"]["episodes"] == 4
    assert sorted(told) == [("ease", 0.0), ("wind", 7.0)]

    told, playing = played()
    Running(playing, port)
    more = ["behaviors.Choices.max_steps=1056", "checkpoint_settings.resume=true"]
    assert train(of("behaviors.Numbers.max_steps=128", *more)) == 0
    assert told[-1] == ("ease", 0.0)
    assert rows(run, "Choices")[-1]["lesson.ease"] == 1


def test_a_run_is_there_and_is_replaced_by_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    Running(scene(), port)
    assert train(config(tmp_path, port, "max_steps=128")) == 0
    Running(scene(), port)
    with pytest.raises(UsageError, match="a run is already there"):
        train(config(tmp_path, port, "max_steps=64"))
    Running(scene(), port)
    assert train(config(tmp_path, port, "max_steps=64", "checkpoint_settings.force=true")) == 0
    assert len(rows(tmp_path / "results" / "both", "Numbers")) == 1
    assert "was left there" not in caplog.text


def test_a_scene_that_fails_ends_every_behaviour(tmp_path: Path) -> None:
    port = free_port()
    broken = scene()
    step, steps = broken.step, iter(range(10**6))

    def fail(actions: Any) -> Any:
        if next(steps) == 20:
            raise ZeroDivisionError("the scene broke")
        return step(actions)

    broken.step = fail  # type: ignore[method-assign]
    Running(broken, port)
    with pytest.raises(AmbleError, match="the scene broke"):
        train(config(tmp_path, port))
    run = tmp_path / "results" / "both"
    for name in ("Numbers", "Choices"):
        summary = json.loads((run / name / "summary.json").read_text())
        assert summary["exit_reason"] == "failed"
        assert "the scene broke" in summary["error"]
        assert not (run / name / "run.lock").exists()
    assert not (run / "run.lock").exists()


def test_ctrl_c_saves_every_behaviour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    Running(scene(), port)
    run = tmp_path / "results" / "both"
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a background run of the tests ignores it

    def press() -> None:
        while not (run / "Choices" / "metrics.jsonl").exists() or not rows(run, "Choices"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    try:
        assert train(config(tmp_path, port, "max_steps=1e9")) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    for name in ("Numbers", "Choices"):
        assert json.loads((run / name / "summary.json").read_text())["exit_reason"] == "SIGINT"
        assert len(list((run / name / "checkpoints").iterdir())) == 1


def test_behaviours_that_would_share_a_folder(tmp_path: Path) -> None:
    port = free_port()
    names = ["A/B", "A:B"]
    playing = Running(
        SharedScene([EnvironmentScene("probes:ValueOnly-v0", f"{name}?team=0", 2) for name in names]), port
    )
    path = tmp_path / "both.yaml"
    path.write_text("behaviors: {A/B: , 'A:B': }")
    with pytest.raises(UsageError, match=r"A/B, A:B would share a folder: A-B, A-B"):
        train(
            load_run(path, [f"env_settings.base_port={port}", f"checkpoint_settings.results_dir={tmp_path}"])
        )
    assert playing.ended() is None
