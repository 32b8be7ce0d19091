"""One pass over the rollout, a gradient step a minibatch, without returning to Python in between.

Axes: N samples, O observation, D action dimensions, P₀ outputs of the actor, P parameters, M minibatches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from amble.learner.fused import heads, losses
from amble.learner.fused.adam import adam, norm
from amble.learner.fused.network import backward, forward
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
_LARGEST = float(np.finfo(np.float32).max)


class Data(NamedTuple):
    """A rollout, or one minibatch of it; n rows."""

    observation: np.ndarray
    """(n, O)"""
    numbers: np.ndarray
    """(n, D) actions of a continuous head, else of no rows."""
    choices: np.ndarray
    """(n, D) actions of a discrete head, else of no rows."""
    log_prob: np.ndarray
    """(n, D) when they were drawn."""
    advantage: np.ndarray
    """(n,)"""
    value_target: np.ndarray
    """(n,)"""
    value_old: np.ndarray
    """(n,)"""
    distribution_old: np.ndarray
    """(n, P) for the objective kl_penalty, else of no rows."""


class Networks(NamedTuple):
    """What is computed, and where its parameters are in the flat vector; see `network.py`."""

    actor: np.ndarray
    """(layers, 5)"""
    critic: np.ndarray
    """(layers, 5)"""
    activation: int
    head: int
    branches: np.ndarray
    """(D + 1,) of a categorical head."""
    log_std: int
    """Where a Gaussian head's log σ begin."""


class Learned(NamedTuple):
    """The flat vectors; see `FlatParameters`."""

    theta: np.ndarray
    """(P,) as are the next three."""
    gradient: np.ndarray
    first: np.ndarray
    second: np.ndarray
    starts: np.ndarray
    """(parameters + 1,)"""
    steps: np.ndarray
    """(parameters,)"""


class Memory(NamedTuple):
    """Room for a minibatch of n: the hidden layers' outputs, slopes and δ; n rows of the head's numbers."""

    hidden: np.ndarray
    slope: np.ndarray
    delta: np.ndarray
    output: np.ndarray
    """(n·P₀,), as is the next."""
    d_output: np.ndarray
    log_prob: np.ndarray
    """(n, D), as are the next two."""
    entropy: np.ndarray
    d_log_prob: np.ndarray
    kl: np.ndarray
    """(n,)"""
    value: np.ndarray
    """(n, 1), as is the next."""
    d_value: np.ndarray


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


class Step(NamedTuple):
    """Adam's settings."""

    rate: float
    epsilon: float
    limit: float
    """Of the gradient's norm; inf for none."""


@kernel
def _gather(data, batch, index):
    """The rows `index` of the rollout into those of the minibatch."""
    for i in range(index.size):
        batch.advantage[i] = data.advantage[index[i]]
        batch.value_target[i] = data.value_target[index[i]]
        batch.value_old[i] = data.value_old[index[i]]
    _take_rows(data.observation, index, batch.observation)
    _take_rows(data.log_prob, index, batch.log_prob)
    _take_rows(data.numbers, index, batch.numbers)
    _take_rows(data.choices, index, batch.choices)
    _take_rows(data.distribution_old, index, batch.distribution_old)


@kernel
def _take_rows(rows, index, out):
    if rows.shape[0] > 0:
        for i in range(index.size):
            for j in range(rows.shape[1]):
                out[i, j] = rows[index[i], j]


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
        kl += losses.kl_term(joint[0])
        for r in range(ratios):
            _, rho, by_log_prob = (
                joint if loss.joint else losses.ratio(memory.log_prob[i, r], batch.log_prob[i, r])
            )
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
    dimensions, outputs = batch.log_prob.shape[1], nets.actor[-1, 1]
    output = memory.output[: n * outputs].reshape(n, outputs)
    d_output = memory.d_output[: n * outputs].reshape(n, outputs)
    observation = batch.observation[:n]
    numbers, choices, old = batch.numbers[:n], batch.choices[:n], batch.distribution_old[:n]
    log_prob, entropy, d_log_prob = memory.log_prob[:n], memory.entropy[:n], memory.d_log_prob[:n]
    deviations = dimensions if nets.log_std >= 0 else 0
    log_std = theta[nets.log_std : nets.log_std + deviations]
    d_log_std = gradient[nets.log_std : nets.log_std + deviations]
    has_old = old.shape[0] > 0

    forward(observation, theta, nets.actor, nets.activation, memory.hidden, memory.slope, output)
    heads.log_probs(nets.head, output, numbers, choices, nets.branches, log_std, log_prob)
    heads.entropies(nets.head, output, nets.branches, log_std, entropy)
    if has_old:
        heads.divergence(nets.head, output, old, nets.branches, log_std, memory.kl)
    total = _policy_loss(n, loss, has_old, batch, memory, figures)
    by_entropy = -loss.beta / (n if loss.joint else n * dimensions)
    heads.backward(
        nets.head,
        output,
        numbers,
        choices,
        nets.branches,
        log_std,
        entropy,
        old,
        d_log_prob,
        by_entropy,
        loss.kl_coefficient / n,
        d_output,
        d_log_std,
    )
    backward(observation, theta, gradient, nets.actor, memory.hidden, memory.slope, memory.delta, d_output)

    value, d_value = memory.value[:n], memory.d_value[:n]
    forward(observation, theta, nets.critic, nets.activation, memory.hidden, memory.slope, value)
    total += _value_loss(n, loss, batch, memory, figures)
    backward(observation, theta, gradient, nets.critic, memory.hidden, memory.slope, memory.delta, d_value)
    return total


@kernel
def _take_step(total, learned, step, figures):
    """A step down the gradient, left out where it or the loss is not finite; the last two figures."""
    length = norm(learned.gradient)
    finite = length < np.inf and abs(total) <= _LARGEST
    if finite:
        _step(learned, step, length)
    figures[6], figures[7] = length, 0.0 if finite else 1.0


@kernel
def _step(learned, step, length):
    """Adam's, each parameter by its own count: a checkpoint may hold different ones."""
    for p in range(learned.steps.size):
        a, b = learned.starts[p], learned.starts[p + 1]
        learned.steps[p] += 1
        adam(
            learned.theta[a:b],
            learned.gradient[a:b],
            learned.first[a:b],
            learned.second[a:b],
            step.rate,
            step.epsilon,
            np.float64(learned.steps[p]),
            step.limit,
            length,
        )


def _compiled_epoch() -> Callable[..., Any]:
    sources = fingerprint(__file__)

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
            _take_step(total, learned, step, figures[k])

    return epoch


class InParts(NamedTuple):
    """An epoch whose minibatches are cut into parts; see `parts.py`, which calls these three in turn."""

    advantages: Callable[..., Any]
    gradient: Callable[..., Any]
    step: Callable[..., Any]


def _compiled_parts() -> InParts:
    sources = fingerprint(__file__)

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
        _take_step(total, learned, Step(*step), figures)

    return InParts(advantages, gradient, step)


epoch = _compiled_epoch()
in_parts = _compiled_parts()
