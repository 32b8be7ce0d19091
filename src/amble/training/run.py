"""A whole run: take its directory, train, write everything down, whatever ends it."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from amble.config import RunConfig, to_yaml, without_effect
from amble.errors import UsageError
from amble.native import waits
from amble.rewards.engine import RewardFault
from amble.training.ahead import compiled_ahead
from amble.training.asynchronous import AsynchronousTrainer
from amble.training.autopilot import choices
from amble.training.branch import Branch, find_branch, parentage
from amble.training.checkpoint import save_checkpoint
from amble.training.files import write_file
from amble.training.inference import infer
from amble.training.interrupt import StopRequest
from amble.training.learner import Learner, Row
from amble.training.metrics import MetricsLog
from amble.training.policy_files import write_policy
from amble.training.progress import Progress
from amble.training.run_directory import RunDirectory
from amble.training.start import init_checkpoint, restore, seed_of_resumed
from amble.training.trainer import Trainer


def train(config: RunConfig) -> int:
    """Train as `config` says, in `results_dir/run_id`; return the exit code: 0, or 128 + the signal that stopped it.

    Raises:
        UsageError: what `config` asks for cannot be done; nothing was written.
        AmbleError: the run failed; what it had learned is in its last checkpoint.
    """
    with _logged(config.debug):
        return _train(config)


def _train(config: RunConfig) -> int:
    if len(config.behaviors) > 1:
        from amble.training.together import train_together

        return train_together(config)
    config, branch = _with_branch(config)
    settings, init = config.checkpoint_settings, init_checkpoint(config)
    trainer = make_trainer(seed_of_resumed(config))  # before the directory: what cannot start writes nothing
    try:
        if settings.inference:
            return infer(trainer, init)
        run = RunDirectory.create(
            settings.results_dir,
            settings.run_id,
            resume=settings.resume,
            force=settings.force,
            initialize_from=None if settings.resume or init is not None else settings.initialize_from,
        )
        if branch is not None and branch.run.resolve() == run.path.resolve():
            run.close()
            raise UsageError(f"--branch-from {branch.text} is this very run: give another --run-id.")
        with run:
            return _train_in(run, trainer, branch, init)
    finally:
        trainer.close()


def make_trainer(config: RunConfig) -> Learner:
    """The trainer of the run file's `trainer_type`, untrained."""
    _, behavior = config.behavior
    return AsynchronousTrainer(config) if behavior.trainer_type == "a3c" else Trainer(config)


def _with_branch(config: RunConfig) -> tuple[RunConfig, Branch | None]:
    """The checkpoint to branch off, found before anything is written, and named in full in the settings."""
    settings = config.checkpoint_settings
    if settings.branch_from is None or settings.resume:
        return config, None
    branch = find_branch(settings.branch_from, settings.results_dir)
    named = settings.model_copy(update={"branch_from": branch.text})
    return config.model_copy(update={"checkpoint_settings": named}), branch


@contextmanager
def _logged(debug: bool) -> Iterator[None]:
    """With `debug`, everything that this package logs goes to stderr meanwhile."""
    if not debug:
        yield
        return
    log, handler = logging.getLogger("amble"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


def _train_in(run: RunDirectory, trainer: Learner, branch: Branch | None, init: Path | None) -> int:
    behavior, limit = trainer.behavior, trainer.config.time_limit
    progress = Progress(trainer.name, behavior.max_steps, limit, every_steps=behavior.summary_freq)
    with progress, StopRequest(progress.message) as stop, waits.explained(progress.message):
        reason = learn(run, trainer, progress, stop, branch=branch, init=init)
        progress.stop()
        for line in _farewell(run, trainer, reason):
            progress.message(line)
        return stop.exit_code or 0


def learn(
    run: RunDirectory,
    trainer: Learner,
    progress: Progress,
    stop: StopRequest,
    *,
    branch: Branch | None = None,
    init: Path | None = None,
) -> str:
    """Train in a run's directory and write everything down; why it ended, as `Learner.run` says."""
    config = trainer.config
    notes = restore(run, trainer, branch, init)
    branched = config.checkpoint_settings.branch_from
    more = {} if branched is None else {"parent": parentage(branched)}
    write_file(run.run_yaml, to_yaml(config))
    chosen = choices(trainer)
    write_file(run.machine, json.dumps(chosen.as_json(), indent=1) + "\n")
    resumed = trainer.iteration if config.checkpoint_settings.resume else None
    with MetricsLog(run, resumed) as metrics, ExitStack() as stack:
        metrics.text("Hyperparameters", f"```yaml\n{to_yaml(config)}```")
        trainer.announce = progress.message
        lines = [*_headline(run, trainer), *chosen.sentences(), *trainer.lessons.describe()]
        progress.start([*lines, *without_effect(config), *config.notes, *notes])
        stack.enter_context(compiled_ahead(trainer.algorithm))

        def on_row(row: Row) -> None:
            metrics.write(row, trainer.histograms)
            progress.update(row)

        def save_all() -> None:
            metrics.sync()
            save(run, trainer)

        try:
            reason = trainer.run(on_row=on_row, on_checkpoint=save_all, should_stop=lambda: stop.requested)
        except RewardFault as fault:
            save_all()  # of the last whole iteration: the rollout that a term spoilt has taught nothing yet
            metrics.write_summary("failed", error=str(fault), **more)
            raise
        except BaseException as failure:
            kind = "interrupted" if isinstance(failure, KeyboardInterrupt | SystemExit) else "failed"
            metrics.write_summary(kind, error=str(failure) or type(failure).__name__, **more)
            raise
        save_all()
        metrics.write_summary(reason if stop.signal is None else stop.signal.name, **more)
        return reason


def save(run: RunDirectory, trainer: Learner) -> None:
    """Write a checkpoint and the policy, as they are now."""
    keep = trainer.behavior.keep_checkpoints
    save_checkpoint(run.checkpoints, trainer.env_steps, trainer.tensors(), trainer.state(), keep)
    write_policy(run.policy, trainer.policy.state_dict(), trainer.spec())


def _headline(run: RunDirectory, trainer: Learner) -> list[str]:
    size = sum(parameter.numel() for parameter in trainer.algorithm.parameters)
    return [
        f"{trainer.name}: {trainer.behavior.trainer_type} on {trainer.config.env_id}, {trainer.describe()}",
        f"{size:,} parameters, {trainer.algorithm.describe()}, {trainer.gradient_steps}, "
        f"seed {trainer.config.env_settings.seed}; writing to {run.path}",
    ]


def _farewell(run: RunDirectory, trainer: Learner, reason: str) -> list[str]:
    again = [how_it_ended(trainer, reason)]
    if reason != "done":
        again.append(how_to_go_on(run, trainer.config.checkpoint_settings.results_dir, reason))
    again.append(
        f"See it: amble play {shlex.quote(str(run.path))}    its curves: amble plot {shlex.quote(str(run.path))}"
    )
    return again


def how_it_ended(trainer: Learner, reason: str) -> str:
    """In a sentence."""
    return {
        "done": f"Done after {trainer.env_steps:,} steps.",
        "time_limit": f"The time limit is reached, after {trainer.env_steps:,} steps.",
        "stopped": f"Stopped after {trainer.env_steps:,} steps; everything is saved.",
    }[reason]


def how_to_go_on(run: RunDirectory, results_dir: str, reason: str) -> str:
    """The command that resumes a run."""
    where = f" --results-dir {shlex.quote(results_dir)}" if results_dir != "results" else ""
    more = " --time-limit 1e9" if reason == "time_limit" else ""
    return (
        f"Go on with it: amble train {shlex.quote(str(run.run_yaml))} --run-id {shlex.quote(run.name)}{where}"
        f" --resume{more}"
    )


__all__ = ["how_it_ended", "how_to_go_on", "learn", "make_trainer", "save", "train"]
