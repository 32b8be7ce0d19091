"""Acting without learning, by a trained policy, until somebody stops it: ML-Agents' `--inference`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from amble.config import RunConfig
from amble.errors import UsageError
from amble.native import waits
from amble.training.checkpoint import latest_checkpoint, load_checkpoint
from amble.training.interrupt import StopRequest
from amble.training.learner import Learner, Row, episode_figures
from amble.training.progress import Progress
from amble.training.run_directory import RunDirectory
from amble.training.threads import torch_threads

_LATEST = 100
"""Episodes that the figures are of."""
_SECONDS = 1.0
"""Between two looks at the display."""


def infer(trainer: Learner, init: Path | None) -> int:
    """Act with the policy that the settings name; return the exit code: 0, or 128 + the signal that stopped it.

    Nothing is learned and nothing written. With `network_settings.deterministic` the likeliest actions are taken.

    Args:
        trainer: with environments and networks; it is given the weights.
        init: the checkpoint that `init_path` means, if any.

    Raises:
        UsageError: no trained policy is named.
    """
    config = trainer.config
    progress = Progress(trainer.name, None, config.time_limit)
    with progress, StopRequest(progress.message) as stop, waits.explained(progress.message):
        lines = _load(trainer, config, init)
        progress.start([*lines, *trainer.lessons.describe(), "Acting without learning; Ctrl-C ends it."])
        for seconds, row in _rows(trainer):
            progress.update(row)
            late = config.time_limit is not None and seconds >= config.time_limit
            if stop.requested or late:
                break
        return stop.exit_code or 0


def _load(trainer: Learner, config: RunConfig, init: Path | None) -> list[str]:
    settings = config.checkpoint_settings
    if settings.resume:
        run = RunDirectory.open(Path(settings.results_dir) / settings.run_id)
        checkpoint = latest_checkpoint(run.checkpoints)
        if checkpoint is not None:
            trainer.restore(*load_checkpoint(checkpoint))
    elif init is not None:
        checkpoint = init
        trainer.load_weights(load_checkpoint(checkpoint)[0])
    elif settings.initialize_from is not None:
        run = RunDirectory.open(Path(settings.results_dir) / settings.initialize_from)
        checkpoint = latest_checkpoint(run.checkpoints)
        if checkpoint is not None:
            trainer.load_weights(load_checkpoint(checkpoint)[0])
    else:
        raise UsageError(
            "checkpoint_settings.inference acts by a trained policy, and none is named: give --resume, with the "
            "--run-id of a run that is there, or --initialize-from."
        )
    if checkpoint is None:
        raise UsageError("The run that inference is to act for has no checkpoint yet.")
    return [f"The policy is that of {checkpoint}."]


@torch.no_grad()
def _rows(trainer: Learner) -> Iterator[tuple[float, Row]]:
    """Act for ever; about every second the seconds so far and figures, and room to look for a request to stop."""
    policy, env = trainer.policy, trainer.env
    rng, count = trainer.seeds.generator("exploration"), env.num_envs
    likeliest = trainer.behavior.network_settings.deterministic
    latest: deque[tuple[float, int]] = deque(maxlen=_LATEST)
    total, length, steps = np.zeros(count), np.zeros(count, np.int64), 0
    observation, _ = env.reset(seed=trainer.seeds.integer("evaluation"))
    state = policy.nothing_remembered(count)
    start = shown = time.perf_counter()
    with torch_threads(1):
        while True:
            rows = torch.as_tensor(policy.layout.flat(observation, count), dtype=torch.float32)
            output, state = policy.step(policy.normalised(rows.to(trainer.device)), state)
            noise = policy.head.noise((1, count), rng)[0].to(trainer.device)
            action = policy.head.mode(output) if likeliest else policy.head.sample(output, noise)
            observation, reward, terminated, truncated, _ = env.step(policy.actions.to_env(action))
            total, length, steps = total + reward, length + 1, steps + count
            done = terminated | truncated
            if done.any():
                latest.extend(zip(total[done].tolist(), length[done].tolist(), strict=True))
                total[done], length[done] = 0.0, 0
                if state is not None:
                    rows_done = torch.as_tensor(done[:, None], device=trainer.device)
                    state = state.masked_fill(rows_done, 0.0)
            now = time.perf_counter()
            if now - shown >= _SECONDS:
                shown = now
                returns, lengths = zip(*latest, strict=True) if latest else ((), ())
                yield (
                    now - start,
                    {
                        "env_steps": steps,
                        "wall_seconds": now - start,
                        "steps_per_second": steps / (now - start),
                        **episode_figures(returns, lengths),
                    },
                )
