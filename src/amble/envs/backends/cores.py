"""How many cores there are for us."""

import os


def usable_cores() -> int:
    """Count the cores this process may run on; `os.cpu_count` and MuJoCo forget taskset and cpusets."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
