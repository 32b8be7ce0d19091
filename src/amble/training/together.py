"""Several behaviours of one Unity scene, each trained by its own settings into a run of its own.

    results/<run-id>/run.yaml            the whole run file, resolved
    results/<run-id>/<Behavior>/…        a run as any other: settings, metrics, checkpoints, policy

Each behaviour has the same `Trainer` as a run of its own would have, in its part of the shared scene
(`envs/together.py`). One that has come to its max_steps goes on acting, and learns no more, until the others are done.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from amble.config import CurriculumSettings, RunConfig, to_yaml
from amble.envs.together import Role, perform
from amble.errors import UsageError
from amble.native import waits
from amble.training.files import write_file
from amble.training.interrupt import StopRequest
from amble.training.lessons import Lessons
from amble.training.progress import Progress
from amble.training.run import how_it_ended, how_to_go_on, learn, save
from amble.training.run_directory import RunDirectory
from amble.training.start import init_checkpoint, seed_of_resumed
from amble.training.trainer import Trainer
from amble.training.unity import parts_of, refuse_hyper, scene_kwargs, shared_scenes


def train_together(config: RunConfig) -> int:
    """Train every behaviour of `config`; the exit code, as `train` returns it."""
    config = seed_of_resumed(config)
    settings = config.checkpoint_settings
    path = Path(settings.results_dir) / settings.run_id
    own = {name: _alone(config, name, path) for name in config.behaviors}
    starts = {name: init_checkpoint(_start_of(config, one)) for name, one in own.items()}
    first, lessons = next(iter(own.values())), Lessons(config)
    scenes = shared_scenes(scene_kwargs(first), list(own), config.env_settings.num_envs or 1, lessons.values)
    try:
        parts = parts_of(scenes)
        # Before the directory: what cannot start writes nothing
        for name, one in own.items():
            refuse_hyper(one, parts[name])
        trainers = {name: Trainer(one, parts[name], lessons) for name, one in own.items()}
        with ExitStack() as stack:
            run, runs = _directories(config, own, starts, stack)
            return _train_in(run, runs, trainers, starts, lambda roles: perform(scenes, parts, roles))
    finally:
        scenes.close()


def folder_of(behavior: str) -> str:
    """What the folder of a behaviour's run is called."""
    return re.sub(r"[/\\:?]", "-", behavior)


def _alone(config: RunConfig, name: str, path: Path) -> RunConfig:
    """The run of one behaviour: its settings, its folder, and random numbers of its own."""
    number, folder = list(config.behaviors).index(name), folder_of(name)
    settings, constants = config.checkpoint_settings, config.constant_parameters
    return config.model_copy(
        update={
            "behaviors": {name: config.behaviors[name]},
            # Lessons may follow another behaviour: they are the whole run's
            "environment_parameters": {
                parameter: constants.get(parameter, value)
                for parameter, value in config.environment_parameters.items()
                if parameter in constants or not isinstance(value, CurriculumSettings)
            },
            "env_settings": config.env_settings.model_copy(
                update={"seed": (config.env_settings.seed + number) % 2**32}
            ),
            "checkpoint_settings": settings.model_copy(
                update={
                    "results_dir": str(path),
                    "run_id": folder,
                    # A run that ended before this behaviour had a folder begins with it
                    "resume": settings.resume and (path / folder / "run.yaml").is_file(),
                }
            ),
        }
    )


def _start_of(config: RunConfig, own: RunConfig) -> RunConfig:
    """A behaviour's run, whose `init_path` is looked for where the whole run is."""
    resume = own.checkpoint_settings.resume
    settings = config.checkpoint_settings.model_copy(update={"resume": resume})
    return own.model_copy(update={"checkpoint_settings": settings})


def _directories(
    config: RunConfig, own: dict[str, RunConfig], starts: dict[str, Path | None], stack: ExitStack
) -> tuple[RunDirectory, dict[str, RunDirectory]]:
    """The run's directory and those of its behaviours, held until the end."""
    settings = config.checkpoint_settings
    folders = [folder_of(name) for name in own]
    if len(set(folders)) < len(folders):
        raise UsageError(
            f"The behaviours {', '.join(own)} would share a folder: {', '.join(sorted(folders))}."
        )
    run = stack.enter_context(
        RunDirectory.create(
            settings.results_dir,
            settings.run_id,
            resume=settings.resume,
            force=settings.force,
            within=folders,
        )
    )
    run.checkpoints.rmdir()  # each behaviour has its own
    write_file(run.run_yaml, to_yaml(config))
    runs: dict[str, RunDirectory] = {}
    for name, one in own.items():
        resume, folder = one.checkpoint_settings.resume, folder_of(name)
        start = None if resume or starts[name] is not None else settings.initialize_from
        runs[name] = stack.enter_context(
            RunDirectory.create(
                run.path,
                folder,
                resume=resume,
                force=settings.force,
                initialize_from=None if start is None else str(Path(settings.results_dir) / start / folder),
            )
        )
    return run, runs


def _train_in(
    run: RunDirectory,
    runs: dict[str, RunDirectory],
    trainers: dict[str, Trainer],
    starts: dict[str, Path | None],
    play: Callable[[dict[str, Role]], None],
) -> int:
    limit = next(iter(trainers.values())).config.time_limit
    # Lines, each with its behaviour's name: two live displays cannot share a terminal
    shown = {
        name: Progress(
            name,
            trainer.behavior.max_steps,
            limit,
            every_steps=trainer.behavior.summary_freq,
            live=False,
        )
        for name, trainer in trainers.items()
    }
    say = next(iter(shown.values())).message
    reasons: dict[str, str] = {}
    saved: dict[str, dict[str, int]] = {}

    def role(name: str) -> Role:
        def work() -> None:
            trainer, progress = trainers[name], shown[name]
            reasons[name] = learn(runs[name], trainer, progress, stop, init=starts[name])
            saved[name] = dict(trainer.lessons.numbers)
            progress.stop()
            progress.message(f"{name}: {how_it_ended(trainer, reasons[name])}")

        return Role(work, trainers[name].act)

    with StopRequest(say) as stop, waits.explained(say):
        say(f"{len(trainers)} behaviours of one scene: {', '.join(trainers)}.")
        play({name: role(name) for name in trainers})
        for name, trainer in trainers.items():
            if saved[name] != trainer.lessons.numbers:  # they went on while it learned no more
                save(runs[name], trainer)
        if left := {reason for reason in reasons.values() if reason != "done"}:
            say(how_to_go_on(run, str(run.path.parent), left.pop()))
        where = shlex.quote(str(run.path))
        say(f"How good they are: amble evaluate {where}    their curves: amble plot {where}")
        return stop.exit_code or 0
