"""`amble play`: see a trained policy."""

from pathlib import Path
from typing import Annotated

import typer

from amble.cli.runs import find_played, load_own_terms
from amble.errors import UsageError


def play(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_DIR[@STEP]|PRESET",
            help="A run's folder or id, as it was at a checkpoint, or a preset.",
        ),
    ],
    *,
    video: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The video's file; default: inside the run, or here for a preset's."
        ),
    ] = None,
    terms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The Python file with the reward terms it was trained with."),
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Show it in the browser (not available yet).")] = False,
    seed: Annotated[int | None, typer.Option(min=0, metavar="S", help="Seed of the episodes.")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, metavar="N", help="Episodes to show.")] = None,
    record_demo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.demo", help="Write the episodes as a demonstration of ML-Agents, and no video."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, metavar="S", help="Stop after this much simulated time.")
    ] = None,
) -> None:
    """Film a trained policy, or record its episodes."""
    if web:
        raise UsageError("`--web` is not available yet; `--video out.mp4` films the policy.")
    folder = find_played(run)
    load_own_terms(terms)

    if record_demo is not None:
        if video is not None or seconds is not None:
            raise UsageError(
                "`--record-demo` records whole episodes and films nothing: leave out --video and --seconds."
            )
        from amble.insight.record import record

        typer.echo(record(folder, record_demo, seed=seed, episodes=episodes))
        return

    from amble.insight.play import play as play_run

    typer.echo(play_run(folder, video=video, seed=seed, episodes=episodes, seconds=seconds))
