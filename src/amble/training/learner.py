"""What every trainer has: policy and algorithm, the loop over iterations, and what a checkpoint is made of."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from amble.config import RunConfig
from amble.errors import AmbleError, UsageError
from amble.learner.choice import choose
from amble.nets.critics import Critic
from amble.training.build import build_algorithm, build_policy
from amble.training.checkpoint import below
from amble.training.lessons import Lessons
from amble.training.policy import policy_spec
from amble.training.seeds import Seeds
from amble.training.sides import usable_mirror

_log = logging.getLogger(__name__)

Row = dict[str, float | int | str | None]


class Learner(ABC):
    """A run without its way of gathering experience, which `Trainer` and `AsynchronousTrainer` add.

    Attributes:
        env_steps: decisions taken so far, by all environments together.
        iteration: rows written so far.
        gradient_steps: who takes them, and why; shown when a run starts.
        acting: who acts while a rollout is collected; None for torch.
        wall_seconds: spent in iterations so far.
        lessons: of the environment parameters.
        histograms: values by name that the last iteration's row holds one number of.
        announce: is told what the user should know while the run goes on.
    """

    def __init__(self, config: RunConfig, env: VectorEnv, lessons: Lessons | None = None):
        """`env` says what is observed and done; `lessons` are those of `config` if None."""
        self.config, self.env = config, env
        self.name, self.behavior = config.behavior
        self.lessons = Lessons(config) if lessons is None else lessons
        self.histograms: dict[str, list[float]] = {}
        self.announce: Callable[[str], None] = _log.info
        self.device = _device(config.torch_settings.device)
        self.seeds = Seeds(config.env_settings.seed)
        weights = self.seeds.generator("weights")
        self.policy = build_policy(
            self.behavior, env.single_observation_space, env.single_action_space, weights
        ).to(self.device)
        self.minibatches = self.seeds.generator("minibatches")
        self.algorithm = build_algorithm(
            self.behavior,
            self.policy,
            weights,
            self.minibatches,
            self.device,
            mirror=usable_mirror(config, env),
        )
        chosen = choose(self.algorithm, config.torch_settings.learner, self.device)
        self.gradient_steps, self.acting = chosen.words, chosen.acting
        self.env_steps, self.iteration = 0, 0
        self.wall_seconds = 0.0

    @property
    def critic(self) -> Critic:
        """V(s); KeyError where the algorithm has none."""
        return cast("Critic", self.algorithm.networks["critic"])

    @abstractmethod
    def iterate(self) -> Row:
        """One iteration: experience and the updates by it. Returns its figures."""

    @abstractmethod
    def describe(self) -> str:
        """In a few words, how experience is gathered; shown when a run starts."""

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

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything else that a resumed run goes on from."""

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on from a checkpoint. The environments begin new episodes: Gymnasium has no way to save theirs."""
        self.load_weights(tensors)
        self.algorithm.restore_optimiser(below(tensors, "optimiser."))
        self.env_steps, self.iteration = int(state["env_steps"]), int(state["iteration"])
        self.wall_seconds = float(state["wall_seconds"])

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        """Take networks and normalisers from a checkpoint of a run with the same ones; a new reward signal's stay."""
        for name, module in self.algorithm.networks.items():
            saved = below(tensors, f"{name}.")
            if not saved and name not in ("policy", "critic", "q_critic"):
                continue
            _fill(name, module, saved)

    def load_policy(self, tensors: dict[str, Tensor]) -> None:
        """Take actor, head and normaliser from a finished policy with the same networks; the critic stays new."""
        _fill("policy", self.policy, tensors)

    def spec(self) -> dict[str, Any]:
        """What the portable policy says of itself beside its weights."""
        return policy_spec(self.config, self.env, self.policy, self.env_steps, self.lessons.values)

    @abstractmethod
    def close(self) -> None:
        """End the environments."""


def episode_figures(returns: Sequence[float] | np.ndarray, lengths: Sequence[int] | np.ndarray) -> Row:
    """Of the episodes that ended in an iteration."""
    if len(returns) == 0:
        return {"return_mean": None, "return_std": None, "length_mean": None, "episodes": 0}
    return {
        "return_mean": float(np.mean(returns)),
        "return_std": float(np.std(returns)),
        "length_mean": float(np.mean(lengths)),
        "episodes": len(returns),
    }


def _fill(name: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as mismatch:
        raise UsageError(
            f"The checkpoint's {name} does not fit this run's networks: {' '.join(str(mismatch).split())}. Use the "
            "network_settings, the normalisation and the environment that it was made with."
        ) from mismatch


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
