"""The command's frame: which commands there are, and how a failure reaches the user.

Nothing heavy is imported here or at the top of a command's file, so that `--help` answers at once.
"""

import sys
import traceback
from collections.abc import Sequence

from amble.cli.app import app
from amble.errors import AmbleError

_INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 failed, 2 bad usage, 130 interrupted."""
    words = list(sys.argv[1:] if args is None else args)
    # Taken out here, so that it may stand before or after the command's name; what an executable is given stays
    ours = words.index("--env-args") if "--env-args" in words else len(words)
    debug = "--debug" in words[:ours]
    words = [*(word for word in words[:ours] if word != "--debug"), *words[ours:]]
    if not words:
        return _fail("no command is given; for example `amble train walker`. See `amble --help`.", 2)
    try:
        code = app(words, prog_name="amble", standalone_mode=False, obj=debug)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)
    return code if isinstance(code, int) else 0


def _report(error: Exception) -> int:
    """One paragraph on stderr; the exit code."""
    if isinstance(error, AmbleError):
        return _fail(str(error), error.exit_code)
    # Typer's own complaints (an unknown option, say). Its exception classes have moved between versions,
    # so they are known by what they can do.
    format_message = getattr(error, "format_message", None)
    if format_message is not None:
        context = getattr(error, "ctx", None)
        command = "amble" if context is None else context.command_path
        message = str(format_message()).rstrip(".")
        end = "" if message.endswith(("?", "!")) else "."
        return _fail(f"{message}{end} See `{command} --help`.", int(getattr(error, "exit_code", 2)))
    what = str(error).rstrip(".") or "no message"
    return _fail(f"failed with {type(error).__name__}: {what}. The option --debug shows the traceback.", 1)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"amble: {' '.join(message.split())}\n")
    return code
