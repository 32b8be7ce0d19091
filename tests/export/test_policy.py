"""Exported models against torch, by ONNX Runtime: what an agent in Unity would do is what the policy does."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from gymnasium import spaces
from torch import nn

import amble.envs
from amble.config import load_run
from amble.errors import AmbleError, UsageError
from amble.export.policy import agent_spec, build_model, differences, export, model_inputs, verify
from amble.export.sensors import sensor_shapes
from amble.nets.actor_critic import Policy
from amble.nets.mlp import last_layer
from amble.nets.network import NetShape
from amble.training.build import build_policy
from amble.training.policy import PortablePolicy
from factories import BOX2, HYBRID, POLICIES, a_policy, rng

N = 1000
WITHIN = 1e-5
IMAGES = spaces.Box(0, 255, (40, 44, 3), np.uint8)
MIXED = spaces.Dict(
    [
        ("speed", spaces.Box(-5, 5, (4,))),
        ("camera", spaces.Box(0, 1, (3, 20, 24))),
        ("gear", spaces.MultiDiscrete([3, 2])),
        ("grey", spaces.Box(0, 1, (21, 22))),
        ("place", spaces.Box(-5, 5, (2,))),
        ("action_mask", spaces.MultiBinary(5)),
    ]
)


def lively(policy: Policy, seed: int = 3, seen: np.ndarray | None = None) -> Policy:
    """The policy with outputs that reach the clip, and a normaliser that has seen these rows, or some others."""
    with torch.no_grad():
        last_layer(policy.actor).weight.mul_(100.0)
        last_layer(policy.actor).bias.normal_(generator=rng(seed))
    if policy.normaliser is not None:
        others = 2.0 + 3.0 * torch.randn(50, policy.layout.vectors, generator=rng(seed))
        policy.normaliser.update(others if seen is None else torch.from_numpy(seen))
    return policy.eval().requires_grad_(requires_grad=False)


def of_preset(name: str) -> tuple[Policy, np.ndarray]:
    """A preset's policy untrained, and 1000 observations recorded from its environment."""
    config = load_run(name)
    env = amble.envs.make(config.env_settings.env_id, 20, **config.env_settings.env_kwargs)
    policy = build_policy(config.behavior[1], env.single_observation_space, env.single_action_space, rng())
    seen = [env.reset(seed=0)[0]]
    env.action_space.seed(0)
    while len(seen) < N // 20:
        seen.append(env.step(env.action_space.sample())[0])
    env.close()
    rows = policy.layout.flat(np.concatenate(seen), N)
    return lively(policy, seen=rows), rows


def some_rows(policy: Policy) -> np.ndarray:
    rows = np.random.default_rng(1).uniform(0.0, 1.0, (N, policy.layout.size)).astype(np.float32)
    if policy.layout.mask is not None:
        rows[:, policy.layout.mask] = rows[:, policy.layout.mask] > 0.5
    rows[:, : policy.layout.vectors] = 8.0 * rows[:, : policy.layout.vectors] - 2.0
    return rows


def by_runtime(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def check(policy: Policy, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The runtime's outputs, once they are seen to be torch's and the model to be one that Unity takes."""
    model = build_model(policy, "test")
    verify(model, policy)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 9)]
    state = np.random.default_rng(2).normal(size=(len(rows), policy.memory_size)).astype(np.float32)
    outputs = by_runtime(model, model_inputs(policy, rows, state))
    found = differences(policy, rows, state, outputs)
    assert found
    assert max(found.values()) <= WITHIN, found
    return outputs


@pytest.mark.parametrize("name", ["walker", "3dball", "cartpole"])
def test_presets_on_observations_of_their_environments(name: str) -> None:
    policy, rows = of_preset(name)
    outputs = check(policy, rows)
    if name != "cartpole":
        drawn, mode = outputs["continuous_actions"], outputs["deterministic_continuous_actions"]
        assert drawn.shape == mode.shape == (N, policy.head.dimensions)
        assert mode.std(axis=0).min() > 1e-3
        assert (np.abs(mode) == 1).any() == (name == "walker")  # the clip is reached
        assert np.abs(drawn - mode).max() > 0.1
    else:
        mode = outputs["deterministic_discrete_actions"]
        assert mode.shape == (N, 1)
        assert set(mode.flatten()) == {0, 1}
        assert "continuous_actions" not in outputs


@pytest.mark.parametrize("kind", POLICIES)
def test_every_head(kind: str) -> None:
    policy = lively(a_policy(**POLICIES[kind]))
    check(policy, some_rows(policy))


@pytest.mark.parametrize("distribution", ["gaussian", "squashed", "beta"])
@pytest.mark.parametrize(
    "box",
    [
        spaces.Box(np.array([-1, 0], np.float32), np.array([1, 5], np.float32)),
        spaces.Box(-2, 2, (2,)),
        spaces.Box(np.array([-1, -np.inf], np.float32), np.array([np.inf, np.inf], np.float32)),
    ],
    ids=str,
)
def test_actions_fill_their_box(box: spaces.Box, distribution: str) -> None:
    if distribution != "gaussian" and not box.is_bounded():
        pytest.skip("needs bounds")
    policy = lively(a_policy(box, distribution=distribution))
    outputs = check(policy, some_rows(policy))
    assert all(box.contains(row) for row in outputs["continuous_actions"])


@pytest.mark.parametrize("activation", ["silu", "tanh", "relu", "elu"])
@pytest.mark.parametrize("encoder", ["simple", "nature_cnn", "resnet", "match3", "fully_connected"])
def test_every_encoder_and_activation(encoder: Any, activation: Any) -> None:
    policy = Policy(
        IMAGES,
        BOX2,
        shape=NetShape([16], activation=activation, encoder=encoder),
        normalise=True,
        initial_std=1.0,
        action_clip=3.0,
        rng=rng(),
    )
    with torch.no_grad():
        last_layer(policy.actor).weight.mul_(10.0)
    rows = some_rows(policy)[:20]
    check(policy.eval().requires_grad_(requires_grad=False), rows)
    assert sensor_shapes(policy) == [(3, 40, 44)]


def test_several_sensors_stand_in_the_spaces_order() -> None:
    policy = lively(a_policy(spaces.MultiDiscrete([2, 3]), observation_space=MIXED, memory_size=6))
    assert sensor_shapes(policy) == [(4,), (3, 20, 24), (5,), (21, 22), (2,)]
    names = [value.name for value in build_model(policy, "test").graph.input]
    assert names == ["obs_0", "obs_1", "obs_2", "obs_3", "obs_4", "action_masks", "recurrent_in"]
    check(policy, some_rows(policy)[:50])


def test_names_shapes_and_constants() -> None:
    policy = lively(a_policy(HYBRID, memory_size=8))
    model = build_model(policy, "test")
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {
        "obs_0": ["batch", 3],
        "action_masks": ["batch", 5],
        "recurrent_in": ["batch", 1, 8],
        "version_number": [1],
        "memory_size": [1],
        "continuous_actions": ["batch", 2],
        "continuous_action_output_shape": [1],
        "deterministic_continuous_actions": ["batch", 2],
        "discrete_actions": ["batch", 2],
        "discrete_action_output_shape": [1, 2],
        "deterministic_discrete_actions": ["batch", 2],
        "recurrent_out": ["batch", 1, 8],
    }
    outputs = check(policy, some_rows(policy))
    assert outputs["version_number"].tolist() == [3]
    assert outputs["memory_size"].tolist() == [8]
    assert outputs["discrete_action_output_shape"].tolist() == [[3, 2]]
    assert outputs["discrete_actions"].dtype == np.int64


def test_a_memory_goes_on_from_decision_to_decision() -> None:
    policy = lively(a_policy(memory_size=8))
    model = build_model(policy, "test")
    rows = some_rows(policy)[:40].reshape(4, 10, -1)
    ours, theirs = np.zeros((10, 8), np.float32), torch.zeros(10, 8)
    for seen in rows:
        outputs = by_runtime(model, model_inputs(policy, seen, ours))
        ours = outputs["recurrent_out"][:, 0]
        _, after = policy.step(policy.normalised(torch.from_numpy(seen)), theirs)
        assert after is not None
        theirs = after
    np.testing.assert_allclose(ours, theirs.numpy(), atol=WITHIN)
    assert np.abs(ours).max() > 0.01


@pytest.mark.parametrize("distribution", ["gaussian", "squashed", "beta"])
def test_continuous_actions_are_drawn_from_the_policys_distribution(distribution: str) -> None:
    """20 000 draws at one observation: mean and deviation as torch's draws have them, within 5 standard errors."""
    policy = lively(a_policy(distribution=distribution, hidden=(16,)))
    n = 20_000
    rows = np.repeat(some_rows(policy)[:1], n, axis=0)
    onnxruntime.set_seed(1)
    drawn = by_runtime(build_model(policy, "test"), model_inputs(policy, rows, rows[:, :0]))[
        "continuous_actions"
    ]
    output = policy(policy.normalised(torch.from_numpy(rows)))
    expected = policy.actions.to_env(policy.head.sample(output, policy.head.noise((n,), rng(2))))
    error = 5 * expected.std(axis=0) * np.sqrt(2 / n) + 1e-6
    assert (np.abs(drawn.mean(axis=0) - expected.mean(axis=0)) <= error).all()
    np.testing.assert_allclose(drawn.std(axis=0), expected.std(axis=0), rtol=0.05, atol=1e-6)
    assert drawn.std(axis=0).min() > 0.01


@pytest.mark.parametrize("kind", ["categorical", "multi-discrete", "bernoulli", "masked"])
def test_choices_are_drawn_by_their_probabilities(kind: str) -> None:
    policy = a_policy(**POLICIES[kind]).eval().requires_grad_(requires_grad=False)
    with torch.no_grad():
        last_layer(policy.actor).bias.normal_(generator=rng(3))
    n = 20_000
    rows = np.repeat(some_rows(policy)[:1], n, axis=0)
    if policy.layout.mask is not None:
        rows[:, policy.layout.mask] = [1, 0, 1, 1]
    onnxruntime.set_seed(1)
    drawn = by_runtime(build_model(policy, "test"), model_inputs(policy, rows, rows[:, :0]))[
        "discrete_actions"
    ]
    output = policy(policy.normalised(torch.from_numpy(rows)))
    for branch, size in enumerate(agent_spec(policy).branches):
        for choice in range(size):
            action = policy.head.mode(output[:1]).clone()
            action.reshape(1, -1)[0, branch] = choice
            p = float(policy.head.log_probs(output[:1], action)[0, branch].exp())
            assert np.mean(drawn[:, branch] == choice) == pytest.approx(p, abs=5 * 0.5 / np.sqrt(n))
    if kind == "masked":
        assert (drawn != 1).all()


def test_a_mask_that_unity_gives_is_heeded_though_training_had_none() -> None:
    policy = lively(a_policy(**POLICIES["multi-discrete"]))
    rows = some_rows(policy)
    inputs = model_inputs(policy, rows, rows[:, :0])
    inputs["action_masks"] = np.tile(np.float32([0, 1, 0, 0, 1]), (N, 1))
    outputs = by_runtime(build_model(policy, "test"), inputs)
    for name in ("discrete_actions", "deterministic_discrete_actions"):
        assert (outputs[name] == [1, 1]).all()


def test_layer_norm_is_written_by_means() -> None:
    policy = a_policy()
    norms = [nn.LayerNorm(16), nn.LayerNorm(16, elementwise_affine=False)]
    with torch.no_grad():
        norms[0].weight.normal_(generator=rng(5))
        norms[0].bias.normal_(generator=rng(6))
    first, second, *rest = policy.actor.children()
    policy.actor = nn.Sequential(first, norms[0], second, norms[1], *rest)
    check(lively(policy), some_rows(policy))


def test_an_unknown_layer_is_refused_by_name() -> None:
    policy = a_policy()
    assert isinstance(policy.actor, nn.Sequential)
    policy.actor[1] = nn.Hardtanh()
    with pytest.raises(UsageError, match=r"a layer Hardtanh, which is not written to ONNX.* Conv2d, ELU"):
        build_model(policy, "test")


def test_an_observation_of_four_axes_is_refused_by_name() -> None:
    space = spaces.Dict({"video": spaces.Box(0, 1, (2, 5, 5, 5)), "x": spaces.Box(-1, 1, (2,))})
    with pytest.raises(UsageError, match=r"video has 4 axes, \(2, 5, 5, 5\); Unity's sensors have at most 3"):
        build_model(a_policy(observation_space=space), "test")


def test_a_model_that_acts_otherwise_is_not_written() -> None:
    policy, other = lively(a_policy()), lively(a_policy(seed=1))
    with pytest.raises(AmbleError, match="deterministic_continuous_actions is not the policy's"):
        verify(build_model(other, "test"), policy)
    with pytest.raises(AmbleError, match="refused by Unity's loader: CONTINUOUS_SIZE"):
        verify(build_model(lively(a_policy(spaces.Box(-1, 1, (5,)))), "test"), policy)


def test_a_runs_policy_becomes_a_file(trained: Path, tmp_path: Path) -> None:
    path = export(trained / "policy", tmp_path / "brain.onnx")
    model = onnx.load(path)
    assert model.graph.name == "CartPole-v1"
    policy = PortablePolicy.load(trained / "policy").policy
    rows = some_rows(policy)
    outputs = by_runtime(model, model_inputs(policy, rows, rows[:, :0]))
    assert max(differences(policy, rows, rows[:, :0], outputs).values()) <= WITHIN
    with pytest.raises(UsageError, match=re.escape("brain.pt: Unity knows a model by its ending")):
        export(trained / "policy", tmp_path / "brain.pt")
