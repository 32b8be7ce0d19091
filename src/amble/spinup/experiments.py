"""Runs functions in processes of their own, some at a time; one that fails is named and stops no other."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOBase
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Literal, TextIO

import gymnasium

from amble.envs.backends.cores import usable_cores
from amble.errors import AmbleError, UsageError


@dataclass(frozen=True)
class Experiment:
    """One call to make."""

    name: str
    thunk: Callable[..., Any]
    arguments: dict[str, Any]
    output_dir: Path


def run_experiments(
    experiments: Sequence[Experiment], at_once: int | Literal["auto"], stream: TextIO | TextIOBase
) -> dict[str, str]:
    """Run all of them; name ↦ reason of those that failed.

    Processes are spawned, not forked: nothing of one run, and no thread of ours, leaks into another.
    """
    for experiment in experiments:
        _check_can_travel(experiment)
    limit = usable_cores() if at_once == "auto" else at_once
    quiet = limit > 1 and len(experiments) > 1
    context = multiprocessing.get_context("spawn")
    waiting, running, failures = list(experiments), dict[Any, _Running](), dict[str, str]()
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                experiment = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                arguments = (experiment, quiet, theirs)
                process = context.Process(target=_run_one, args=arguments, name=experiment.name)
                process.start()
                theirs.close()
                running[process.sentinel] = _Running(experiment, process, ours, time.perf_counter())
                _say(stream, f"{experiment.name}: started, {experiment.output_dir}")
            for sentinel in wait(list(running)):
                ended = running.pop(sentinel)
                reason = ended.reason()
                seconds = time.perf_counter() - ended.start
                if reason is not None:
                    failures[ended.experiment.name] = reason
                how = "done" if reason is None else f"failed ({reason})"
                _say(stream, f"{ended.experiment.name}: {how} after {seconds:.0f} s")
    finally:
        for left in running.values():
            left.process.terminate()
            left.process.join()
    return failures


@dataclass(frozen=True)
class _Running:
    experiment: Experiment
    process: Any
    reports: Connection
    start: float

    def reason(self) -> str | None:
        """Why the process, which has ended, failed; None if it did not."""
        self.process.join()
        with self.reports, contextlib.suppress(EOFError):
            return self.reports.recv()
        return f"its process ended with exit code {self.process.exitcode} and said nothing"


def _run_one(experiment: Experiment, quiet: bool, reports: Connection) -> None:
    """In the new process: makes the call and reports None or what went wrong; the traceback goes to the output."""
    with contextlib.ExitStack() as stack:
        if quiet:
            experiment.output_dir.mkdir(parents=True, exist_ok=True)
            output = stack.enter_context((experiment.output_dir / "output.txt").open("w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(output))
            stack.enter_context(contextlib.redirect_stderr(output))
        try:
            experiment.thunk(**_with_env_fn(experiment.arguments))
        except Exception as error:
            if not isinstance(error, AmbleError):
                traceback.print_exc(file=sys.stderr)
            reports.send(f"{type(error).__name__}: {error}")
        else:
            reports.send(None)


def _with_env_fn(arguments: dict[str, Any]) -> dict[str, Any]:
    if "env_name" not in arguments:
        return arguments
    env_name = arguments["env_name"]
    others = {name: value for name, value in arguments.items() if name != "env_name"}
    return {**others, "env_fn": lambda: gymnasium.make(env_name)}


def _check_can_travel(experiment: Experiment) -> None:
    for name, value in {"thunk": experiment.thunk, **experiment.arguments}.items():
        try:
            ForkingPickler.dumps(value)
        except Exception as error:
            raise UsageError(
                f"{experiment.name}: `{name}` cannot go to another process ({error}). Write a function at the top "
                "of a module in place of a lambda, or give `env_name` in place of `env_fn`."
            ) from error


def _say(stream: TextIO | TextIOBase, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()
