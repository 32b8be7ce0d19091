from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper

DESCRIPTOR: _descriptor.FileDescriptor

class SpaceTypeProto(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    discrete: _ClassVar[SpaceTypeProto]
    continuous: _ClassVar[SpaceTypeProto]

class CompressionTypeProto(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NONE: _ClassVar[CompressionTypeProto]
    PNG: _ClassVar[CompressionTypeProto]

class ObservationTypeProto(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFAULT: _ClassVar[ObservationTypeProto]
    GOAL_SIGNAL: _ClassVar[ObservationTypeProto]

class CommandProto(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP: _ClassVar[CommandProto]
    RESET: _ClassVar[CommandProto]
    QUIT: _ClassVar[CommandProto]

discrete: SpaceTypeProto
continuous: SpaceTypeProto
NONE: CompressionTypeProto
PNG: CompressionTypeProto
DEFAULT: ObservationTypeProto
GOAL_SIGNAL: ObservationTypeProto
STEP: CommandProto
RESET: CommandProto
QUIT: CommandProto

class UnityMessageProto(_message.Message):
    __slots__ = ("header", "unity_input", "unity_output")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    UNITY_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    UNITY_INPUT_FIELD_NUMBER: _ClassVar[int]
    header: HeaderProto
    unity_output: UnityOutputProto
    unity_input: UnityInputProto
    def __init__(
        self,
        header: HeaderProto | _Mapping | None = ...,
        unity_output: UnityOutputProto | _Mapping | None = ...,
        unity_input: UnityInputProto | _Mapping | None = ...,
    ) -> None: ...

class HeaderProto(_message.Message):
    __slots__ = ("message", "status")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    status: int
    message: str
    def __init__(self, status: int | None = ..., message: str | None = ...) -> None: ...

class UnityOutputProto(_message.Message):
    __slots__ = ("rl_initialization_output", "rl_output")
    RL_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RL_INITIALIZATION_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    rl_output: UnityRLOutputProto
    rl_initialization_output: UnityRLInitializationOutputProto
    def __init__(
        self,
        rl_output: UnityRLOutputProto | _Mapping | None = ...,
        rl_initialization_output: UnityRLInitializationOutputProto | _Mapping | None = ...,
    ) -> None: ...

class UnityRLInitializationOutputProto(_message.Message):
    __slots__ = (
        "brain_parameters",
        "capabilities",
        "communication_version",
        "log_path",
        "name",
        "package_version",
    )
    NAME_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_VERSION_FIELD_NUMBER: _ClassVar[int]
    LOG_PATH_FIELD_NUMBER: _ClassVar[int]
    BRAIN_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    communication_version: str
    log_path: str
    brain_parameters: _containers.RepeatedCompositeFieldContainer[BrainParametersProto]
    package_version: str
    capabilities: UnityRLCapabilitiesProto
    def __init__(
        self,
        name: str | None = ...,
        communication_version: str | None = ...,
        log_path: str | None = ...,
        brain_parameters: _Iterable[BrainParametersProto | _Mapping] | None = ...,
        package_version: str | None = ...,
        capabilities: UnityRLCapabilitiesProto | _Mapping | None = ...,
    ) -> None: ...

class UnityRLCapabilitiesProto(_message.Message):
    __slots__ = (
        "baseRLCapabilities",
        "compressedChannelMapping",
        "concatenatedPngObservations",
        "hybridActions",
        "multiAgentGroups",
        "trainingAnalytics",
        "variableLengthObservation",
    )
    BASERLCAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONCATENATEDPNGOBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    COMPRESSEDCHANNELMAPPING_FIELD_NUMBER: _ClassVar[int]
    HYBRIDACTIONS_FIELD_NUMBER: _ClassVar[int]
    TRAININGANALYTICS_FIELD_NUMBER: _ClassVar[int]
    VARIABLELENGTHOBSERVATION_FIELD_NUMBER: _ClassVar[int]
    MULTIAGENTGROUPS_FIELD_NUMBER: _ClassVar[int]
    baseRLCapabilities: bool
    concatenatedPngObservations: bool
    compressedChannelMapping: bool
    hybridActions: bool
    trainingAnalytics: bool
    variableLengthObservation: bool
    multiAgentGroups: bool
    def __init__(
        self,
        baseRLCapabilities: bool | None = ...,
        concatenatedPngObservations: bool | None = ...,
        compressedChannelMapping: bool | None = ...,
        hybridActions: bool | None = ...,
        trainingAnalytics: bool | None = ...,
        variableLengthObservation: bool | None = ...,
        multiAgentGroups: bool | None = ...,
    ) -> None: ...

class BrainParametersProto(_message.Message):
    __slots__ = (
        "action_spec",
        "brain_name",
        "is_training",
        "vector_action_descriptions_deprecated",
        "vector_action_size_deprecated",
        "vector_action_space_type_deprecated",
    )
    VECTOR_ACTION_SIZE_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ACTION_DESCRIPTIONS_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    VECTOR_ACTION_SPACE_TYPE_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    BRAIN_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_TRAINING_FIELD_NUMBER: _ClassVar[int]
    ACTION_SPEC_FIELD_NUMBER: _ClassVar[int]
    vector_action_size_deprecated: _containers.RepeatedScalarFieldContainer[int]
    vector_action_descriptions_deprecated: _containers.RepeatedScalarFieldContainer[str]
    vector_action_space_type_deprecated: SpaceTypeProto
    brain_name: str
    is_training: bool
    action_spec: ActionSpecProto
    def __init__(
        self,
        vector_action_size_deprecated: _Iterable[int] | None = ...,
        vector_action_descriptions_deprecated: _Iterable[str] | None = ...,
        vector_action_space_type_deprecated: SpaceTypeProto | str | None = ...,
        brain_name: str | None = ...,
        is_training: bool | None = ...,
        action_spec: ActionSpecProto | _Mapping | None = ...,
    ) -> None: ...

class ActionSpecProto(_message.Message):
    __slots__ = (
        "action_descriptions",
        "discrete_branch_sizes",
        "num_continuous_actions",
        "num_discrete_actions",
    )
    NUM_CONTINUOUS_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NUM_DISCRETE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    DISCRETE_BRANCH_SIZES_FIELD_NUMBER: _ClassVar[int]
    ACTION_DESCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    num_continuous_actions: int
    num_discrete_actions: int
    discrete_branch_sizes: _containers.RepeatedScalarFieldContainer[int]
    action_descriptions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(
        self,
        num_continuous_actions: int | None = ...,
        num_discrete_actions: int | None = ...,
        discrete_branch_sizes: _Iterable[int] | None = ...,
        action_descriptions: _Iterable[str] | None = ...,
    ) -> None: ...

class UnityRLOutputProto(_message.Message):
    __slots__ = ("agentInfos", "side_channel")
    class AgentInfosEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: UnityRLOutputProto.ListAgentInfoProto
        def __init__(
            self, key: str | None = ..., value: UnityRLOutputProto.ListAgentInfoProto | _Mapping | None = ...
        ) -> None: ...

    class ListAgentInfoProto(_message.Message):
        __slots__ = ("value",)
        VALUE_FIELD_NUMBER: _ClassVar[int]
        value: _containers.RepeatedCompositeFieldContainer[AgentInfoProto]
        def __init__(self, value: _Iterable[AgentInfoProto | _Mapping] | None = ...) -> None: ...

    AGENTINFOS_FIELD_NUMBER: _ClassVar[int]
    SIDE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    agentInfos: _containers.MessageMap[str, UnityRLOutputProto.ListAgentInfoProto]
    side_channel: bytes
    def __init__(
        self,
        agentInfos: _Mapping[str, UnityRLOutputProto.ListAgentInfoProto] | None = ...,
        side_channel: bytes | None = ...,
    ) -> None: ...

class AgentInfoProto(_message.Message):
    __slots__ = (
        "action_mask",
        "done",
        "group_id",
        "group_reward",
        "id",
        "max_step_reached",
        "observations",
        "reward",
    )
    REWARD_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_REACHED_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_MASK_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_REWARD_FIELD_NUMBER: _ClassVar[int]
    reward: float
    done: bool
    max_step_reached: bool
    id: int
    action_mask: _containers.RepeatedScalarFieldContainer[bool]
    observations: _containers.RepeatedCompositeFieldContainer[ObservationProto]
    group_id: int
    group_reward: float
    def __init__(
        self,
        reward: float | None = ...,
        done: bool | None = ...,
        max_step_reached: bool | None = ...,
        id: int | None = ...,
        action_mask: _Iterable[bool] | None = ...,
        observations: _Iterable[ObservationProto | _Mapping] | None = ...,
        group_id: int | None = ...,
        group_reward: float | None = ...,
    ) -> None: ...

class ObservationProto(_message.Message):
    __slots__ = (
        "compressed_channel_mapping",
        "compressed_data",
        "compression_type",
        "dimension_properties",
        "float_data",
        "name",
        "observation_type",
        "shape",
    )
    class FloatData(_message.Message):
        __slots__ = ("data",)
        DATA_FIELD_NUMBER: _ClassVar[int]
        data: bytes
        def __init__(self, data: bytes | None = ...) -> None: ...

    SHAPE_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_TYPE_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_DATA_FIELD_NUMBER: _ClassVar[int]
    FLOAT_DATA_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_CHANNEL_MAPPING_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    shape: _containers.RepeatedScalarFieldContainer[int]
    compression_type: CompressionTypeProto
    compressed_data: bytes
    float_data: ObservationProto.FloatData
    compressed_channel_mapping: _containers.RepeatedScalarFieldContainer[int]
    dimension_properties: _containers.RepeatedScalarFieldContainer[int]
    observation_type: ObservationTypeProto
    name: str
    def __init__(
        self,
        shape: _Iterable[int] | None = ...,
        compression_type: CompressionTypeProto | str | None = ...,
        compressed_data: bytes | None = ...,
        float_data: ObservationProto.FloatData | _Mapping | None = ...,
        compressed_channel_mapping: _Iterable[int] | None = ...,
        dimension_properties: _Iterable[int] | None = ...,
        observation_type: ObservationTypeProto | str | None = ...,
        name: str | None = ...,
    ) -> None: ...

class UnityInputProto(_message.Message):
    __slots__ = ("rl_initialization_input", "rl_input")
    RL_INPUT_FIELD_NUMBER: _ClassVar[int]
    RL_INITIALIZATION_INPUT_FIELD_NUMBER: _ClassVar[int]
    rl_input: UnityRLInputProto
    rl_initialization_input: UnityRLInitializationInputProto
    def __init__(
        self,
        rl_input: UnityRLInputProto | _Mapping | None = ...,
        rl_initialization_input: UnityRLInitializationInputProto | _Mapping | None = ...,
    ) -> None: ...

class UnityRLInitializationInputProto(_message.Message):
    __slots__ = ("capabilities", "communication_version", "num_areas", "package_version", "seed")
    SEED_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_VERSION_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    NUM_AREAS_FIELD_NUMBER: _ClassVar[int]
    seed: int
    communication_version: str
    package_version: str
    capabilities: UnityRLCapabilitiesProto
    num_areas: int
    def __init__(
        self,
        seed: int | None = ...,
        communication_version: str | None = ...,
        package_version: str | None = ...,
        capabilities: UnityRLCapabilitiesProto | _Mapping | None = ...,
        num_areas: int | None = ...,
    ) -> None: ...

class UnityRLInputProto(_message.Message):
    __slots__ = ("agent_actions", "command", "side_channel")
    class AgentActionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: UnityRLInputProto.ListAgentActionProto
        def __init__(
            self, key: str | None = ..., value: UnityRLInputProto.ListAgentActionProto | _Mapping | None = ...
        ) -> None: ...

    class ListAgentActionProto(_message.Message):
        __slots__ = ("value",)
        VALUE_FIELD_NUMBER: _ClassVar[int]
        value: _containers.RepeatedCompositeFieldContainer[AgentActionProto]
        def __init__(self, value: _Iterable[AgentActionProto | _Mapping] | None = ...) -> None: ...

    AGENT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    SIDE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    agent_actions: _containers.MessageMap[str, UnityRLInputProto.ListAgentActionProto]
    command: CommandProto
    side_channel: bytes
    def __init__(
        self,
        agent_actions: _Mapping[str, UnityRLInputProto.ListAgentActionProto] | None = ...,
        command: CommandProto | str | None = ...,
        side_channel: bytes | None = ...,
    ) -> None: ...

class AgentActionProto(_message.Message):
    __slots__ = ("continuous_actions", "discrete_actions", "value", "vector_actions_deprecated")
    VECTOR_ACTIONS_DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CONTINUOUS_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    DISCRETE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    vector_actions_deprecated: bytes
    value: float
    continuous_actions: bytes
    discrete_actions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(
        self,
        vector_actions_deprecated: bytes | None = ...,
        value: float | None = ...,
        continuous_actions: bytes | None = ...,
        discrete_actions: _Iterable[int] | None = ...,
    ) -> None: ...
