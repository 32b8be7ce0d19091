"""TensorBoard event files, written without importing torch's or tensorboard's writers (seconds, and a thread).

A file is a row of records: length (uint64) · masked CRC-32C of it · a serialised `Event` · masked CRC-32C of that.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2

from amble.training.files import named_os_errors


class EventFile:
    """One `events.out.tfevents.…` file, appended to and flushed at each call."""

    def __init__(self, directory: Path, purge_from: int | None = None):
        """Starts a file in `directory`.

        Args:
            directory: of the run; it must exist.
            purge_from: TensorBoard is told to forget what earlier files of the directory hold from this env step
                on: where a run resumes from a checkpoint, its abandoned future.
        """
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{os.getpid()}"
        self._path = Path(directory) / name
        counter = 0
        while self._path.exists():  # TensorBoard reads the files of a directory in the order of their names
            counter += 1
            self._path = self._path.with_name(f"{name}.{counter}")
        with named_os_errors(self._path):
            self._stream = self._path.open("xb")
        self._write(event_pb2.Event(file_version="brain.Event:2"))
        if purge_from is not None:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(event_pb2.Event(step=purge_from, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one value per tag at `step` on the x axis."""
        summary = summary_pb2.Summary(
            value=[summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        self._write(event_pb2.Event(step=step, summary=summary))

    def text(self, tag: str, text: str) -> None:
        """Writes Markdown for TensorBoard's Text tab."""
        metadata = summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"),
            data_class=summary_pb2.DATA_CLASS_TENSOR,
        )
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[text.encode()])
        value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._write(event_pb2.Event(summary=summary_pb2.Summary(value=[value])))

    def close(self) -> None:
        """Closes the file; may be called again."""
        self._stream.close()

    def _write(self, event: event_pb2.Event) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        with named_os_errors(self._path):
            self._stream.write(
                length
                + struct.pack("<I", masked_crc32c(length))
                + data
                + struct.pack("<I", masked_crc32c(data))
            )
            self._stream.flush()


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
