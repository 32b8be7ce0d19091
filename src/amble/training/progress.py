"""A run as seen while it goes: a small live display in a terminal, plain lines anywhere else.

    Walker ━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━━━━  41 %  8.2 M of 20 M steps
    12 min 4 s · 17 min 20 s left · 11 340 steps/s · collect 62 % update 38 %
    return 812.4 ± 210.3  ▁▂▂▃▄▅▅▆▇█
    length 412.3   kl 0.0123   entropy 1.42   explained 0.830   clipped 0.112

`explained` is the explained variance of the value estimate, `clipped` the fraction of clipped ratios.
"""

import contextlib
import logging
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from io import TextIOBase
from itertools import pairwise
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from amble.training.metrics import Row

_log = logging.getLogger(__name__)

_TREND = 24
"""Points of the return's trend, the newest last."""

_RATE_SECONDS = 30.0
"""The time left is judged by the speed of this many last seconds."""

_BARS = "▁▂▃▄▅▆▇█"


class Progress:
    """Shows how a run goes; a context manager that leaves the terminal clean whatever happens inside.

    In a terminal a few lines are drawn anew at each row. Elsewhere (a pipe, a file, `TERM=dumb`) a line in
    the manner of ML-Agents is printed for the first row, then one every `interval` seconds or `every_steps` env
    steps, whichever comes first, and for the last. A reader that goes away (`amble train … | head`) ends the
    display, not the run.

    Args:
        name: shown in front, e.g. the behaviour's name.
        total_steps: env steps the run is to take; None: it has no end of its own.
        time_limit: seconds the run may take, on the clock of the rows' `wall_seconds`; None without one.
        stream: where to write; stdout by default.
        interval: seconds between plain lines.
        every_steps: env steps between plain lines; None: only `interval` counts.
        live: draw in a terminal; several displays of one cannot.
    """

    def __init__(
        self,
        name: str,
        total_steps: float | int | None,
        time_limit: float | int | None = None,
        stream: TextIO | TextIOBase | None = None,
        interval: float | int = 10.0,
        every_steps: int | None = None,
        live: bool = True,
    ):
        self._name = name
        self._total_steps = None if total_steps is None else max(int(total_steps), 1)
        self._time_limit = time_limit
        self._stream: Any = stream if stream is not None else sys.stdout
        self._interval, self._every_steps = interval, every_steps
        self._row: dict[str, float | int | str | None] = {}
        self._printed: dict[str, float | int | str | None] = {}
        self._returns: deque[float] = deque(maxlen=600)
        self._clock: deque[tuple[float, float]] = deque()  # (wall_seconds, env_steps) of the last rows
        self._live: Live | None = None
        self._queue: list[str] = []
        self._drawing = False
        self._silent = False
        self._encoding = getattr(self._stream, "encoding", None) or "utf-8"
        # Not rich's own judgement: FORCE_COLOR would have it draw into a pipe.
        self._terminal = (
            live
            and self._stream.isatty()
            and os.environ.get("TERM", "") not in ("dumb", "unknown")
            and self._encoding.lower().startswith("utf")
        )
        self._console = Console(
            file=self._stream, highlight=False, force_terminal=self._terminal, soft_wrap=True
        )

    def start(self, lines: Sequence[str] = ()) -> None:
        """Prints `lines` (what is trained, and where it is written), then begins the display."""
        for line in lines:
            self.message(line)
        if self._terminal and self._live is None:
            # No refresh thread: it would take time from training, and threads make forked workers unsafe.
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._guarded(self._live.start)

    def update(self, row: Row) -> None:
        """Takes in one row of metrics, as given to `MetricsLog.write`, and shows it."""
        self._row = dict(row)
        if (value := _number(row, "return_mean")) is not None:
            self._returns.append(value)
        seconds, steps = _number(row, "wall_seconds") or 0.0, _number(row, "env_steps") or 0.0
        self._clock.append((seconds, steps))
        while len(self._clock) > 2 and seconds - self._clock[1][0] > _RATE_SECONDS:
            self._clock.popleft()
        if self._terminal:
            self._draw()
        elif self._is_due(seconds, steps):
            self._print_row()

    def _is_due(self, seconds: float, steps: float) -> bool:
        """Whether a plain line is to be printed at this row."""
        if not self._printed or seconds - (_number(self._printed, "wall_seconds") or 0.0) >= self._interval:
            return True
        every = self._every_steps
        return every is not None and steps // every > (_number(self._printed, "env_steps") or 0.0) // every

    def message(self, text: str) -> None:
        """Prints a line above the display. It may be called from a signal handler."""
        self._queue.append(text)
        if not self._drawing:
            self._guarded(self._print_queue)

    def stop(self) -> None:
        """Ends the display and leaves its last state standing; may be called again."""
        if not self._terminal and self._row and self._printed != self._row:
            self._print_row()
        live, self._live = self._live, None
        if live is not None:
            if self._row:
                self._guarded(lambda: live.update(self._table(), refresh=True))
            self._guarded(live.stop)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def seconds_left(self) -> float | None:
        """Seconds until the steps are done or the time limit is reached, the sooner; None if unknown."""
        if not self._clock:
            return None
        (before, steps_before), (now, steps) = self._clock[0], self._clock[-1]
        left = []
        rate = (
            (steps - steps_before) / (now - before)
            if now > before
            else _number(self._row, "steps_per_second")
        )
        if rate is not None and rate > 0 and self._total_steps is not None:
            left.append((self._total_steps - steps) / rate)
        if self._time_limit is not None:
            left.append(self._time_limit - now)
        return max(min(left), 0.0) if left else None

    def _draw(self) -> None:
        live = self._live
        if live is not None:
            self._guarded(lambda: live.update(self._table(), refresh=True))
            self._guarded(self._print_queue)

    def _print_row(self) -> None:
        self._printed = self._row
        self.message(plain_line(self._name, self._row, self.seconds_left()))

    def _print_queue(self) -> None:
        while self._queue:
            text = self._queue.pop(0)
            if self._live is not None:
                self._console.print(Text(text))
            else:
                writable = text.encode(self._encoding, "replace").decode(self._encoding)
                print(writable, file=self._stream, flush=True)

    def _guarded(self, write: Callable[[], object]) -> None:
        if self._silent:
            return
        self._drawing = True
        try:
            write()
        except OSError as error:  # a closed pipe, a terminal that is gone
            self._fall_silent(error)
        finally:
            self._drawing = False

    def _fall_silent(self, error: OSError) -> None:
        _log.warning("progress is no longer shown (%s); the run goes on", error.strerror or error)
        live, self._live = self._live, None
        self._silent = True
        with contextlib.suppress(OSError, ValueError):
            if live is not None:
                live.stop()
        # What others print there later must not end the run either.
        with contextlib.suppress(OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self._stream.fileno())
            os.close(devnull)

    def _table(self) -> Group:
        width = self._console.width
        return Group(self._headline(width), self._times(width), *self._figures(width))

    def _headline(self, width: int) -> Table | Text:
        steps = _number(self._row, "env_steps") or 0.0
        if self._total_steps is None:
            return Text.assemble((self._name, "bold"), f" {count(steps)} steps")
        done = min(steps / self._total_steps, 1.0)
        grid = Table.grid(padding=(0, 1), expand=False)
        name = self._name if len(self._name) <= 24 else self._name[:23] + "…"
        tail = f"{100 * done:3.0f} %" + (
            f"  {count(steps)} of {count(self._total_steps)} steps" if width >= 56 else ""
        )
        bar = max(min(width - len(name) - len(tail) - 3, 44), 6)
        grid.add_row(
            Text(name, style="bold"),
            ProgressBar(total=1.0, completed=done, width=bar, complete_style="green", finished_style="green"),
            Text(tail),
        )
        return grid

    def _times(self, width: int) -> Text:
        left = self.seconds_left()
        parts = [duration(_number(self._row, "wall_seconds") or 0.0)]
        if left is not None:
            parts.append(f"{duration(left)} left")
        if (rate := _number(self._row, "steps_per_second")) is not None:
            parts.append(f"{grouped(rate)} steps/s")
        collect, update = _number(self._row, "collect_seconds"), _number(self._row, "update_seconds")
        if collect is not None and update is not None and collect + update > 0:
            share = 100 * collect / (collect + update)
            parts.append(f"collect {share:.0f} % update {100 - share:.0f} %")
        while len(parts) > 1 and len(" · ".join(parts)) > width:
            parts.pop()
        return Text(" · ".join(parts), style="dim")

    def _figures(self, width: int) -> list[Text]:
        mean, std = _number(self._row, "return_mean"), _number(self._row, "return_std")
        if mean is None and self._returns:
            mean, std = self._returns[-1], None
        head = "no episode has ended yet" if mean is None else _figure(mean)
        spread = f" ± {_figure(std, like=mean)}" if std is not None and mean is not None else ""
        first = Text()
        first.append("return ", style="dim")
        first.append(head, style="bold" if mean is not None else "dim")
        first.append(spread, style="dim")
        trend = sparkline(list(self._returns), min(_TREND, max(width - 34, 0)))
        if len(trend) > 1:
            first.append(f"  {trend}", style="green")
        second = Text()
        used = 0
        for key, label in _SHOWN.items():
            if (value := _number(self._row, key)) is None:
                continue
            part = f"{label} {_figure(value)}"
            if used and used + len(part) + 3 > width:
                break
            if used:
                second.append("   ")
            second.append(f"{label} ", style="dim")
            second.append(_figure(value))
            used += len(part) + (3 if used else 0)
        return [first, second] if used else [first]


_SHOWN = {
    "length_mean": "length",
    "kl": "kl",
    "entropy": "entropy",
    "explained_variance": "explained",
    "clip_fraction": "clipped",
}


def plain_line(name: str, row: Row, seconds_left: float | int | None = None) -> str:
    """One row in the words of ML-Agents' console, which scripts look for, and then in ours."""
    parts = [
        name,
        f"Step: {int(_number(row, 'env_steps') or 0)}",
        f"Time Elapsed: {_number(row, 'wall_seconds') or 0.0:.1f} s",
    ]
    mean = _number(row, "return_mean")
    if mean is None:
        parts.append("No episode was completed since last summary")
    else:
        parts += [f"Mean Reward: {mean:.3f}", f"Std of Reward: {_number(row, 'return_std') or 0.0:.3f}"]
        if (length := _number(row, "length_mean")) is not None:
            parts.append(f"Episode Length: {length:.0f}")
    if (rate := _number(row, "steps_per_second")) is not None:
        parts.append(f"Steps/s: {rate:.0f}")
    if seconds_left is not None:
        parts.append(f"Left: {duration(seconds_left)}")
    return ". ".join(parts) + "."


def sparkline(values: Sequence[float | int], width: int) -> str:
    """`values`, averaged into at most `width` columns, as bars between their least and greatest."""
    count = min(len(values), width)
    if count < 1:
        return ""
    edges = [index * len(values) // count for index in range(count + 1)]
    means = [sum(values[low:high]) / (high - low) for low, high in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


def duration(seconds: float | int) -> str:
    """Seconds in the two largest units that matter: `3.1 s`, `42 s`, `12 min 4 s`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for name, unit, lesser, size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // size} {lesser}"
    return f"{whole} s"


def count(number: float | int) -> str:
    """A count of steps in three digits or so: `950`, `20.5 k`, `8.2 M`."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e3 if unit == 'k' else limit):.3g} {unit}"
    return f"{number:.0f}"


def grouped(number: float | int) -> str:
    """A whole number in groups of three: `11 340`."""
    return f"{number:,.0f}".replace(",", " ")


def _figure(value: float, like: float | None = None) -> str:
    """Three digits or so, or as many decimals as `like` gets."""
    size = abs(value if like is None else like)
    if size >= 1e5 or 0 < size < 1e-4:
        return f"{value:.2e}"
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{decimals}f}"


def _number(row: Row, key: str) -> float | None:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
