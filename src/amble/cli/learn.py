"""`amble learn`: `mlagents-learn`'s command line, word for word."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from amble.errors import UsageError

_REST = "--env-args"
_DEFAULT_RUN_ID = "ppo"


class LearnCommand(TyperCommand):
    """Leaves everything after `--env-args` to the executable, dashes and all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Hand each of its words on as a value of the option; and `--debug`, which the frame took out."""
        if _REST in args:
            at = args.index(_REST)
            args = [*args[:at], *(f"{_REST}={word}" for word in args[at + 1 :])]
        if ctx.find_root().obj:
            args = ["--more-in-the-log", *args]
        return super().parse_args(ctx, args)


def learn(
    run: Annotated[
        str | None, typer.Argument(metavar="CONFIG.yaml", help="ML-Agents' run file, as it stands.")
    ] = None,
    *,
    env: Annotated[
        str | None,
        typer.Option(metavar="BUILD", help="The Unity build; without it, press Play in the editor."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run of this run-id.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the run of this run-id.")] = False,
    run_id: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Name of the run's folder.  [default: {_DEFAULT_RUN_ID}]"),
    ] = None,
    initialize_from: Annotated[
        str | None, typer.Option(metavar="RUN_ID", help="Start from the policy of another run.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of all random numbers.  [default: drawn]")
    ] = None,
    inference: Annotated[
        bool, typer.Option("--inference", help="Act without learning, until Ctrl-C; with --resume.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The likeliest actions; with --inference.")
    ] = False,
    base_port: Annotated[
        int | None, typer.Option(metavar="N", help="Of the first build.  [default: 5005]")
    ] = None,
    num_envs: Annotated[int | None, typer.Option(metavar="N", help="Builds.  [default: 1]")] = None,
    num_areas: Annotated[
        int | None, typer.Option(metavar="N", help="Training areas in each.  [default: 1]")
    ] = None,
    max_lifetime_restarts: Annotated[
        int | None, typer.Option(metavar="N", help="Of a build that crashes; -1: no limit.  [default: 10]")
    ] = None,
    restarts_rate_limit_n: Annotated[
        int | None, typer.Option(metavar="N", help="Of these within a period; -1: no limit.  [default: 1]")
    ] = None,
    restarts_rate_limit_period_s: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="That period.  [default: 60]")
    ] = None,
    results_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder that holds the runs.  [default: results]")
    ] = None,
    timeout_wait: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="For each message of a scene.  [default: 60]")
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="PIXELS", help="Window.")] = None,
    height: Annotated[int | None, typer.Option(metavar="PIXELS", help="Window.")] = None,
    quality_level: Annotated[int | None, typer.Option(metavar="N", help="0 to 5.")] = None,
    time_scale: Annotated[
        float | None, typer.Option(metavar="X", help="Of the clock.  [default: 20]")
    ] = None,
    target_frame_rate: Annotated[
        int | None, typer.Option(metavar="N", help="Frames a second.  [default: -1, as many as there can be]")
    ] = None,
    capture_frame_rate: Annotated[
        int | None, typer.Option(metavar="N", help="Frames a simulated second.  [default: 60]")
    ] = None,
    no_graphics: Annotated[bool, typer.Option("--no-graphics", help="Builds without a window.")] = False,
    no_graphics_monitor: Annotated[
        bool,
        typer.Option("--no-graphics-monitor", help="All builds but the first without one."),
    ] = False,
    torch_device: Annotated[
        str | None,
        typer.Option(metavar="cpu|cuda|…", help="Where tensors live.  [default: cpu]"),
    ] = None,
    env_args: Annotated[
        list[str] | None, typer.Option(_REST, metavar="…", help="All that follows is the executable's.")
    ] = None,
    debug: Annotated[bool, typer.Option("--more-in-the-log", hidden=True)] = False,
    load: Annotated[bool, typer.Option("--load", hidden=True)] = False,
    train: Annotated[bool, typer.Option("--train", hidden=True)] = False,
    torch: Annotated[bool, typer.Option("--torch", hidden=True)] = False,
    tensorflow: Annotated[bool, typer.Option("--tensorflow", hidden=True)] = False,
) -> int:
    """Train in Unity scenes by mlagents-learn's own command line."""
    from amble.config import Override, load_run
    from amble.unity.launch import find_executable

    if load:
        raise UsageError("--load was deprecated by ML-Agents. Use --resume.")
    if tensorflow:
        raise UsageError("--tensorflow was removed by ML-Agents, and there is none here. Leave it out.")
    for flag, given, why in (
        ("--train", train, "runs train unless --inference is given"),
        ("--torch", torch, "there is nothing else"),
    ):
        if given:
            typer.echo(f"{flag} has no effect: {why}.", err=True)
    if run is None:
        raise UsageError(
            "`amble learn` needs a run file: it says which behaviours of the scene are trained, and how. For example "
            "`amble learn config.yaml --run-id first`."
        )
    if env is not None:
        find_executable(env)  # complains in good time
    if resume and force:
        typer.echo(
            "--resume and --force are both given: the run is resumed, and nothing overwritten.", err=True
        )
        force = False
    if resume and initialize_from is not None:
        typer.echo("--resume and --initialize-from are both given: the run is resumed.", err=True)
        initialize_from = None

    flags: list[tuple[str, str, Any]] = [
        ("--env", "env_settings.env_path", env),
        (_REST, "env_settings.env_args", env_args or None),
        ("--seed", "env_settings.seed", seed),
        ("--base-port", "env_settings.base_port", base_port),
        ("--num-envs", "env_settings.num_envs", num_envs),
        ("--num-areas", "env_settings.num_areas", num_areas),
        ("--timeout-wait", "env_settings.timeout_wait", timeout_wait),
        ("--max-lifetime-restarts", "env_settings.max_lifetime_restarts", max_lifetime_restarts),
        ("--restarts-rate-limit-n", "env_settings.restarts_rate_limit_n", restarts_rate_limit_n),
        (
            "--restarts-rate-limit-period-s",
            "env_settings.restarts_rate_limit_period_s",
            restarts_rate_limit_period_s,
        ),
        ("--run-id", "checkpoint_settings.run_id", run_id),
        ("--results-dir", "checkpoint_settings.results_dir", results_dir),
        ("--initialize-from", "checkpoint_settings.initialize_from", initialize_from),
        ("--width", "engine_settings.width", width),
        ("--height", "engine_settings.height", height),
        ("--quality-level", "engine_settings.quality_level", quality_level),
        ("--time-scale", "engine_settings.time_scale", time_scale),
        ("--target-frame-rate", "engine_settings.target_frame_rate", target_frame_rate),
        ("--capture-frame-rate", "engine_settings.capture_frame_rate", capture_frame_rate),
        ("--torch-device", "torch_settings.device", torch_device),
    ]
    # What the command says of starting goes before what the file has kept of it
    switches: list[tuple[str, str, bool, bool]] = [
        ("--resume", "checkpoint_settings.resume", True, resume),
        ("--resume", "checkpoint_settings.force", False, resume),
        ("--force", "checkpoint_settings.force", True, force),
        ("--force", "checkpoint_settings.resume", False, force),
        ("--initialize-from", "checkpoint_settings.resume", False, initialize_from is not None),
        ("--inference", "checkpoint_settings.inference", True, inference),
        ("--deterministic", "network_settings.deterministic", True, deterministic),
        ("--no-graphics", "engine_settings.no_graphics", True, no_graphics),
        ("--no-graphics-monitor", "engine_settings.no_graphics_monitor", True, no_graphics_monitor),
        ("--debug", "debug", True, debug),
    ]
    overrides = [
        *([Override("env_settings.env_id", None, f"--env {env}")] if env is not None else []),
        *(Override(key, value, f"{flag} {value}") for flag, key, value in flags if value is not None),
        *(Override(key, value, flag) for flag, key, value, asked in switches if asked),
    ]
    config = load_run(run, overrides, run_id=_DEFAULT_RUN_ID)

    from amble.training.run import train as train_run

    return train_run(config)
