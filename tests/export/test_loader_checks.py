"""Every complaint of Unity's loader, each from a model with one thing wrong."""

import re
from collections.abc import Callable, Sequence

import onnx
import pytest
from onnx import TensorProto, helper

from amble.export.graph import Graph
from amble.export.loader_checks import AgentSpec, Failure, check_model


def a_model(
    *leave_out: str,
    version: float = 3,
    memory: int = 0,
    size: int = 3,
    branches: Sequence[int] = (2, 4),
    inputs: dict[str, tuple[int, ...]] | None = None,
    kind: str = "Tanh",
    integer: bool = True,
) -> onnx.ModelProto:
    """A model that decides nothing, of everything that the contract asks for but what is left out."""
    graph = Graph()
    given = {"obs_0": (3,), "obs_1": (3, 8, 9), "action_masks": (sum(branches),), "recurrent_in": (1, memory)}
    for name, shape in {**given, **(inputs or {})}.items():
        if name not in leave_out and (name != "recurrent_in" or memory):
            graph.input(name, *shape)
    numbers = graph.node(kind, graph.constant([[0.0] * size]))
    choices = graph.constant([[0.0] * len(branches)])
    if integer:
        choices = graph.node("Cast", choices, to=TensorProto.INT64)
    for prefix in ("", "deterministic_"):
        if f"{prefix}continuous_actions" not in leave_out:
            graph.output(f"{prefix}continuous_actions", numbers, size)
        if f"{prefix}discrete_actions" not in leave_out:
            graph.output(f"{prefix}discrete_actions", choices, len(branches), integer=integer)
    constants = {
        "version_number": [version],
        "memory_size": [memory],
        "continuous_action_output_shape": [size],
        "discrete_action_output_shape": [list(branches)],
    }
    for name, values in constants.items():
        if name not in leave_out:
            graph.constant_output(name, values)
    if memory and "recurrent_out" not in leave_out:
        graph.output("recurrent_out", graph.constant([[[0.0] * memory]]), 1, memory)
    return graph.model("test")


AGENT = AgentSpec(sensors=[(3,), (3, 8, 9)], continuous=3, branches=[2, 4])


def with_opset(version: int) -> onnx.ModelProto:
    model = a_model()
    model.opset_import[0].version = version
    return model


def with_integers() -> onnx.ModelProto:
    model = a_model()
    model.graph.input.append(helper.make_tensor_value_info("epsilon", TensorProto.INT64, ["batch", 1]))
    return model


def that_stops() -> onnx.ModelProto:
    """Joins one row, an agent's, with seven."""
    graph = Graph()
    seven = graph.constant([[0.0] * 3] * 7)
    graph.output("continuous_actions", graph.node("Concat", graph.input("obs_0", 3), seven, axis=1), 6)
    return graph.model("test")


def without_a_source() -> onnx.ModelProto:
    model = a_model()
    model.graph.node[0].input[0] = "nowhere"
    return model


ACTIONS = [
    f"{prefix}{kind}_actions" for prefix in ("", "deterministic_") for kind in ("continuous", "discrete")
]
WRONG: list[tuple[Failure, str, Callable[[], onnx.ModelProto]]] = [
    (Failure.INVALID_GRAPH, "nowhere", without_a_source),
    (Failure.NEW_OPSET, "16, and 15", lambda: with_opset(16)),
    (Failure.UNKNOWN_OPERATOR, "Softsign", lambda: a_model(kind="Softsign")),
    (Failure.DOES_NOT_RUN, "concat", that_stops),
    (Failure.WRONG_TYPE, "input epsilon is INT64", with_integers),
    (Failure.WRONG_TYPE, "discrete_actions is float32", lambda: a_model(integer=False)),
    (Failure.NO_VERSION, "memory_size", lambda: a_model("version_number")),
    (Failure.NO_MEMORY_SIZE, "version_number", lambda: a_model("memory_size")),
    (Failure.NO_ACTIONS, "version_number", lambda: a_model(*ACTIONS)),
    (Failure.NO_CONTINUOUS_SHAPE, "is no output", lambda: a_model("continuous_action_output_shape")),
    (Failure.NO_DISCRETE_SHAPE, "is no output", lambda: a_model("discrete_action_output_shape")),
    (Failure.OLD_VERSION, "1, at least 2", lambda: a_model(version=1)),
    (Failure.NEW_VERSION, "4, at most 3", lambda: a_model(version=4)),
    (Failure.RECURRENT_VERSION_2, "memory_size 4", lambda: a_model(version=2, memory=4)),
    (Failure.LEGACY_VERSION, "version_number is 2", lambda: a_model(version=2)),
    (Failure.NO_OBSERVATION, "obs_1", lambda: a_model("obs_1")),
    (Failure.NO_RECURRENT_IN, "memory_size is 4", lambda: a_model("recurrent_in", memory=4)),
    (Failure.NO_RECURRENT_OUT, "memory_size is 4", lambda: a_model("recurrent_out", memory=4)),
    (Failure.NO_ACTION_MASKS, "obs_0, obs_1", lambda: a_model("action_masks")),
    (Failure.UNKNOWN_INPUT, "speed", lambda: a_model(inputs={"speed": (1,)})),
    (
        Failure.OBSERVATION_SHAPE,
        r"obs_0 is \(5,\), the sensor's \(3,\)",
        lambda: a_model(inputs={"obs_0": (5,)}),
    ),
    (Failure.OBSERVATION_SHAPE, r"\(8, 9, 3\)", lambda: a_model(inputs={"obs_1": (8, 9, 3)})),
    (Failure.PREVIOUS_ACTION_SHAPE, "2 branches", lambda: a_model(inputs={"prev_action": (5,)})),
    (Failure.CONTINUOUS_SIZE, "2 in the model, 3 in the agent", lambda: a_model(size=2)),
    (Failure.BRANCH_COUNT, "3 in the model, 2 in the agent", lambda: a_model(branches=(2, 4, 2))),
    (Failure.BRANCH_SIZE, "branch 1 has 3 in the model, 4", lambda: a_model(branches=(2, 3))),
]
BY_INFERENCE = [
    (Failure.NO_CONTINUOUS_ACTIONS, "deterministic_continuous_actions"),
    (Failure.NO_DISCRETE_ACTIONS, "deterministic_discrete_actions"),
]


@pytest.mark.parametrize("memory", [0, 4])
@pytest.mark.parametrize("deterministic", [False, True])
def test_a_model_by_the_contract_is_taken(memory: int, deterministic: bool) -> None:
    assert check_model(a_model(memory=memory), AGENT, deterministic=deterministic) == []
    assert check_model(a_model(memory=memory, inputs={"prev_action": (2,)}), AGENT) == []


@pytest.mark.parametrize(("failure", "detail", "make"), WRONG, ids=[f"{row[0].name}" for row in WRONG])
def test_one_thing_wrong_is_one_failure(
    failure: Failure, detail: str, make: Callable[[], onnx.ModelProto]
) -> None:
    failed = check_model(make(), AGENT)
    assert {check.failure for check in failed} == {failure}
    text = str(failed[0])
    assert text.startswith(f"{failure.name}: {failure.value} (")
    assert re.search(detail, text)


@pytest.mark.parametrize(("failure", "output"), BY_INFERENCE)
def test_deterministic_inference_asks_for_its_own_outputs(failure: Failure, output: str) -> None:
    model = a_model(output)
    assert check_model(model, AGENT) == []
    assert [check.failure for check in check_model(model, AGENT, deterministic=True)] == [failure]
    drawn = output.removeprefix("deterministic_")
    assert [check.failure for check in check_model(a_model(drawn), AGENT, deterministic=True)] == []


def test_every_failure_has_a_test() -> None:
    assert {row[0] for row in WRONG} | {row[0] for row in BY_INFERENCE} == set(Failure)
