"""A whole run over the wire: builds that are our own environments, and a scene that is waited for."""

from pathlib import Path

import pytest

from amble.config import load_run
from amble.envs.scene import EnvironmentScene
from amble.envs.serve import Order, write_program
from amble.errors import UsageError
from amble.insight.play import play
from amble.training.evaluate import evaluate
from amble.training.run import train
from amble.training.trainer import Trainer
from unity_helpers import Running, free_port

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
        assert "The environment parameter mass is 2 from now on." in said
    finally:
        trainer.close()
    assert running.ended() is None
