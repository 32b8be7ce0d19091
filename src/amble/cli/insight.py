"""`amble insight`: looking closer at what was learned."""

import json
from typing import Annotated, Any

import typer

from amble.cli.runs import find_policy

insight = typer.Typer(
    help="Look closer at what was learned.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@insight.callback()
def _closer() -> None:
    """Look closer at what was learned."""


@insight.command()
def gait(
    run: Annotated[str, typer.Argument(metavar="RUN_DIR|PRESET", help="A run's folder or id, or a preset.")],
    episodes: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes to record.")] = 16,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Seed of the episodes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The gait fingerprint: speed, steps, symmetry, heights, cost and a style, as figures and as a picture."""
    folder = find_policy(run)

    from amble.insight.gait import gait as look

    result = look(folder, episodes=episodes, seed=seed)
    typer.echo(json.dumps(result) if as_json else _table(result))


def _table(result: dict[str, Any]) -> str:
    styles = ", ".join(f"{label} {count}" for label, count in result["styles"].items())
    lines = [f"{'style':<18}{styles}"]
    lines += [f"{key:<18}{'–' if value is None else f'{value:.3g}'}" for key, value in result["mean"].items()]
    return "\n".join([*lines, f"{'picture':<18}{result['picture']}"])
