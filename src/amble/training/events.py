"""TensorBoard event files, written without torch's or tensorboard's writers, which take seconds to import.

A file is a row of records:

    length (uint64) · masked CRC-32C of it · a serialised `Event` · masked CRC-32C of that
"""

import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

from amble.training.files import append, named_os_errors

# Their classes are made when they are imported, so the type checker sees none of them.
_event: Any = event_pb2
_summary: Any = summary_pb2
_tensor: Any = tensor_pb2


_BUCKETS = 30


class EventFile:
    """One `events.out.tfevents.…` file, appended to and flushed at each call."""

    def __init__(self, directory: Path, purge_from: int | None = None):
        """Starts a file in `directory`.

        Args:
            directory: of the run; it must exist.
            purge_from: TensorBoard is told to forget what earlier files of the directory hold from this env
                step on: where a run resumes from a checkpoint, its abandoned future.
        """
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{os.getpid()}"
        self._path = Path(directory) / name
        counter = 0
        while self._path.exists():  # TensorBoard reads the files of a directory in the order of their names
            counter += 1
            self._path = self._path.with_name(f"{name}.{counter}")
        with named_os_errors(self._path):
            self._stream = self._path.open("xb", buffering=0)
        self._write(_event.Event(file_version="brain.Event:2"))
        if purge_from is not None:
            start = _event.SessionLog(status=_event.SessionLog.START)
            self._write(_event.Event(step=purge_from, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one value per tag at `step` on the x axis."""
        summary = _summary.Summary(
            value=[_summary.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        self._write(_event.Event(step=step, summary=summary))

    def histogram(self, step: int, tag: str, values: Sequence[float]) -> None:
        """Writes how `values` are spread, in at most `_BUCKETS` buckets of equal width; nothing of no values."""
        if not values:
            return
        low, high = min(values), max(values)
        width = (high - low) / _BUCKETS
        buckets = [0.0] * (_BUCKETS if width > 0 else 1)
        for value in values:
            buckets[min(int((value - low) / width), len(buckets) - 1) if width > 0 else 0] += 1.0
        limits = [low + width * (index + 1) for index in range(len(buckets) - 1)]
        summary = _summary.HistogramProto(
            min=low,
            max=high,
            num=len(values),
            sum=sum(values),
            sum_squares=sum(value * value for value in values),
            bucket_limit=[*limits, high],
            bucket=buckets,
        )
        self._write(
            _event.Event(
                step=step, summary=_summary.Summary(value=[_summary.Summary.Value(tag=tag, histo=summary)])
            )
        )

    def text(self, tag: str, text: str) -> None:
        """Writes Markdown for TensorBoard's Text tab."""
        metadata = _summary.SummaryMetadata(
            plugin_data=_summary.SummaryMetadata.PluginData(plugin_name="text"),
            data_class=_summary.DATA_CLASS_TENSOR,
        )
        tensor = _tensor.TensorProto(dtype="DT_STRING", string_val=[text.encode()])
        value = _summary.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._write(_event.Event(summary=_summary.Summary(value=[value])))

    def close(self) -> None:
        """Closes the file; may be called again."""
        self._stream.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        with named_os_errors(self._path):
            append(self._stream, length + _checksum(length) + data + _checksum(data))


def _checksum(data: bytes) -> bytes:
    return struct.pack("<I", masked_crc32c(data))


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of `data`, rotated and shifted as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _castagnoli(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_castagnoli(byte) for byte in range(256)]
