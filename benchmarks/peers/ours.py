"""Amble's PPO, by `amble.train` of a run file.

Observations are normalised and the critic learns standardised returns; advantages over each minibatch; Adam's ε is
1e-5. Backend and threads are what Amble chooses. Its metrics and TensorBoard events, a row an iteration, stay on:
their times are what is read here.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from peers.clock import FEWEST
from peers.settings import Setting
from peers.trained import Trained


def run_file(
    task: str, setting: Setting, seed: int, max_steps: int, results: str, learner: str | None
) -> dict[str, Any]:
    return {
        "behaviors": {
            task: {
                "trainer_type": "ppo",
                "hyperparameters": {
                    "batch_size": setting.minibatch,
                    "buffer_size": setting.rollout,
                    "learning_rate": setting.learning_rate,
                    "learning_rate_schedule": "constant",
                    "beta": 0.0,
                    "epsilon": setting.clip,
                    "lambd": setting.gae_lambda,
                    "num_epoch": setting.epochs,
                    "value_coefficient": setting.value_coefficient,
                    "max_grad_norm": setting.max_grad_norm,
                },
                "network_settings": {
                    "normalize": True,
                    "hidden_units": setting.hidden[0],
                    "num_layers": len(setting.hidden),
                    "activation": "tanh",
                },
                "reward_signals": {"extrinsic": {"gamma": setting.gamma}},
                "max_steps": max_steps,
                "time_horizon": setting.decisions,
                "checkpoint_interval": 10**12,
            }
        },
        "env_settings": {"env_id": task, "num_envs": setting.envs, "seed": seed},
        "checkpoint_settings": {"run_id": "run", "results_dir": results, "force": True},
        "torch_settings": {} if learner is None else {"learner": learner},
    }


def row_times(run: Path) -> list[float]:
    """When each iteration ended (seconds since 1970): the times of its TensorBoard events."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    (path,) = run.glob("events.out.tfevents.*")
    return [
        event.wall_time
        for event in LegacyEventFileLoader(str(path)).Load()
        if event.HasField("summary")
        and not any(value.tag.startswith("Hyper") for value in event.summary.value)
    ]


def train(
    task: str,
    setting: Setting,
    seed: int,
    *,
    steps: int | None,
    seconds: float | None,
    learner: str | None,
) -> Trained:
    began = time.time()
    import amble

    with tempfile.TemporaryDirectory() as results:
        file = Path(results) / "run-file.yaml"
        times: list[float] = []
        first: float | None = None
        limit = seconds
        while len(times) < FEWEST:  # a first iteration that has to compile may use up the budget
            config = run_file(task, setting, seed, steps or 10**12, results, learner)
            if limit is not None:
                config["time_limit"] = limit
            file.write_text(json.dumps(config, indent=1))
            run = amble.train(file)
            times = row_times(run)
            first = first or times[0] - began
            limit = limit and limit * 2
        policy = amble.load(run)
    return Trained(first or 0.0, times, lambda observation: np.asarray(policy.act(observation)))


def has_learners() -> bool:
    """Whether this Amble lets a run file choose its learner."""
    from amble.config import RunConfig

    return "learner" in RunConfig().torch_settings.model_fields
