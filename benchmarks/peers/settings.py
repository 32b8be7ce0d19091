"""What is trained: tasks and settings, the same for every library."""

from __future__ import annotations

from dataclasses import dataclass

TASKS = ("CartPole-v1", "HalfCheetah-v5", "Walker2d-v5", "Humanoid-v5")
DISCRETE = ("CartPole-v1",)
LIBRARIES = ("amble", "sb3", "rsl_rl", "skrl")
LEFT_OUT = {("rsl_rl", task): "rsl_rl has no distribution for discrete actions" for task in DISCRETE}
RETURN_STEPS = {"CartPole-v1": 100_000}
"""Environment steps of a run for returns where they are not `RETURN_STEPS_ELSEWHERE`."""
RETURN_STEPS_ELSEWHERE = 300_000


@dataclass(frozen=True)
class Setting:
    """PPO's settings; N = T·B decisions make one iteration."""

    envs: int
    """B, environments."""
    decisions: int
    """T, of each environment an iteration."""
    epochs: int
    minibatch: int
    hidden: tuple[int, ...]
    """Widths of the hidden layers of actor and of critic, tanh."""
    learning_rate: float = 3e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_coefficient: float = 0.5
    max_grad_norm: float = 0.5

    @property
    def rollout(self) -> int:
        return self.envs * self.decisions

    @property
    def minibatches(self) -> int:
        return self.rollout // self.minibatch


SETTINGS = {
    "standard": Setting(envs=8, decisions=256, epochs=10, minibatch=64, hidden=(64, 64)),
    "throughput": Setting(envs=64, decisions=64, epochs=4, minibatch=1024, hidden=(256, 256)),
}


@dataclass(frozen=True)
class How:
    """How a library runs on this machine."""

    envs: str = "inprocess"
    """Who steps the environments, of `peers.environments.KINDS`."""
    threads: int = 1
    """Of torch."""
    wait: str = "passive"
    """What torch's threads do while they wait: `OMP_WAIT_POLICY`."""

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads, {self.wait}"
        return f"{self.envs}, {threads}"


OURS = How("auto", 0)
"""Amble chooses its backend and its threads itself."""
