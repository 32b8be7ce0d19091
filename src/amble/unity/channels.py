"""Side channels: bytes beside the agents' records, for whoever has agreed on a channel's id.

A message's bytes are a row of [16 bytes id, as .NET writes a GUID][int32 length][payload], all little-endian. A
payload's texts are [int32 length][ASCII], its lists of numbers [int32 count][float32 …].
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from amble.unity.faults import BadMessage

ENGINE = UUID("e951342c-4f7e-11ea-b238-784f4387d1f7")
PARAMETERS = UUID("534c891e-810f-11ea-a9d0-822485860400")
STATISTICS = UUID("a1d8f7b7-cec8-50f9-b78b-d3e165a78520")
ANALYTICS = UUID("b664a4a9-d86f-5a5f-95cb-e8353a7e8356")
FLOATS = UUID("60ccf7d0-4f7e-11ea-b238-784f4387d1f7")

_HEAD = struct.Struct("<16si")
_INT, _FLOAT = struct.Struct("<i"), struct.Struct("<f")
_WAITING_MAX = 100_000
"""Messages kept for a reader who never comes."""


def pack(messages: Iterable[tuple[UUID, bytes]]) -> bytes:
    """The messages as one row of bytes."""
    return b"".join(_HEAD.pack(channel.bytes_le, len(payload)) + payload for channel, payload in messages)


def unpack(row: bytes) -> list[tuple[UUID, bytes]]:
    """The messages of such a row; BadMessage where it breaks off or a length is impossible."""
    messages, at = [], 0
    while at < len(row):
        if at + _HEAD.size > len(row):
            raise BadMessage(
                f"Side channels: {len(row) - at} bytes are left, expected a head of {_HEAD.size}."
            )
        name, length = _HEAD.unpack_from(row, at)
        at += _HEAD.size
        if not 0 <= length <= len(row) - at:
            raise BadMessage(
                f"Side channel {UUID(bytes_le=name)}: says it has {length} bytes, and {len(row) - at} are left."
            )
        messages.append((UUID(bytes_le=name), row[at : at + length]))
        at += length
    return messages


class Payload:
    """A payload, written value by value."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def __bytes__(self) -> bytes:
        """What was written so far."""
        return b"".join(self._parts)

    def int32(self, value: int) -> Payload:
        """Add a whole number."""
        self._parts.append(_INT.pack(value))
        return self

    def float32(self, value: float) -> Payload:
        """Add a number."""
        self._parts.append(_FLOAT.pack(value))
        return self

    def boolean(self, value: bool) -> Payload:
        """Add a truth value."""
        self._parts.append(b"\x01" if value else b"\x00")
        return self

    def text(self, value: str) -> Payload:
        """Add a text of ASCII; UnicodeEncodeError for any other."""
        letters = value.encode("ascii")
        return self._add(_INT.pack(len(letters)) + letters)

    def floats(self, values: Sequence[float]) -> Payload:
        """Add a list of numbers."""
        return self._add(struct.pack(f"<i{len(values)}f", len(values), *values))

    def _add(self, part: bytes) -> Payload:
        self._parts.append(part)
        return self


class Reader:
    """Reads a payload value by value; BadMessage where it is too short."""

    def __init__(self, payload: bytes, what: str = "a side channel's message"):
        self._payload, self._at, self._what = payload, 0, what

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._payload) - self._at

    def int32(self) -> int:
        """The next whole number."""
        return _INT.unpack(self._take(4))[0]

    def float32(self) -> float:
        """The next number."""
        return _FLOAT.unpack(self._take(4))[0]

    def boolean(self) -> bool:
        """The next truth value."""
        return self._take(1) != b"\x00"

    def text(self) -> str:
        """The next text; what is not ASCII becomes a question mark."""
        return self._take(self.int32()).decode("ascii", errors="replace")

    def floats(self) -> list[float]:
        """The next list of numbers."""
        count = self.int32()
        if count > self.left // 4:
            raise self._short(4 * count)
        return list(struct.unpack(f"<{max(count, 0)}f", self._take(4 * count)))

    def _take(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise self._short(count)
        self._at += count
        return self._payload[self._at - count : self._at]

    def _short(self, count: int) -> BadMessage:
        return BadMessage(f"{self._what}: expected {count} more bytes, and {self.left} are left.")


class SideChannel(ABC):
    """One channel: what is to be sent, and what to do with what comes.

    A channel of one's own is a subclass with an id that the Unity side has registered too.
    """

    def __init__(self, channel_id: UUID):
        self.channel_id = channel_id
        self._outgoing: list[bytes] = []

    def send(self, payload: Payload | bytes) -> None:
        """Send this with the next message."""
        self._outgoing.append(bytes(payload))

    def take_outgoing(self) -> list[bytes]:
        """What waits to be sent, which then waits no more."""
        waiting, self._outgoing = self._outgoing, []
        return waiting

    @abstractmethod
    def receive(self, payload: bytes) -> None:
        """A message has come."""


class Raw(SideChannel):
    """A channel without an opinion: keeps what comes until it is taken."""

    def __init__(self, channel_id: UUID):
        super().__init__(channel_id)
        self._received: list[bytes] = []

    def receive(self, payload: bytes) -> None:
        """Keep it."""
        if len(self._received) >= _WAITING_MAX:
            raise BadMessage(
                f"Side channel {self.channel_id}: {_WAITING_MAX} messages have come and nobody takes them."
            )
        self._received.append(payload)

    def take(self) -> list[bytes]:
        """What has come since the last time."""
        taken, self._received = self._received, []
        return taken


class _ToTheEnvironment(SideChannel):
    def receive(self, payload: bytes) -> None:
        """Refuse: nothing comes this way."""
        raise BadMessage(
            f"The environment sent {len(payload)} bytes on side channel {self.channel_id} "
            f"({type(self).__name__}), which only the trainer sends on."
        )


class Engine(IntEnum):
    """What an engine message sets."""

    RESOLUTION = 0
    QUALITY = 1
    TIME_SCALE = 2
    TARGET_FRAME_RATE = 3
    CAPTURE_FRAME_RATE = 4


class EngineChannel(_ToTheEnvironment):
    """Unity's window and clock."""

    def __init__(self) -> None:
        super().__init__(ENGINE)

    def set(
        self,
        *,
        width: int = 84,
        height: int = 84,
        quality_level: int = 5,
        time_scale: float = 20.0,
        target_frame_rate: int = -1,
        capture_frame_rate: int = 60,
    ) -> None:
        """Set everything; the defaults are ML-Agents'."""
        self.send(Payload().int32(Engine.RESOLUTION).int32(width).int32(height))
        self.send(Payload().int32(Engine.QUALITY).int32(quality_level))
        self.send(Payload().int32(Engine.TIME_SCALE).float32(time_scale))
        self.send(Payload().int32(Engine.TARGET_FRAME_RATE).int32(target_frame_rate))
        self.send(Payload().int32(Engine.CAPTURE_FRAME_RATE).int32(capture_frame_rate))


class Sampler(IntEnum):
    """How a sampled environment parameter is drawn, with its numbers: (min, max), (mean, deviation), intervals."""

    UNIFORM = 0
    GAUSSIAN = 1
    MULTI_RANGE_UNIFORM = 2


class ParameterChannel(_ToTheEnvironment):
    """Environment parameters: numbers by name, fixed or drawn by the environment itself."""

    def __init__(self) -> None:
        super().__init__(PARAMETERS)

    def set(self, name: str, value: float) -> None:
        """Set a parameter."""
        self.send(Payload().text(name).int32(0).float32(value))

    def set_sampler(self, name: str, sampler: Sampler, numbers: Sequence[float], seed: int) -> None:
        """Have the environment draw a parameter at the beginning of each episode."""
        payload = Payload().text(name).int32(1).int32(seed).int32(sampler)
        if sampler is Sampler.MULTI_RANGE_UNIFORM:
            payload.floats(numbers)
        else:
            first, second = numbers
            payload.float32(first).float32(second)
        self.send(payload)


class Aggregation(IntEnum):
    """What becomes of the values that an environment reports under one name."""

    AVERAGE = 0
    MOST_RECENT = 1
    SUM = 2
    HISTOGRAM = 3


class StatisticsChannel(SideChannel):
    """Figures that the environment reports, by name."""

    def __init__(self) -> None:
        super().__init__(STATISTICS)
        self._values: dict[str, list[tuple[float, Aggregation]]] = {}
        self._count = 0

    def report(self, name: str, value: float, aggregation: Aggregation = Aggregation.AVERAGE) -> None:
        """Of an environment: send a figure."""
        self.send(Payload().text(name).float32(value).int32(aggregation))

    def receive(self, payload: bytes) -> None:
        """Keep a figure."""
        reader = Reader(payload, "a statistic")
        name, value, kind = reader.text(), reader.float32(), reader.int32()
        if kind not in list(Aggregation):
            raise BadMessage(f"The statistic {name!r} has the aggregation {kind}; expected 0 to 3.")
        if self._count < _WAITING_MAX:
            self._values.setdefault(name, []).append((value, Aggregation(kind)))
            self._count += 1

    def take(self) -> dict[str, list[tuple[float, Aggregation]]]:
        """The figures since the last time."""
        taken, self._values, self._count = self._values, {}, 0
        return taken


class Channels:
    """The channels of one session; what comes on a channel that nobody has registered is handed to `unknown`."""

    def __init__(
        self, channels: Iterable[SideChannel], unknown: Callable[[UUID, bytes], None] = lambda *_: None
    ):
        self._channels: dict[UUID, SideChannel] = {}
        self._unknown = unknown
        for channel in channels:
            if channel.channel_id in self._channels:
                raise ValueError(f"two side channels have the id {channel.channel_id}")
            self._channels[channel.channel_id] = channel

    def outgoing(self) -> bytes:
        """What all channels have to send."""
        return pack(
            (channel.channel_id, payload)
            for channel in self._channels.values()
            for payload in channel.take_outgoing()
        )

    def incoming(self, row: bytes) -> None:
        """Hand out what has come."""
        for channel_id, payload in unpack(row) if row else ():
            channel = self._channels.get(channel_id)
            if channel is None:
                self._unknown(channel_id, payload)
            else:
                channel.receive(payload)


@dataclass(frozen=True)
class Setting:
    """An engine or environment parameter as an environment reads it."""

    name: str
    numbers: tuple[float, ...]
    sampler: Sampler | None = None
    seed: int = 0


_ENGINE_NUMBERS: dict[Engine, Callable[[Reader], tuple[float, ...]]] = {
    Engine.RESOLUTION: lambda reader: (reader.int32(), reader.int32()),
    Engine.QUALITY: lambda reader: (reader.int32(),),
    Engine.TIME_SCALE: lambda reader: (reader.float32(),),
    Engine.TARGET_FRAME_RATE: lambda reader: (reader.int32(),),
    Engine.CAPTURE_FRAME_RATE: lambda reader: (reader.int32(),),
}


def read_engine(payload: bytes) -> Setting:
    """What an engine message sets, by the name of `Engine` in lower case."""
    reader = Reader(payload, "an engine setting")
    kind = reader.int32()
    if kind not in list(Engine):
        raise BadMessage(f"An engine setting is of kind {kind}; expected 0 to {max(Engine)}.")
    return Setting(Engine(kind).name.lower(), _ENGINE_NUMBERS[Engine(kind)](reader))


def read_parameter(payload: bytes) -> Setting:
    """What an environment-parameter message sets."""
    reader = Reader(payload, "an environment parameter")
    name, kind = reader.text(), reader.int32()
    if kind == 0:
        return Setting(name, (reader.float32(),))
    if kind != 1:
        raise BadMessage(f"The environment parameter {name!r} is of kind {kind}; expected 0 or 1.")
    seed, sampler = reader.int32(), reader.int32()
    if sampler not in list(Sampler):
        raise BadMessage(f"The environment parameter {name!r} has the sampler {sampler}; expected 0 to 2.")
    if sampler == Sampler.MULTI_RANGE_UNIFORM:
        numbers = tuple(reader.floats())
        if not numbers or len(numbers) % 2:
            raise BadMessage(f"The environment parameter {name!r} has {len(numbers)} ends of intervals.")
    else:
        numbers = (reader.float32(), reader.float32())
    return Setting(name, numbers, Sampler(sampler), seed)
