"""The list of commands."""

from typing import Annotated

import typer

from amble import __version__
from amble.cli.compare import compare
from amble.cli.evaluate import evaluate
from amble.cli.export import export
from amble.cli.insight import insight
from amble.cli.learn import LearnCommand, learn
from amble.cli.play import play
from amble.cli.plot import plot
from amble.cli.presets import presets
from amble.cli.serve import serve
from amble.cli.signals import signals, terms
from amble.cli.train import train
from amble.cli.whatif import whatif

# Plain text everywhere: help and errors read the same in a terminal, a log and a pipe.
app = typer.Typer(
    name="amble",
    help="Teaches bodies to walk with policy optimisation.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, evaluate, play, plot, compare, export, presets, serve, signals, terms, whatif):
    app.command()(command)
app.command(cls=LearnCommand)(learn)
app.add_typer(insight, name="insight")


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"amble {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def frame(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Teaches bodies to walk with policy optimisation."""
