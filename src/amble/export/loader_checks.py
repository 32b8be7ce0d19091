"""What ML-Agents' model loader in Unity looks at before it takes a model, each failure with a name.

The checks are those of `BarracudaModelParamLoader` (release 19) and of `SentisModelInfo` and `SentisModelParamLoader`
(package 4.0), in their order: the model is run once on zeros, one agent a batch; where a tensor that the rest depends
on is missing, the loader stops there. Before them stands what the importer asks for: a valid graph, operators it has.
Unity shows most of these as warnings and then fails, or acts wrongly, when the agent first decides.
Source: Unity ML-Agents, `com.unity.ml-agents/Runtime/Inference/`; Sentis and Barracuda, "Supported ONNX operators".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx
from onnx import TensorProto

from amble.export.reference import run

VERSION = 3
"""Of the contract with inputs `obs_0`, `obs_1` … and memory as a plain input and output."""
_VERSION_MIN = 2
_OPSET_MAX = 15
"""The newest operator set that every Sentis takes; Barracuda stops at 9 to 13, operator by operator."""

# fmt: off
OPERATORS = frozenset([
    "Abs", "Add", "ArgMax", "Cast", "Clip", "Concat", "Constant", "Conv", "Div", "Elu", "Exp", "Flatten", "Gemm",
    "Greater", "Identity", "LSTM", "LeakyRelu", "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Min", "Mul",
    "Multinomial", "Neg", "RandomNormalLike", "RandomUniformLike", "ReduceMax", "ReduceMean", "Relu", "Reshape",
    "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze",
])
# fmt: on
"""Of those that both Barracuda and Sentis run, the ones that a policy has a use for."""
_OTHER_INPUTS = frozenset({"prev_action", "epsilon", "action_masks", "sequence_length", "recurrent_in"})
_CONTINUOUS, _DISCRETE = "continuous_actions", "discrete_actions"
_DETERMINISTIC = "deterministic_"
_CONTINUOUS_SHAPE, _DISCRETE_SHAPE = "continuous_action_output_shape", "discrete_action_output_shape"


class Failure(Enum):
    """Which check failed."""

    INVALID_GRAPH = "the file is no valid ONNX graph"
    NEW_OPSET = "its operator set is newer than the importer reads"
    UNKNOWN_OPERATOR = "it has an operator that Barracuda or Sentis has not"
    DOES_NOT_RUN = "it does not run on zeros, one agent a batch"
    WRONG_TYPE = "a tensor is not of the type that it is read as"
    NO_VERSION = "the constant version_number is missing"
    NO_MEMORY_SIZE = "the constant memory_size is missing"
    NO_ACTIONS = "there is no action output"
    NO_CONTINUOUS_SHAPE = "continuous actions come without their size"
    NO_CONTINUOUS_ACTIONS = "the continuous actions of this kind of inference are missing"
    NO_DISCRETE_SHAPE = "discrete actions come without their branches"
    NO_DISCRETE_ACTIONS = "the discrete actions of this kind of inference are missing"
    OLD_VERSION = "the contract is older than the loader reads"
    NEW_VERSION = "the contract is newer than the loader reads"
    RECURRENT_VERSION_2 = "a memory by the contract of version 2"
    LEGACY_VERSION = "the contract of version 2, whose inputs are not checked here"
    NO_OBSERVATION = "a sensor has no input"
    NO_RECURRENT_IN = "there is a memory, but no input recurrent_in"
    NO_ACTION_MASKS = "there are discrete actions, but no input action_masks"
    UNKNOWN_INPUT = "an input that the loader cannot fill"
    OBSERVATION_SHAPE = "an observation's shape is not the sensor's"
    PREVIOUS_ACTION_SHAPE = "prev_action has not one number for each branch"
    CONTINUOUS_SIZE = "the number of continuous actions is not the agent's"
    BRANCH_COUNT = "the number of branches is not the agent's"
    BRANCH_SIZE = "a branch has not as many choices as the agent's"
    NO_RECURRENT_OUT = "there is a memory, but no output recurrent_out"


@dataclass(frozen=True)
class FailedCheck:
    """One thing that Unity would complain about."""

    failure: Failure
    detail: str

    def __str__(self) -> str:
        return f"{self.failure.name}: {self.failure.value} ({self.detail})"


@dataclass(frozen=True)
class AgentSpec:
    """What the agent in Unity has."""

    sensors: Sequence[tuple[int, ...]]
    """The shape of each sensor in order: (n,), (a, b) or (C, H, W)."""
    continuous: int
    """Number of continuous actions."""
    branches: Sequence[int]
    """Choices of each discrete branch."""


def check_model(
    model: onnx.ModelProto, agent: AgentSpec, *, deterministic: bool = False
) -> list[FailedCheck]:
    """Everything that Unity would complain about; nothing means that it takes the model.

    Args:
        model: the model.
        agent: what it is assigned to.
        deterministic: "Deterministic Inference" is ticked.
    """
    failed = list(_import_checks(model))
    if failed:
        return failed
    try:
        # Whatever the reference stumbles over, the message names it; Unity would stop at the same place.
        outputs = run(model, _zeros(model))
    except Exception as error:
        return [FailedCheck(Failure.DOES_NOT_RUN, f"{type(error).__name__}: {error}")]
    failed = list(_type_checks(outputs)) or list(_expected_tensors(outputs, deterministic))
    if failed:
        return failed
    version, memory = int(outputs["version_number"].flat[0]), int(outputs["memory_size"].flat[0])
    failed += _version_checks(version, memory)
    if version == VERSION:
        failed += _input_presence(model, agent, memory, outputs)
        failed += _input_shapes(model, agent)
    failed += _output_shapes(agent, outputs)
    if memory > 0 and "recurrent_out" not in outputs:
        failed.append(FailedCheck(Failure.NO_RECURRENT_OUT, f"memory_size is {memory}"))
    return failed


def _import_checks(model: onnx.ModelProto) -> Iterator[FailedCheck]:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        yield FailedCheck(Failure.INVALID_GRAPH, " ".join(str(error).split()))
        return
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset > _OPSET_MAX:
        yield FailedCheck(
            Failure.NEW_OPSET, f"{opset}, and {_OPSET_MAX} is the newest that all versions read"
        )
    unknown = sorted({node.op_type for node in model.graph.node} - OPERATORS)
    if unknown:
        yield FailedCheck(Failure.UNKNOWN_OPERATOR, ", ".join(unknown))
    for value in model.graph.input:
        kind = value.type.tensor_type.elem_type
        if kind != TensorProto.FLOAT:
            name = TensorProto.DataType.Name(kind)
            yield FailedCheck(
                Failure.WRONG_TYPE, f"the input {value.name} is {name}, and is filled with floats"
            )


def _zeros(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Every input full of zeros, 1 where a size is left open."""
    constants = {constant.name for constant in model.graph.initializer}
    return {
        value.name: np.zeros([max(size, 1) for size in _shape(value)], np.float32)
        for value in model.graph.input
        if value.name not in constants
    }


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """The declared sizes, 0 where one is open."""
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def _type_checks(outputs: Mapping[str, np.ndarray]) -> Iterator[FailedCheck]:
    """The loader casts tensors without a look: another type is an exception in Unity."""
    for name in ("version_number", "memory_size", _CONTINUOUS_SHAPE, _DISCRETE_SHAPE, "recurrent_out"):
        if name in outputs and outputs[name].dtype != np.float32:
            yield FailedCheck(
                Failure.WRONG_TYPE, f"the output {name} is {outputs[name].dtype}, and is read as float32"
            )
    for name in (_CONTINUOUS, _DETERMINISTIC + _CONTINUOUS, _DISCRETE, _DETERMINISTIC + _DISCRETE):
        kind = np.float32 if name.endswith(_CONTINUOUS) else np.int64
        if name in outputs and outputs[name].dtype != kind:
            yield FailedCheck(
                Failure.WRONG_TYPE,
                f"the output {name} is {outputs[name].dtype}, and is read as {np.dtype(kind)}",
            )


def _expected_tensors(outputs: Mapping[str, np.ndarray], deterministic: bool) -> Iterator[FailedCheck]:
    """SentisModelInfo.CheckExpectedTensors: the first failure ends it."""
    if "version_number" not in outputs:
        yield FailedCheck(Failure.NO_VERSION, f"outputs: {', '.join(outputs)}")
        return
    if "memory_size" not in outputs:
        yield FailedCheck(Failure.NO_MEMORY_SIZE, f"outputs: {', '.join(outputs)}")
        return
    actions = {kind: any(kind in name for name in outputs) for kind in (_CONTINUOUS, _DISCRETE)}
    if not any(actions.values()):
        yield FailedCheck(Failure.NO_ACTIONS, f"outputs: {', '.join(outputs)}")
        return
    for kind, shape, no_shape, no_actions in (
        (_CONTINUOUS, _CONTINUOUS_SHAPE, Failure.NO_CONTINUOUS_SHAPE, Failure.NO_CONTINUOUS_ACTIONS),
        (_DISCRETE, _DISCRETE_SHAPE, Failure.NO_DISCRETE_SHAPE, Failure.NO_DISCRETE_ACTIONS),
    ):
        if not actions[kind]:
            continue
        if shape not in outputs:
            yield FailedCheck(no_shape, f"{shape} is no output")
            return
        if not _has_actions(outputs, kind, shape, deterministic):
            wanted = _DETERMINISTIC + kind if deterministic else kind
            yield FailedCheck(no_actions, f"{wanted} with a {shape} above 0 was expected")
            return


def _has_actions(outputs: Mapping[str, np.ndarray], kind: str, shape: str, deterministic: bool) -> bool:
    wanted = _DETERMINISTIC + kind if deterministic else kind
    return any(wanted in name for name in outputs) and shape in outputs and int(outputs[shape].sum()) > 0


def _version_checks(version: int, memory: int) -> Iterator[FailedCheck]:
    if version < _VERSION_MIN:
        yield FailedCheck(Failure.OLD_VERSION, f"{version}, at least {_VERSION_MIN} is read")
    elif version > VERSION:
        yield FailedCheck(Failure.NEW_VERSION, f"{version}, at most {VERSION} is read")
    elif version < VERSION:
        kind = Failure.RECURRENT_VERSION_2 if memory > 0 else Failure.LEGACY_VERSION
        yield FailedCheck(kind, f"version_number is {version}, memory_size {memory}")


def _input_presence(
    model: onnx.ModelProto, agent: AgentSpec, memory: int, outputs: Mapping[str, np.ndarray]
) -> Iterator[FailedCheck]:
    names = {value.name for value in model.graph.input}
    for i in range(len(agent.sensors)):
        if f"obs_{i}" not in names:
            yield FailedCheck(Failure.NO_OBSERVATION, f"sensor {i} needs an input obs_{i}")
    if memory > 0 and "recurrent_in" not in names:
        yield FailedCheck(Failure.NO_RECURRENT_IN, f"memory_size is {memory}")
    if _has_actions(outputs, _DISCRETE, _DISCRETE_SHAPE, deterministic=False) and "action_masks" not in names:
        yield FailedCheck(Failure.NO_ACTION_MASKS, f"inputs: {', '.join(sorted(names))}")


def _input_shapes(model: onnx.ModelProto, agent: AgentSpec) -> Iterator[FailedCheck]:
    expected = {f"obs_{i}": shape for i, shape in enumerate(agent.sensors)}
    for value in model.graph.input:
        shape = tuple(_shape(value)[1:])
        if value.name in expected:
            if shape != tuple(expected[value.name]):
                yield FailedCheck(
                    Failure.OBSERVATION_SHAPE,
                    f"{value.name} is {shape}, the sensor's {tuple(expected[value.name])}",
                )
        elif value.name not in _OTHER_INPUTS:
            yield FailedCheck(Failure.UNKNOWN_INPUT, value.name)
        elif value.name == "prev_action" and shape[-1:] != (len(agent.branches),):
            yield FailedCheck(
                Failure.PREVIOUS_ACTION_SHAPE, f"{shape}, and there are {len(agent.branches)} branches"
            )


def _output_shapes(agent: AgentSpec, outputs: Mapping[str, np.ndarray]) -> Iterator[FailedCheck]:
    size = int(outputs[_CONTINUOUS_SHAPE].flat[0]) if _CONTINUOUS_SHAPE in outputs else 0
    if size != agent.continuous:
        yield FailedCheck(Failure.CONTINUOUS_SIZE, f"{size} in the model, {agent.continuous} in the agent")
    branches = [int(each) for each in outputs[_DISCRETE_SHAPE].flat] if _DISCRETE_SHAPE in outputs else []
    if len(branches) != len(agent.branches):
        yield FailedCheck(
            Failure.BRANCH_COUNT, f"{len(branches)} in the model, {len(agent.branches)} in the agent"
        )
        return
    for i, (ours, theirs) in enumerate(zip(branches, agent.branches, strict=True)):
        if ours != theirs:
            yield FailedCheck(
                Failure.BRANCH_SIZE, f"branch {i} has {ours} in the model, {theirs} in the agent"
            )
            return
