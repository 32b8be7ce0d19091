"""Tensors that other processes see, and a lock that none of them can keep beyond its death."""

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from amble.training.shared_memory import FileLock, SharedTensors

CONTEXT = multiprocessing.get_context("forkserver")


def a_block() -> SharedTensors:
    return SharedTensors.of(
        CONTEXT,
        {
            "matrix": torch.arange(6.0).view(2, 3),
            "number": torch.tensor(7, dtype=torch.int64),
            "moments": torch.ones(3, dtype=torch.float64),
            "nothing": torch.zeros(0),
        },
    )


class TestSharedTensors:
    def test_they_are_copies_of_what_was_given(self) -> None:
        tensors = a_block().tensors()
        assert torch.equal(tensors["matrix"], torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))
        assert (int(tensors["number"]), tensors["number"].dtype, tensors["number"].shape) == (
            7,
            torch.int64,
            (),
        )
        assert tensors["moments"].dtype == torch.float64
        assert tensors["nothing"].shape == (0,)

    def test_what_one_writes_is_what_another_reads_and_nobody_else_moves(self) -> None:
        block = a_block()
        one, other = block.tensors(), block.tensors()
        one["matrix"][1] = 9.0
        assert other["matrix"].tolist() == [[0, 1, 2], [9, 9, 9]]
        assert int(other["number"]) == 7
        assert other["moments"].tolist() == [1, 1, 1]

    def test_no_two_share_a_cache_line(self) -> None:
        places = sorted(offset for offset, _, _ in a_block().layout.values())
        assert all(place % 64 == 0 for place in places)


def add(block: SharedTensors, path: str, pipe: Connection, times: int) -> None:
    """Read, dawdle, write back: additions are lost unless the lock keeps others out meanwhile."""
    number, lock = block.tensors()["number"], FileLock(path)
    pipe.send("ready")
    pipe.recv()
    for _ in range(times):
        with lock:
            read = int(number)
            time.sleep(1e-4)
            number.fill_(read + 1)
    pipe.send(lock.waited)


def hold(path: str, pipe: Connection) -> None:
    with FileLock(path):
        pipe.send("held")
        signal.pause()


class TestFileLock:
    @pytest.fixture
    def path(self) -> str:
        return FileLock.new_path()

    @pytest.fixture(autouse=True)
    def removed(self, path: str):
        yield
        FileLock.remove(path)

    def test_only_one_process_is_within(self, path: str) -> None:
        block, pipes = a_block(), []
        for _ in range(2):
            here, there = CONTEXT.Pipe()
            CONTEXT.Process(target=add, args=(block, path, there, 100), daemon=True).start()
            pipes.append(here)
        for pipe in pipes:
            assert pipe.recv() == "ready"
        for pipe in pipes:
            pipe.send("go")
        waited = [pipe.recv() for pipe in pipes]
        assert int(block.tensors()["number"]) == 7 + 200
        assert max(waited) > 1e-4

    def test_a_holder_that_is_killed_opens_it(self, path: str) -> None:
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=hold, args=(path, there), daemon=True)
        process.start()
        assert here.recv() == "held"
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)  # it holds on for a while
        lock, start = FileLock(path), time.perf_counter()
        os.kill(process.pid, signal.SIGKILL)
        with lock:
            assert time.perf_counter() - start < 5
        process.join()
        lock.close()

    def test_it_can_be_taken_again_after_an_error_within(self, path: str) -> None:
        one, other = FileLock(path), FileLock(path)
        with pytest.raises(ZeroDivisionError), one:
            raise ZeroDivisionError
        with other:
            pass
        assert other.waited < 1
        one.close()
        other.close()

    def test_its_file_is_empty_and_goes(self, path: str) -> None:
        assert Path(path).stat().st_size == 0
        FileLock.remove(path)
        assert not Path(path).exists()
        FileLock.remove(path)  # nobody minds
