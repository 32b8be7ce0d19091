"""Arrays into records of agents and into their actions. Axes: n agents of one behaviour in one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from amble.unity import png
from amble.unity.protocol.communicator_pb2 import (
    AgentActionProto,
    AgentInfoProto,
    BrainParametersProto,
    CompressionTypeProto,
    UnityRLCapabilitiesProto,
)
from amble.unity.spec import ActionSpec, BehaviorSpec
from amble.unity.steps import Actions, Agents, Frame


def capabilities() -> UnityRLCapabilitiesProto:
    """Everything there is: we have all of it."""
    return UnityRLCapabilitiesProto(**dict.fromkeys(UnityRLCapabilitiesProto.DESCRIPTOR.fields_by_name, True))


def brain_parameters(behavior: str, spec: ActionSpec) -> BrainParametersProto:
    """What a behaviour's agents do."""
    brain = BrainParametersProto(brain_name=behavior, is_training=True)
    brain.action_spec.num_continuous_actions = spec.continuous
    brain.action_spec.num_discrete_actions = len(spec.branches)
    brain.action_spec.discrete_branch_sizes.extend(spec.branches)
    return brain


class Encoder:
    """Writes the records of one behaviour into a message that is used again and again."""

    def __init__(self, spec: BehaviorSpec):
        """Observations of uint8 are pictures, sent as PNG; all others are sent as float32."""
        self._spec = spec
        self._ended = 0
        self._template = AgentInfoProto()
        for observation in spec.observations:
            self._template.observations.add(
                shape=observation.shape,
                name=observation.name,
                dimension_properties=observation.properties,
                observation_type=observation.kind,  # type: ignore[arg-type]  # enums are numbers here
            )

    def write(self, frame: Frame, records: Any) -> None:
        """Write a frame over the records (a repeated field) of the last: the ends of episodes, then who asks."""
        count = len(frame.terminals) + len(frame.decisions)
        del records[count:]
        while len(records) < count:
            records.add().CopyFrom(self._template)
        ended, asking = list(records[: len(frame.terminals)]), list(records[len(frame.terminals) :])
        self._fill(ended, frame.terminals)
        self._fill(asking, frame.decisions)
        for record, interrupted in zip(ended, frame.terminals.interrupted.tolist(), strict=True):
            record.done, record.max_step_reached = True, interrupted
        for record in asking[: self._ended]:  # others were of agents that asked the last time too
            record.done = record.max_step_reached = False
        self._ended = len(frame.terminals)
        if self._spec.actions.branches:
            allowed = frame.decisions.allowed
            for record in records:
                del record.action_mask[:]
            for row, record in enumerate(asking if allowed is not None else ()):
                record.action_mask.extend((~allowed[row]).tolist())  # type: ignore[index]

    def _fill(self, records: list[AgentInfoProto], agents: Agents) -> None:
        ids, rewards = agents.agent_id.tolist(), agents.reward.tolist()
        for record, agent_id, reward in zip(records, ids, rewards, strict=True):
            record.id, record.reward = agent_id, reward
        for index, array in enumerate(agents.observations):
            if array.dtype == np.uint8:
                self._pictures(records, index, array)
                continue
            row = np.ascontiguousarray(array, "<f4").tobytes()
            width = 4 * self._spec.observations[index].size
            for at, record in enumerate(records):
                record.observations[index].float_data.data = row[at * width : (at + 1) * width]

    def _pictures(self, records: list[AgentInfoProto], index: int, images: np.ndarray) -> None:
        spec = self._spec.observations[index]
        mapping = png.channel_mapping(spec.height_width_channels[2])
        for record, image in zip(records, images, strict=True):
            part = record.observations[index]
            part.compression_type = CompressionTypeProto.PNG
            part.compressed_data = png.compress(np.moveaxis(image, 0, 2) if spec.channels_first else image)
            part.compressed_channel_mapping[:] = mapping


def write_actions(actions: Actions, values: Any) -> None:
    """Write agents' actions into a repeated field, in both forms that packages read."""
    rows = _rows(actions.continuous)
    choices = None if actions.discrete is None else actions.discrete.tolist()
    old = _rows(
        actions.discrete if actions.continuous is None or not actions.continuous.size else actions.continuous
    )
    count = max(len(rows or ()), len(choices or ()))
    del values[count:]
    while len(values) < count:
        values.add()
    for at, value in enumerate(values):
        one: AgentActionProto = value
        if rows:
            one.continuous_actions = rows[at]
        if choices:
            one.discrete_actions[:] = choices[at]
        if old:
            one.vector_actions_deprecated = old[at]


def _rows(array: np.ndarray | None) -> Sequence[bytes] | None:
    if array is None or not array.size:
        return None
    row = np.ascontiguousarray(array, "<f4").tobytes()
    width = len(row) // len(array)
    return [row[at : at + width] for at in range(0, len(row), width)]
