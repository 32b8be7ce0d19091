"""A whole run over the wire: builds that are our own environments, and a scene that is waited for."""

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from amble.config import RunConfig, load_run
from amble.envs.scene import EnvironmentScene
from amble.envs.serve import Order, write_program
from amble.errors import UsageError
from amble.insight.play import play
from amble.training.evaluate import evaluate
from amble.training.run import train
from amble.training.trainer import Trainer
from amble.unity.channels import Aggregation
from amble.unity.spec import GOAL, ActionSpec, BehaviorSpec, ObservationSpec
from unity_helpers import NAME, Running, ScriptedScene, frame, free_port

RUN = """
behaviors:
  3DBall:
    hyperparameters: {buffer_size: 60, batch_size: 30, num_epoch: 1}
    network_settings: {hidden_units: 8, num_layers: 1, normalize: true}
    max_steps: 120
torch_settings: {learner: torch}
engine_settings: {time_scale: 7}
environment_parameters: {mass: 2}
"""


def settings(folder: Path, *more: str) -> list[str]:
    return [f"checkpoint_settings.results_dir={folder / 'results'}", "env_settings.seed=3", *more]


def test_train_and_evaluate_in_builds(tmp_path: Path) -> None:
    build = write_program(Order("3dball", agents=3, threads=1), tmp_path / "Ball")
    (tmp_path / "run.yaml").write_text(RUN)
    port = free_port()
    more = [f"env_settings.env_path={build}", "env_settings.num_envs=2", f"env_settings.base_port={port}"]
    config = load_run(tmp_path / "run.yaml", settings(tmp_path, *more))
    assert train(config) == 0
    run = tmp_path / "results" / "run"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    result = evaluate(run, 3, None)
    assert result["episodes"] == 3
    assert result["return_mean"] > 0
    with pytest.raises(UsageError, match="its policy lives in a Unity scene"):
        play(run)


def test_a_behaviour_that_is_not_ours_waits_for_an_editor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    (tmp_path / "run.yaml").write_text(RUN.replace("3DBall", "Somebodys"))
    config = load_run(tmp_path / "run.yaml", settings(tmp_path, f"env_settings.base_port={port}"))
    scene = EnvironmentScene("amble/3DBall-v0", "Somebodys?team=0", 4, threads=1)
    said: list[str] = []
    scene._say = said.append
    running = Running(scene, port)
    trainer = Trainer(config)
    try:
        assert f"Waiting up to 60 s for a Unity scene on port {port}: press Play" in capsys.readouterr().err
        row = trainer.iterate()
        assert row["env_steps"] == 60
        assert trainer.env.num_envs == 4
        assert trainer.collector.decisions == 15  # 60 / 4
        assert "The trainer's time_scale 7 has no effect: the environment runs as fast as it can." in said
        assert "The environment parameter mass is 2, from each agent's next episode on." in said
    finally:
        trainer.close()
    assert running.ended() is None


def small(folder: Path, port: int, **network: str) -> RunConfig:
    (folder / "run.yaml").write_text(RUN.replace("3DBall", "Toy"))
    more = [f"network_settings.{key}={value}" for key, value in network.items()]
    return load_run(folder / "run.yaml", settings(folder, f"env_settings.base_port={port}", *more))


def test_what_a_scene_reports_is_in_the_row_and_in_tensorboard(tmp_path: Path) -> None:
    port = free_port()
    scene = ScriptedScene([{NAME: frame({1: [1, 2]})} for _ in range(200)])
    step, height = scene.step, iter(range(1000))

    def reporting(actions):
        scene.statistics.report("Goals", 1.0, Aggregation.SUM)
        scene.statistics.report("Height", float(next(height)), Aggregation.HISTOGRAM)
        return step(actions)

    scene.step = reporting  # type: ignore[method-assign]
    Running(scene, port)
    assert train(small(tmp_path, port)) == 0
    run = tmp_path / "results" / "run"
    first, second = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    # 60 decisions of one agent each an iteration; the 16 of the warm-up are reported with the first.
    assert (first["scene.Goals"], second["scene.Goals"]) == (76.0, 60.0)
    assert first["scene.Height"] == sum(range(76)) / 76
    accumulator = EventAccumulator(str(run), size_guidance={"histograms": 0})
    accumulator.Reload()
    assert [event.value for event in accumulator.Scalars("Goals")] == [76.0, 60.0]
    assert [event.histogram_value.num for event in accumulator.Histograms("Height_hist")] == [76.0, 60.0]


def test_a_goal_asks_for_none(tmp_path: Path) -> None:
    goal = BehaviorSpec((ObservationSpec((2,), "GoalSensor", (1,), GOAL),), ActionSpec(3))

    def trainer(**network: str) -> Trainer:
        port = free_port()
        Running(ScriptedScene([{NAME: frame({1: [1, 2]})}] * 2, {NAME: goal}), port)
        return Trainer(small(tmp_path, port, **network))

    with pytest.raises(
        UsageError, match="goal_conditioning_type is hyper, and the scene's observation 'GoalSensor'"
    ):
        trainer()
    trainer(goal_conditioning_type="none").close()
