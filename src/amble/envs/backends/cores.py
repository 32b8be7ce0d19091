"""How many cores there are for us."""

import os

from amble.errors import UsageError


def usable_cores() -> int:
    """Count the cores this process may run on; `os.cpu_count` and MuJoCo forget taskset and cpusets.

    The environment variable AMBLE_CORES sets another number: one, where several runs share the machine.
    """
    told = os.environ.get("AMBLE_CORES")
    if told is not None:
        if not told.isdecimal() or int(told) < 1:
            raise UsageError(
                f"AMBLE_CORES must be a whole number of at least 1, but is {told!r}. Unset or correct it."
            )
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
