"""Whole runs of ML-Agents' files with curiosity, RND, GAIL and cloning, in a scene over the wire and without one."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.algorithms.ppo import PPO
from amble.cli import main
from amble.config import load_run, run_from_env
from amble.envs.scene import EnvironmentScene
from amble.errors import UsageError
from amble.maths.advantages import gae
from amble.training.run import train
from amble.training.trainer import Trainer
from amble.unity.demonstrations import encode
from factories import a_critic, a_policy, a_rollout, rng
from signals_helpers import a_demonstration
from unity_helpers import Running, free_port


class Rooms(gymnasium.Env[Any, Any]):
    """As Unity's tasks look: two sensors, one branch of choices, a reward that is hardly ever seen; 9 decisions."""

    action_space = spaces.Discrete(5)
    observation_space = spaces.Dict([("obs_0", spaces.Box(-1, 1, (12,))), ("obs_1", spaces.Box(-1, 1, (4,)))])

    def _see(self) -> dict[str, np.ndarray]:
        return {
            name: self.np_random.uniform(-1, 1, box.shape).astype(np.float32)
            for name, box in self.observation_space.items()
        }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self._see(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return self._see(), float(self.np_random.random() < 0.01), self.t == 9, False, {}


gymnasium.register("test_signals/Rooms-v0", entry_point=Rooms)

PYRAMIDS = """
behaviors:
  Pyramids:
    trainer_type: ppo
    hyperparameters:
      {batch_size: 16, buffer_size: 64, learning_rate: 0.0003, beta: 0.01, epsilon: 0.2, lambd: 0.95, num_epoch: 2,
       learning_rate_schedule: linear}
    network_settings: {normalize: false, hidden_units: 16, num_layers: 2, vis_encode_type: simple}
    reward_signals:
      extrinsic: {gamma: 0.99, strength: 1.0}
      curiosity:
        gamma: 0.99
        strength: 0.02
        network_settings: {hidden_units: 16}
        learning_rate: 0.0003
      rnd:
        gamma: 0.99
        strength: 0.01
        network_settings: {hidden_units: 16, num_layers: 3}
        learning_rate: 0.0001
    keep_checkpoints: 5
    max_steps: 128
    time_horizon: 128
    summary_freq: 30000
"""
HALLWAY = """
behaviors:
  Hallway:
    trainer_type: ppo
    hyperparameters:
      {batch_size: 32, buffer_size: 64, learning_rate: 0.0003, beta: 0.01, epsilon: 0.2, lambd: 0.95, num_epoch: 2,
       learning_rate_schedule: linear}
    network_settings:
      normalize: false
      hidden_units: 16
      num_layers: 2
      vis_encode_type: simple
      memory: {sequence_length: 8, memory_size: 8}
    reward_signals:
      extrinsic: {gamma: 0.99, strength: 1.0}
      gail:
        gamma: 0.99
        strength: 0.01
        learning_rate: 0.0003
        use_actions: false
        use_vail: false
        demo_path: Demos/ExpertHallway.demo
    behavioral_cloning:
      steps: 150000
      strength: 0.5
      samples_per_update: 0
      demo_path: Demos/ExpertHallway.demo
    keep_checkpoints: 5
    max_steps: 128
    time_horizon: 64
    summary_freq: 10000
"""
SIGNALS = {
    "pyramids": (PYRAMIDS, ["extrinsic", "curiosity", "rnd"]),
    "hallway": (HALLWAY, ["extrinsic", "gail"]),
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Demos").mkdir()
    one = a_demonstration((12,), (4,), branches=(5,), episodes=(9, 9, 9))
    Path("Demos/ExpertHallway.demo").write_bytes(encode(one))


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_file_of_ml_agents_trains_in_a_scene(kind: str) -> None:
    text, names = SIGNALS[kind]
    Path("run.yaml").write_text(text)
    port = free_port()
    config = load_run("run.yaml", [f"env_settings.base_port={port}", "env_settings.seed=1"])
    name, behavior = config.behavior
    assert behavior.reward_signals.names == names
    running = Running(EnvironmentScene("test_signals/Rooms-v0", f"{name}?team=0", 4, threads=1), port)
    trainer = Trainer(config)
    try:
        assert "the fused learner knows the extrinsic reward alone" in trainer.gradient_steps
        assert isinstance(trainer.algorithm, PPO)
        rows = [trainer.iterate() for _ in range(2)]
    finally:
        trainer.close()
    assert running.ended() is None
    expected = {f"{each}_{what}" for each in names[1:] for what in ("reward", "value_mean")}
    expected |= {"cloning_loss"} if kind == "hallway" else {"rnd_loss", "curiosity_forward_loss"}
    assert expected <= set(rows[1])
    assert all(np.isfinite(float(rows[1][key] or 0)) for key in expected)
    assert all(float(rows[1][f"{each}_reward"] or 0) > 0 for each in names[1:])


def probe(**settings: Any) -> Any:
    small = {
        "hyperparameters.buffer_size": 64,
        "hyperparameters.batch_size": 32,
        "network_settings.hidden_units": 8,
        "network_settings.num_layers": 1,
        "env_settings.num_envs": 4,
        "env_settings.seed": 5,
        "max_steps": 128,
        "checkpoint_settings.run_id": "run",
    }
    return run_from_env(
        "CartPole-v1", "ppo", [f"{key}={value}" for key, value in {**small, **settings}.items()]
    )


def test_a_run_of_imitation_alone_from_recording_to_evaluation(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands as a user gives them: record, imitate without any reward of the environment's, evaluate."""
    assert main(["play", str(trained), "--record-demo", "pole.demo", "--episodes", "3"]) == 0
    words = [
        *("train", "--env", "CartPole-v1", "--max-steps", "256", "--num-envs", "4", "--run-id", "copy"),
        *("--set", "reward_signals.extrinsic=null", "--set", "reward_signals.gail.demo_path=pole.demo"),
        *("--set", "behavioral_cloning.demo_path=pole.demo", "--set", "hyperparameters.buffer_size=128"),
    ]
    assert main(words) == 0
    out = capsys.readouterr()
    assert "paid by gail (× 1)" in out.out + out.err
    row = json.loads(Path("results/copy/metrics.jsonl").read_text().splitlines()[-1])
    assert row["gail_reward"] > 0
    assert row["cloning_loss"] > 0
    assert "value_mean" not in row  # of a reward that nothing is learned from
    assert main(["evaluate", "results/copy", "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 2


def test_a_demonstration_of_another_task_stops_a_run_before_it_writes() -> None:
    config = probe(**{"reward_signals.gail.demo_path": "Demos/ExpertHallway.demo"})
    with pytest.raises(
        UsageError, match=r"reward_signals\.gail\.demo_path: Demos/\S+ does not fit .* observes 12, 4"
    ):
        train(config)
    assert not Path("results").exists()


def test_weights_of_a_run_without_the_signal_are_a_start() -> None:
    """One reward each, so the critics fit; the discriminator is new."""
    assert train(probe()) == 0
    Path("pole.demo").write_bytes(encode(a_demonstration((4,), branches=(2,))))
    more = {
        "reward_signals.extrinsic": "null",
        "reward_signals.gail.demo_path": "pole.demo",
        "checkpoint_settings.run_id": "next",
        "checkpoint_settings.initialize_from": "run",
    }
    assert train(probe(**more)) == 0


def test_the_fused_learner_goes_on_from_what_was_cloned() -> None:
    """Cloning steps torch's parameters, which are the fused learner's memory: both learners end up alike."""
    Path("pole.demo").write_bytes(encode(a_demonstration((4,), branches=(2,), episodes=(40,))))
    found = []
    for learner in ("torch", "fused"):
        more = {"behavioral_cloning.demo_path": "pole.demo", "torch_settings.learner": learner}
        trainer = Trainer(probe(**more))
        try:
            rows = [trainer.iterate() for _ in range(3)]
        finally:
            trainer.close()
        found.append((rows, trainer.policy.state_dict()))
    (torch_rows, torch_policy), (fused_rows, fused_policy) = found
    for one, other in zip(torch_rows, fused_rows, strict=True):
        assert one["cloning_loss"] == pytest.approx(other["cloning_loss"], rel=1e-3)
    for name, value in torch_policy.items():
        torch.testing.assert_close(fused_policy[name], value, atol=1e-3, rtol=1e-2)


class TestSeveralRewards:
    def a_ppo(self, rewards: int, **more: Any) -> tuple[PPO, Any]:
        config = probe(**{"reward_signals.rnd.strength": 0.5, "reward_signals.rnd.gamma": 0.5, **more})
        trainer = Trainer(config)
        trainer.close()
        assert isinstance(trainer.algorithm, PPO)
        assert trainer.critic.rewards == rewards
        return trainer.algorithm, config

    def test_each_has_a_value_and_a_discount_of_its_own(self) -> None:
        """Extrinsic GAE stops at terminal states; RND's goes on from V of what comes next."""
        ppo, _ = self.a_ppo(2)
        rollout = a_rollout(ppo.policy, 32, 4)
        value, next_value = rollout.values(ppo.critic)
        assert value.shape == next_value.shape == (32, 4, 2)
        rewards = [signal.reward(rollout) for signal in ppo.signals]
        extrinsic, rnd = ppo._advantages(rollout, rewards, value, next_value)
        plain = gae(
            rollout.reward,
            value[..., 0],
            next_value[..., 0],
            rollout.terminated,
            rollout.truncated,
            gamma=0.99,
            lam=0.95,
        )
        torch.testing.assert_close(extrinsic, plain)
        end = rollout.terminated.nonzero()[0]
        t, b = int(end[0]), int(end[1])
        # One decision before an end of the episode the advantage is the TD error alone.
        expected = rewards[1][t, b] + 0.5 * next_value[t, b, 1] - value[t, b, 1]
        assert float(rnd[t, b]) == pytest.approx(float(expected), rel=1e-4)

    @pytest.mark.parametrize(("dialect", "share"), [("amble", 1.0), ("ml-agents", 0.5)])
    def test_advantages_are_added_up_or_averaged(
        self, monkeypatch: pytest.MonkeyPatch, dialect: str, share: float
    ) -> None:
        more = {"hyperparameters.dialect": dialect, "hyperparameters.advantage_normalization": "none"}
        ppo, _ = self.a_ppo(2, **more)
        rollout = a_rollout(ppo.policy, 32, 4)
        value, next_value = rollout.values(ppo.critic)
        rewards = [signal.reward(rollout) for signal in ppo.signals]
        advantages = ppo._advantages(rollout, rewards, value, next_value)
        seen: list[Any] = []
        original = ppo.epoch
        monkeypatch.setattr(
            ppo, "epoch", lambda samples, *rest: (seen.append(samples), original(samples, *rest))[1]
        )
        ppo.update(rollout, 0)
        torch.testing.assert_close(seen[0].advantage, share * (advantages[0] + advantages[1]).flatten())
        assert seen[0].value_target.shape == (128, 2)


class TestCriticOfSeveral:
    def test_values_stay_what_they_were_when_the_scales_move(self) -> None:
        critic = a_critic(rewards=2)
        x = torch.randn(50, 3, generator=rng())
        before = critic.value(x)
        returns = torch.randn(200, 2, generator=rng()) * torch.tensor([100.0, 0.01]) + torch.tensor(
            [5.0, 0.0]
        )
        critic.take_in(returns)
        torch.testing.assert_close(critic.value(x), before, atol=1e-4, rtol=1e-4)
        units = critic.to_units(returns)
        torch.testing.assert_close(units.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
        torch.testing.assert_close(units.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
        torch.testing.assert_close(critic.to_return(units), returns, atol=1e-4, rtol=1e-4)

    def test_with_a_memory(self) -> None:
        critic, policy = a_critic(rewards=3, memory_size=8), a_policy(memory_size=8)
        rollout = a_rollout(policy, critic=critic)
        value, _ = rollout.values(critic)
        assert value.shape == (32, 4, 3)
        together = critic(rollout.samples(rollout.observation), rollout.remembered(rollout.critic_state))
        torch.testing.assert_close(critic.to_units(rollout.samples(value)), together, atol=1e-4, rtol=1e-4)
