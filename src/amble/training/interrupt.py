"""Ctrl-C and SIGTERM: the first asks a run to stop after its iteration, the second stops it at once."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_SAME_SECONDS = 0.1
"""`timeout` and some supervisors signal the process and then its group: two signals, one intention."""

_MESSAGE = "stopping after this iteration… press again to stop at once"


class StopRequest:
    """While entered, turns the first SIGINT or SIGTERM into `requested`, the second into an exception.

    A loop asks `requested` between iterations, saves, and leaves with `exit_code`. The second signal raises
    KeyboardInterrupt (SIGINT) or SystemExit(143) (SIGTERM) wherever the program stands. A signal that was
    ignored before (as under `nohup`) stays ignored. Signals reach only the main thread: entered in another,
    or in a process forked meanwhile, it is never requested.

    Args:
        announce: is given the message to show, from within the signal handler; by default it goes to stderr.
    """

    def __init__(self, announce: Callable[[str], None] | None = None):
        self.signal: signal.Signals | None = None
        self._announce = announce or _to_stderr
        self._since = 0.0
        self._previous: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    @property
    def requested(self) -> bool:
        """Whether a signal has asked the run to stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int | None:
        """What the command exits with: 130 after SIGINT, 143 after SIGTERM, None without either."""
        return None if self.signal is None else 128 + self.signal

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                previous = signal.getsignal(number)
                if previous is not signal.SIG_IGN:
                    self._previous[number] = previous
                    signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        while self._previous:
            number, previous = self._previous.popitem()
            signal.signal(number, signal.SIG_DFL if previous is None else previous)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            if number == signal.SIGTERM:  # in a forked worker: Ctrl-C is its parent's affair, this is its own
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.signal is None:
            self.signal, self._since = signal.Signals(number), time.monotonic()
            try:
                self._announce(_MESSAGE)
            except RuntimeError:  # the signal arrived amid a write to the same stream
                _to_stderr(_MESSAGE)
        elif number != self.signal or time.monotonic() - self._since >= _SAME_SECONDS:
            self.signal = signal.Signals(number)
            if number == signal.SIGTERM:
                raise SystemExit(128 + number)
            raise KeyboardInterrupt


def _to_stderr(message: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"\n{message}\n".encode())
