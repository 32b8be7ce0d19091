"""The fused learner beside torch's: `python benchmarks/learner_speed.py [--compiled] [--turns N] [--skip-loops]`.

First one gradient step of PPO at several sizes (17 observations, 6 Gaussian actions, HalfCheetah's): forward, loss,
backward, gradient clip and Adam, in milliseconds a minibatch. The learners take turns of an epoch; figures are medians,
the ratio is the median of the turns' ratios. Then whole training loops, environment steps a second, iteration by
iteration in turn. A run's own rule decides about threads (`amble.training.threads`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from statistics import median
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from amble.algorithms.algorithm import Problem
from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples, minibatches
from amble.algorithms.tally import Tally
from amble.config import PPOHyperparameters, run_from_env
from amble.learner.choice import choose
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.network import NetShape
from amble.training.run import make_trainer
from amble.training.threads import torch_threads, update_threads

NETS: list[tuple[list[int], Any]] = [
    ([64, 64], "tanh"),
    ([64, 64], "silu"),
    ([256, 256], "silu"),
    ([512, 512, 512], "silu"),
]
SIZES = (64, 256, 1024, 2048)
LOOPS = {"HalfCheetah-v5": (2048, 64, 10), "CartPole-v1": (1024, 256, 10)}
"""Environment: decisions an iteration, minibatch, epochs; two 64×64 tanh networks, 8 environments."""


def a_ppo(hidden: list[int], activation: Any) -> PPO:
    def rng() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    shape = NetShape(hidden, activation)
    policy = Policy(
        spaces.Box(-np.inf, np.inf, (17,)),
        spaces.Box(-1, 1, (6,)),
        shape=shape,
        normalise=True,
        initial_std=1.0,
        action_clip=3.0,
        rng=rng(),
    )
    critic = Critic(policy.layout, shape=shape, standardise=True, rng=rng())
    return PPO(
        policy,
        critic,
        PPOHyperparameters.model_validate({"buffer_size": 10**6}),
        Problem(0.99, 10**6),
        rng(),
    )


@torch.no_grad()
def some_samples(ppo: PPO, n: int) -> Samples:
    rng = torch.Generator().manual_seed(1)
    observation, head = torch.randn(n, 17, generator=rng), ppo.policy.head
    output = ppo.policy(observation)
    action = head.sample(output, head.noise((n,), rng))
    advantage, target, old = torch.randn(3, n, generator=rng)
    return Samples(observation, action, head.log_probs(output, action), advantage, target, old)


class CompiledLoss:
    """Torch's loop with its loss through torch.compile: what a user would get by asking torch for speed."""

    def __init__(self, ppo: PPO):
        self.ppo = ppo
        self._loss = torch.compile(self._tensors, dynamic=False)

    def _tensors(self, batch: Samples, epsilon: float, beta: float) -> tuple[Tensor, Tensor]:
        s, ppo = self.ppo.settings, self.ppo
        output = ppo.policy(batch.observation)
        log_prob = ppo.policy.head.log_probs(output, batch.action).sum(-1)
        rho = torch.exp(torch.clamp(log_prob - batch.log_prob.sum(-1), -20, 20))
        advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std(correction=0) + 1e-8)
        clipped = torch.clamp(rho, 1 - epsilon, 1 + epsilon) * advantage
        policy_loss = -torch.minimum(rho * advantage, clipped).mean()
        loss_v = (batch.value_target - ppo.critic(batch.observation)).square().mean()
        entropy = ppo.policy.head.entropies(output).sum(-1).mean()
        kl = (rho - 1 - torch.log(rho)).mean()
        outside = ((rho - 1).abs() > epsilon).float().mean()
        figures = torch.stack([policy_loss, loss_v, entropy, kl, outside, rho.mean()]).detach()
        return policy_loss + s.value_coefficient * loss_v - beta * entropy, figures

    def __call__(self, samples: Samples, order: Iterable[Tensor], epsilon: float, beta: float) -> Tally:
        tally = Tally()
        for index in order:
            loss, figures = self._loss(samples.take(index), epsilon, beta)
            norm, _ = self.ppo.optimiser.step(loss)
            tally.add({"kl": figures.tolist()[3], "grad_norm": norm})
        return tally


def steps(hidden: list[int], activation: Any, size: int, turns: int, compiled: bool) -> list[float]:
    """Milliseconds a minibatch by torch, (compiled) and fused, and torch's as multiples of fused's."""
    learners = [a_ppo(hidden, activation) for _ in range(3 if compiled else 2)]
    choose(learners[-1], "fused", torch.device("cpu"))
    if compiled:
        learners[1].epoch = CompiledLoss(learners[1])
    count = 32 if size * hidden[0] * len(hidden) < 2**17 else 4
    samples = some_samples(learners[0], size * count)
    laps: list[list[float]] = []
    for turn in range(turns + 1):
        order = list(minibatches(len(samples), size, torch.Generator().manual_seed(turn)))
        lap: list[float] = []
        for ppo in learners:
            start = time.perf_counter()
            with torch_threads(update_threads(size, hidden[0], in_parts=ppo is learners[-1])):
                ppo.epoch(samples, order, 0.2, 0.01)
            lap.append(1e3 * (time.perf_counter() - start) / len(order))
        laps.append(lap)
    laps = laps[1:]  # the first one compiles
    medians = [median(column) for column in zip(*laps, strict=True)]
    return [*medians, *(median(lap[k] / lap[-1] for lap in laps) for k in range(len(learners) - 1))]


def loop(env_id: str, turns: int) -> list[list[float]]:
    """Of torch and fused: env steps a second, seconds of collection and of the update; then the ratio of the rates."""
    size, batch, epochs = LOOPS[env_id]
    settings = {
        "hyperparameters.buffer_size": size,
        "hyperparameters.batch_size": batch,
        "hyperparameters.num_epoch": epochs,
        "network_settings.hidden_units": 64,
        "network_settings.num_layers": 2,
        "network_settings.activation": "tanh",
        "network_settings.normalize": "true",
        "max_steps": 10**7,
        "env_settings.seed": 0,
    }
    trainers = [
        make_trainer(
            run_from_env(
                env_id,
                "ppo",
                [f"{key}={value}" for key, value in {**settings, "torch_settings.learner": learner}.items()],
            )
        )
        for learner in ("torch", "fused")
    ]
    laps = [[trainer.iterate() for trainer in trainers] for _ in range(turns + 1)][1:]
    for trainer in trainers:
        trainer.close()
    keys = ("steps_per_second", "collect_seconds", "update_seconds")
    medians = [[median(float(lap[k][key] or 0) for lap in laps) for key in keys] for k in range(2)]
    ratio = median(
        float(lap[1]["steps_per_second"] or 0) / float(lap[0]["steps_per_second"] or 1) for lap in laps
    )
    return [*medians, [ratio]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiled", action="store_true", help="torch.compile too; it needs a C++ compiler")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--skip-loops", action="store_true")
    arguments = parser.parse_args()
    print(f"{'ms a minibatch':22}{'of':>6}{'torch':>10}", end="")
    print(f"{'compiled':>10}" if arguments.compiled else "", f"{'fused':>9}{'torch/fused':>13}", sep="")
    for hidden, activation in NETS:
        name = f"{'×'.join(map(str, hidden))} {activation}"
        for size in SIZES:
            figures = steps(hidden, activation, size, arguments.turns, arguments.compiled)
            times = 3 if arguments.compiled else 2
            print(f"{name:22}{size:6}", *(f"{figure:10.3f}" for figure in figures[:times]), sep="", end="")
            print("  ", *(f"{figure:9.2f}" for figure in figures[times:]), flush=True)
    if arguments.skip_loops:
        return
    print(
        f"\n{'whole loop':18}{'learner':8}{'steps/s':>10}{'collect s':>11}{'update s':>10}{'fused/torch':>13}"
    )
    for env_id in LOOPS:
        *both, (ratio,) = loop(env_id, arguments.turns)
        for name, (rate, collect, update) in zip(("torch", "fused"), both, strict=True):
            print(
                f"{env_id:18}{name:8}{rate:10,.0f}{collect:11.3f}{update:10.3f}",
                f"{ratio:12.2f}" if name == "fused" else "",
                flush=True,
            )


if __name__ == "__main__":
    main()
