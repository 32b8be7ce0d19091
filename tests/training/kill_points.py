"""Saves in forked children that are killed at their 1st, 2nd, 3rd … file operation; prints what then loads.

Run as `python kill_points.py DIRECTORY CASE`, where CASE is `newer`, `same` or `policy`.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import torch

from amble.training.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from amble.training.policy_files import read_policy, write_policy

os.fsync = lambda handle: None  # slow, and of no account to a kill: the system keeps what was written
OPERATIONS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")


def save(directory, case, number):
    tensors = {"w": torch.full((3,), float(number))}
    if case == "policy":
        write_policy(directory / "policy", tensors, {"number": number})
    else:
        save_checkpoint(
            directory, 10 * number if case == "newer" else 10, tensors, {"number": number}, keep=1
        )


def load(directory, case):
    if case == "policy":
        tensors, state = read_policy(directory / "policy")
    else:
        tensors, state = load_checkpoint(latest_checkpoint(directory))
    assert tensors["w"].tolist() == [state["number"]] * 3
    return state["number"]


def kill_at(count):
    left = [count]

    def wrap(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(os, name, wrap(getattr(os, name)))


def main(root, case):
    for count in range(1, 1000):
        directory = root / str(count)
        directory.mkdir()
        save(directory, case, 1)
        child = os.fork()
        if child == 0:
            kill_at(count)
            save(directory, case, 2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        first = load(directory, case)
        save(directory, case, 3)  # what the kill left behind must not stand in the way
        left = [name for name in os.listdir(directory) if name.startswith(".tmp-") and case != "policy"]
        print(count, "finished" if status == 0 else "killed", first, load(directory, case), len(left))
        shutil.rmtree(directory)
        if status == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
