"""What the three algorithms share: one environment, one seed, one thread, epochs and their figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn

from amble.errors import AmbleError, UsageError
from amble.spinup.arguments import check_arguments
from amble.spinup.collect import Collector
from amble.spinup.epoch import Epoch, Trajectories, judge
from amble.spinup.logger import Logger, check_logger_kwargs, statistics
from amble.spinup.saving import save_actor_critic
from amble.training.threads import torch_threads


class Run:
    """A run of one algorithm; a context manager, whose arguments are checked before anything is made or written.

    Args:
        function: the algorithm's name, for messages.
        own: the arguments that only this algorithm has.
        env_fn: and the rest, see `ppo_pytorch`.
    """

    actor_critic: Any

    def __init__(
        self,
        function: str,
        own: Mapping[str, Any],
        *,
        env_fn: Callable[[], Any],
        actor_critic: Callable[..., Any],
        ac_kwargs: Mapping[str, Any],
        seed: int,
        steps_per_epoch: int,
        epochs: int,
        gamma: float | int,
        lam: float | int,
        max_ep_len: int,
        logger_kwargs: Mapping[str, Any],
        save_freq: int,
    ):
        shared = {
            "env_fn": env_fn,
            "actor_critic": actor_critic,
            "ac_kwargs": ac_kwargs,
            "seed": seed,
            "steps_per_epoch": steps_per_epoch,
            "epochs": epochs,
            "gamma": gamma,
            "lam": lam,
            "max_ep_len": max_ep_len,
            "logger_kwargs": logger_kwargs,
            "save_freq": save_freq,
        }
        self._arguments = {**shared, **own}
        check_arguments(function, self._arguments)
        check_logger_kwargs(function, logger_kwargs)
        self._gamma, self._lam = float(gamma), float(lam)
        self._steps, self._epochs, self._save_freq = steps_per_epoch, epochs, save_freq
        self._epoch = 0

    def __enter__(self) -> Run:
        a = self._arguments
        self._stack = contextlib.ExitStack()
        with self._stack as stack:
            stack.enter_context(torch_threads(1))
            stack.enter_context(_seeded(a["seed"]))
            env = a["env_fn"]()
            stack.callback(getattr(env, "close", lambda: None))
            self._collector = Collector(env, a["steps_per_epoch"], a["max_ep_len"], a["seed"])
            self.actor_critic = a["actor_critic"](env.observation_space, env.action_space, **a["ac_kwargs"])
            _check_interface(self.actor_critic)
            self.logger = Logger(**a["logger_kwargs"])
            stack.callback(self.logger.close)
            self.logger.save_config({**a, "logger_kwargs": _without_stream(a["logger_kwargs"])})
            sizes = [
                sum(p.numel() for p in part.parameters())
                for part in (self.actor_critic.pi, self.actor_critic.v)
            ]
            self.logger.log(f"Number of parameters: pi {sizes[0]}, v {sizes[1]}")
            self._start = time.perf_counter()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def epochs(self) -> Iterator[Epoch]:
        """Each epoch's experience, collected by the policy as it stands; `finish` must follow."""
        for number in range(self._epochs):
            self._epoch = number
            self._trajectories: Trajectories = self._collector.collect(self.actor_critic)
            self._data: Epoch = judge(self._trajectories, self.actor_critic, self._gamma, self._lam)
            yield self._data

    def finish(self, figures: Mapping[str, float | int]) -> None:
        """Write the epoch's line, and the actor-critic every `save_freq` epochs and after the last.

        Unlike Spinning Up's, what is saved is the actor-critic after the epoch's update.
        """
        if not all(bool(torch.isfinite(p).all()) for p in self.actor_critic.parameters()):
            raise AmbleError(
                f"epoch {self._epoch}: the update made weights that are not finite. "
                "Take smaller learning rates (pi_lr, vf_lr), or scale the rewards down."
            )
        self.logger.epoch(
            {
                "Epoch": self._epoch,
                **statistics("EpRet", self._trajectories.episode_returns),
                "EpLen": statistics("", self._trajectories.episode_lengths)["Average"],
                **statistics("VVals", self._data.value.tolist()),
                "TotalEnvInteracts": (self._epoch + 1) * self._steps,
                **figures,
                "Time": time.perf_counter() - self._start,
            }
        )
        if self._epoch % self._save_freq == 0 or self._epoch == self._epochs - 1:
            save_actor_critic(
                self.logger.output_dir, self.actor_critic, self._collector.env, self._arguments["ac_kwargs"]
            )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Within, torch's and NumPy's own generators start from `seed`: an actor-critic that users write draws from them.

    They are as they were afterwards.
    """
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)


def _check_interface(actor_critic: Any) -> None:
    missing = [name for name in ("pi", "v", "step") if not hasattr(actor_critic, name)]
    if missing or not isinstance(actor_critic, nn.Module):
        lacks = f"lacks {', '.join(f'`{name}`' for name in missing)}" if missing else "is no torch.nn.Module"
        raise UsageError(
            f"actor_critic gave a {type(actor_critic).__name__} that {lacks}. Expected a torch.nn.Module with the "
            "modules pi(obs, act) and v(obs) and the method step(obs); see amble.spinup.ActorCritic."
        )


def _without_stream(logger_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in logger_kwargs.items() if name != "stream"}
