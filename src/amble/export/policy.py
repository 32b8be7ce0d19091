"""A policy as one ONNX model, and as a file that Unity takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float32

from amble.config import is_shipped
from amble.errors import AmbleError, UsageError
from amble.export.graph import Graph
from amble.export.heads import add_continuous, add_discrete, branch_sizes, columns
from amble.export.layers import add, add_recurrent
from amble.export.loader_checks import VERSION, AgentSpec, check_model
from amble.export.reference import run
from amble.export.sensors import add_sensors, sensor_shapes, sensor_values
from amble.nets.actions import ActionMap
from amble.nets.actor_critic import Policy
from amble.nets.distributions import BernoulliHead, ContinuousHead, DiscreteHead, HybridHead
from amble.nets.memory import RecurrentNet
from amble.training.files import write_file
from amble.training.policy import PortablePolicy

_TRIALS = 8
"""Random observations on which a model is compared with its policy before its file is written."""
_TOLERANCE = 1e-4


def export(directory: Path, output: Path | None = None) -> Path:
    """Write the policy in `directory` as an ONNX model.

    Args:
        directory: a portable policy, e.g. a run's `policy/`.
        output: the file; if None, the behaviour's name with `.onnx` beside `directory`, or here for a policy that
            comes with the package.

    Returns:
        The file's path.

    Raises:
        UsageError: the policy has a part that has no counterpart in the contract, by name.
        AmbleError: the finished model is refused by the loader's checks or acts otherwise than the policy.
    """
    portable = PortablePolicy.load(directory)
    name = str(portable.spec["behavior"])
    run = Path(directory).absolute().parent
    path = output or (Path(f"{name}.onnx") if is_shipped(run) else run / f"{name}.onnx")
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
    memory, (continuous, discrete) = policy.memory_size, _heads(policy)
    features = add_sensors(graph, policy)
    masks = "" if discrete is None else graph.input("action_masks", sum(branch_sizes(discrete)))
    if isinstance(policy.actor, RecurrentNet):
        raw, remembered = add_recurrent(graph, policy.actor, features, graph.input("recurrent_in", 1, memory))
    else:
        raw, remembered = add(graph, policy.actor, features), ""

    graph.constant_output("version_number", [VERSION])
    graph.constant_output("memory_size", [memory])
    numbers = 0 if continuous is None else continuous.outputs
    if continuous is not None:
        own = raw if discrete is None else columns(graph, raw, 0, numbers)
        drawn, mode = add_continuous(graph, continuous, _box_map(policy.actions), own)
        graph.output("continuous_actions", drawn, continuous.dimensions)
        graph.constant_output("continuous_action_output_shape", [continuous.dimensions])
        graph.output("deterministic_continuous_actions", mode, continuous.dimensions)
    if discrete is not None:
        own = raw if continuous is None else columns(graph, raw, numbers, numbers + discrete.outputs)
        branches = branch_sizes(discrete)
        drawn, mode = add_discrete(graph, discrete, own, masks)
        graph.output("discrete_actions", drawn, len(branches), integer=True)
        graph.constant_output("discrete_action_output_shape", [branches])
        graph.output("deterministic_discrete_actions", mode, len(branches), integer=True)
    if remembered:
        graph.output("recurrent_out", remembered, 1, memory)
    return graph.model(name)


def agent_spec(policy: Policy) -> AgentSpec:
    """The agent in Unity that this policy fits."""
    continuous, discrete = _heads(policy)
    return AgentSpec(
        sensors=sensor_shapes(policy),
        continuous=0 if continuous is None else continuous.dimensions,
        branches=[] if discrete is None else branch_sizes(discrete),
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
    inputs, masks = sensor_values(policy, rows), mask_values(policy, rows)
    if masks is not None:
        inputs["action_masks"] = masks
    if policy.memory_size:
        inputs["recurrent_in"] = state[:, None, :]
    return inputs


def mask_values(policy: Policy, rows: Float32[np.ndarray, "n O"]) -> Float32[np.ndarray, "n K"] | None:
    """The rows' mask as Unity gives it, 1 throughout where they have none; None without discrete actions."""
    head = _heads(policy)[1]
    if head is None:
        return None
    masks = np.ones((len(rows), sum(branch_sizes(head))), np.float32)
    if policy.layout.mask is not None:
        given = rows[:, policy.layout.mask]
        if isinstance(head, BernoulliHead):  # ours says only whether yes is allowed
            masks[:, 1::2] = given
        else:
            masks[:] = given
    return masks


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
    (continuous, discrete), found = _heads(policy), dict[str, float]()
    numbers = 0 if continuous is None else continuous.outputs
    if continuous is not None:
        name = "deterministic_continuous_actions"
        theirs = _box_map(policy.actions).to_env(continuous.mode(output[:, :numbers]))
        found[name] = _largest(outputs[name], np.asarray(theirs))
    if discrete is not None:
        name, logits = "deterministic_discrete_actions", output[:, numbers:]
        mode = discrete.mode(logits)
        chosen = torch.from_numpy(outputs[name]).reshape(mode.shape)
        loss = discrete.log_probs(logits, mode) - discrete.log_probs(logits, chosen)
        found[name] = float(loss.max())
    if after is not None:
        found["recurrent_out"] = _largest(outputs["recurrent_out"], after.numpy())
    return found


def _heads(policy: Policy) -> tuple[ContinuousHead | None, DiscreteHead | None]:
    """The head of the continuous actions and that of the discrete ones."""
    head = policy.head
    if isinstance(head, HybridHead):
        return head.continuous, head.discrete
    return (head, None) if isinstance(head, ContinuousHead) else (None, head)


def _box_map(actions: ActionMap) -> ActionMap:
    return actions.parts[0] if actions.parts else actions


def _largest(ours: np.ndarray, theirs: np.ndarray) -> float:
    theirs = theirs.reshape(ours.shape)
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0)).max())
