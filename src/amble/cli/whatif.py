"""`amble whatif`: recorded episodes under an edited reward."""

from pathlib import Path
from typing import Annotated

import typer

from amble.cli.runs import find_policy, load_own_terms


def whatif(
    runs: Annotated[list[str], typer.Argument(metavar="RUN_DIR...", help="Folders or ids of runs.")],
    *,
    rewards: Annotated[
        str, typer.Option(metavar="FILE|PRESET", help="A YAML file with a `rewards` block, or a preset.")
    ],
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Python file with reward terms of your own.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes recorded of each run.")] = 16,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Seed of the episodes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pay recorded episodes by an edited reward: which would win, and which weights matter to that."""
    folders = [find_policy(run) for run in runs]
    load_own_terms(terms)

    from amble.insight import whatif as asked

    result = asked.whatif(folders, rewards, episodes=episodes, seed=seed)
    typer.echo(asked.as_json(result) if as_json else asked.whatif_table(result))
