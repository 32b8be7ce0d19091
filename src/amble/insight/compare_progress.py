"""How a comparison goes, on stderr: one live line in a terminal, a line a finished run anywhere else."""

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from io import TextIOBase
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from amble.insight.jobs import Job
from amble.training.progress import duration

_log = logging.getLogger(__name__)
_BAR = 24


class CompareProgress:
    """Shows jobs; a context manager. A stream that breaks ends the display, not the comparison."""

    def __init__(self, stream: TextIO | TextIOBase | None = None):
        self._stream: Any = stream if stream is not None else sys.stderr
        self._start = time.monotonic()
        self._told: set[int] = set()
        self._silent = False
        encoding = (getattr(self._stream, "encoding", None) or "utf-8").lower()
        terminal = self._stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
        console = Console(
            file=self._stream,
            highlight=False,
            force_terminal=terminal and encoding.startswith("utf"),
            soft_wrap=True,
        )
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def show(self, jobs: Sequence[Job]) -> None:
        """Draws the line anew, or tells of jobs that have ended since."""
        for job in jobs:
            if job.exit_code is not None and id(job) not in self._told:
                self._told.add(id(job))
                ended = "done" if job.exit_code == 0 else f"failed (exit code {job.exit_code})"
                self.message(
                    f"{job.run.name}: {ended}, {duration(job.seconds)} ({len(self._told)} of {len(jobs)})"
                )
        if self._live is not None:
            text = Text(
                progress_line(jobs, time.monotonic() - self._start, self._console.width), no_wrap=True
            )
            live = self._live
            self._guarded(lambda: live.update(text, refresh=True))

    def message(self, text: str) -> None:
        """Prints a line above the live one."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        writable = text.encode(encoding, "replace").decode(encoding)
        if self._live is None:  # not by rich, which ends the program at a broken pipe
            self._guarded(lambda: (self._stream.write(f"{writable}\n"), self._stream.flush()))
        else:
            self._guarded(lambda: self._console.print(Text(writable)))

    def __enter__(self) -> "CompareProgress":
        live = self._live
        if live is not None:
            self._guarded(live.start)
        return self

    def __exit__(self, *error: object) -> None:
        live = self._live
        if live is not None:
            self._guarded(live.stop)

    def _guarded(self, write: Callable[[], object]) -> None:
        if self._silent:
            return
        try:
            write()
        except (OSError, ValueError) as error:  # a closed pipe, a terminal that is gone
            self._silent = True
            _log.warning("progress is no longer shown (%s)", error)


def progress_line(jobs: Sequence[Job], seconds: float, width: int) -> str:
    """`━━━━━────  2 of 6 runs · 41 % · 1 min 4 s · 1 min 32 s left · ppo, seed 1 (30 %)`, within `width` characters."""
    share = sum(job.share for job in jobs) / max(len(jobs), 1)
    ended = sum(job.exit_code is not None for job in jobs)
    full = round(share * _BAR)
    parts = [f"{'━' * full}{'─' * (_BAR - full)}  {ended} of {len(jobs)} runs", f"{100 * share:.0f} %"]
    parts.append(duration(seconds))
    if share > 0.02:
        parts.append(f"{duration(seconds * (1 - share) / share)} left")
    parts += [
        f"{job.run.name} ({100 * job.share:.0f} %)"
        for job in jobs
        if job.process is not None and job.exit_code is None
    ]
    while len(parts) > 1 and len(" · ".join(parts)) > width - 1:
        parts.pop()
    return " · ".join(parts)
