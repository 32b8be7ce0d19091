from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message

from amble.unity.protocol import communicator_pb2 as _communicator_pb2

DESCRIPTOR: _descriptor.FileDescriptor

class DemonstrationMetaProto(_message.Message):
    __slots__ = ("api_version", "demonstration_name", "mean_reward", "number_episodes", "number_steps")
    API_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEMONSTRATION_NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_STEPS_FIELD_NUMBER: _ClassVar[int]
    NUMBER_EPISODES_FIELD_NUMBER: _ClassVar[int]
    MEAN_REWARD_FIELD_NUMBER: _ClassVar[int]
    api_version: int
    demonstration_name: str
    number_steps: int
    number_episodes: int
    mean_reward: float
    def __init__(
        self,
        api_version: int | None = ...,
        demonstration_name: str | None = ...,
        number_steps: int | None = ...,
        number_episodes: int | None = ...,
        mean_reward: float | None = ...,
    ) -> None: ...

class AgentInfoActionPairProto(_message.Message):
    __slots__ = ("action_info", "agent_info")
    AGENT_INFO_FIELD_NUMBER: _ClassVar[int]
    ACTION_INFO_FIELD_NUMBER: _ClassVar[int]
    agent_info: _communicator_pb2.AgentInfoProto
    action_info: _communicator_pb2.AgentActionProto
    def __init__(
        self,
        agent_info: _communicator_pb2.AgentInfoProto | _Mapping | None = ...,
        action_info: _communicator_pb2.AgentActionProto | _Mapping | None = ...,
    ) -> None: ...
