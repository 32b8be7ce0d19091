"""`amble presets`: the run files that come with the package."""

import typer


def presets() -> None:
    """List the presets `amble train` knows by name."""
    from amble.config import list_presets

    found = list_presets()
    width = max(len(preset.name) for preset in found)
    for preset in found:
        typer.echo(f"{preset.name:<{width}}  {preset.description}")
