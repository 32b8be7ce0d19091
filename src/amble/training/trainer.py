"""Training: collect a rollout, improve the policy by it, log, save, again.

One iteration is read in four files: this one, `training/collect.py`, `maths/advantages.py`, `algorithms/ppo.py`.
The loop over iterations, and what every trainer has, is `training/learner.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from torch import Tensor

import amble.envs
from amble.algorithms.ppo import PPO
from amble.config import UNITY_ENV, A3CHyperparameters, BehaviorSettings, RewardSettings, RunConfig
from amble.envs.parameters import set_parameters
from amble.envs.rewarded import RewardedVectorEnv
from amble.errors import UsageError
from amble.nets.critics import Critic
from amble.training.collect import Collector
from amble.training.learner import Learner, Row, episode_figures
from amble.training.lessons import Lessons
from amble.training.random_state import restore_torch_rng, torch_rng_to_json
from amble.training.threads import torch_threads, update_threads
from amble.training.unity import make_scenes, scene_figures

BODY_ENVS, OTHER_ENVS = 256, 8
"""How many environments are stepped together unless the run file says: of our batched bodies, of any other."""
WORKER_ENVS = 4
"""The same of each worker of asynchronous training."""
WARM_UP = 16
"""Decisions of each environment that the normaliser sees before the first rollout."""


class Trainer(Learner):
    """A rollout by all environments, the updates by it, and so on.

    Attributes:
        env_steps: decisions taken so far, by all environments together.
        iteration: rollouts learned from so far.
        update_threads: that gradient steps may use.
    """

    def __init__(self, config: RunConfig, env: VectorEnv | None = None, lessons: Lessons | None = None):
        """`env` and `lessons` are what the run file names if None; several trainers may share lessons."""
        super().__init__(config, make_env(config) if env is None else env, lessons)
        hyper, network = self.behavior.hyperparameters, self.behavior.network_settings
        self.exploration = self.seeds.generator("exploration")
        decisions, sequence_length = rollout_length(self.behavior, self.env.num_envs)
        critic = self.algorithm.networks.get("critic")
        self.collector = Collector(
            self.env,
            self.policy,
            decisions,
            self.exploration,
            self.device,
            critic=critic if isinstance(critic, Critic) else None,
            sequence_length=sequence_length,
            acting=self.acting,
            after_decision=None if self.lessons.over else self._after_decision,
            ends=isinstance(self.algorithm, PPO) and any(s.sees_ends for s in self.algorithm.signals),
        )
        self.update_threads = update_threads(
            getattr(hyper, "batch_size", hyper.buffer_size),
            network.hidden_units,
            in_parts=self.acting is not None,
        )
        self._began = False

    def iterate(self) -> Row:
        """One iteration: a rollout and the updates by it. Returns its figures."""
        rewarded = self.env if isinstance(self.env, RewardedVectorEnv) else None
        if rewarded is not None:
            rewarded.engine.at(self.env_steps)
        self._begin()
        start = time.perf_counter()
        with torch_threads(1):
            rollout, episodes = self.collector.collect()
        collected = time.perf_counter()
        with torch_threads(self.update_threads):
            figures = self.algorithm.update(rollout, self.env_steps)
        # Many small operations: on a busy machine a second thread costs more than it brings.
        with torch_threads(1):
            self.collector.update_normaliser()
        end = time.perf_counter()
        reported, self.histograms = scene_figures(self.env)

        self.iteration += 1
        self.env_steps += rollout.size
        self.wall_seconds += end - start
        return {
            "iteration": self.iteration,
            "env_steps": self.env_steps,
            "wall_seconds": self.wall_seconds,
            "steps_per_second": rollout.size / (end - start),
            "collect_seconds": collected - start,
            "update_seconds": end - collected,
            **episode_figures(episodes.returns, episodes.lengths),
            "extrinsic_reward": float(rollout.reward.mean()),
            **({} if rewarded is None else rewarded.engine.ledger.take()),
            **self.lessons.figures(),
            **reported,
            **figures,
        }

    def act(self) -> None:
        """A rollout that nothing is learned from."""
        self._begin()
        with torch_threads(1):
            self.collector.collect()
        scene_figures(self.env)  # nobody writes them down

    def describe(self) -> str:
        """In a few words, how experience is gathered; shown when a run starts."""
        backend = self.env.metadata.get("amble_backend", "array")
        return (
            f"{self.env.num_envs} environments ({backend}), "
            f"{self.collector.decisions} decisions each an iteration"
        )

    def state(self) -> dict[str, Any]:
        """Everything else that a resumed run goes on from."""
        return {
            "env_steps": self.env_steps,
            "iteration": self.iteration,
            "wall_seconds": self.wall_seconds,
            "exploration": torch_rng_to_json(self.exploration),
            "minibatches": torch_rng_to_json(self.minibatches),
            "lessons": dict(self.lessons.numbers),
        }

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on from a checkpoint. The environments begin new episodes: Gymnasium has no way to save theirs."""
        super().restore(tensors, state)
        restore_torch_rng(self.exploration, state["exploration"])
        restore_torch_rng(self.minibatches, state["minibatches"])
        self.lessons.restore(state.get("lessons", {}))
        if any(self.lessons.numbers.values()):
            set_parameters(self.env, self.config.env_id, self.lessons.values)

    def close(self) -> None:
        """End the environments."""
        self.env.close()

    def _after_decision(self, taken: int, returns: np.ndarray) -> bool:
        """Whether the lesson that begins now asks that all episodes be broken off.

        Args:
            taken: env steps of this rollout so far.
            returns: (n,) of the episodes that have just ended.
        """
        self.lessons.ended(self.name, returns)
        change = self.lessons.look({self.name: self.env_steps + taken}, {self.name: self.behavior.max_steps})
        if change is None:
            return False
        set_parameters(self.env, self.config.env_id, change.parameters)
        for line in change.words:
            self.announce(line)
        return change.reset

    def _begin(self) -> None:
        """Begin the episodes and let a new normaliser see some observations, once."""
        if self._began:
            return
        self._began = True
        # A resumed run must not live through its first episodes again.
        self.collector.begin(self.seeds.integer("environments") + self.iteration)
        normaliser = self.policy.normaliser
        if normaliser is not None and float(normaliser.count) == 0:
            self.collector.warm_up(WARM_UP)
            self.collector.begin(self.seeds.integer("environments") + self.iteration)


def make_env(config: RunConfig, num_envs: int | None = None, **more: Any) -> VectorEnv:
    """The run file's environments behind our boundary; `num_envs` overrides its number."""
    settings = config.env_settings
    _, behavior = config.behavior
    if settings.env_id is None:
        raise UsageError("The run file names no environment: set env_settings.env_id, or give --env.")
    if settings.env_id == UNITY_ENV:
        env = make_scenes(config, num_envs)
    else:
        kwargs = {**settings.env_kwargs, **config.constant_parameters, **more}
        count = num_envs or settings.num_envs or default_num_envs(settings.env_id, behavior)
        env = amble.envs.make(settings.env_id, count, backend=settings.backend, **kwargs)
        with closed_on_failure(env):
            set_parameters(env, settings.env_id, Lessons(config).values)
    if config.rewards is None:
        return env
    return with_rewards(env, config.rewards, behavior.max_steps)


def with_rewards(env: VectorEnv, settings: RewardSettings, max_steps: int | None = None) -> RewardedVectorEnv:
    """`env` paying by the terms of a run file; it is closed where they do not fit it."""
    with closed_on_failure(env):
        return RewardedVectorEnv(env, settings, max_steps)


@contextmanager
def closed_on_failure(env: VectorEnv) -> Iterator[None]:
    """Whatever fails within closes `env`."""
    try:
        yield
    except BaseException:
        env.close()
        raise


def default_num_envs(env_id: str, behavior: BehaviorSettings) -> int:
    """The largest number of environments up to our default that divides `buffer_size` into whole rollouts."""
    hyper = behavior.hyperparameters
    most, groups = BODY_ENVS if env_id.startswith("amble/") else OTHER_ENVS, 1
    if isinstance(hyper, A3CHyperparameters):
        most, groups = WORKER_ENVS, hyper.workers
    size = hyper.buffer_size
    return groups * next(n for n in range(min(most, size), 0, -1) if size % n == 0)


def rollout_length(behavior: BehaviorSettings, num_envs: int) -> tuple[int, int]:
    """T, decisions of each environment an iteration, and L, those of a sequence (1 without a memory).

    T is buffer_size / B, rounded up to whole sequences.
    """
    memory = behavior.network_settings.memory
    decisions = math.ceil(behavior.hyperparameters.buffer_size / num_envs)
    if memory is None:
        return decisions, 1
    length = min(memory.sequence_length, decisions)
    return math.ceil(decisions / length) * length, length
