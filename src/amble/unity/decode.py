"""Records of agents into arrays, one pass a message. Axes: n agents of one behaviour in one message."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from amble.unity import png
from amble.unity.faults import BadMessage, NotFinite, SpacesChanged
from amble.unity.protocol import MESSAGE_BYTES_MAX
from amble.unity.protocol.communicator_pb2 import (
    AgentInfoProto,
    BrainParametersProto,
    CompressionTypeProto,
    ObservationProto,
    SpaceTypeProto,
    UnityMessageProto,
)
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

_NUMBERS_MAX = 2**24
"""Of one observation, or choices of one action."""
_FIXED32 = 5  # the wire type of a float that stands alone


def parse(data: bytes, whose: str) -> UnityMessageProto:
    """The message in `data`; BadMessage if it is none."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise BadMessage(f"{whose} sent {len(data)} bytes in one message; {MESSAGE_BYTES_MAX} is the most.")
    try:
        return UnityMessageProto.FromString(data)
    except DecodeError as broken:
        raise BadMessage(
            f"{whose} sent {len(data)} bytes that are no message of ML-Agents ({broken})."
        ) from broken


def floats(packed: bytes, message: Message, number: int) -> bytes:
    """The octets of a field of floats, also if the sender did not pack them."""
    if packed or not message.ByteSize():
        return packed
    lone = [
        field.data.to_bytes(4, "little")
        for field in UnknownFieldSet(message)
        if field.field_number == number and field.wire_type == _FIXED32
    ]
    return b"".join(lone)


def action_spec(brain: BrainParametersProto) -> ActionSpec:
    """What a behaviour's agents do, also as packages before 2.0 say it."""
    if brain.HasField("action_spec"):
        spec = brain.action_spec
        continuous, branches = spec.num_continuous_actions, tuple(spec.discrete_branch_sizes)
        if spec.num_discrete_actions != len(branches):
            raise BadMessage(
                f"Behaviour {brain.brain_name!r} has {spec.num_discrete_actions} discrete actions, and sizes for "
                f"{len(branches)}."
            )
    elif brain.vector_action_space_type_deprecated == SpaceTypeProto.continuous:
        continuous, branches = sum(brain.vector_action_size_deprecated[:1]), ()
    else:
        continuous, branches = 0, tuple(brain.vector_action_size_deprecated)
    if (
        not 0 <= continuous <= _NUMBERS_MAX
        or any(size < 1 for size in branches)
        or sum(branches) > _NUMBERS_MAX
    ):
        raise BadMessage(
            f"Behaviour {brain.brain_name!r} has {continuous} continuous actions and branches of "
            f"{list(branches)[:20]} choices; expected 0 or more, and 1 or more each."
        )
    return ActionSpec(continuous, branches)


def observation_specs(agent: AgentInfoProto, behavior: str) -> tuple[ObservationSpec, ...]:
    """What a behaviour's agents observe, by the first record of one."""
    specs = []
    for index, observation in enumerate(agent.observations):
        shape = tuple(observation.shape)
        if not shape or min(shape) < 1 or math.prod(shape) > _NUMBERS_MAX:
            raise BadMessage(
                f"Behaviour {behavior!r}: observation {index} ({observation.name!r}) has the shape {list(shape)}; "
                f"expected sizes of 1 or more, and {_NUMBERS_MAX} numbers at most."
            )
        properties = tuple(observation.dimension_properties)
        specs.append(ObservationSpec(shape, observation.name, properties, observation.observation_type))
    return tuple(specs)


class Decoder:
    """Reads the records of one behaviour, which stay as its first was."""

    def __init__(self, behavior: str, spec: BehaviorSpec):
        self.behavior, self.spec = behavior, spec

    def frame(self, records: Sequence[AgentInfoProto]) -> Frame:
        """The records of one message."""
        asking = [record for record in records if not record.done]
        ended = [record for record in records if record.done]
        return Frame(
            Decisions(*self._of_all(asking), self._allowed(asking)),
            Terminals(
                *self._of_all(ended), np.array([record.max_step_reached for record in ended], np.bool_)
            ),
        )

    def _of_all(self, agents: list[AgentInfoProto]) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
        ids = np.array([agent.id for agent in agents], np.int64)
        if len(set(ids.tolist())) < len(ids):
            values, counts = np.unique(ids, return_counts=True)
            raise BadMessage(
                f"Behaviour {self.behavior!r}: agent {values[counts > 1][0]} has two records of one kind in a message."
            )
        reward = np.array([agent.reward + agent.group_reward for agent in agents], np.float32)
        if not np.isfinite(reward).all():
            self._not_finite("reward", ids, reward)
        return ids, self._observations(agents, ids), reward

    def _observations(self, agents: list[AgentInfoProto], ids: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = [agent.observations for agent in agents]
        count = len(self.spec.observations)
        for agent_id, row in zip(ids, rows, strict=True):
            if len(row) != count:
                raise SpacesChanged(
                    f"Behaviour {self.behavior!r}: agent {agent_id} has {len(row)} observations; expected {count}, "
                    "as the behaviour's first agent had."
                )
        return tuple(
            self._observation(index, spec, [row[index] for row in rows], ids)
            for index, spec in enumerate(self.spec.observations)
        )

    def _observation(
        self, index: int, spec: ObservationSpec, parts: list[ObservationProto], ids: np.ndarray
    ) -> np.ndarray:
        size = 4 * spec.size
        chunks = [part.float_data.data for part in parts]
        # A list of numbers is what its length says; asking every part for its shape takes as long as all the rest
        if len(spec.shape) > 1 or any(len(chunk) != size for chunk in chunks):
            self._check_shapes(index, spec, parts, ids)
            if any(part.compression_type != CompressionTypeProto.NONE for part in parts):
                pictures = [self._picture(spec, part) for part in parts]
                return np.array(pictures, np.float32).reshape(len(parts), *spec.shape)
            chunks = [
                self._numbers(index, spec, part, agent_id)
                for part, agent_id in zip(parts, ids.tolist(), strict=True)
            ]
        # A bytearray, so that the array can be written to
        array = np.frombuffer(bytearray().join(chunks), "<f4").reshape(len(parts), *spec.shape)
        if not np.isfinite(array).all():
            self._not_finite(f"observation {index} ({spec.name!r})", ids, array)
        return array

    def _check_shapes(
        self, index: int, spec: ObservationSpec, parts: list[ObservationProto], ids: np.ndarray
    ) -> None:
        for agent_id, part in zip(ids, parts, strict=True):
            if tuple(part.shape) != spec.shape:
                raise SpacesChanged(
                    f"Behaviour {self.behavior!r}: observation {index} ({spec.name!r}) of agent {agent_id} has the "
                    f"shape {list(part.shape)}; it was {list(spec.shape)} before."
                )

    def _numbers(self, index: int, spec: ObservationSpec, part: ObservationProto, agent_id: int) -> bytes:
        chunk = floats(part.float_data.data, part.float_data, 1)
        if len(chunk) != 4 * spec.size:
            raise BadMessage(
                f"Behaviour {self.behavior!r}: observation {index} ({spec.name!r}) of agent {agent_id} holds "
                f"{len(chunk)} bytes; its shape {list(spec.shape)} needs {4 * spec.size}."
            )
        return chunk

    def _picture(self, spec: ObservationSpec, part: ObservationProto) -> np.ndarray:
        if part.compression_type != CompressionTypeProto.PNG or len(spec.shape) != 3:
            raise BadMessage(
                f"Behaviour {self.behavior!r}: {spec.name!r} of shape {list(spec.shape)} is compressed in a way "
                f"({part.compression_type}) that is not known."
            )
        height, width, channels = spec.height_width_channels
        image = png.decompress(part.compressed_data, height, width, channels, part.compressed_channel_mapping)
        return np.moveaxis(image, 2, 0) if spec.channels_first else image

    def _allowed(self, agents: list[AgentInfoProto]) -> np.ndarray | None:
        masks = [agent.action_mask for agent in agents]
        if not any(len(mask) for mask in masks):
            return None
        choices = self.spec.actions.choices
        allowed = np.ones((len(agents), choices), np.bool_)
        for row, agent, mask in zip(allowed, agents, masks, strict=True):
            if len(mask) not in (0, choices):
                raise SpacesChanged(
                    f"Behaviour {self.behavior!r}: agent {agent.id} masks {len(mask)} choices; its branches "
                    f"{list(self.spec.actions.branches)} have {choices}."
                )
            if len(mask):
                np.logical_not(mask, out=row)
        return allowed

    def _not_finite(self, what: str, ids: np.ndarray, array: np.ndarray) -> None:
        bad = ~np.isfinite(array.reshape(len(ids), -1)).all(axis=1)
        raise NotFinite(
            f"Behaviour {self.behavior!r}: {what} of agent {ids[bad][0]} is not finite "
            f"({int(bad.sum())} of {len(ids)} agents). Look for a division by zero in the environment."
        )


def actions(behavior: str, spec: ActionSpec, count: int, given: Sequence[Any]) -> Actions:
    """What a trainer sent for the `count` agents that asked; zeros where it sent nothing."""
    if not given:
        return Actions(
            np.zeros((count, spec.continuous), np.float32), np.zeros((count, len(spec.branches)), np.int32)
        )
    if len(given) != count:
        raise BadMessage(f"Behaviour {behavior!r}: {len(given)} actions came for {count} agents that asked.")
    continuous = np.zeros((count, spec.continuous), np.float32)
    if spec.continuous:
        chunks = [
            floats(one.continuous_actions, one, 6) or floats(one.vector_actions_deprecated, one, 1)
            for one in given
        ]
        if wrong := [len(chunk) for chunk in chunks if len(chunk) != 4 * spec.continuous]:
            raise BadMessage(
                f"Behaviour {behavior!r}: an agent's continuous actions hold {wrong[0]} bytes; "
                f"{spec.continuous} numbers need {4 * spec.continuous}."
            )
        continuous = np.frombuffer(bytearray().join(chunks), "<f4").reshape(count, spec.continuous)
        if not np.isfinite(continuous).all():
            raise NotFinite(
                f"Behaviour {behavior!r}: the trainer sent actions that are not finite; it has diverged."
            )
    discrete = np.zeros((count, len(spec.branches)), np.int32)
    for row, one in zip(discrete, given, strict=True):
        if not spec.branches:
            break
        choices = list(one.discrete_actions)
        if not choices and not spec.continuous:  # as trainers before 0.24 send them
            choices = np.frombuffer(floats(one.vector_actions_deprecated, one, 1), "<f4").astype(int).tolist()
        if len(choices) != len(spec.branches) or any(
            not 0 <= choice < size for choice, size in zip(choices, spec.branches, strict=True)
        ):
            raise BadMessage(
                f"Behaviour {behavior!r}: an agent's choices are {choices[:20]}; its branches are "
                f"{list(spec.branches)}."
            )
        row[:] = choices
    return Actions(continuous, discrete)
