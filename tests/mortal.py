"""`mortal:Mortal-v0`: a probe that does as told to a worker process of asynchronous training, and to no other."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import gymnasium

from amble.training.shared_memory import FileLock
from probes import Endless


class Mortal(Endless):
    """Does `fate` at the `at`-th step of any environment in the process of worker `worker`.

    kill: SIGKILL; exit: leaves with code 3; raise: raises, in the worker's second environment; nan: pays NaN there;
    lock: SIGKILL while the worker next holds the lock. With `once`, the path of a file to be, only the first time.
    """

    steps, made = 0, 0
    """Of this process."""

    def __init__(self, worker: int = 0, fate: str = "", at: int = 0, once: str = ""):
        super().__init__(limit=7)
        self.fate = fate if multiprocessing.current_process().name == f"amble-worker-{worker}" else ""
        self.at, self.once, self.index = at, once, Mortal.made
        Mortal.made += 1

    def reward(self, action: float) -> float:
        Mortal.steps += 1
        return self.meet() if self.fate and Mortal.steps >= self.at else 1.0

    def meet(self) -> float:
        second = self.index == 1
        if self.fate == "raise" and second:
            raise ZeroDivisionError("the mortal divided")
        if self.fate == "nan" and second:
            return float("nan")
        if self.fate in {"kill", "exit", "lock"} and self.first_time():
            if self.fate == "kill":
                die()
            if self.fate == "exit":
                os._exit(3)
            FileLock.__exit__ = die  # type: ignore[method-assign]
        return 1.0

    def first_time(self) -> bool:
        if not self.once:
            return True
        try:
            Path(self.once).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if "Mortal-v0" not in gymnasium.registry:
    gymnasium.register("Mortal-v0", entry_point=Mortal)
