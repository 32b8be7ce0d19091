"""Training runs as child processes, several at a time, each with one thread and one core.

A run's words (`amble train …`) and output go to a log beside it, so that a failure can be named. Whatever ends the
comparison ends its children.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from amble.insight.variants import Run
from amble.training.files import named_os_errors

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10.0
"""How long a child that was asked to stop may take to save what it has."""
_TAIL_BYTES = 8192
_LOG_LINES = 4
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "AMBLE_CORES"), "1"
)


@dataclass
class Job:
    """One run to be trained, and how far it is.

    Attributes:
        terms: the file of the user's own reward terms that it needs.
        resume: go on from the run's last checkpoint, where there is one, instead of starting anew.
        exit_code: None while it waits or runs.
        share: of its budget that is used up, 0 to 1.
    """

    run: Run
    settings: Path
    terms: Path | None = None
    resume: bool = False
    exit_code: int | None = None
    share: float = 0.0
    seconds: float = 0.0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """What the child says."""
        return self.run.path.with_name(f"{self.run.path.name}.log")

    @property
    def words(self) -> list[str]:
        """The child's command line after `amble`."""
        return [
            *("train", str(self.settings), "--seed", str(self.run.seed), "--run-id", self.run.path.name),
            *("--results-dir", str(self.run.path.parent)),
            *(() if self.terms is None else ("--terms", str(self.terms))),
            "--resume" if self.resume and any(self.run.path.glob("checkpoints/step-*")) else "--force",
        ]

    def last_lines(self) -> str:
        """The end of its log, as one line."""
        lines = [
            line.strip() for line in _tail(self.log).decode(errors="replace").splitlines() if line.strip()
        ]
        return " / ".join(lines[-_LOG_LINES:]) or "it said nothing"


def run_jobs(
    jobs: Sequence[Job], at_once: int, show: Callable[[Sequence[Job]], None], should_stop: Callable[[], bool]
) -> None:
    """Trains all jobs, at most `at_once` at a time, and returns when they have ended or `should_stop()`.

    Args:
        jobs: in the order in which they start; `exit_code` is set as they end.
        at_once: how many run together.
        show: is given the jobs now and then.
        should_stop: is asked now and then; the children are then asked to stop, and ended if they do not.
    """
    with _ended(jobs):
        while any(job.exit_code is None for job in jobs) and not should_stop():
            running = [job for job in jobs if job.process is not None and job.exit_code is None]
            waiting = [job for job in jobs if job.process is None]
            for job in waiting[: max(at_once - len(running), 0)]:
                _start(job)
            time.sleep(_POLL_SECONDS)
            for job in jobs:
                _look_at(job)
            show(jobs)


def _start(job: Job) -> None:
    with named_os_errors(job.log), job.log.open("wb") as log:
        job.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "amble.cli", *job.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C in the terminal is ours to pass on, once
        )
    job.seconds = -time.monotonic()


def _look_at(job: Job) -> None:
    if job.process is None or job.exit_code is not None:
        return
    job.exit_code = job.process.poll()
    job.share = 1.0 if job.exit_code is not None else max(job.share, _share(job.run))
    if job.exit_code is not None:
        job.seconds += time.monotonic()


def _share(run: Run) -> float:
    """Of the run's steps or its seconds, whichever is nearer to its end, as the last whole row tells."""
    lines = _tail(run.path / "metrics.jsonl").split(b"\n")[:-1]
    try:
        row = json.loads(lines[-1]) if lines else {}
    except ValueError:
        row = {}
    limit = run.variant.config.time_limit
    by_time = (row.get("wall_seconds") or 0.0) / limit if limit is not None else 0.0
    return min(max((row.get("env_steps") or 0) / run.variant.max_steps, by_time), 1.0)


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            return stream.read()
    except OSError:  # not there yet
        return b""


@contextmanager
def _ended(jobs: Sequence[Job]) -> Iterator[None]:
    """No child outlives the block: those still at work are asked to stop, then ended."""
    try:
        yield
    finally:
        left = [job.process for job in jobs if job.process is not None and job.process.poll() is None]
        for process in left:
            process.terminate()
        try:
            deadline = time.monotonic() + _GRACE_SECONDS
            for process in left:
                process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            pass
        finally:
            for process in left:
                process.kill()  # does nothing to one that has ended
                process.wait()
