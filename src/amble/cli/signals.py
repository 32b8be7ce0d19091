"""`amble signals` and `amble terms`: what a reward may be made of."""

import json
from pathlib import Path
from typing import Annotated

import typer

from amble.cli.runs import load_own_terms


def signals(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PRESET|RUN_FILE|RUN_DIR|ENV_ID", help="Whose signals: a run's, or an environment's."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the signals that an environment publishes, for `rewards` in a run file."""
    from amble.insight.listings import signal_rows, signal_table

    rows = signal_rows(source)
    typer.echo(json.dumps(rows, ensure_ascii=False) if as_json else signal_table(rows))


def terms(
    own: Annotated[
        Path | None,
        typer.Option("--terms", metavar="FILE", help="A Python file with reward terms of your own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the reward terms there are, with formula, signals and parameters."""
    load_own_terms(own)

    from amble.insight.listings import term_rows, term_table

    rows = term_rows()
    typer.echo(json.dumps(rows, ensure_ascii=False) if as_json else term_table(rows))
