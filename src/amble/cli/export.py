"""`amble export`: a trained policy as a model that Unity runs."""

from pathlib import Path
from typing import Annotated

import typer

from amble.cli.runs import find_policy_folders
from amble.errors import UsageError


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_DIR|POLICY_DIR|PRESET", help="A run's folder or id, or a policy's folder."
        ),
    ],
    *,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="As ONNX by ML-Agents' contract; so far the only format.")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The model's file; default: inside the run, named as its behaviour.",
        ),
    ] = None,
) -> None:
    """Write a trained policy as a model for Unity."""
    folders = find_policy_folders(run)
    if output is not None and len(folders) > 1:
        raise UsageError(
            f"--output names one file, and {run} holds the policies of {len(folders)} behaviours."
        )

    from amble.export.policy import export as export_policy

    for folder in folders:
        typer.echo(export_policy(folder, output))
