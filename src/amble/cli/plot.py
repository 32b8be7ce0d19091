"""`amble plot`: learning curves."""

from pathlib import Path
from typing import Annotated

import typer

from amble.cli.runs import find_runs


def plot(
    runs: Annotated[list[str], typer.Argument(metavar="RUN_DIR...", help="Folders or ids of runs.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The picture's file.")
    ] = None,
) -> None:
    """Draw the learning curves of one or more runs."""
    folders = [folder for run in runs for folder in find_runs(run)]

    from amble.insight.plot import plot as plot_runs

    typer.echo(plot_runs(folders, output))
