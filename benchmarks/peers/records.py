"""What is kept of each run: JSON lines, with the machine and the versions they came from."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = (
    *("torch", "mujoco", "gymnasium", "numpy", "envpool"),
    *("stable-baselines3", "rsl-rl-lib", "skrl", "amble"),
)


def machine() -> dict[str, Any]:
    """Processor, cores, and the load of the last minute."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "load": load()}


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def load() -> float:
    """The machine's load average of the last minute: processes that run or wait to."""
    return round(os.getloadavg()[0], 1)


class Records:
    """A file of JSON lines, one a run, appended to."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._session = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.add({"machine": machine(), "versions": versions()})

    def add(self, figures: dict[str, Any]) -> None:
        with self.path.open("a") as stream:
            stream.write(json.dumps({"session": self._session, **figures}) + "\n")
