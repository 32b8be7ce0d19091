"""Training: collect a rollout, improve the policy by it, log, save, again.

One iteration is read in four files: this one, `training/collect.py`, `maths/advantages.py`, `algorithms/ppo.py`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

import amble.envs
from amble.config import BehaviorSettings, RunConfig
from amble.errors import AmbleError, UsageError
from amble.nets.critics import Critic
from amble.training.build import build_algorithm, build_policy
from amble.training.collect import Collector, Episodes
from amble.training.policy import policy_spec
from amble.training.random_state import restore_torch_rng, torch_rng_to_json
from amble.training.seeds import Seeds
from amble.training.threads import torch_threads, update_threads

Row = dict[str, float | int | str | None]

BODY_ENVS, OTHER_ENVS = 256, 8
"""How many environments are stepped together unless the run file says: of our batched bodies, of any other."""
_WARM_UP = 16
"""Decisions of each environment that the normaliser sees before the first rollout."""


class Trainer:
    """A run's parts, and the loop over its iterations.

    Attributes:
        env_steps: decisions taken so far, by all environments together.
        iteration: rollouts learned from so far.
    """

    def __init__(self, config: RunConfig):
        self.config = config
        self.name, behavior = config.behavior
        self.behavior = behavior
        hyper, network = behavior.hyperparameters, behavior.network_settings
        self.device = _device(config.torch_settings.device)
        self.seeds = Seeds(config.env_settings.seed)

        self.env = make_env(config)
        weights = self.seeds.generator("weights")
        self.policy = build_policy(
            behavior, self.env.single_observation_space, self.env.single_action_space, weights
        ).to(self.device)
        self.exploration = self.seeds.generator("exploration")
        self.minibatches = self.seeds.generator("minibatches")
        self.algorithm = build_algorithm(behavior, self.policy, weights, self.minibatches, self.device)
        decisions, sequence_length = rollout_length(behavior, self.env.num_envs)
        critic = self.algorithm.networks.get("critic")
        self.collector = Collector(
            self.env,
            self.policy,
            decisions,
            self.exploration,
            self.device,
            critic=critic if isinstance(critic, Critic) else None,
            sequence_length=sequence_length,
        )
        self._update_threads = update_threads(
            getattr(hyper, "batch_size", hyper.buffer_size), network.hidden_units
        )
        self.env_steps, self.iteration = 0, 0
        self.wall_seconds = 0.0
        self._began = False

    @property
    def critic(self) -> Critic:
        """V(s); KeyError where the algorithm has none."""
        return cast("Critic", self.algorithm.networks["critic"])

    def run(
        self,
        *,
        on_row: Callable[[Row], None],
        on_checkpoint: Callable[[], None],
        should_stop: Callable[[], bool],
    ) -> str:
        """Iterate until the budget is used up; return why it ended: `done`, `time_limit` or `stopped`.

        Args:
            on_row: is given the figures of every iteration.
            on_checkpoint: is called whenever `checkpoint_interval` environment steps have passed.
            should_stop: is asked after every iteration.
        """
        self._begin()
        limit = self.config.time_limit
        interval = self.behavior.checkpoint_interval
        next_checkpoint = (self.env_steps // interval + 1) * interval
        while self.env_steps < self.behavior.max_steps:
            on_row(self.iterate())
            if self.env_steps >= next_checkpoint:
                on_checkpoint()
                next_checkpoint = (self.env_steps // interval + 1) * interval
            if should_stop():
                return "stopped"
            if limit is not None and self.wall_seconds >= limit:
                return "time_limit"
        return "done"

    def iterate(self) -> Row:
        """One iteration: a rollout and the updates by it. Returns its figures."""
        self._begin()
        start = time.perf_counter()
        with torch_threads(1):
            rollout, episodes = self.collector.collect()
        collected = time.perf_counter()
        with torch_threads(self._update_threads):
            figures = self.algorithm.update(rollout, self.env_steps)
            self.collector.update_normaliser()
        end = time.perf_counter()

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
            **_episode_figures(episodes),
            "extrinsic_reward": float(rollout.reward.mean()),
            **figures,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Everything learned: networks, normalisers, optimiser moments."""
        return {
            **{
                f"{network}.{name}": value
                for network, module in self.algorithm.networks.items()
                for name, value in module.state_dict().items()
            },
            **{f"optimiser.{name}": value for name, value in self.algorithm.optimiser_tensors().items()},
        }

    def state(self) -> dict[str, Any]:
        """Everything else that a resumed run goes on from."""
        return {
            "env_steps": self.env_steps,
            "iteration": self.iteration,
            "wall_seconds": self.wall_seconds,
            "exploration": torch_rng_to_json(self.exploration),
            "minibatches": torch_rng_to_json(self.minibatches),
        }

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on from a checkpoint. The environments begin new episodes: Gymnasium has no way to save theirs."""
        self.load_weights(tensors)
        self.algorithm.restore_optimiser(_below(tensors, "optimiser."))
        self.env_steps, self.iteration = int(state["env_steps"]), int(state["iteration"])
        self.wall_seconds = float(state["wall_seconds"])
        restore_torch_rng(self.exploration, state["exploration"])
        restore_torch_rng(self.minibatches, state["minibatches"])

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        """Take networks and normalisers from a checkpoint of a run with the same networks."""
        for name, module in self.algorithm.networks.items():
            try:
                module.load_state_dict(_below(tensors, f"{name}."))
            except RuntimeError as mismatch:
                raise UsageError(
                    f"The checkpoint's {name} does not fit this run's networks: "
                    f"{' '.join(str(mismatch).split())}. Use the network_settings, the normalisation and the "
                    "environment that it was made with."
                ) from mismatch

    def spec(self) -> dict[str, Any]:
        """What the portable policy says of itself beside its weights."""
        return policy_spec(self.config, self.env, self.policy, self.env_steps)

    def close(self) -> None:
        """End the environments."""
        self.env.close()

    def _begin(self) -> None:
        """Begin the episodes and let a new normaliser see some observations, once."""
        if self._began:
            return
        self._began = True
        # A resumed run must not live through its first episodes again.
        self.collector.begin(self.seeds.integer("environments") + self.iteration)
        normaliser = self.policy.normaliser
        if normaliser is not None and float(normaliser.count) == 0:
            self.collector.warm_up(_WARM_UP)
            self.collector.begin(self.seeds.integer("environments") + self.iteration)


def make_env(config: RunConfig, num_envs: int | None = None, **more: Any) -> VectorEnv:
    """The run file's environments behind our boundary; `num_envs` overrides its number."""
    settings = config.env_settings
    _, behavior = config.behavior
    if settings.env_id is None:
        raise UsageError("The run file names no environment: set env_settings.env_id, or give --env.")
    kwargs = {**settings.env_kwargs, **config.environment_parameters, **more}
    count = (
        num_envs
        or settings.num_envs
        or default_num_envs(settings.env_id, behavior.hyperparameters.buffer_size)
    )
    return amble.envs.make(settings.env_id, count, backend=settings.backend, **kwargs)


def default_num_envs(env_id: str, buffer_size: int) -> int:
    """The largest number of environments up to our default that divides `buffer_size` into whole rollouts."""
    most = BODY_ENVS if env_id.startswith("amble/") else OTHER_ENVS
    return next(n for n in range(min(most, buffer_size), 0, -1) if buffer_size % n == 0)


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


def _episode_figures(episodes: Episodes) -> Row:
    if len(episodes.returns) == 0:
        return {"return_mean": None, "return_std": None, "length_mean": None, "episodes": 0}
    return {
        "return_mean": float(np.mean(episodes.returns)),
        "return_std": float(np.std(episodes.returns)),
        "length_mean": float(np.mean(episodes.lengths)),
        "episodes": len(episodes.returns),
    }


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _device(name: str | None) -> torch.device:
    device = torch.device(name or "cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"torch_settings.device is {name}, but this torch sees no CUDA device. Use --device cpu."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise AmbleError(
            f"torch_settings.device is {name}, but this torch sees no Apple GPU. Use --device cpu."
        )
    return device
