"""Asynchronous training: worker processes act and learn by themselves; this one starts, watches and reports them.

`algorithms/a3c.py` says what a worker does with one rollout, `training/worker.py` is its process.

Within an iteration no worker waits for another, except for the length of a push. Between iterations all of them rest
while a row is written, or a checkpoint, which is therefore of one moment; a worker that is done first idles for at most
one rollout of `PUSHES` or so.

A run passes its budget, and an iteration its share of it, by less than one rollout: none is begun once so many env
steps are begun or done. A worker that dies is replaced. The rollout that it had begun is given back; a push that it was
killed in stays as it is, made for some parameters and not for others: one odd step among many.

A run with one worker repeats itself bit for bit. With more, the order of pushes is the machine's, and no two runs of a
seed are alike. No resumed run goes on bit for bit: it goes on from the same parameters, statistics and counters, with
random streams that were not used before.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.a3c import UPDATES, everything
from amble.algorithms.tally import Tally
from amble.config import A3CHyperparameters, RunConfig
from amble.errors import AmbleError, UsageError
from amble.training.learner import Learner, Row, episode_figures
from amble.training.shared_memory import FileLock, SharedTensors
from amble.training.trainer import default_num_envs, make_env, rollout_length
from amble.training.worker import BEFORE, CLAIMED, FAILED, GO, LIMIT, PUSHED, READY, REST, Place, Report, work

_log = logging.getLogger(__name__)

PUSHES = 64
"""Of each worker in one iteration, unless `summary_freq` asks for rows sooner: enough that resting costs 1 % or so."""
_DEATHS = 3
"""So often in a row may a worker die young."""
_BACK_OFF_SECONDS = 0.1
"""Before the first replacement; twice as long before each that follows."""
_WATCH_SECONDS = 0.1
"""How often a request to stop is looked for."""
_CLOSE_SECONDS = 2.0
_DIED = "died"
"""In place of a word, where nobody is left to speak."""
_PRELOADED = ["amble.training.worker"]
"""Loaded once, into the process that workers are forked from: torch takes seconds."""


@dataclass
class _Seat:
    """A worker's place, whoever sits in it."""

    worker: int
    environments: range
    process: BaseProcess | None = None
    pipe: Connection | None = None
    running: bool = False
    ready: bool = False
    pushes: int = 0
    """Of this process, up to its last rest."""
    deaths: int = 0
    """In a row, each of a process that had not rested after `PUSHES` pushes."""
    vacant_until: float = 0.0


@dataclass
class _Gathered:
    """What the workers reported of one iteration."""

    reports: list[Report] = field(default_factory=list[Report])

    def figures(self, workers: int) -> Row:
        """Means over all pushes; seconds are one worker's, on average."""
        total, largest = Tally(), 0.0
        for report in self.reports:
            total.count += report.figures.count
            for name, figure in report.figures.sums.items():
                total.sums[name] = total.sums.get(name, 0.0) + figure
            largest = max(largest, report.staleness_max)
        means = total.means()
        staleness = means.pop("staleness", 0.0)
        return {
            "collect_seconds": sum(report.collect_seconds for report in self.reports) / workers,
            "update_seconds": sum(report.update_seconds for report in self.reports) / workers,
            "lock_seconds": sum(report.lock_seconds for report in self.reports) / workers,
            **episode_figures(
                [episode for report in self.reports for episode in report.returns],
                [episode for report in self.reports for episode in report.lengths],
            ),
            **means,
            "staleness_mean": staleness,
            "staleness_max": largest,
        }


class AsynchronousTrainer(Learner):
    """Workers, and what they share. `policy` and `algorithm` are this process's copy, brought up to date by each row.

    Attributes:
        restarts: workers replaced since this run was started.
    """

    def __init__(self, config: RunConfig):
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        with _interrupts_held(), _short_folder():
            forkserver.ensure_running()  # it loads while this process makes its environment and networks
        super().__init__(config, make_env(config, 1, threads=1))
        hyper = self.behavior.hyperparameters
        if not isinstance(hyper, A3CHyperparameters) or not isinstance(self.algorithm, A2C):
            raise TypeError(f"asynchronous training is a3c's, not {self.behavior.trainer_type}'s")
        self.num_envs = config.env_settings.num_envs or default_num_envs(config.env_id, self.behavior)
        shares = np.array_split(np.arange(self.num_envs), hyper.workers)
        self._seats = [
            _Seat(worker, range(int(share[0]), int(share[-1]) + 1)) for worker, share in enumerate(shares)
        ]
        sizes = [len(share) * rollout_length(self.behavior, len(share))[0] for share in shares]
        self.steps_an_iteration = max(sum(sizes), min(PUSHES * sum(sizes), self.behavior.summary_freq))
        self.restarts = 0
        self._starts = 0
        self._should_stop: Callable[[], bool] = lambda: False
        self._memory: SharedTensors | None = None
        self._lock_path = FileLock.new_path()
        self._lock = FileLock(self._lock_path)
        self._end = weakref.finalize(self, _end, self._seats, self._lock_path)

    def run(
        self,
        *,
        on_row: Callable[[Row], None],
        on_checkpoint: Callable[[], None],
        should_stop: Callable[[], bool],
    ) -> str:
        """See `Learner.run`; a request to stop ends the iteration as soon as the rollouts begun are pushed."""
        self._should_stop = should_stop
        return super().run(on_row=on_row, on_checkpoint=on_checkpoint, should_stop=should_stop)

    def iterate(self) -> Row:
        """Let all workers run until so many env steps are taken by them together. Returns the iteration's figures."""
        memory = self._begin()
        start = time.perf_counter()
        pushed = memory[PUSHED].clone()
        wanted = min(self.steps_an_iteration, max(1, self.behavior.max_steps - self.env_steps))
        with self._lock:
            memory[LIMIT].fill_(int(memory[CLAIMED].sum()) + wanted)
        gathered = self._let_run(memory, start)
        end = time.perf_counter()
        steps = memory[PUSHED] - pushed
        self._read(memory)
        taken = self.env_steps - int(memory[BEFORE] + pushed.sum())
        self.iteration += 1
        self.wall_seconds += end - start
        return {
            "iteration": self.iteration,
            "env_steps": self.env_steps,
            "wall_seconds": self.wall_seconds,
            "steps_per_second": taken / (end - start),
            **gathered.figures(len(self._seats)),
            **{
                f"worker_{worker}_steps_per_second": count / (end - start)
                for worker, count in enumerate(steps.tolist())
            },
            "worker_restarts": self.restarts,
        }

    def describe(self) -> str:
        """In a few words, how experience is gathered; shown when a run starts."""
        share = len(self._seats[0].environments)
        decisions, _ = rollout_length(self.behavior, share)
        backend = self.env.metadata.get("amble_backend", "array")
        return (
            f"{self.num_envs} environments ({backend}) of {len(self._seats)} workers, "
            f"{decisions} decisions each a push"
        )

    def state(self) -> dict[str, Any]:
        """Everything else that a resumed run goes on from."""
        return {
            "env_steps": self.env_steps,
            "iteration": self.iteration,
            "wall_seconds": self.wall_seconds,
            "worker_starts": self._starts,
        }

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on from a checkpoint, with other random streams than the workers before had."""
        super().restore(tensors, state)
        self._starts = int(state["worker_starts"])

    def close(self) -> None:
        """End the workers, and wait for them."""
        if self._memory is not None:
            self._memory.tensors()[LIMIT].zero_()
        if self._end.alive:
            self._end()
            self._lock.close()
        self.env.close()

    def _begin(self) -> dict[str, Tensor]:
        """Share the networks and start the workers, once; the shared tensors."""
        if self._memory is None:
            steps = torch.zeros(len(self._seats), dtype=torch.int64)
            one = torch.zeros((), dtype=torch.int64)
            self._memory = SharedTensors.of(
                self._context,
                {
                    **everything(self._a2c),
                    UPDATES: one,
                    BEFORE: one + self.env_steps,
                    LIMIT: one,
                    CLAIMED: steps,
                    PUSHED: steps,
                },
            )
            for seat in self._seats:
                self._start(seat)
            while not all(seat.ready for seat in self._seats):
                self._hear(None)
        return self._memory.tensors()

    @property
    def _a2c(self) -> A2C:
        assert isinstance(self.algorithm, A2C)
        return self.algorithm

    def _let_run(self, memory: dict[str, Tensor], start: float) -> _Gathered:
        """Until the limit is reached and every worker that ran rests; replacements join in as they come."""
        gathered = _Gathered()
        begun = int(memory[CLAIMED].sum())
        while True:
            wanted = int(memory[CLAIMED].sum()) < int(memory[LIMIT])
            if not wanted and not any(seat.running for seat in self._seats):
                return gathered
            if wanted and self._time_is_up(start) and int(memory[CLAIMED].sum()) > begun:
                with self._lock:
                    memory[LIMIT].zero_()
                continue
            for seat in self._seats:
                if wanted and seat.ready and not seat.running:
                    self._tell(seat)
            self._hear(gathered)

    def _time_is_up(self, start: float) -> bool:
        limit = self.config.time_limit
        passed = self.wall_seconds + time.perf_counter() - start
        return self._should_stop() or (limit is not None and passed >= limit)

    def _tell(self, seat: _Seat) -> None:
        assert seat.pipe is not None
        seat.running = True
        try:
            seat.pipe.send(GO)
        except OSError:
            self._bury(seat)

    def _hear(self, gathered: _Gathered | None) -> None:
        """Wait for a word of any worker, a death, or a moment; fill the places that are vacant."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.process is None and now >= seat.vacant_until:
                self._start(seat)
        speakers = {seat.pipe: seat for seat in self._seats if seat.pipe is not None}
        for pipe in connection.wait(list(speakers), _WATCH_SECONDS):
            assert isinstance(pipe, Connection)
            seat = speakers[pipe]
            word, said = _received(pipe)
            if word == _DIED:
                self._bury(seat)
            elif word == FAILED:
                raise AmbleError(f"{self._place(seat)} failed. {said}")
            elif word == READY:
                seat.ready = True
            elif word == REST:
                seat.running = False
                seat.pushes += said.figures.count
                if seat.pushes >= PUSHES:
                    seat.deaths = 0
                if gathered is not None:
                    gathered.reports.append(said)

    def _start(self, seat: _Seat) -> None:
        assert self._memory is not None
        here, there = self._context.Pipe()
        arguments = (there, self.config, self._place(seat), self._memory, self._lock_path)
        process = self._context.Process(
            target=work, args=arguments, daemon=True, name=f"amble-worker-{seat.worker}"
        )
        self._starts += 1
        seat.process, seat.pipe, seat.ready, seat.running, seat.pushes = process, here, False, False, 0
        with _interrupts_held():
            process.start()
        there.close()

    def _place(self, seat: _Seat) -> Place:
        normaliser = self.policy.normaliser
        empty = normaliser is not None and float(normaliser.count) == 0
        return Place(seat.worker, seat.environments, self._starts, empty)

    def _bury(self, seat: _Seat) -> None:
        """A worker has died: give its unfinished rollout back, and make its place vacant."""
        assert seat.process is not None
        assert seat.pipe is not None
        assert self._memory is not None
        seat.process.join(_CLOSE_SECONDS)
        if seat.process.is_alive():  # it closed its pipe and hangs: it must not push any more
            seat.process.kill()
            seat.process.join()
        seat.pipe.close()
        pid, code, began = seat.process.pid, seat.process.exitcode, seat.ready
        seat.process = seat.pipe = None
        seat.ready = seat.running = False
        memory = self._memory.tensors()
        with self._lock:
            memory[CLAIMED][seat.worker] = memory[PUSHED][seat.worker]
        seat.deaths += 1
        if seat.deaths > _DEATHS:
            hint = (
                "−9 is mostly the kernel short of memory, −11 a crash in native code."
                if began
                else "It did not even begin: a script that trains with a3c must do so below "
                '`if __name__ == "__main__":`, for its workers import it.'
            )
            raise AmbleError(
                f"{self._place(seat)} died {seat.deaths} times in a row, each time soon after its start, the last time "
                f"with {_cause(code)}, and is not replaced again. {hint} "
                "trainer a2c runs the same environments where a crash is easier to see."
            )
        self.restarts += 1
        seat.vacant_until = time.monotonic() + _BACK_OFF_SECONDS * 2 ** (seat.deaths - 1)
        _log.warning("%s, process %d, died with %s; it is replaced", self._place(seat), pid, _cause(code))

    def _read(self, memory: dict[str, Tensor]) -> None:
        """Bring this process's networks, statistics and counters up to date."""
        with self._lock:
            for name, tensor in everything(self._a2c).items():
                tensor.detach().copy_(memory[name])
            self.env_steps = int(memory[BEFORE] + memory[PUSHED].sum())


def _received(pipe: Connection) -> tuple[str, Any]:
    """A word and what is said with it."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return _DIED, None


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            return f"signal {signal.Signals(-exit_code).name} (exit code {exit_code})"
        except ValueError:
            pass  # a signal without a name
    return f"exit code {exit_code}"


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits meanwhile, and a process started within never sees one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _short_folder() -> Iterator[None]:
    """Say what to do where the folder for temporary files leaves no room for a socket's name in its path."""
    try:
        yield
    except OSError as error:
        if "AF_UNIX path too long" not in str(error):
            raise
        raise UsageError(
            f"a3c starts its workers through a socket in the folder for temporary files, and the path of this one is "
            f"too long for a socket: {tempfile.gettempdir()}. Set TMPDIR to a shorter one, for example TMPDIR=/tmp."
        ) from error


def _end(seats: list[_Seat], lock_path: str) -> None:
    """Close the pipes, which ends resting workers; the others are ended."""
    for seat in seats:
        if seat.pipe is not None:
            seat.pipe.close()
    deadline = time.monotonic() + _CLOSE_SECONDS
    for seat in seats:
        if seat.process is None or seat.process.pid is None:
            continue
        seat.process.join(max(0.0, deadline - time.monotonic()))
        if seat.process.is_alive():
            seat.process.terminate()
            seat.process.join(_CLOSE_SECONDS)
        if seat.process.is_alive():
            seat.process.kill()
            seat.process.join()
    FileLock.remove(lock_path)
