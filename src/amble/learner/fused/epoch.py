"""PPO: one pass over the rollout, a gradient step a minibatch, without returning to Python in between.

Axes: N samples, M minibatches, and those of `arrays.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from amble.learner.fused import losses
from amble.learner.fused.arrays import Data, Learned, Memory, Networks, Step
from amble.learner.fused.gradient import (
    actor_backward,
    actor_divergence,
    actor_forward,
    critic_backward,
    critic_forward,
    descend,
    take_rows,
)
from amble.native.compiled import entry, fingerprint, kernel

FIGURES = (
    "policy_loss",
    "value_loss",
    "entropy",
    "kl",
    "clip_fraction",
    "ratio",
    "grad_norm",
    "skipped_steps",
)
"""What is told of each minibatch, in the order of the columns."""


SOURCES = fingerprint(__file__)
"""Of everything that is compiled here."""


class Loss(NamedTuple):
    """The coefficients of E23 and which of PPO's forms is asked for."""

    epsilon: float
    beta: float
    value_coefficient: float
    value_clip: float
    """inf for none."""
    kl_coefficient: float
    joint: bool
    """The ratio of the whole action, else of each dimension."""
    standardise: bool
    """The advantages of each minibatch."""


@kernel
def _gather(data, batch, index):
    """The rows `index` of the rollout into those of the minibatch."""
    for i in range(index.size):
        batch.advantage[i] = data.advantage[index[i]]
        batch.value_target[i] = data.value_target[index[i]]
        batch.value_old[i] = data.value_old[index[i]]
    take_rows(data.observation, index, batch.observation)
    take_rows(data.log_prob, index, batch.log_prob)
    take_rows(data.numbers, index, batch.numbers)
    take_rows(data.choices, index, batch.choices)
    take_rows(data.distribution_old, index, batch.distribution_old)


@kernel
def _policy_loss(n, loss, has_old, batch, memory, figures):
    """L_π - βH of E23 into `figures`, and its ∂/∂log π into `memory.d_log_prob`; returns the loss."""
    dimensions = batch.log_prob.shape[1]
    ratios = 1 if loss.joint else dimensions
    share = 1.0 / (n * ratios)
    policy = entropy = kl = clipped = mean_ratio = 0.0
    for i in range(n):
        new = old = 0.0
        for d in range(dimensions):
            new += memory.log_prob[i, d]
            old += batch.log_prob[i, d]
            entropy += memory.entropy[i, d]
        joint = losses.ratio(new, old)
        for r in range(ratios):
            x, rho, by_log_prob = (
                joint if loss.joint else losses.ratio(memory.log_prob[i, r], batch.log_prob[i, r])
            )
            kl += losses.kl_term(x)
            if has_old:
                term, by_rho = losses.surrogate(rho, batch.advantage[i])
            else:
                term, by_rho = losses.clipped_surrogate(rho, batch.advantage[i], loss.epsilon)
            policy += term
            mean_ratio += rho
            clipped += abs(rho - 1) > loss.epsilon
            slope = share * by_rho * by_log_prob
            if loss.joint:
                for d in range(dimensions):
                    memory.d_log_prob[i, d] = slope
            else:
                memory.d_log_prob[i, r] = slope
    policy *= share
    entropy *= share
    if has_old:
        for i in range(n):
            policy += loss.kl_coefficient * memory.kl[i] / n
    figures[0], figures[2], figures[3] = policy, entropy, kl / n
    figures[4], figures[5] = clipped * share, mean_ratio * share
    return policy - loss.beta * entropy


@kernel
def _value_loss(n, loss, batch, memory, figures):
    """c_v L_v of E23, its L_v into `figures`, and its ∂/∂V into `memory.d_value`; returns the loss."""
    total, share = 0.0, 1.0 / n
    for i in range(n):
        value = np.float64(memory.value[i, 0])
        if loss.value_clip < np.inf:
            term, slope = losses.clipped_squared_error(
                value, batch.value_target[i], batch.value_old[i], loss.value_clip
            )
        else:
            term, slope = losses.squared_error(value, batch.value_target[i])
        total += term
        memory.d_value[i, 0] = loss.value_coefficient * share * slope
    figures[1] = total * share
    return loss.value_coefficient * total * share


@kernel
def _gradient(n, nets, loss, theta, gradient, batch, memory, figures):
    """The gradient of E23's L = L_π + c_v L_v - βH over a minibatch; returns L."""
    has_old = batch.distribution_old.shape[0] > 0
    actor_forward(n, nets, theta, batch, memory)
    if has_old:
        actor_divergence(n, nets, theta, batch, memory)
    total = _policy_loss(n, loss, has_old, batch, memory, figures)
    by_entropy = -loss.beta / (n if loss.joint else n * batch.log_prob.shape[1])
    actor_backward(n, nets, theta, gradient, batch, memory, by_entropy, loss.kl_coefficient / n)

    critic_forward(n, nets, theta, batch, memory)
    total += _value_loss(n, loss, batch, memory, figures)
    critic_backward(n, nets, theta, gradient, batch, memory)
    return total


def _compiled_epoch() -> Callable[..., Any]:
    sources = SOURCES

    @entry("the fused learner", seconds=15)
    def epoch(data, order, ends, nets, learned, loss, step, batch, memory, figures):
        """A gradient step a minibatch, left out where the loss or its gradient is not finite.

        Args:
            data: the rollout.
            order: (N,) its samples in the order in which they are used.
            ends: (M,) where each minibatch ends in `order`.
            nets: actor, critic and head.
            learned: moved.
            loss: its coefficients.
            step: Adam's settings.
            batch: room for the largest minibatch, as is `memory`.
            memory: more of it.
            figures: (M, 8) written: `FIGURES` of each minibatch.
        """
        _ = sources
        # Numba tells plain tuples' types apart in a microsecond, named ones' in a hundred.
        data, batch, nets = Data(*data), Data(*batch), Networks(*nets)
        learned, loss, step, memory = Learned(*learned), Loss(*loss), Step(*step), Memory(*memory)
        begin = 0
        for k in range(ends.size):
            index = order[begin : ends[k]]
            n, begin = index.size, ends[k]
            _gather(data, batch, index)
            if loss.standardise:
                losses.standardise(batch.advantage[:n], batch.advantage[:n])
            total = _gradient(n, nets, loss, learned.theta, learned.gradient, batch, memory, figures[k])
            figures[k, 6], figures[k, 7] = descend(learned, step, total)

    return epoch


class InParts(NamedTuple):
    """An epoch whose minibatches are cut into parts; see `parts.py`, which calls these three in turn."""

    advantages: Callable[..., Any]
    gradient: Callable[..., Any]
    step: Callable[..., Any]


def _compiled_parts() -> InParts:
    sources = SOURCES

    @entry("the fused learner", seconds=15)
    def advantages(advantage, order, ends, standardise, out):
        """The advantages in the order in which they are used, standardised over each minibatch where that is asked for.

        Args:
            advantage: (N,) of the rollout.
            order: (N,) its samples in the order in which they are used.
            ends: (M,) where each minibatch ends in `order`.
            standardise: whether to.
            out: (N,) written.
        """
        _ = sources
        for i in range(order.size):
            out[i] = advantage[order[i]]
        begin = 0
        for k in range(ends.size):
            if standardise:
                losses.standardise(out[begin : ends[k]], out[begin : ends[k]])
            begin = ends[k]

    @entry("the fused learner", seconds=15)
    def gradient(data, index, advantage, nets, theta, gradient, loss, batch, memory, figures):
        """The gradient of the mean over some of a minibatch's samples.

        Args:
            data: the rollout.
            index: (n,) which samples.
            advantage: (n,) of these, as the loss takes them.
            nets: actor, critic and head.
            theta: (P,) the parameters.
            gradient: (P,) written.
            loss: its coefficients.
            batch: room for n samples, as is `memory`.
            memory: more of it.
            figures: (8,) the first six written.

        Returns:
            The loss.
        """
        _ = sources
        data, batch, nets = Data(*data), Data(*batch), Networks(*nets)
        _gather(data, batch, index)
        batch.advantage[: index.size] = advantage
        return _gradient(index.size, nets, Loss(*loss), theta, gradient, batch, Memory(*memory), figures)

    @entry("the fused learner", seconds=15)
    def step(gradients, shares, totals, learned, step, part_figures, figures):
        """A step down the mean of the parts' gradients.

        Args:
            gradients: (K, P) of the parts.
            shares: (K,) of the minibatch's samples that each part has.
            totals: (K,) the parts' losses.
            learned: moved.
            step: Adam's settings.
            part_figures: (K, 8) of the parts.
            figures: (8,) written: those of the minibatch.
        """
        _ = sources
        learned = Learned(*learned)
        for p in range(learned.gradient.size):
            learned.gradient[p] = np.float32(shares[0]) * gradients[0, p]
        for k in range(1, shares.size):
            for p in range(learned.gradient.size):
                learned.gradient[p] += np.float32(shares[k]) * gradients[k, p]
        total = 0.0
        figures[:] = 0.0
        for k in range(shares.size):
            total += shares[k] * totals[k]
            for j in range(6):
                figures[j] += shares[k] * part_figures[k, j]
        figures[6], figures[7] = descend(learned, Step(*step), total)

    return InParts(advantages, gradient, step)


epoch = _compiled_epoch()
in_parts = _compiled_parts()
