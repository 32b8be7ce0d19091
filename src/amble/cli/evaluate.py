"""`amble evaluate`: how good a trained policy is."""

import json
import math
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from amble.cli.runs import find_played, load_own_terms


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN_DIR[@STEP]|PRESET",
            help="A run's folder or id, as it was at a checkpoint, or a preset.",
        ),
    ],
    episodes: Annotated[int, typer.Option(min=1, metavar="N", help="Episodes to play.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, metavar="S", help="Seed of the episodes.")] = None,
    terms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The Python file with the reward terms it was trained with."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play episodes with a trained policy (its mean action) and report the return."""
    folder = find_played(run, whole=True)
    load_own_terms(terms)

    from amble.training.evaluate import evaluate as evaluate_run

    with redirect_stdout(sys.stderr):  # stdout holds the result and nothing else
        result = evaluate_run(folder, episodes, seed)
    typer.echo(json.dumps(_finite(result), default=float) if as_json else _table(result))


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(result: dict[str, Any]) -> str:
    if result and all(isinstance(value, dict) for value in result.values()):  # of several behaviours
        return "\n\n".join(f"{name}\n{_table(figures)}" for name, figures in result.items())
    width = max((len(key) for key in result), default=0)
    rows = ((key, f"{value:.6g}" if isinstance(value, float) else value) for key, value in result.items())
    return "\n".join(f"{key:<{width}}  {value}" for key, value in rows)
