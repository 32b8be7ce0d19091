"""What is learned over a real socket: as much as without one, whatever the agents see and do and whenever they ask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amble.config import load_run
from amble.envs.scene import EnvironmentScene
from amble.nets.distributions import HybridHead
from amble.training.policy import PortablePolicy
from amble.training.seeds import Seeds
from amble.training.trainer import Trainer
from amble.unity.steps import Actions, Decisions, Frame, Terminals
from unity_helpers import TOY, Running, ScriptedScene, free_port

RUN = """
behaviors:
  Probe:
    hyperparameters: {buffer_size: 128, batch_size: 64, num_epoch: 3, learning_rate: 1e-2}
    network_settings: {hidden_units: 16, num_layers: 1}
    reward_signals: {extrinsic: {gamma: 0.9}}
env_settings: {seed: 0}
torch_settings: {learner: torch}
"""


def learned(folder: Path, scene: Any, iterations: int, *more: str) -> tuple[Trainer, list[dict[str, Any]]]:
    """Train on a scene's behaviour; the trainer and its rows."""
    port = free_port()
    path = folder / "run.yaml"
    path.write_text(RUN)
    playing = Running(scene, port)
    trainer = Trainer(load_run(path, [f"env_settings.base_port={port}", *more]))
    rows = [trainer.iterate() for _ in range(iterations)]
    trainer.close()
    assert playing.ended() is None
    return trainer, rows


def likeliest(trainer: Trainer, observation: Any) -> Any:
    return PortablePolicy(trainer.policy, {}).act(observation)


def test_hybrid_actions(tmp_path: Path) -> None:
    scene = EnvironmentScene("probes:Hybrid-v0", "Probe?team=0", 64)
    trainer, rows = learned(tmp_path, scene, 40)
    assert isinstance(trainer.policy.head, HybridHead)
    assert rows[0]["return_mean"] < 1.4
    seen = np.array([[-1], [1]], np.float32)
    number, choice = likeliest(trainer, {"obs_0": seen, "action_mask": np.ones((2, 3), np.int8)})
    np.testing.assert_allclose(number[:, 0], [-0.5, 0.5], atol=0.2)
    assert choice.tolist() == [1, 2]


def test_pictures(tmp_path: Path) -> None:
    scene = EnvironmentScene("probes:Picture-v0", "Probe?team=0", 32)
    trainer, rows = learned(tmp_path, scene, 10, "hyperparameters.learning_rate=3e-3")
    assert rows[0]["return_mean"] < 0.5
    assert rows[-1]["return_mean"] > 0.9
    assert [image.shape for image in trainer.policy.layout.images] == [(1, 20, 20)]


class Uneven(ScriptedScene):
    """Agents of SeenAction's task, the first half of which ask at every message, the others at every second one."""

    def __init__(self, agents: int):
        super().__init__([], {"Probe?team=0": TOY})
        self.rng = np.random.default_rng(0)
        self.sign = np.ones(agents, np.float32)
        self.count, self.tick = agents, 0

    def frame(self, ended: np.ndarray, reward: np.ndarray) -> dict[str, Frame]:
        ids = np.arange(self.count)
        last = self.seen(ended)
        self.sign[ended] = self.rng.choice([-1.0, 1.0], len(ended))
        asking = ids if self.tick % 2 == 0 else ids[: self.count // 2]
        self.asked = asking
        return {
            "Probe?team=0": Frame(
                Decisions(asking, (self.seen(asking),), np.zeros(len(asking), np.float32)),
                Terminals(ended, (last,), reward, np.zeros(len(ended), np.bool_)),
            )
        }

    def seen(self, agents: np.ndarray) -> np.ndarray:
        return np.stack([self.sign[agents], np.zeros(len(agents), np.float32)], axis=1)

    def reset(self) -> dict[str, Frame]:
        self.tick = 0
        return self.frame(np.zeros(0, np.int64), np.zeros(0, np.float32))

    def step(self, actions: Mapping[str, Actions]) -> dict[str, Frame]:
        self.tick += 1
        given = actions["Probe?team=0"].continuous
        assert given is not None
        reward = 1 - (given[:, 0] - 0.5 * self.sign[self.asked]) ** 2
        return self.frame(self.asked, reward.astype(np.float32))


def test_agents_that_ask_at_different_times(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer, rows = learned(tmp_path, Uneven(32), 40)
    assert "do not ask for decisions together" in caplog.text
    # Half of the agents have one episode more in each step, which is played with zeros and learned from by nobody
    decisions = 40 * 128 // 32
    assert trainer.env.unwrapped.skipped == pytest.approx(decisions * 16, rel=0.02)
    assert rows[0]["return_mean"] < 0.7
    action = likeliest(trainer, np.array([[-1, 0], [1, 0]], np.float32))
    np.testing.assert_allclose(action[:, 0], [-0.5, 0.5], atol=0.2)


class FromTheSeed(EnvironmentScene):
    """Every reset begins the same episodes, as a reset with a seed does without the wire."""

    def reset(self) -> dict[str, Frame]:
        self._begun = False
        return super().reset()


def test_the_walker_learns_the_same_as_without_the_wire(tmp_path: Path) -> None:
    """From one seed every figure of the first iterations is the same to the last bit."""
    small = [
        "hyperparameters.buffer_size=400",
        "hyperparameters.batch_size=100",
        "hyperparameters.mirror=false",
        "network_settings.hidden_units=32",
    ]
    small += ["env_settings.seed=5", "torch_settings.learner=torch"]
    here = Trainer(load_run("walker", [*small, "env_settings.num_envs=10"]))
    mine = [here.iterate() for _ in range(3)]
    here.close()

    port = free_port()
    scene = FromTheSeed("amble/Walker-v0", "Walker?team=0", 10, env_kwargs={"body": "release_19"}, threads=1)
    playing = Running(scene, port)
    unity = [
        "env_settings.env_id=amble/Unity-v0",
        "env_settings.num_envs=1",
        f"env_settings.base_port={port}",
    ]
    start = Seeds(5).integer("environments")
    there = Trainer(load_run("walker", [*small, *unity, f"env_settings.env_kwargs={{seed: {start}}}"]))
    theirs = [there.iterate() for _ in range(3)]
    there.close()
    assert playing.ended() is None

    for one, other in zip(mine, theirs, strict=True):
        # A reward is float32 on the wire, so only the sums of an episode's may round otherwise
        rounded = ("return_mean", "return_std")
        times = ("wall_seconds", "steps_per_second", "collect_seconds", "update_seconds")
        assert one.keys() == other.keys()
        assert one["return_mean"] == pytest.approx(other["return_mean"], rel=1e-6)
        exact = one.keys() - {*rounded, *times}
        assert {key: one[key] for key in exact} == {key: other[key] for key in exact}
    assert sum(row["episodes"] for row in mine) > 10
