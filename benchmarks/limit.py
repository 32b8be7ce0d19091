"""What this machine allows, and our share of it: `python benchmarks/limit.py [SETTING …] [--turns N]`.

The limit of an iteration of N decisions is the time of its physics and its matrix products, and of nothing else:

    seconds = N / rate of physics + floating-point operations / rate of matrix products

- Physics: MuJoCo carries out decisions recorded under random actions (their states, controls and drive gains), the
  same number of environments at once, on all cores, each decision's substeps in one call. Observation, reward, resets
  and Python's part of an environment step are not in it. CartPole's is Gymnasium's array form, stepped as it is.
- Floating-point operations: 2 a weight and sample forward, 2 for its gradient, 2 for the gradient of a layer's input
  (the first layer's is not needed). Activations, the loss and Adam are not in it.
- The rate of matrix products: float32, (minibatch × width) by (width × width), the same operands again and again;
  the quickest of SciPy's, NumPy's and torch's library on one thread or all. Beside it the share by the rate of a
  2048 × 2048 product, which networks of this size cannot reach.

Physics, products and whole iterations (rollout and update, as a run does them) take turns; the share of each
iteration is judged by the rates measured just before and just after it, and medians are told.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import gymnasium
import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from numba import njit
from peers.ours import run_file
from peers.settings import SETTINGS
from threadpoolctl import ThreadpoolController

from amble.algorithms.ppo import PPO
from amble.config import RunConfig, load_run
from amble.envs.backends.cores import usable_cores
from amble.envs.bodies.calls import numbers_at, step
from amble.envs.bodies.gym.base import GymVectorEnv, load_model
from amble.envs.bodies.walker.drive import drive_share
from amble.envs.bodies.walker.env import WalkerVectorEnv
from amble.native.team import Team
from amble.training.trainer import Trainer, make_env

STANDARD = ("HalfCheetah-v5", "CartPole-v1", "Walker2d-v5", "Humanoid-v5")
CHOICES = ("walker-demo", *STANDARD)
LARGE = 2048
_RECORDED = 24
"""Decisions of all environments that one turn of physics replays, again and again for `_TURN_SECONDS`."""
_TURN_SECONDS = 0.3
_PRODUCT_SECONDS = 0.02


# What is trained.


def run_config(setting: str) -> RunConfig:
    """The run of a preset, or of a Gymnasium task at the standard setting of `peers.settings`."""
    if setting not in STANDARD:
        return load_run(setting, ["env_settings.seed=0"])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "standard.yaml"
        file.write_text(json.dumps(run_file(setting, SETTINGS["standard"], 0, 10**9, folder, None)))
        return load_run(file)


# Physics alone.


class BodyPhysics:
    """MuJoCo's share of a Gymnasium task's decisions, replayed."""

    def __init__(self, env: GymVectorEnv):
        self.envs, self.substeps = env.num_envs, env.frame_skip
        # A task's own model may hold a sensor that physics does without.
        model = load_model(env.model_file, contact_forces=False)
        self.batch = Batch(model, env.num_envs, min(usable_cores(), env.num_envs))
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(20):
            env.step(env.action_space.sample())
        self.script: list[list[tuple[np.ndarray, np.ndarray]]] = []
        for _ in range(_RECORDED):
            action, state = env.action_space.sample(), env.batch.state.copy()
            env.step(action)
            decision = [(self.batch.state, state)]
            decision.append((self.batch.bind("ctrl"), action.astype(np.float64)))
            self.script.append(decision)
        env.close()

    def play(self, physics: bool) -> float:
        start = time.perf_counter()
        for decision in self.script:
            for field, value in decision:
                field[:] = value
            if physics:
                self.batch.step(nstep=self.substeps)
        return time.perf_counter() - start

    def rate(self) -> float:
        """Decisions a second."""
        laps = [self.play(True)]
        while sum(laps) < _TURN_SECONDS:
            laps.append(self.play(True))
        copies = min(self.play(False) for _ in range(5))
        return len(self.script) * self.envs / (median(laps) - copies)


class WalkerPhysics:
    """MuJoCo's share of the Walker's decisions, replayed: state in, then each substep's gains and `mj_step`.

    Like `driven.py`, each thread takes one body through a whole decision before the next.
    """

    def __init__(self, env: WalkerVectorEnv):
        self.envs, self.threads = env.num_envs, min(usable_cores(), env.num_envs)
        self.models = [copy.copy(env.model) for _ in range(self.threads)]
        self.data = [mujoco.MjData(model) for model in self.models]
        self.free = [
            np.array(
                [model._address, data._address]
                + [getattr(data, name).ctypes.data for name in ("qpos", "qvel", "qacc_warmstart")]
                + [
                    getattr(model, name).ctypes.data
                    for name in ("jnt_stiffness", "dof_damping", "qpos_spring")
                ]
            )
            for model, data in zip(self.models, self.data, strict=True)
        ]
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(20):
            env.step(env.action_space.sample())
        self.script: list[tuple[np.ndarray, ...]] = []
        for _ in range(_RECORDED):
            before = [numbers.copy() for numbers in env._state]
            env.step(env.action_space.sample())
            self.script.append((*before, env._drive.target.copy(), env._drive.limit.copy()))
        drive = env._drive
        self.numbers = (drive.spring, drive.damper, drive.kept, drive.substeps)
        self.team = Team()
        share = max(1, min(16, self.envs // self.threads))
        self.ends = [*range(0, self.envs, share), self.envs]
        env.close()

    def rate(self) -> float:
        """Decisions a second."""

        decisions, start = 0, time.perf_counter()
        while decisions == 0 or time.perf_counter() - start < _TURN_SECONDS:
            for decision in self.script:
                self.team.each(partial(self._some, decision), len(self.ends) - 1, self.threads)
            decisions += len(self.script) * self.envs
        return decisions / (time.perf_counter() - start)

    def _some(self, decision: tuple[np.ndarray, ...], k: int) -> None:
        addresses = self.free.pop()
        _physics(self.ends[k], self.ends[k + 1], addresses, *decision, *self.numbers)
        self.free.append(addresses)


@njit(nogil=True)
def _physics(
    first, last, addresses, position, velocity, guess, target, limit, spring, damper, kept, substeps
):
    hinges = target.shape[1]
    q, v = numbers_at(addresses[2], 7 + hinges), numbers_at(addresses[3], 6 + hinges)
    w = numbers_at(addresses[4], 6 + hinges)
    stiffness, damping = numbers_at(addresses[5], 1 + hinges), numbers_at(addresses[6], 6 + hinges)
    aim = numbers_at(addresses[7], 7 + hinges)
    for i in range(first, last):
        q[:], v[:], w[:] = position[i], velocity[i], guess[i]
        aim[7:] = target[i]
        for _ in range(substeps):
            for d in range(hinges):
                share = drive_share(target[i, d] - q[7 + d], v[6 + d], limit[i, d], spring, damper)
                stiffness[1 + d], damping[6 + d] = share * spring, share * damper
            step(addresses[0], addresses[1])
            v *= kept


class ArrayPhysics:
    """Steps of an environment that is array arithmetic of Gymnasium's."""

    def __init__(self, env_id: str, num_envs: int):
        self.env = gymnasium.make_vec(env_id, num_envs, vectorization_mode="vector_entry_point")
        self.env.reset(seed=0)
        self.env.action_space.seed(0)
        self.script = [self.env.action_space.sample() for _ in range(500)]

    def rate(self) -> float:
        """Decisions a second."""
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < _TURN_SECONDS:
            for action in self.script:
                self.env.step(action)
            steps += len(self.script) * self.env.num_envs
        return steps / (time.perf_counter() - start)


def physics_of(config: RunConfig) -> BodyPhysics | WalkerPhysics | ArrayPhysics:
    env = make_env(config)
    inner = env.unwrapped
    if isinstance(inner, WalkerVectorEnv):
        return WalkerPhysics(inner)
    if isinstance(inner, GymVectorEnv):
        return BodyPhysics(inner)
    env.close()
    return ArrayPhysics(str(config.env_id), env.num_envs)


# Matrix products.


@njit(nogil=True)
def _products(a, b, c, count):
    for _ in range(count):
        np.dot(a, b, c)


class Products:
    """Float32 products of one shape, by every library on one thread and on all."""

    def __init__(self, rows: int, width: int):
        rng = np.random.default_rng(0)
        a = rng.standard_normal((rows, width), np.float32)
        b = rng.standard_normal((width, width), np.float32)
        c = np.empty((rows, width), np.float32)
        ta, tb, tc = map(torch.from_numpy, (a, b, c))
        self.shape = f"{rows} × {width} by {width} × {width}"
        self.operations = 2 * rows * width * width

        def by_numpy(count: int) -> None:
            for _ in range(count):
                np.matmul(a, b, out=c)

        def by_torch(count: int) -> None:
            for _ in range(count):
                torch.mm(ta, tb, out=tc)

        ways: dict[str, Callable[[int], None]] = {
            "SciPy's BLAS": lambda count: _products(a, b, c, count),
            "NumPy's BLAS": by_numpy,
            "torch": by_torch,
        }
        self.pools = ThreadpoolController()
        self.ways: dict[tuple[str, int], tuple[Callable[[int], None], int]] = {}
        for threads in sorted({1, usable_cores()}):
            for name, way in ways.items():
                way(1)  # compiles, starts threads
                count = 1
                while (spent := self._timed(way, threads, count)) < _PRODUCT_SECONDS:
                    count = max(2 * count, round(0.8 * count * _PRODUCT_SECONDS / spent))
                self.ways[name, threads] = way, count

    def _timed(self, way: Callable[[int], None], threads: int, count: int) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        with self.pools.limit(limits=threads, user_api="blas"):
            start = time.perf_counter()
            way(count)
            spent = time.perf_counter() - start
        torch.set_num_threads(before)
        return spent

    def rates(self) -> dict[tuple[str, int], float]:
        """Floating-point operations a second, by library and threads."""
        rates = {
            key: self.operations * count / self._timed(way, key[1], count)
            for key, (way, count) in self.ways.items()
        }
        time.sleep(0.05)  # a library's threads spin a while before they sleep
        return rates


# Arithmetic.


class Work(NamedTuple):
    """Samples that go through the networks in one iteration, and floating-point operations of each."""

    what: str
    samples: int
    operations: int


def work_of(trainer: Trainer) -> list[Work]:
    """The matrix products of one iteration of PPO."""
    if not isinstance(trainer.algorithm, PPO):
        raise TypeError("the work of PPO's iterations only is known here")
    n = trainer.collector.decisions * trainer.env.num_envs
    actor, critic = (_weights(net) for net in (trainer.policy.actor, trainer.critic.net))
    gradients = sum(6 * sum(sizes) - 2 * sizes[0] for sizes in (actor, critic))
    epochs = trainer.algorithm.settings.num_epoch
    return [
        Work("acting", n, 2 * sum(actor)),
        Work("values", n + trainer.env.num_envs, 2 * sum(critic)),
        Work(f"gradients, {epochs} epochs", epochs * n, gradients),
    ]


def _weights(net: torch.nn.Module) -> list[int]:
    """Of each layer, the first one first."""
    return [layer.weight.numel() for layer in net.modules() if isinstance(layer, torch.nn.Linear)]


# A setting's share.


class Turn(NamedTuple):
    """What was measured in one turn; the first two before and after its iteration."""

    physics: float
    products: float
    large: float
    row: dict[str, Any]


def measure(setting: str, turns: int) -> str:
    config = run_config(setting)
    physics = physics_of(config)
    trainer = Trainer(config)
    network, hyper = trainer.behavior.network_settings, trainer.behavior.hyperparameters
    products = Products(hyper.batch_size, network.hidden_units)
    large = Products(LARGE, LARGE)
    work = work_of(trainer)
    operations = sum(part.samples * part.operations for part in work)
    n = work[0].samples

    trainer.iterate()  # compiles, fills caches
    rates: list[tuple[float, dict, dict]] = []
    rows = []
    for turn in range(turns + 1):
        rates.append((physics.rate(), products.rates(), large.rates()))
        if turn < turns:
            rows.append(trainer.iterate())
    trainer.close()

    quickest, quickest_large = (
        max(rates[0][k], key=lambda way, k=k: median(rate[k][way] for rate in rates)) for k in (1, 2)
    )
    around = [
        Turn((a[0] + b[0]) / 2, *((a[k][way] + b[k][way]) / 2 for k, way in ways), row)
        for (a, b), row in zip(pairwise(rates), rows, strict=True)
        for ways in [((1, quickest), (2, quickest_large))]
    ]
    physics_ms = median(1e3 * n / turn.physics for turn in around)
    products_ms = median(1e3 * operations / turn.products for turn in around)
    limit = median(1e3 * (n / turn.physics + operations / turn.products) for turn in around)
    seconds = [turn.row["collect_seconds"] + turn.row["update_seconds"] for turn in around]
    taken = 1e3 * median(seconds)
    collect, update = (
        1e3 * median(turn.row[f"{key}_seconds"] for turn in around) for key in ("collect", "update")
    )
    shares = sorted(
        (n / turn.physics + operations / turn.products) / second
        for turn, second in zip(around, seconds, strict=True)
    )
    by_large = median(
        (n / turn.physics + operations / turn.large) / second
        for turn, second in zip(around, seconds, strict=True)
    )

    def line(what: str, how: str, ms: float | None = None) -> str:
        return f"  {what:22}{how:66}" + ("" if ms is None else f"{ms:9.1f} ms")

    product_rate, large_rate = (
        median(values) for values in zip(*(turn[1:3] for turn in around), strict=True)
    )
    return "\n".join(
        [
            f"{setting}: {trainer.describe()}, {trainer.algorithm.describe()}, "
            f"{network.num_layers} × {network.hidden_units} {network.activation}, {trainer.gradient_steps}",
            line(
                "physics", f"{n:,} decisions at {median(turn.physics for turn in around):,.0f}/s", physics_ms
            ),
            *(
                line(
                    part.what,
                    f"{part.samples:,} samples × {part.operations / 1e3:,.1f} kFLOP"
                    f" = {part.samples * part.operations / 1e9:.3f} GFLOP",
                )
                for part in work
            ),
            line(
                "matrix products",
                f"{operations / 1e9:.3f} GFLOP at {product_rate / 1e9:.1f} GFLOP/s "
                f"({products.shape}, {_way(quickest)})",
                products_ms,
            ),
            line("limit", f"{1e3 * n / limit:,.0f} decisions/s", limit),
            line(
                "measured",
                f"{1e3 * n / taken:,.0f} decisions/s (collection {collect:.1f} ms, update {update:.1f} ms)",
                taken,
            ),
            line(
                "share of the limit",
                f"{100 * median(shares):.0f} % ({100 * shares[0]:.0f} to {100 * shares[-1]:.0f} in {turns} turns)",
            ),
            line(
                "",
                f"{100 * by_large:.0f} % by the {large_rate / 1e9:.0f} GFLOP/s of a {LARGE} × {LARGE} product "
                f"({_way(quickest_large)})",
            ),
        ]
    )


def _way(way: tuple[str, int]) -> str:
    name, threads = way
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "settings", nargs="*", default=list(CHOICES), help=", ".join(CHOICES) + " or a preset"
    )
    parser.add_argument("--turns", type=int, default=9)
    arguments = parser.parse_args()
    print(f"{usable_cores()} cores, load {os.getloadavg()[0]:.1f}\n")
    for setting in arguments.settings:
        print(measure(setting, arguments.turns), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
