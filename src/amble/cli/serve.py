"""`amble serve`: one of our environments as a Unity build, for any ML-Agents trainer."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    environments: Annotated[
        list[str],
        typer.Argument(metavar="walker|3dball|ID…", help="Ours, or a Gymnasium id; several share a scene."),
    ],
    *,
    port: Annotated[
        int | None,
        typer.Option("--port", "--mlagents-port", metavar="N", help="The trainer's.  [default: 5004]"),
    ] = None,
    host: Annotated[str, typer.Option(metavar="NAME", help="The trainer's machine.")] = "127.0.0.1",
    num_agents: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Agents of each.  [default: 10 Walkers, 12 balls, else 8]"),
    ] = None,
    behavior: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The behaviour's name, as the trainer's run file has it."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the environment; repeatable."),
    ] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(min=1e-3, metavar="X", help="Times its own speed at most; default: as fast as it can."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the physics; default: all cores.")
    ] = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="For a trainer to listen.")] = 600.0,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="For each of the trainer's answers.")
    ] = 3600.0,
    write_build: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a program that serves just this, to give to a trainer as its build, and end.",
        ),
    ] = None,
    log_file: Annotated[Path | None, typer.Option("--log-file", "-logFile", hidden=True)] = None,
    no_graphics: Annotated[bool, typer.Option("-nographics", hidden=True)] = False,
    batch_mode: Annotated[bool, typer.Option("-batchmode", hidden=True)] = False,
) -> None:
    """Serve an environment over Unity's wire to a trainer: `mlagents-learn`, `amble train` or one of your own."""
    from amble.envs.serve import Order, serve_environment, write_program

    first, *others = environments
    order = Order(first, num_agents, behavior, tuple(settings or ()), time_scale, threads, tuple(others))
    if write_build is not None:
        typer.echo(f"{write_program(order, write_build)}")
        return
    serve_environment(order, host, port, wait, timeout, log_file, lambda line: typer.echo(line, err=True))
