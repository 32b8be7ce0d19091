"""One worker process of asynchronous training: its environments, its copy of the networks, its pushes.

The parent says `go`; the worker takes rollouts until the parent's limit is reached, then rests and reports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

import torch

from amble.algorithms.a2c import A2C
from amble.algorithms.a3c import A3C, UPDATES, live_in
from amble.algorithms.tally import Tally
from amble.config import RunConfig
from amble.errors import AmbleError, EnvironmentFault
from amble.training.build import build_algorithm, build_policy
from amble.training.collect import Collector
from amble.training.seeds import Seeds
from amble.training.shared_memory import FileLock, SharedTensors
from amble.training.trainer import WARM_UP, make_env, rollout_length

GO, READY, REST, FAILED = "go", "ready", "rest", "failed"
"""Words between parent and worker."""

CLAIMED, PUSHED, LIMIT, BEFORE = "claimed", "pushed", "limit", "before"
"""Counts of env steps among the shared tensors. `claimed` and `pushed`: of each worker's rollouts, begun and pushed,
since this run was started; `limit`: no rollout is begun once so many are claimed; `before`: taken by the runs that this
one goes on from."""


@dataclass(frozen=True)
class Place:
    """Which worker this is."""

    worker: int
    environments: range
    """Its share of the run's."""
    start: int
    """How many worker processes the run had started before; its random streams are its own."""
    warm_up: bool
    """Whether the observations' moments are still empty."""

    def __str__(self) -> str:
        first, last = self.environments[0], self.environments[-1]
        which = f"environment {first}" if first == last else f"environments {first}–{last}"
        return f"Worker {self.worker} ({which} of the run)"


@dataclass
class Report:
    """What a worker did between two rests."""

    returns: list[float] = field(default_factory=list[float])
    lengths: list[int] = field(default_factory=list[int])
    figures: Tally = field(default_factory=Tally)
    """Of its pushes."""
    staleness_max: float = 0.0
    collect_seconds: float = 0.0
    update_seconds: float = 0.0
    """Pulls and pushes; within them, `lock_seconds` of waiting for others."""
    lock_seconds: float = 0.0


class Worker:
    """Acts and learns in the process that makes it."""

    def __init__(self, config: RunConfig, place: Place, memory: SharedTensors, lock: FileLock):
        _, behavior = config.behavior
        self.place, self.lock = place, lock
        self.shared = memory.tensors()
        self.env = make_env(config, len(place.environments), threads=1)
        seeds = Seeds(config.env_settings.seed).of_worker(place.start)

        def learner() -> A2C:
            weights, device = seeds.generator("weights"), torch.device("cpu")
            spaces = self.env.single_observation_space, self.env.single_action_space
            policy = build_policy(behavior, *spaces, weights)
            algorithm = build_algorithm(behavior, policy, weights, seeds.generator("minibatches"), device)
            if not isinstance(algorithm, A2C):
                raise TypeError(f"a3c's workers learn by A2C, not by {type(algorithm).__name__}")
            return algorithm

        own, everybodys = learner(), learner()
        live_in(everybodys, self.shared)
        self.a3c = A3C(own, everybodys, self.shared[UPDATES], lock)
        decisions, sequence_length = rollout_length(behavior, self.env.num_envs)
        self.size = decisions * self.env.num_envs
        self.collector = Collector(
            self.env,
            own.policy,
            decisions,
            seeds.generator("exploration"),
            torch.device("cpu"),
            critic=own.critic,
            sequence_length=sequence_length,
        )
        self._begin(seeds.integer("environments"))

    def run(self) -> Report:
        """Rollout after rollout, until as many env steps are claimed as the parent wants."""
        report, waited = Report(), self.lock.waited
        while self._claim():
            start = time.perf_counter()
            env_steps = int(self.shared[BEFORE] + self.shared[PUSHED].sum())
            self.a3c.pull()
            pulled = time.perf_counter()
            rollout, episodes = self.collector.collect()
            collected = time.perf_counter()
            figures = self.a3c.push(rollout, self.collector.seen, env_steps)
            self.shared[PUSHED][self.place.worker] += self.size
            end = time.perf_counter()

            reward = float(rollout.reward.mean())
            numbers = {name: value for name, value in figures.items() if not isinstance(value, str)}
            report.figures.add({"extrinsic_reward": reward, **numbers})
            report.staleness_max = max(report.staleness_max, numbers["staleness"])
            report.returns += episodes.returns.tolist()
            report.lengths += episodes.lengths.tolist()
            report.collect_seconds += collected - pulled
            report.update_seconds += (pulled - start) + (end - collected)
        report.lock_seconds = self.lock.waited - waited
        return report

    def _begin(self, seed: int) -> None:
        """Begin the episodes; where the shared moments are empty, add what the untrained policy sees first."""
        normaliser = self.a3c.shared.policy.normaliser
        self.a3c.pull()
        self.collector.begin(seed)
        own = self.a3c.own.policy.normaliser
        if self.place.warm_up and own is not None and normaliser is not None:
            own.count.zero_()  # what others have seen by now is in the shared moments already
            self.collector.warm_up(WARM_UP)
            with self.lock:
                normaliser.merge(float(own.count), own.mean, own.variance)
            self.collector.begin(seed)

    def _claim(self) -> bool:
        """Whether another rollout is wanted; if so, it is ours."""
        with self.lock:
            if int(self.shared[CLAIMED].sum()) >= int(self.shared[LIMIT]):
                return False
            self.shared[CLAIMED][self.place.worker] += self.size
            return True


def work(pipe: Connection, config: RunConfig, place: Place, memory: SharedTensors, lock_path: str) -> None:
    """What the process does until its parent closes the pipe, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it will close us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(lock_path,), daemon=True).start()
    torch.set_num_threads(1)
    try:
        lock = FileLock(lock_path)
        worker = Worker(config, place, memory, lock)
        pipe.send((READY, None))
        while pipe.recv() == GO:
            pipe.send((REST, worker.run()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent has closed the pipe
    except Exception as failure:
        with contextlib.suppress(OSError):  # the parent has closed the pipe
            pipe.send((FAILED, _said(failure, place)))


def _said(failure: Exception, place: Place) -> str:
    """What is to be told of it; an environment is called by its number in the run."""
    if isinstance(failure, EnvironmentFault):
        cause = failure.__cause__
        told = [] if cause is None else traceback.format_exception(cause)
        return "\n".join([f"Environment {place.environments[failure.environment]} {failure.what}", *told])
    return str(failure) if isinstance(failure, AmbleError) else "".join(traceback.format_exception(failure))


def _end_with_parent(lock_path: str) -> None:
    """A killed parent closes nothing and says nothing: wait for its end, and end with it in mid-rollout."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        FileLock.remove(lock_path)
        os._exit(1)
