"""A2C's and PG's one gradient step a rollout. Axes as in `arrays.py`; n is the whole rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from amble.learner.fused import losses
from amble.learner.fused.arrays import Data, Learned, Memory, Networks, Step
from amble.learner.fused.gradient import (
    actor_backward,
    actor_forward,
    critic_backward,
    critic_forward,
    descend,
)
from amble.native.compiled import entry, fingerprint, kernel

A2C_FIGURES = ("policy_loss", "entropy", "value_loss", "grad_norm", "skipped_steps")
PG_FIGURES = ("policy_loss", "entropy", "grad_norm", "skipped_steps")
"""What is told of a step, in the order of the columns."""


@kernel
def _actor_gradient(n, nets, beta, theta, gradient, data, memory, figures):
    """The actor's gradient of L_π - βH, with L_π = -mean( log π(a|s) Φ ) and log π of the whole action; returns that.

    L_π and H go into `figures`.
    """
    actor_forward(n, nets, theta, data, memory)
    policy = entropy = 0.0
    for i in range(n):
        log_prob = 0.0
        for d in range(memory.log_prob.shape[1]):
            log_prob += memory.log_prob[i, d]
            entropy += memory.entropy[i, d] / n
        term, slope = losses.policy_gradient(log_prob, data.advantage[i])
        policy += term / n
        for d in range(memory.log_prob.shape[1]):
            memory.d_log_prob[i, d] = slope / n
    actor_backward(n, nets, theta, gradient, data, memory, -beta / n, 0.0)
    figures[0], figures[1] = policy, entropy
    return policy - beta * entropy


@kernel
def _critic_gradient(n, nets, coefficient, theta, gradient, data, memory, figures):
    """The critic's gradient of c_v L_v, with L_v = mean( (R - V)² ), which goes into `figures`; returns c_v L_v."""
    critic_forward(n, nets, theta, data, memory)
    total = 0.0
    for i in range(n):
        term, slope = losses.squared_error(np.float64(memory.value[i, 0]), data.value_target[i])
        total += term / n
        memory.d_value[i, 0] = coefficient * slope / n
    critic_backward(n, nets, theta, gradient, data, memory)
    figures[2] = total
    return coefficient * total


def _compiled_steps() -> tuple[Callable[..., Any], Callable[..., Any]]:
    sources = fingerprint(__file__)

    @entry("the fused learner", seconds=15)
    def a2c_step(data, nets, learned, beta, value_coefficient, step, memory, figures):
        """A step down E23's L = L_π + c_v L_v - βH.

        Args:
            data: the rollout.
            nets: actor, critic and head.
            learned: moved, unless the loss or its gradient is not finite.
            beta: β.
            value_coefficient: c_v.
            step: Adam's settings.
            memory: room for the rollout.
            figures: (5,) written: `A2C_FIGURES`.
        """
        _ = sources
        data, nets, learned = Data(*data), Networks(*nets), Learned(*learned)
        step, memory, n = Step(*step), Memory(*memory), data[0].shape[0]
        theta, gradient = learned.theta, learned.gradient
        loss = _actor_gradient(n, nets, beta, theta, gradient, data, memory, figures)
        loss += _critic_gradient(n, nets, value_coefficient, theta, gradient, data, memory, figures)
        figures[3], figures[4] = descend(learned, step, loss)

    @entry("the fused learner", seconds=15)
    def pg_step(data, nets, learned, beta, step, memory, figures):
        """A step down L_π - βH (E9); arguments as of `a2c_step`, `figures` (4,) being `PG_FIGURES`."""
        _ = sources
        data, nets, learned = Data(*data), Networks(*nets), Learned(*learned)
        step, memory, n = Step(*step), Memory(*memory), data[0].shape[0]
        loss = _actor_gradient(n, nets, beta, learned.theta, learned.gradient, data, memory, figures)
        figures[2], figures[3] = descend(learned, step, loss)

    return a2c_step, pg_step


a2c_step, pg_step = _compiled_steps()
