"""ML-Agents' demonstration files (`.demo`): an agent's records and actions, one after the other.

| where | what |
|---|---|
| byte 0 | how long the summary is (one byte), and the summary: version, name, steps, episodes, mean return |
| byte 33 | the behaviour: its name and actions |
| from there on | a record a step: observations, reward, done, and the action taken on these observations |

All but the first byte's are messages behind their length, a varint. What follows the last step (Unity writes its
summary once more) is not read. The record of an episode's end has no action; rewards are those since the record
before, so a step's own reward stands in the next record.
Source: Unity ML-Agents, `Runtime/Demonstrations/DemonstrationWriter.cs`, `mlagents/trainers/demo_loader.py`.
Axes: n records, A continuous actions, D branches, C choices of all branches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Int32

from amble.errors import AmbleError, UsageError
from amble.unity.faults import UnityFault
from amble.unity.protocol import missing
from amble.unity.spec import BehaviorSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

try:
    from google.protobuf.message import DecodeError, Message

    from amble.unity.decode import Decoder, action_spec, actions, observation_specs
    from amble.unity.encode import Encoder, brain_parameters, write_actions
    from amble.unity.protocol.communicator_pb2 import (
        BrainParametersProto,
        UnityRLInputProto,
        UnityRLOutputProto,
    )
    from amble.unity.protocol.demonstration_pb2 import AgentInfoActionPairProto, DemonstrationMetaProto
except ImportError as error:
    missing(error)

VERSION = 1
_VERSIONS = (0, 1)
_SUMMARY_BYTES = 32
_BEHAVIOR_AT = _SUMMARY_BYTES + 1
_NAME_MAX = 16
_VARINT_BYTES_MAX = 5
_M = TypeVar("_M", bound=Message)


class BadDemonstration(AmbleError):
    """A file that is no demonstration, or not a whole one."""


@dataclass(frozen=True)
class Demonstration:
    """What one agent saw, did and was paid, one record after the other."""

    name: str
    behavior: str
    spec: BehaviorSpec
    observations: tuple[Float32[np.ndarray, "n ..."], ...]
    reward: Float32[np.ndarray, "n"]
    """Since the record before."""
    done: Bool[np.ndarray, "n"]
    """The episode ended, and this is its last observation."""
    interrupted: Bool[np.ndarray, "n"]
    """It was cut off by a limit of steps."""
    continuous: Float32[np.ndarray, "n A"]
    """Taken on these observations; zeros where done."""
    discrete: Int32[np.ndarray, "n D"]
    allowed: Bool[np.ndarray, "n C"]
    """Which choices could be taken."""

    def __len__(self) -> int:
        """How many records."""
        return len(self.reward)


def read(path: Path) -> Demonstration:
    """The demonstration in a file.

    Raises:
        BadDemonstration: it cannot be read, is none, is cut short, or has another version, with the byte where.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BadDemonstration(f"{path}: cannot be read ({error.strerror}).") from error
    return decode(data, str(path))


def read_all(path: Path) -> list[Demonstration]:
    """The demonstration in a file, or those in a folder in the order of their names, all of one behaviour.

    Raises:
        UsageError: the folder holds no `.demo`, or the agents of two of them observe or do different things.
        BadDemonstration: as `read`.
    """
    path = Path(path)
    files = sorted(path.glob("*.demo")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path}: there is no .demo file in this folder.")
    found = [read(file) for file in files]
    for file, one in zip(files, found, strict=True):
        if _kind(one.spec) != _kind(found[0].spec):
            raise UsageError(
                f"{file}: its agent observes {_kind(one.spec)[0]} and takes {one.spec.actions}, that of {files[0]} "
                f"{_kind(found[0].spec)[0]} and {found[0].spec.actions}; one policy cannot learn from both."
            )
    return found


def decode(data: bytes, where: str) -> Demonstration:
    """The demonstration in the bytes of a file; `where` is for messages."""
    if len(data) < _BEHAVIOR_AT or not 1 <= data[0] <= _SUMMARY_BYTES:
        raise BadDemonstration(
            f"{where}: no demonstration of ML-Agents: expected its summary's length, 1 to {_SUMMARY_BYTES}, in the "
            f"first byte of {_BEHAVIOR_AT} or more, got {f'{data[0]} of {len(data)}' if data else 'an empty file'}."
        )
    summary = _parse(DemonstrationMetaProto, data[1 : 1 + data[0]], where, 1)
    if summary.api_version not in _VERSIONS:
        raise BadDemonstration(
            f"{where}: a demonstration of version {summary.api_version}; versions "
            f"{', '.join(map(str, _VERSIONS))} are read."
        )
    if summary.number_steps < 1:
        raise BadDemonstration(
            f"{where}: its summary counts {summary.number_steps} steps: the recording was not closed, or is empty."
        )
    messages = _delimited(data, _BEHAVIOR_AT, where)
    first = next(messages, None)
    if first is None:
        raise BadDemonstration(f"{where}: there is no behaviour in it: it is cut short.")
    brain = _parse(BrainParametersProto, *first)
    pairs: list[AgentInfoActionPairProto] = []
    for message in messages:
        pairs.append(_parse(AgentInfoActionPairProto, *message))
        if len(pairs) == summary.number_steps:
            break
    if len(pairs) < summary.number_steps:
        raise BadDemonstration(
            f"{where}: its summary counts {summary.number_steps} steps, but it ends after {len(pairs)}: "
            "it is cut short."
        )
    try:
        return _arrays(summary.demonstration_name, brain, pairs)
    except UnityFault as fault:
        raise BadDemonstration(f"{where}: {fault}") from fault


def encode(demonstration: Demonstration) -> bytes:
    """The bytes of a demonstration file, as Unity's recorder and ML-Agents' loader have them.

    Raises:
        UsageError: there is no record in it.
    """
    one = demonstration
    if not len(one):
        raise UsageError("A demonstration without a record cannot be written.")
    episodes = int(one.done.sum()) + (not one.done[-1])
    summary = DemonstrationMetaProto(
        api_version=VERSION,
        number_steps=len(one),
        number_episodes=episodes,
        mean_reward=float(one.reward.sum()) / episodes,
    )
    name = re.sub("[^a-zA-Z0-9 -]", "", one.name)[:_NAME_MAX]
    while summary.ByteSize() + len(name) + 2 > _SUMMARY_BYTES:  # long recordings leave a shorter name
        name = name[:-1]
    summary.demonstration_name = name
    brain = brain_parameters(one.behavior, one.spec.actions)
    brain.is_training = False
    head = _with_length(summary)
    return b"".join([head.ljust(_BEHAVIOR_AT, b"\0"), _with_length(brain), *map(_with_length, _pairs(one))])


def _kind(spec: BehaviorSpec) -> tuple[list[tuple[int, ...]], str]:
    return [observation.shape for observation in spec.observations], str(spec.actions)


def _arrays(name: str, brain: BrainParametersProto, pairs: list[AgentInfoActionPairProto]) -> Demonstration:
    behavior = brain.brain_name
    spec = BehaviorSpec(observation_specs(pairs[0].agent_info, behavior), action_spec(brain))
    decoder, n = Decoder(behavior, spec), len(pairs)
    frames = [decoder.frame([pair.agent_info]) for pair in pairs]
    done = np.array([pair.agent_info.done for pair in pairs], np.bool_)
    records = [
        frame.terminals if ended else frame.decisions for frame, ended in zip(frames, done, strict=True)
    ]
    taken = [
        actions(behavior, spec.actions, 1, [] if ended else [pair.action_info])
        for pair, ended in zip(pairs, done, strict=True)
    ]
    allowed = np.ones((n, spec.actions.choices), np.bool_)
    for row, frame in zip(allowed, frames, strict=True):
        if frame.decisions.allowed is not None:
            row[:] = frame.decisions.allowed[0]
    return Demonstration(
        name=name,
        behavior=behavior,
        spec=spec,
        observations=tuple(
            np.concatenate([record.observations[i] for record in records])
            for i in range(len(spec.observations))
        ),
        reward=np.concatenate([record.reward for record in records]),
        done=done,
        interrupted=np.array([pair.agent_info.max_step_reached for pair in pairs], np.bool_),
        continuous=np.concatenate([each.continuous for each in taken if each.continuous is not None]),
        discrete=np.concatenate([each.discrete for each in taken if each.discrete is not None]),
        allowed=allowed,
    )


def _pairs(one: Demonstration) -> Iterator[AgentInfoActionPairProto]:
    encoder = Encoder(one.spec)
    records, values = UnityRLOutputProto.ListAgentInfoProto(), UnityRLInputProto.ListAgentActionProto()
    nobody = np.zeros(0, np.int64)
    none = tuple(observation[:0] for observation in one.observations)
    for t in range(len(one)):
        row = slice(t, t + 1)
        shown = tuple(observation[row] for observation in one.observations)
        agent = (np.zeros(1, np.int64), shown, one.reward[row])
        if one.done[t]:
            frame = Frame(Decisions(nobody, none, one.reward[:0]), Terminals(*agent, one.interrupted[row]))
        else:
            frame = Frame(Decisions(*agent, one.allowed[row]), Terminals(nobody, none, one.reward[:0]))
        encoder.write(frame, records.value)
        write_actions(Actions(one.continuous[row], one.discrete[row]), values.value)
        yield AgentInfoActionPairProto(agent_info=records.value[0], action_info=values.value[0])


def _delimited(data: bytes, at: int, where: str) -> Iterator[tuple[bytes, str, int]]:
    """The messages from byte `at` on, each behind its length, with `where` and the byte where each begins."""
    while at < len(data):
        length, begin = _varint(data, at, where)
        if begin + length > len(data):
            raise BadDemonstration(
                f"{where}: the message at byte {at} should be {length} bytes long, but {len(data) - begin} are left: "
                "the file is cut short."
            )
        yield data[begin : begin + length], where, at
        at = begin + length


def _varint(data: bytes, at: int, where: str) -> tuple[int, int]:
    """The number at byte `at`, seven bits a byte with the lowest first, and the byte behind it."""
    number = 0
    for place, byte in enumerate(data[at : at + _VARINT_BYTES_MAX]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise BadDemonstration(f"{where}: there is no length at byte {at}: the file is cut short or damaged.")


def _with_length(message: Message) -> bytes:
    data = message.SerializeToString()
    length, octets = len(data), bytearray()
    while length >= 0x80:
        octets.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*octets, length]) + data


def _parse(kind: type[_M], data: bytes, where: str, at: int) -> _M:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as broken:
        raise BadDemonstration(
            f"{where}: the {len(data)} bytes at byte {at} are no {kind.DESCRIPTOR.name} ({broken}): "
            "this is no demonstration, or a damaged one."
        ) from broken
    return message
