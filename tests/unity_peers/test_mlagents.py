"""ML-Agents' own Python package, unmodified, trains against our environments: `make test-unity-peers`.

Runs in a virtual environment that has `mlagents_envs` and not our package; `AMBLE_PYTHON` is an interpreter that has
ours. Skipped everywhere else.
"""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("mlagents_envs", reason="ML-Agents' package is only in its own virtual environment")

import numpy as np
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

AMBLE = os.environ.get("AMBLE_PYTHON", "python")
SOURCE = Path(__file__).parents[2] / "src"
DECISIONS = int(os.environ.get("AMBLE_PEER_DECISIONS", "1000"))
AGENTS = 10


def words(*more: str) -> list[str]:
    return [str(Path(AMBLE).absolute()), "-m", "amble.cli", "serve", *more]


def build(path: Path, *more: str) -> str:
    command = " ".join(words(*more, "--num-agents", str(AGENTS), "--log-file", f"{path}.log"))
    path.write_text(f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {command} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def drive(env: UnityEnvironment, decisions: int) -> dict:
    """`decisions` of every agent with random actions; what came of them."""
    env.reset()
    (name,) = env.behavior_specs
    spec = env.behavior_specs[name]
    found = {"name": name, "spec": spec, "ends": 0, "interrupted": 0, "rewards": [], "returns": []}
    total: dict = {}
    for _ in range(decisions):
        asking, ended = env.get_steps(name)
        assert len(asking) == AGENTS
        assert sorted(asking.agent_id) == list(range(AGENTS))
        assert all(np.isfinite(seen).all() for seen in (*asking.obs, *ended.obs))
        for agent, reward in zip(ended.agent_id, ended.reward, strict=True):
            found["returns"].append(total.pop(agent, 0.0) + float(reward))
            found["rewards"].append(float(reward))
        for agent, reward in zip(asking.agent_id, asking.reward, strict=True):
            if agent not in ended.agent_id:
                total[agent] = total.get(agent, 0.0) + float(reward)
        found["ends"] += len(ended)
        found["interrupted"] += int(ended.interrupted.sum())
        env.set_actions(name, spec.action_spec.random_action(len(asking)))
        env.step()
    return found


def test_walker(tmp_path: Path) -> None:
    engine = EngineConfigurationChannel()
    engine.set_configuration_parameters(time_scale=20)
    env = UnityEnvironment(
        build(tmp_path / "Walker", "walker"), base_port=free_port(), side_channels=[engine], seed=1
    )
    try:
        found = drive(env, DECISIONS)
    finally:
        env.close()
    assert found["name"] == "Walker?team=0"
    assert [seen.shape for seen in found["spec"].observation_specs] == [(243,)]
    assert (found["spec"].action_spec.continuous_size, found["spec"].action_spec.discrete_branches) == (
        39,
        (),
    )
    assert found["ends"] > AGENTS
    assert found["interrupted"] == 0  # random Walkers fall long before their thousandth decision
    assert set(found["rewards"]) == {-1.0}  # which replaces the last decision's reward
    assert "time_scale 20 has no effect" in Path(f"{tmp_path}/Walker.log").read_text()


def test_3dball(tmp_path: Path) -> None:
    parameters = EnvironmentParametersChannel()
    parameters.set_float_parameter("mass", 2.0)
    path = build(tmp_path / "Ball", "3dball")
    env = UnityEnvironment(path, base_port=free_port(), side_channels=[parameters], seed=1)
    try:
        found = drive(env, DECISIONS)
    finally:
        env.close()
    assert found["name"] == "3DBall?team=0"
    assert [seen.shape for seen in found["spec"].observation_specs] == [(8,)]
    assert found["spec"].action_spec.continuous_size == 2
    assert found["ends"] > AGENTS
    assert set(found["rewards"]) == {-1.0}
    # k decisions on the platform pay 0.1 each, and the fall −1
    assert all(
        round((total + 1) * 10) == pytest.approx((total + 1) * 10, abs=1e-3) for total in found["returns"]
    )
    assert "mass is 2 from now on" in Path(f"{tmp_path}/Ball.log").read_text()


def test_interrupted_flags_and_choices(tmp_path: Path) -> None:
    """Pendulum's episodes are only ever cut off; CartPole's actions are choices."""
    path = build(tmp_path / "Pendulum", "Pendulum-v1", "--set", "max_episode_steps=20")
    env = UnityEnvironment(path, base_port=free_port())
    try:
        found = drive(env, 65)
    finally:
        env.close()
    assert found["ends"] == found["interrupted"] == 3 * AGENTS
    env = UnityEnvironment(build(tmp_path / "Cart", "CartPole-v1"), base_port=free_port())
    try:
        found = drive(env, 65)
    finally:
        env.close()
    assert found["spec"].action_spec.discrete_branches == (2,)
    assert found["ends"] > AGENTS
    assert found["interrupted"] == 0


def test_as_an_editor_on_port_5004() -> None:
    """ML-Agents waits, and the environment comes by itself."""
    process = subprocess.Popen(
        words("3dball", "--num-agents", str(AGENTS)), env={**os.environ, "PYTHONPATH": str(SOURCE)}
    )
    try:
        env = UnityEnvironment(file_name=None)
        try:
            assert drive(env, 20)["name"] == "3DBall?team=0"
        finally:
            env.close()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
