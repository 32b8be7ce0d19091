"""Fitting a critic of PG: one pass over the rollout, a gradient step a minibatch. Axes: N samples, I inputs, K outputs.

V(s) has one output, and so has Q(s, a) of state and action together; Q of K choices has one each, and learns the
output of the choice that was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from amble.learner.fused import losses
from amble.learner.fused.arrays import Learned, Step
from amble.learner.fused.gradient import descend, take_rows
from amble.learner.fused.network import backward, forward
from amble.native.compiled import entry, fingerprint, kernel


class Targets(NamedTuple):
    """What a critic learns from."""

    inputs: np.ndarray
    """(N, I)"""
    choice: np.ndarray
    """(N,) which output is meant."""
    target: np.ndarray
    """(N,)"""


class FitMemory(NamedTuple):
    """Room for a minibatch of n."""

    inputs: np.ndarray
    """(n, I)"""
    hidden: np.ndarray
    """This and the next four as in `Memory`."""
    slope: np.ndarray
    normal: np.ndarray
    inverse_std: np.ndarray
    delta: np.ndarray
    output: np.ndarray
    """(n, K), as is the next."""
    d_output: np.ndarray


@kernel
def _gradient(index, targets, table, activation, theta, gradient, memory):
    """The gradient of E23's L_v = mean( (target - predicted)² ) over a minibatch; returns L_v."""
    n, total = index.size, 0.0
    inputs, output, d_output = memory.inputs[:n], memory.output[:n], memory.d_output[:n]
    take_rows(targets.inputs, index, inputs)
    forward(inputs, theta, table, activation, memory, output)
    d_output[:] = 0
    for i in range(n):
        k = targets.choice[index[i]]
        term, slope = losses.squared_error(np.float64(output[i, k]), targets.target[index[i]])
        total += term / n
        d_output[i, k] = slope / n
    backward(inputs, theta, gradient, table, memory, d_output)
    return total


def _compiled_fit() -> Callable[..., Any]:
    sources = fingerprint(__file__)

    @entry("the fused learner", seconds=15)
    def fit_epoch(targets, order, ends, table, activation, learned, step, memory, figures):
        """A gradient step a minibatch, left out where the loss or its gradient is not finite.

        Args:
            targets: the rollout.
            order: (N,) its samples in the order in which they are used.
            ends: (M,) where each minibatch ends in `order`.
            table: (layers, 7) the critic's; see `network.py`.
            activation: its kind.
            learned: moved.
            step: Adam's settings.
            memory: room for the largest minibatch.
            figures: (M, 2) written: loss, and 1 for a step left out.
        """
        _ = sources
        targets, learned, step, memory = Targets(*targets), Learned(*learned), Step(*step), FitMemory(*memory)
        begin = 0
        for k in range(ends.size):
            index = order[begin : ends[k]]
            begin = ends[k]
            loss = _gradient(index, targets, table, activation, learned.theta, learned.gradient, memory)
            figures[k, 0], figures[k, 1] = loss, descend(learned, step, loss)[1]

    return fit_epoch


fit_epoch = _compiled_fit()
