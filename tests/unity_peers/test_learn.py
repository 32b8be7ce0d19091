"""ML-Agents' own trainer, unmodified, learns 3DBall from `amble serve 3dball`: `make test-mlagents-learn`.

Runs in a virtual environment that has `mlagents` 0.28.0 with what it asks for, on Python 3.8; `AMBLE_PYTHON` is an
interpreter that has our package. Skipped everywhere else.
"""

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mlagents", reason="ML-Agents' trainer is only in its own virtual environment")

import torch

AMBLE = str(Path(os.environ.get("AMBLE_PYTHON", "python")).absolute())
SOURCE = Path(__file__).parents[2] / "src"
RUN = """
behaviors:
  3DBall:
    trainer_type: ppo
    hyperparameters:
      batch_size: 64
      buffer_size: 2000
      learning_rate: 0.0003
      beta: 0.001
      lambd: 0.99
      num_epoch: 3
      learning_rate_schedule: constant
    network_settings: {normalize: true, hidden_units: 128, num_layers: 2}
    max_steps: 42000
    time_horizon: 200
    summary_freq: 6000
"""
PLAY = """
import sys
import numpy as np, onnx
import amble
from amble.export.loader_checks import AgentSpec, check_model
from amble.export.reference import run
model = onnx.load(sys.argv[1])
found = check_model(model, AgentSpec(sensors=((8,),), continuous=2, branches=()))
assert not found, found
env = amble.make("amble/3DBall-v0", 20)
seen, _ = env.reset(seed=0)
total = np.zeros(20)
for _ in range(1000):
    seen, reward, terminated, *_ = env.step(run(model, {"obs_0": seen})["deterministic_continuous_actions"])
    total += reward
    assert not terminated.any(), total
print(total.mean())
"""
"""Unity's loader checks find nothing to complain of, and the model balances our balls for a whole episode."""


def build(path):
    command = f"{AMBLE} -m amble.cli serve 3dball --threads 1 --log-file {path}.log"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {command} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_mlagents_learn_learns_3dball(tmp_path):
    (tmp_path / "ball.yaml").write_text(RUN)
    learn = str(Path(sys.executable).with_name("mlagents-learn"))
    words = [learn, "ball.yaml", "--env", build(tmp_path / "Ball"), "--run-id", "ball", "--seed", "1"]
    words += ["--no-graphics", "--base-port", str(free_port())]
    done = subprocess.run(
        words,
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0
    assert (
        "Connected to Unity environment with package version 2.2.1 and communication version 1.5.0"
        in done.stdout
    )
    rewards = [
        float(found) for found in re.findall(r"3DBall\. Step: \d+\. .* Mean Reward: (\S+)\. Std", done.stdout)
    ]
    assert len(rewards) == 7
    assert rewards[0] < 5
    assert max(rewards[-3:]) > 60  # of 100

    run = tmp_path / "results" / "ball"
    weights = torch.load(str(run / "3DBall" / "checkpoint.pt"))
    assert weights["global_step"]["_GlobalSteps__global_step"].item() >= 42000
    played = subprocess.run(
        [AMBLE, "-c", PLAY, str(run / "3DBall.onnx")],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    assert float(played.stdout) > 99
