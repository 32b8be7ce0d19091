"""How the kernels are compiled, and kept on disk between runs."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from amble.native.waits import announce

# A sum of products may be fused and the sign of a zero is nobody's business. NaN and inf keep their meaning: they are
# how a spoilt minibatch is seen.
_SAFE = {"contract", "nsz", "arcp"}

_entries: dict[Any, tuple[str, int]] = {}
"""What each belongs to, and how many seconds all of that takes to compile."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for other kernels to call."""
    return _compiled(function, fastmath=_SAFE, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def exact_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for one whose every rounding counts: bit for bit what NumPy gives for the same operations."""
    # Said in so many words: what is not said of a callee, Numba takes from the caller.
    return _compiled(function, fastmath=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def sum_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for one that sums many numbers in the compiler's order, which fills registers."""
    return _compiled(function, fastmath=_SAFE | {"reassoc"}, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(what: str, *, seconds: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A kernel for Python to call, compiled at its first call and kept on disk where that is possible.

    Numba looks at NUMBA_CACHE_DIR, then `__pycache__` beside the source, then the user's cache folder. Where none of
    them can be written, it is compiled in every process anew.

    Args:
        what: the entries that are compiled at the same time, as a user is told of them.
        seconds: how long all of those take.
    """

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made = _compiled(function, fastmath=_SAFE, cache=True)
        except RuntimeError as error:
            if "no locator available" not in str(error):
                raise
            made = _compiled(function, fastmath=_SAFE)
        _entries[made] = what, seconds
        return made

    return compiled


class _Announcer(event.Listener):
    """Says so before the first entry of a kind is compiled, and nothing where all are found on disk."""

    def __init__(self):
        self._told: set[str] = set()

    def on_start(self, event: event.Event) -> None:
        dispatcher = (event.data or {}).get("dispatcher")
        # The kernels that an entry calls are compiled within its own compilation.
        if dispatcher is None or dispatcher not in _entries or _entries[dispatcher][0] in self._told:
            return
        what, seconds = _entries[dispatcher]
        self._told.add(what)
        folder = dispatcher.stats.cache_path
        announce(
            f"Compiling {what}, which takes about {seconds} s. "
            + (
                "It will be so in every run, for numba finds no folder to keep it in: "
                "set the environment variable NUMBA_CACHE_DIR to one that can be written."
                if folder is None
                else f"It is kept in {folder}: later runs begin at once."
            )
        )

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Announcer())


def fingerprint(*files: str) -> int:
    """A number of all the sources in the folders of `files`, which an entry's kernels come from, and in this one.

    Numba's cache only knows when the file of an entry has changed. An entry that mentions this number of its
    surrounding function is compiled anew when any file beside it has.
    """
    folders = {Path(file).parent for file in (__file__, *files)}
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.read_bytes())
    return int(digest.hexdigest()[:12], 16)


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    # Tests wrap every function of ours in a check of shapes; what is inside the wrap is compiled.
    return njit(error_model="numpy", nogil=True, **options)(inspect.unwrap(function))
