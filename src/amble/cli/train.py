"""`amble train`: a preset, a run file or any Gymnasium id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amble.cli.runs import RESULTS, load_own_terms
from amble.errors import UsageError

if TYPE_CHECKING:
    from amble.config import Override


def train(
    run: Annotated[
        str | None, typer.Argument(metavar="PRESET|RUN_FILE", help="A preset's name or a run file's path.")
    ] = None,
    *,
    env: Annotated[
        str | None, typer.Option(metavar="ID|BUILD", help="Gymnasium id, or path of a Unity build.")
    ] = None,
    trainer: Annotated[str | None, typer.Option(metavar="NAME", help="The algorithm, e.g. ppo.")] = None,
    max_steps: Annotated[
        float | None, typer.Option(metavar="N", help="Length of the run in env steps, e.g. 1e6.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Root of all random generators.")] = None,
    run_id: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run's folder.")] = None,
    results_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that holds the runs.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run of this run-id.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the run of this run-id.")] = False,
    initialize_from: Annotated[
        str | None, typer.Option(metavar="ID", help="Start from the policy of another run.")
    ] = None,
    branch_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN@STEP", help="Start from a checkpoint of another run, and say so in this one."
        ),
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Python file with reward terms of your own.")
    ] = None,
    num_envs: Annotated[int | None, typer.Option(metavar="N", help="Environments stepped together.")] = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where tensors live.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop cleanly after this long.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change any key of the run file; repeatable."),
    ] = None,
) -> int:
    """Train a policy from a preset, an ML-Agents run file or a Gymnasium id."""
    from amble.config import Override, load_run, run_from_env
    from amble.unity.launch import is_build

    build = env is not None and is_build(env)
    if build and run is None:
        raise UsageError(
            f"--env {env} is a Unity build, and a run file must say which of its behaviours is trained and how; for "
            f"example `amble train run.yaml --env {env}`."
        )
    load_own_terms(terms)
    flags: list[tuple[str, str, Any]] = [
        ("--env", "env_settings.env_path" if build else "env_settings.env_id", env),
        ("--trainer", "trainer_type", trainer),
        ("--max-steps", "max_steps", max_steps),
        ("--seed", "env_settings.seed", seed),
        ("--run-id", "checkpoint_settings.run_id", run_id),
        ("--results-dir", "checkpoint_settings.results_dir", results_dir),
        ("--initialize-from", "checkpoint_settings.initialize_from", initialize_from),
        ("--branch-from", "checkpoint_settings.branch_from", branch_from),
        ("--num-envs", "env_settings.num_envs", num_envs),
        ("--device", "torch_settings.device", device),
        ("--time-limit", "time_limit", time_limit),
    ]
    # Resuming, overwriting and starting from another run exclude each other: what the command says counts,
    # not what an earlier run's own run.yaml has kept of it.
    switches: list[tuple[str, str, bool, bool]] = [
        ("--resume", "checkpoint_settings.resume", True, resume),
        ("--force", "checkpoint_settings.force", True, force),
        ("--resume", "checkpoint_settings.force", False, resume and not force),
        ("--force", "checkpoint_settings.resume", False, force and not resume),
        (
            "--initialize-from",
            "checkpoint_settings.resume",
            False,
            initialize_from is not None and not resume,
        ),
        ("--branch-from", "checkpoint_settings.resume", False, branch_from is not None and not resume),
    ]
    overrides = [
        # Whatever the file starts from otherwise
        *([Override("checkpoint_settings.initialize_from", None, "--branch-from")] if branch_from else []),
        *(_of_our_bodies(run, f"--env {env}") if build else []),
        *(settings or []),
        # Wherever the file's behaviour lives otherwise
        *([Override("env_settings.env_id", None, f"--env {env}")] if build else []),
        *(Override(key, value, f"{flag} {value}") for flag, key, value in flags if value is not None),
        *(Override(key, value, flag) for flag, key, value, asked in switches if asked),
    ]
    if run is None and env is None and branch_from is not None:
        from amble.training.branch import find_branch

        # The parent's settings, in a run of its own: what the command says of them goes before.
        parent = find_branch(branch_from, results_dir or RESULTS).run
        own = [
            Override("checkpoint_settings.run_id", f"{parent.name}-branch", "--branch-from"),
            Override("checkpoint_settings.reset_std", None, "--branch-from"),
            Override("checkpoint_settings.force", False, "--branch-from"),
        ]
        config = load_run(parent / "run.yaml", [*own, *overrides])
    elif run is not None:
        config = load_run(run, overrides)
    elif env is not None:
        config = run_from_env(env, trainer or "ppo", overrides)
    else:
        raise UsageError(
            "`amble train` needs a preset, a run file or --env; for example `amble train walker`. "
            "`amble presets` lists the presets."
        )

    from amble.training.run import train as train_run

    return train_run(config)


def _of_our_bodies(run: str | None, source: str) -> list[Override]:
    """What a preset says of our bodies and no build takes: how many at a time, and what a mirror makes of them."""
    from amble.config import Override, list_presets, load_run

    if run not in {preset.name for preset in list_presets()}:
        return []
    mirrored = getattr(load_run(run).behavior[1].hyperparameters, "mirror", False) is True
    return [
        Override("env_settings.num_envs", None, source),
        *([Override("hyperparameters.mirror", False, source)] if mirrored else []),
    ]
