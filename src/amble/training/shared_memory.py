"""Tensors that several processes see, and a lock between them that no dead process can keep."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from amble.errors import UsageError

_ALIGNMENT = 64
"""Bytes of a cache line: two tensors never share one."""


@dataclass(frozen=True)
class SharedTensors:
    """Tensors by name in one block of memory. It has no name in the file system, so nothing is left of it."""

    block: Any
    layout: dict[str, tuple[int, torch.Size, torch.dtype]]

    @staticmethod
    def of(context: BaseContext, tensors: Mapping[str, Tensor]) -> SharedTensors:
        """A block with copies of these tensors."""
        layout: dict[str, tuple[int, torch.Size, torch.dtype]] = {}
        size = 0
        for name, tensor in tensors.items():
            layout[name] = (size, tensor.shape, tensor.dtype)
            size += math.ceil(tensor.numel() * tensor.element_size() / _ALIGNMENT) * _ALIGNMENT
        shared = SharedTensors(context.RawArray("b", max(size, 1)), layout)
        for name, tensor in shared.tensors().items():
            tensor.copy_(tensors[name].detach())
        return shared

    def tensors(self) -> dict[str, Tensor]:
        """The tensors themselves: what is written to them, every process sees."""
        whole = torch.frombuffer(self.block, dtype=torch.uint8)
        return {
            name: whole[offset : offset + shape.numel() * dtype.itemsize].view(dtype).view(shape)
            for name, (offset, shape, dtype) in self.layout.items()
        }


class FileLock:
    """A lock between processes; the kernel opens it when its holder dies, however it dies.

    `multiprocessing`'s locks stay shut for good when their holder is killed. Each process makes its own from the path.

    Attributes:
        waited: seconds spent waiting for others since it was made.
    """

    def __init__(self, path: str):
        try:
            import fcntl
        except ModuleNotFoundError as missing:
            raise UsageError(
                "trainer a3c needs the file locks of Linux or macOS; take a2c or ppo."
            ) from missing
        self._lock = fcntl.flock
        self._shut, self._open = fcntl.LOCK_EX, fcntl.LOCK_UN
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.waited = 0.0

    @staticmethod
    def new_path() -> str:
        """An empty file to lock; whoever needs it last removes it."""
        handle, path = tempfile.mkstemp(prefix="amble-lock-")
        os.close(handle)
        return path

    @staticmethod
    def remove(path: str) -> None:
        """Remove the file, if nobody has."""
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()

    def __enter__(self) -> FileLock:
        start = time.perf_counter()
        self._lock(self._file, self._shut)
        self.waited += time.perf_counter() - start
        return self

    def __exit__(self, *error: object) -> None:
        self._lock(self._file, self._open)

    def close(self) -> None:
        """Give up the file."""
        os.close(self._file)
