"""`amble compare`: algorithms and settings side by side, over seeds."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from amble.cli.durations import seconds
from amble.cli.runs import load_own_terms
from amble.errors import UsageError


def compare(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PRESET|RUN_FILE|RUN_DIR]...", help="What to train and compare, or runs that are there."
        ),
    ] = None,
    *,
    env: Annotated[str | None, typer.Option(metavar="ID", help="Gymnasium id of the environment.")] = None,
    trainer: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An algorithm, e.g. ppo; repeatable.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=A,B", help="A variant for each value; repeated keys make a grid."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change any key of all variants; repeatable."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Runs a variant, seeds 0 to N-1.  [default: 5]")
    ] = None,
    max_steps: Annotated[
        float | None, typer.Option(metavar="N", help="Length of every run in env steps, e.g. 1e5.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wall-clock budget of every run: 90, 10m, 1.5h.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Runs at the same time, one core each; default: all cores."),
    ] = None,
    episodes: Annotated[
        int, typer.Option(metavar="N", help="Episodes that each last policy is evaluated by.")
    ] = 100,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the runs and results; complete runs in it are kept."),
    ] = None,
    initialize_from: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="A run, or a preset whose policy comes along, that every variant starts from."
        ),
    ] = None,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Python file with reward terms of your own.")
    ] = None,
    no_video: Annotated[bool, typer.Option("--no-video", help="Leave the film out of the page.")] = False,
    video_only: Annotated[
        bool, typer.Option("--video-only", help="Write only the film of the bodies side by side.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Train variants over seeds at equal budget, and say which is better where that can be said."""
    if no_video and video_only:
        raise UsageError("--video-only asks for the film that --no-video leaves out: give one of them.")
    budget = None if time is None else seconds(time)
    load_own_terms(terms)

    from amble.insight.compare import compare as compare_variants

    with redirect_stdout(sys.stderr):  # stdout holds the result and nothing else
        result = compare_variants(
            sources or [],
            env=env,
            trainers=trainer or [],
            vary=vary or [],
            settings=settings or [],
            seeds=seeds,
            max_steps=max_steps,
            time=budget,
            jobs=jobs,
            episodes=episodes,
            out=out,
            initialize_from=initialize_from,
            terms=terms,
            film="only" if video_only else "none" if no_video else "page",
        )
    if result.figures:
        typer.echo(json.dumps(result.figures) if as_json else result.table)
    for failure in result.failures:
        typer.echo(f"amble: {failure}", err=True)
    return result.exit_code
