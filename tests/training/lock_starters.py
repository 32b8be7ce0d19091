"""Twenty processes that start one run at the same moment; prints how each fared.

Run as `python lock_starters.py RESULTS_DIR`.
"""

import os
import sys
import time

from amble.errors import UsageError
from amble.training.run_directory import RunDirectory

STARTERS = 20


def starter(results, start, report):
    while time.monotonic() < start:
        pass
    try:
        RunDirectory.create(results, "run", resume=True)
    except UsageError as error:
        os.write(report, f"refused {'is at work' in str(error)}\n".encode())
    else:
        os.write(report, b"won\n")
    time.sleep(max(0.0, start + 1.0 - time.monotonic()))  # the winner lives while the others try
    os._exit(0)


def main(results):
    read, write = os.pipe()
    start = time.monotonic() + 0.3
    children = []
    for _ in range(STARTERS):
        child = os.fork()
        if child == 0:
            starter(results, start, write)
        children.append(child)
    os.close(write)
    with os.fdopen(read) as reports:
        print(reports.read(), end="")
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
