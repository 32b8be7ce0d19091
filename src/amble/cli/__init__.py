"""The `amble` command: one small file a command, no logic. `main` is the entry point."""

from amble.cli.entry import main

__all__ = ["main"]
