"""Threads that carry out tasks side by side and sleep in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue


class Team:
    """The calling thread and helpers, who share out tasks as each becomes free.

    Whoever is free takes the next task, so a helper that another process keeps from running holds up nothing but the
    task it has begun; a library whose threads each have a share of their own waits for the slowest every time.
    """

    def __init__(self):
        self._helpers: ThreadPoolExecutor | None = None
        self._size = 0

    def each(self, task: Callable[[int], None], count: int, threads: int) -> None:
        """`task(0)` to `task(count - 1)`, by up to `threads` threads; tasks let go of the interpreter while they run.

        Raises:
            Whatever a task raises, once none is running any more.
        """
        left = iter(range(count))  # next() is one step of the interpreter: no task is taken twice
        over: SimpleQueue[BaseException | None] = SimpleQueue()

        def work() -> None:
            for k in left:
                try:
                    task(k)
                except BaseException as failure:
                    over.put(failure)
                else:
                    over.put(None)

        helpers = min(threads, count) - 1
        if helpers > 0:
            pool = self._pool(helpers)
            for _ in range(helpers):
                pool.submit(work)
        work()
        failures = [failure for failure in (over.get() for _ in range(count)) if failure is not None]
        if failures:
            raise failures[0]

    def _pool(self, helpers: int) -> ThreadPoolExecutor:
        if self._helpers is None or self._size < helpers:
            if self._helpers is not None:
                self._helpers.shutdown()
            self._helpers, self._size = ThreadPoolExecutor(helpers, "amble-team"), helpers
        return self._helpers
