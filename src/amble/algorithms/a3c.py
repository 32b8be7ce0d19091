"""Asynchronous advantage actor-critic: workers push A2C's gradients into parameters that they share, without waiting.

Mnih et al. 2016, arXiv:1602.01783, algorithm S3 and section 4 ("shared statistics"); the lecture's E14, E16, E23.
Here is what one worker does with one rollout; its processes and environments are `training/asynchronous.py`'s.

    repeat
        θ' ← θ                                      pull: a copy of the shared parameters
        T decisions by π(·; θ')                     the rollout, handed in
        g  ← ∇L(θ'), clipped                        A2C's loss, on the copy
        θ  ← Adam(θ, g)                             push: θ and Adam's m, v are everybody's

Between a worker's pull and its push others have moved θ: its gradient is that many updates *stale*.

**A short lock, not lock-free.** The paper's Hogwild updates lose some of each other's writes. With Adam they would also
lose counts of its bias correction, merge the observations' moments wrongly, and rescale the critic (Pop-Art) for a
scale that another worker has just moved. Under a lock none of this happens: every push is one whole Adam step, and one
worker alone does exactly what A2C does. Nobody waits for another's rollout or gradient, only for its step
(`benchmarks/a3c_throughput.py` measures how long).

**Normalisation.** A worker acts, and takes its gradient, with the observations' moments that it pulled, so its stored
log-probabilities stay true; what it saw is merged into the shared moments at its push. The critic's scale likewise:
its copy moves with the worker's own targets before the loss, the shared one moves at the push, and the gradient counts
as one in the shared scale's units. The two differ by what others pushed meanwhile, as the parameters do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amble.algorithms.a2c import A2C
from amble.algorithms.algorithm import Figures, beta_at, rate_at
from amble.algorithms.rollout import Rollout
from amble.nets.normaliser import sample_moments

UPDATES = "updates"
"""Name of the count of all pushes among the shared tensors."""


class A3C:
    """One worker's side of it: `pull`, then a rollout by `own.policy`, then `push`."""

    def __init__(
        self,
        own: A2C,
        shared: A2C,
        updates: Int64[Tensor, ""],
        lock: AbstractContextManager[object],
    ):
        """A worker.

        Args:
            own: networks that only this worker has; their optimiser is never stepped.
            shared: networks and optimiser whose tensors all workers have in common (`live_in`).
            updates: how often anybody has pushed; shared too.
            lock: keeps every other worker out of the shared tensors while it is held.
        """
        self.own, self.shared, self.updates, self.lock = own, shared, updates, lock
        mine, theirs = learned(own), learned(shared)
        self._copies = [(mine[name], theirs[name]) for name in mine]
        self._updates_at_pull = 0

    @torch.no_grad()
    def pull(self) -> None:
        """θ' ← θ, and the normalisers with it."""
        with self.lock:
            for mine, theirs in self._copies:
                mine.copy_(theirs)
            self._updates_at_pull = int(self.updates)

    def push(self, rollout: Rollout, seen: Float[Tensor, "T B V"], env_steps: int) -> Figures:
        """Move what is shared by the gradient of one rollout.

        Args:
            rollout: collected by `own.policy` since the last pull.
            seen: its observations as they came, for the normaliser.
            env_steps: environment steps taken by everybody at the pull; the schedules' clock.

        Returns:
            The figures of A2C's loss, and `staleness`: how many updates others made between pull and push.
        """
        own, shared = self.own, self.shared
        shared.optimiser.learning_rate = rate_at(env_steps, own.settings, own.problem)
        beta = beta_at(env_steps, own.settings, own.problem)

        samples, figures = own.samples(rollout)
        loss, losses = own.loss(samples, beta)
        norm, finite = own.optimiser.gradient(loss)
        value_target = None if samples.value_target is None else own.critic.to_return(samples.value_target)
        moments = None if own.policy.normaliser is None else sample_moments(seen)

        with self.lock:
            staleness = int(self.updates) - self._updates_at_pull
            if value_target is not None:
                shared.critic.take_in(value_target)
            if finite:
                for mine, theirs in zip(own.parameters, shared.parameters, strict=True):
                    theirs.grad = mine.grad
                shared.optimiser.adam.step()
                self.updates.add_(1)
            if moments is not None and shared.policy.normaliser is not None:
                shared.policy.normaliser.merge(*moments)

        return {
            **losses,
            **figures,
            "grad_norm": norm,
            "skipped_steps": float(not finite),
            "learning_rate": shared.optimiser.learning_rate,
            "beta": beta,
            "staleness": float(staleness),
        }


def learned(algorithm: A2C) -> dict[str, Tensor]:
    """The tensors of the networks themselves (no copies): parameters, normaliser, the critic's scale."""
    return {
        f"{network}.{name}": tensor
        for network, module in algorithm.networks.items()
        for name, tensor in module.state_dict(keep_vars=True).items()
    }


def everything(algorithm: A2C) -> dict[str, Tensor]:
    """The same with Adam's statistics: all that a push moves, under the names of a checkpoint."""
    algorithm.optimiser.begin()
    statistics = {f"optimiser.{name}": tensor for name, tensor in algorithm.optimiser_tensors().items()}
    return {**learned(algorithm), **statistics}


def live_in(algorithm: A2C, memory: dict[str, Tensor]) -> None:
    """Let networks and statistics be the tensors of `memory`, which holds `everything`; their own are forgotten."""
    for name, tensor in everything(algorithm).items():
        tensor.data = memory[name]
