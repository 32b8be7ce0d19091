"""What A2C and PG call for a gradient step, and PG to fit its critics, in the place of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from amble.algorithms.a2c import A2C
from amble.algorithms.optimiser import Optimiser
from amble.algorithms.pg import PG
from amble.algorithms.rollout import Samples, known, minibatches
from amble.learner.fused.arrays import Memory, Networks
from amble.learner.fused.blas import blas_threads
from amble.learner.fused.fit import FitMemory, Targets, fit_epoch
from amble.learner.fused.handover import (
    activation_of,
    array,
    data_of,
    hidden_width,
    layer_norm_room,
    learned,
    memory_for,
    networks,
    step_of,
    table,
    threads,
)
from amble.learner.fused.layout import FlatParameters
from amble.learner.fused.policy_gradient import A2C_FIGURES, PG_FIGURES, a2c_step, pg_step
from amble.nets.critics import Critic, QCritic


class FusedA2CStep:
    """A2C's step."""

    def __init__(self, a2c: A2C):
        self.a2c = a2c
        self.flat = FlatParameters(a2c.optimiser)
        self.nets = networks(a2c.policy, a2c.critic, self.flat)
        self._learned, self._room = tuple(learned(self.flat)), _Room(self.nets)

    def __call__(self, samples: Samples, beta: float) -> dict[str, float]:
        """See `GradientStep` in `amble.algorithms.algorithm`."""
        self.flat.adopt()
        known(samples.value_target)
        n, figures = len(samples), np.empty(len(A2C_FIGURES))
        with blas_threads(threads(n, self.nets.actor, self.nets.critic)):
            a2c_step(
                tuple(data_of(samples)),
                tuple(self.nets),
                self._learned,
                float(beta),
                float(self.a2c.settings.value_coefficient),
                tuple(step_of(self.a2c.optimiser)),
                tuple(self._room(samples)),
                figures,
            )
        return dict(zip(A2C_FIGURES, figures.tolist(), strict=True))


class FusedPGStep:
    """PG's step of the policy."""

    def __init__(self, pg: PG):
        self.optimiser = pg.optimisers["policy"]
        self.flat = FlatParameters(self.optimiser)
        self.nets = networks(pg.policy, None, self.flat)
        self._learned, self._room = tuple(learned(self.flat)), _Room(self.nets)

    def __call__(self, samples: Samples, beta: float) -> dict[str, float]:
        """See `GradientStep` in `amble.algorithms.algorithm`."""
        self.flat.adopt()
        n, figures = len(samples), np.empty(len(PG_FIGURES))
        with blas_threads(threads(n, self.nets.actor)):
            pg_step(
                tuple(data_of(samples)),
                tuple(self.nets),
                self._learned,
                float(beta),
                tuple(step_of(self.optimiser)),
                tuple(self._room(samples)),
                figures,
            )
        return dict(zip(PG_FIGURES, figures.tolist(), strict=True))


class FusedFit:
    """The fits of PG's critics, each by its own optimiser."""

    def __init__(self, pg: PG):
        critics = {"critic": pg.critic, "q_critic": pg.q_critic}
        self._fitted = {
            id(pg.optimisers[name]): _Fitted(critic, FlatParameters(pg.optimisers[name]))
            for name, critic in critics.items()
            if critic is not None
        }

    def __call__(
        self,
        predicted: Callable[[Samples], Float[Tensor, "N *L"]],
        samples: Samples,
        optimiser: Optimiser,
        rng: torch.Generator,
        *,
        epochs: int,
        batch_size: int,
    ) -> tuple[float, int]:
        """See `amble.algorithms.critic_fit.fit`; which critic it is, the optimiser says."""
        fitted = self._fitted[id(optimiser)]
        fitted.flat.adopt()
        net = cast("nn.Sequential", fitted.critic.net)
        layers, targets = table(net, fitted.flat), fitted.targets(samples)
        step, moved = tuple(step_of(optimiser)), tuple(learned(fitted.flat))
        figures: list[np.ndarray] = []
        for _ in range(epochs):
            order = list(minibatches(len(samples), batch_size, rng))
            sizes = [len(index) for index in order]
            told = np.empty((len(sizes), 2))
            with blas_threads(threads(max(sizes), layers)):
                fit_epoch(
                    tuple(targets),
                    torch.cat(order).numpy(),
                    np.array(list(accumulate(sizes))),
                    layers,
                    activation_of(net),
                    moved,
                    step,
                    tuple(_fit_memory(layers, max(sizes))),
                    told,
                )
            figures.append(told)
        every = np.concatenate(figures)
        return float(every[:, 0].mean()), int(every[:, 1].sum())


@dataclass(frozen=True)
class _Fitted:
    critic: Critic | QCritic
    flat: FlatParameters

    def targets(self, samples: Samples) -> Targets:
        """V and Q of choices take the observation; Q of numbers takes the action beside it."""
        inputs, choice = samples.observation, torch.zeros(len(samples), dtype=torch.int64)
        if isinstance(self.critic, QCritic):
            if self.critic.choices:
                choice = samples.action
            else:
                inputs = torch.cat([inputs, samples.action], dim=-1)
        return Targets(array(inputs), array(choice), array(known(samples.value_target)))


class _Room:
    """Memory for a rollout, kept from update to update."""

    def __init__(self, nets: Networks):
        self.nets = nets
        self._memory: Memory | None = None

    def __call__(self, samples: Samples) -> Memory:
        n, dimensions = samples.log_prob.shape
        if self._memory is None or len(self._memory.log_prob) < n:
            self._memory = memory_for(self.nets, n, dimensions)
        return self._memory


def _fit_memory(layers: np.ndarray, n: int) -> FitMemory:
    width, (normal, inverse_std) = n * hidden_width(layers), layer_norm_room(n, layers)
    return FitMemory(
        inputs=np.empty((n, layers[0, 0]), np.float32),
        hidden=np.empty(width, np.float32),
        slope=np.empty(width, np.float32),
        normal=normal,
        inverse_std=inverse_std,
        delta=np.empty(width, np.float32),
        output=np.empty((n, layers[-1, 1]), np.float32),
        d_output=np.empty((n, layers[-1, 1]), np.float32),
    )
