"""What a run has chosen for this machine is told and kept, and is what it works with."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amble.config import RunConfig, run_from_env
from amble.training.autopilot import Choices, choices
from amble.training.run import make_trainer, train

A_CHOICE = Choices(
    cores=2,
    load=0.1,
    environments=8,
    backend="workers",
    backend_speeds={"inprocess": 1234.5, "workers": 2345.6},
    physics_threads=None,
    learner="fused learner",
    gradient_threads=1,
)


def a_run(folder: Path, env: str, **settings: Any) -> RunConfig:
    tiny = {
        "hyperparameters.buffer_size": 64,
        "hyperparameters.batch_size": 32,
        "network_settings.hidden_units": 8,
        "max_steps": 64,
        "env_settings.seed": 0,
        "env_settings.num_envs": 4,
        "checkpoint_settings.results_dir": folder,
        "checkpoint_settings.run_id": "run",
        **settings,
    }
    return run_from_env(env, "ppo", [f"{key}={value}" for key, value in tiny.items()])


def test_the_sentence_names_what_was_tried_and_what_was_found() -> None:
    assert A_CHOICE.sentences() == [
        "2 cores: gradient steps on 1 thread; environments workers, the quickest of what was tried "
        "(steps/s: inprocess 1,234, workers 2,346)"
    ]
    ruled = replace(
        A_CHOICE, backend="array", backend_speeds={}, physics_threads=2, gradient_threads=2, cores=1
    )
    assert ruled.sentences() == ["1 core: physics on 2 threads, gradient steps on 2 threads"]
    assert replace(ruled, physics_threads=None, gradient_threads=None).sentences() == ["1 core"]


@pytest.mark.parametrize(("load", "told"), [(1.4, False), (1.5, True), (None, False)])
def test_a_busy_machine_is_told_of(load: float | None, told: bool) -> None:
    """Two cores are called busy from a load of 0.75 · 2 on."""
    lines = replace(A_CHOICE, load=load).sentences()
    assert (len(lines) == 2) is told
    if told:
        assert lines[1].startswith("Other processes keep this machine busy (load 1.5 on 2 cores)")


def test_they_are_those_of_the_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMBLE_CORES", "3")
    trainer = make_trainer(
        a_run(
            tmp_path,
            "Swimmer-v5",
            **{
                "hyperparameters.buffer_size": 2048,
                "hyperparameters.batch_size": 256,  # too small for torch to share, and not for the fused learner
                "network_settings.hidden_units": 256,
            },
        )
    )
    try:
        found = choices(trainer)
    finally:
        trainer.close()
    assert (found.cores, found.environments, found.backend) == (3, 4, "array")
    assert (found.physics_threads, found.gradient_threads) == (3, 3)
    assert (found.learner, found.backend_speeds) == ("fused learner", {})


def test_a_run_tells_and_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = a_run(
        tmp_path, "Acrobot-v1", **{"torch_settings.learner": "torch", "env_settings.backend": "inprocess"}
    )
    assert train(config) == 0
    kept = json.loads((tmp_path / "run" / "machine.json").read_text())
    assert kept.keys() == A_CHOICE.as_json().keys()
    assert kept["cores"] == len(os.sched_getaffinity(0))
    assert (kept["backend"], kept["learner"], kept["physics_threads"]) == ("inprocess", "torch learner", None)
    assert "gradient steps on 1 thread\n" in capsys.readouterr().out
