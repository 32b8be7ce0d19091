"""Terms of a user's own: a Python file, loaded because the command line names it and for no other reason."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from amble.errors import UsageError
from amble.rewards import terms


def load_terms(path: Path) -> list[str]:
    """Run the file and register the terms that it defines; returns their names.

    This runs whatever the file holds: it is called with a path that the user gave, never with one out of a run file.

    Raises:
        UsageError: there is no such file, it raises, or it defines no term. Nothing of it stays registered.
    """
    path = Path(path)
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(f"--terms {path}: expected a Python file with terms; there is none of that name.")
    terms.known_terms()
    before, registry = dict(terms._registry.terms), terms._registry
    kept = {name: made for name, made in before.items() if made.origin != str(path)}
    registry.terms = dict(kept)
    registry.origin = str(path)
    spec = importlib.util.spec_from_file_location(f"amble_terms_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except UsageError:
        registry.terms = before
        raise
    except Exception as failure:
        registry.terms = before
        line = _line_in(failure, path)
        raise UsageError(
            f"--terms {path}{line}: the file raises {type(failure).__name__}: {str(failure) or 'no message'}. "
            "Nothing was started."
        ) from failure
    finally:
        registry.origin = ""
    names = [name for name, made in registry.terms.items() if made.origin == str(path)]
    if not names:
        registry.terms = before
        raise UsageError(
            f"--terms {path}: defines no term. Put `@term` (from amble.rewards import term) above a function."
        )
    return names


def forget_terms(path: Path) -> None:
    """Take the terms of that file out again, for a process that outlives the run that it loaded them for."""
    registry = terms._registry
    registry.terms = {name: made for name, made in registry.terms.items() if made.origin != str(path)}


def _line_in(failure: Exception, path: Path) -> str:
    if isinstance(failure, SyntaxError) and failure.lineno is not None:
        return f", line {failure.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(failure.__traceback__) if Path(frame.filename) == path
    ]
    return f", line {lines[-1]}" if lines else ""
