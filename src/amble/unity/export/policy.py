"""A policy as one ONNX model, and as a file that Unity takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from gymnasium import spaces
from jaxtyping import Float32

from amble.errors import AmbleError, UsageError
from amble.nets.actor_critic import Policy
from amble.nets.distributions import BernoulliHead, ContinuousHead, DiscreteHead
from amble.nets.memory import RecurrentNet
from amble.training.files import write_file
from amble.training.policy import PortablePolicy
from amble.unity.export.graph import Graph
from amble.unity.export.heads import add_continuous, add_discrete, branch_sizes
from amble.unity.export.layers import add, add_recurrent
from amble.unity.export.reference import run
from amble.unity.export.sensors import add_sensors, sensor_shapes, sensor_values
from amble.unity.loader_checks import VERSION, AgentSpec, check_model

_TRIALS = 8
"""Random observations on which a model is compared with its policy before its file is written."""
_TOLERANCE = 1e-4


def export(directory: Path, output: Path | None = None) -> Path:
    """Write the policy in `directory` as an ONNX model.

    Args:
        directory: a portable policy, e.g. a run's `policy/`.
        output: the file; the behaviour's name with `.onnx` beside `directory` if None.

    Returns:
        The file's path.

    Raises:
        UsageError: the policy has a part that has no counterpart in the contract, by name.
        AmbleError: the finished model is refused by the loader's checks or acts otherwise than the policy.
    """
    portable = PortablePolicy.load(directory)
    name = str(portable.spec["behavior"])
    path = output if output is not None else Path(directory).absolute().parent / f"{name}.onnx"
    if path.suffix.lower() != ".onnx":
        raise UsageError(f"{path}: Unity knows a model by its ending; name a file that ends in .onnx.")
    model = build_model(portable.policy, name)
    verify(model, portable.policy)
    write_file(path, model.SerializeToString())
    return path


def build_model(policy: Policy, name: str) -> onnx.ModelProto:
    """The model of a policy on the CPU; what it draws and what it likes best are both outputs.

    Raises:
        UsageError: a layer, a head or an observation that has no counterpart here, by name.
    """
    graph = Graph()
    head, memory = policy.head, policy.memory_size
    features = add_sensors(graph, policy)
    masks = graph.input("action_masks", sum(branch_sizes(head))) if isinstance(head, DiscreteHead) else ""
    if isinstance(policy.actor, RecurrentNet):
        raw, remembered = add_recurrent(graph, policy.actor, features, graph.input("recurrent_in", 1, memory))
    else:
        raw, remembered = add(graph, policy.actor, features), ""

    graph.constant_output("version_number", [VERSION])
    graph.constant_output("memory_size", [memory])
    if isinstance(head, ContinuousHead) and isinstance(policy.actions.space, spaces.Box):
        drawn, mode = add_continuous(graph, head, policy.actions, policy.actions.space, raw)
        graph.output("continuous_actions", drawn, head.dimensions)
        graph.constant_output("continuous_action_output_shape", [head.dimensions])
        graph.output("deterministic_continuous_actions", mode, head.dimensions)
    elif isinstance(head, DiscreteHead):
        branches = branch_sizes(head)
        drawn, mode = add_discrete(graph, head, raw, masks)
        graph.output("discrete_actions", drawn, len(branches), integer=True)
        graph.constant_output("discrete_action_output_shape", [branches])
        graph.output("deterministic_discrete_actions", mode, len(branches), integer=True)
    else:
        raise UsageError(f"A policy with a {type(head).__name__} is not written to ONNX.")
    if remembered:
        graph.output("recurrent_out", remembered, 1, memory)
    return graph.model(name)


def agent_spec(policy: Policy) -> AgentSpec:
    """The agent in Unity that this policy fits."""
    head = policy.head
    return AgentSpec(
        sensors=sensor_shapes(policy),
        continuous=head.dimensions if isinstance(head, ContinuousHead) else 0,
        branches=branch_sizes(head) if isinstance(head, DiscreteHead) else [],
    )


def verify(model: onnx.ModelProto, policy: Policy) -> None:
    """AmbleError if Unity's loader would refuse the model, or if it acts otherwise than the policy."""
    for deterministic in (False, True):
        failed = check_model(model, agent_spec(policy), deterministic=deterministic)
        if failed:
            raise AmbleError(
                "The model would be refused by Unity's loader: " + "; ".join(map(str, failed)) + "."
            )
    random = np.random.default_rng(0)
    rows = random.uniform(0.0, 1.0, (_TRIALS, policy.layout.size)).astype(np.float32)
    state = random.normal(size=(_TRIALS, policy.memory_size)).astype(np.float32)
    if policy.layout.mask is not None:
        rows[:, policy.layout.mask] = 1.0
    outputs = run(model, model_inputs(policy, rows, state))
    for name, difference in differences(policy, rows, state, outputs).items():
        if not difference <= _TOLERANCE:
            raise AmbleError(
                f"The model's {name} is not the policy's: they differ by {difference:.2g}, and {_TOLERANCE:g} is "
                "rounding. Nothing was written; this is a fault of the exporter."
            )


def model_inputs(
    policy: Policy, rows: Float32[np.ndarray, "n O"], state: Float32[np.ndarray, "n M"]
) -> dict[str, np.ndarray]:
    """What the model is given where the policy sees these rows and remembers this."""
    inputs = sensor_values(policy, rows)
    if isinstance(policy.head, DiscreteHead):
        inputs["action_masks"] = _masks(policy, rows)
    if policy.memory_size:
        inputs["recurrent_in"] = state[:, None, :]
    return inputs


@torch.no_grad()
def differences(
    policy: Policy,
    rows: Float32[np.ndarray, "n O"],
    state: Float32[np.ndarray, "n M"],
    outputs: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """How far the model's outputs are from what the policy says, at most over the rows, by output.

    Continuous actions and the memory in their own units, relative above 1; discrete actions by how much less likely
    the model's choice is than the policy's, in nats, since rounding decides between choices that are as likely.
    """
    before = torch.from_numpy(state) if policy.memory_size else None
    output, after = policy.step(policy.normalised(torch.from_numpy(rows)), before)
    head, found = policy.head, dict[str, float]()
    if isinstance(head, ContinuousHead):
        name = "deterministic_continuous_actions"
        found[name] = _largest(outputs[name], policy.actions.to_env(head.mode(output)))
    else:
        name = "deterministic_discrete_actions"
        mode = head.mode(output)
        chosen = torch.from_numpy(outputs[name]).reshape(mode.shape)
        loss = head.log_probs(output, mode) - head.log_probs(output, chosen)
        found[name] = float(loss.max())
    if after is not None:
        found["recurrent_out"] = _largest(outputs["recurrent_out"], after.numpy())
    return found


def _masks(policy: Policy, rows: Float32[np.ndarray, "n O"]) -> Float32[np.ndarray, "n K"]:
    """The rows' mask as Unity gives it; 1 throughout where there is none."""
    assert isinstance(policy.head, DiscreteHead)
    branches = branch_sizes(policy.head)
    masks = np.ones((len(rows), sum(branches)), np.float32)
    if policy.layout.mask is not None:
        given = rows[:, policy.layout.mask]
        if isinstance(policy.head, BernoulliHead):  # ours says only whether yes is allowed
            masks[:, 1::2] = given
        else:
            masks[:] = given
    return masks


def _largest(ours: np.ndarray, theirs: np.ndarray) -> float:
    theirs = theirs.reshape(ours.shape)
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0)).max())
