"""What a run starts from: its own last checkpoint, another run's, or nothing; and the lines that say so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from amble.config import RunConfig, is_shipped, load_run
from amble.errors import AmbleError, UsageError
from amble.nets.distributions import GaussianHead, Head, HybridHead
from amble.training import files
from amble.training.branch import Branch
from amble.training.checkpoint import latest_checkpoint, load_checkpoint
from amble.training.learner import Learner
from amble.training.policy_files import read_policy
from amble.training.run_directory import RunDirectory


def init_checkpoint(config: RunConfig) -> Path | None:
    """The checkpoint that the behaviour's `init_path` means; None where it is not asked for, or a run is resumed.

    Raises:
        UsageError: there is none.
    """
    settings, (name, behavior) = config.checkpoint_settings, config.behavior
    path = behavior.init_path
    if path is None or settings.resume:
        return None
    tried = [Path(path), Path(settings.results_dir) / path]
    if settings.initialize_from is not None:
        tried.append(Path(settings.results_dir) / settings.initialize_from / "checkpoints" / path)
    for place in tried:
        if (place / files.MANIFEST).is_file():
            return place
        found = latest_checkpoint(place / "checkpoints")
        if found is not None:
            return found
    raise UsageError(
        f"behaviors.{name}.init_path names {path!r}, and there is no run and no checkpoint of one there (tried: "
        f"{', '.join(map(str, tried))})."
    )


def restore(run: RunDirectory, trainer: Learner, branch: Branch | None, init: Path | None) -> list[str]:
    """Load what the run starts from; return lines that say so."""
    settings = trainer.config.checkpoint_settings
    if settings.resume:
        return resume(run, trainer)
    said = _start(run, trainer, branch, init)
    if said and settings.reset_std is not None:
        reset_std(trainer.policy.head, settings.reset_std)
        said.append(f"Its actions are spread anew, by σ = {settings.reset_std:g}.")
    return said


def reset_std(head: Head, std: float) -> None:
    """Have a head's Gaussian explore with this σ.

    Raises:
        UsageError: its actions have none.
    """
    match head:
        case GaussianHead():
            with torch.no_grad():
                head.log_std.fill_(math.log(std))
        case HybridHead():
            reset_std(head.continuous, std)
        case _:
            raise UsageError(
                "checkpoint_settings.reset_std sets the σ of Gaussian actions, and this policy has none. Leave it out."
            )


def _start(run: RunDirectory, trainer: Learner, branch: Branch | None, init: Path | None) -> list[str]:
    if branch is not None:
        trainer.load_weights(load_checkpoint(branch.checkpoint)[0])
        return [f"Branching off {branch.run} at step {branch.step:,}."]
    if init is None and run.initialize_from is not None:
        init = latest_checkpoint(run.initialize_from / "checkpoints")
        if init is None and is_shipped(run.initialize_from):
            trainer.load_policy(read_policy(run.initialize_from / "policy")[0])
            name = run.initialize_from.name
            return [
                f"Starting from the policy that comes with `{name}`; no critic does, so a new one learns."
            ]
        if init is None:
            raise AmbleError(f"{run.initialize_from}: has no checkpoint to start from yet.")
    if init is not None:
        trainer.load_weights(load_checkpoint(init)[0])
        return [f"Starting from the networks of {init}."]
    return []


def resume(run: RunDirectory, trainer: Learner) -> list[str]:
    """Go on from the run's last checkpoint."""
    checkpoint = latest_checkpoint(run.checkpoints)
    if checkpoint is None:
        return ["There is no checkpoint yet: starting from the beginning."]
    trainer.restore(*load_checkpoint(checkpoint))
    changed = _differences(load_run(run.run_yaml), trainer.config)
    return [f"Resuming at step {trainer.env_steps}.", *(f"Changed since: {line}" for line in changed)]


def seed_of_resumed(config: RunConfig) -> RunConfig:
    """A resumed run keeps the seed that it began with."""
    settings = config.checkpoint_settings
    saved = Path(settings.results_dir) / settings.run_id / "run.yaml"
    if not (settings.resume and saved.is_file()):
        return config
    seed = load_run(saved).env_settings.seed
    env_settings = config.env_settings.model_copy(update={"seed": seed})
    return config.model_copy(update={"env_settings": env_settings})


def _differences(before: RunConfig, now: RunConfig) -> list[str]:
    """The settings, but for those of starting and saving, that a resumed run changes: `key: old → new`."""
    old, new = (
        _flat(config.model_dump(exclude={"checkpoint_settings", "notes"})) for config in (before, now)
    )
    keys = sorted(old.keys() | new.keys())
    return [f"{key}: {old.get(key)} → {new.get(key)}" for key in keys if old.get(key) != new.get(key)]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
