"""Waits that a user is told of before they begin: what is done, about how long it takes, whether it comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_tellers: list[Callable[[str], None]] = []


@contextmanager
def explained(tell: Callable[[str], None]) -> Iterator[None]:
    """Within, `tell` is given a sentence before each long wait; without, nobody is told."""
    _tellers.append(tell)
    try:
        yield
    finally:
        _tellers.remove(tell)


def announce(sentence: str) -> None:
    """A wait begins."""
    for tell in _tellers:
        tell(sentence)
