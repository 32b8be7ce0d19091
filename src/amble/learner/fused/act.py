"""One decision of all environments: normalise, forward, draw, log-probability. Axes: T, B, O as in a rollout.

The noise is drawn beforehand by torch, so that the same seed acts the same by either learner, within rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from amble.learner.fused import heads
from amble.learner.fused.arrays import Networks
from amble.learner.fused.network import forward
from amble.native.compiled import entry, fingerprint, kernel


class Buffers(NamedTuple):
    """A rollout's arrays: the first two are read, the others written."""

    raw: np.ndarray
    """(T, B, O)"""
    noise: np.ndarray
    """(T, B, noise)"""
    observation: np.ndarray
    """(T, B, O) normalised"""
    numbers: np.ndarray
    """(T, B, D) actions of a continuous head, else of no rows."""
    choices: np.ndarray
    """(T, B, D) actions of a discrete head, else of no rows."""
    log_prob: np.ndarray
    """(T, B, D)"""


class Room(NamedTuple):
    """Memory for one decision's B rows."""

    hidden: np.ndarray
    """This and the next three as in `Memory`."""
    slope: np.ndarray
    normal: np.ndarray
    inverse_std: np.ndarray
    output: np.ndarray
    """(B, P₀)"""
    kept: np.ndarray
    """(B, D) whole numbers, for a head that takes none."""


class Scale(NamedTuple):
    """The normaliser's moments as they stand; (O,) of zeros and ones, and no limit, without one."""

    mean: np.ndarray
    std: np.ndarray
    limit: float


@kernel
def _normalise(raw, scale, out):
    limit = np.float32(scale.limit)
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            x = (raw[i, j] - scale.mean[j]) / scale.std[j]
            x = limit if x > limit else x
            out[i, j] = -limit if x < -limit else x


@kernel
def _draw(kind, output, noise, branches, log_std, numbers, choices):
    """The actions that the noise decides on: μ + σ·noise, the largest of logits + noise, or whether that is over 0."""
    for i in range(output.shape[0]):
        if kind == heads.CATEGORICAL:
            for d in range(branches.size - 1):
                best = branches[d]
                for k in range(branches[d], branches[d + 1]):
                    if output[i, k] + noise[i, k] > output[i, best] + noise[i, best]:
                        best = k
                choices[i, d] = best - branches[d]
        elif kind == heads.BERNOULLI:
            for d in range(output.shape[1]):
                choices[i, d] = 1 if output[i, d] + noise[i, d] > 0 else 0
        else:
            for d in range(output.shape[1]):
                numbers[i, d] = output[i, d] + np.exp(log_std[d]) * noise[i, d]


@kernel
def decide_rows(t, first, last, buffers, nets, theta, scale, room):
    """Decision t of the environments `first` to `last`, written into the buffers; `room` is for their rows."""
    observation = buffers.observation[t, first:last]
    _normalise(buffers.raw[t, first:last], scale, observation)
    forward(observation, theta, nets.actor, nets.activation, room, room.output)
    continuous = nets.log_std >= 0
    log_std = theta[nets.log_std : nets.log_std + (buffers.log_prob.shape[2] if continuous else 0)]
    numbers = buffers.numbers[t if continuous else 0, first:last]
    choices = room.kept if continuous else buffers.choices[t, first:last]
    _draw(nets.head, room.output, buffers.noise[t, first:last], nets.branches, log_std, numbers, choices)
    log_prob = buffers.log_prob[t, first:last]
    heads.log_probs(nets.head, room.output, numbers, choices, nets.branches, log_std, log_prob)


def _compiled_act() -> Callable[..., Any]:
    sources = fingerprint(__file__)

    @entry("the fused learner", seconds=15)
    def act(t, buffers, nets, theta, scale, room):
        """Decision t of a rollout, written into its buffers.

        Args:
            t: which.
            buffers: the rollout.
            nets: the actor and its head.
            theta: (P,) all parameters.
            scale: of the observations.
            room: memory.
        """
        _ = sources
        buffers, nets, scale, room = Buffers(*buffers), Networks(*nets), Scale(*scale), Room(*room)
        decide_rows(t, 0, buffers.raw.shape[1], buffers, nets, theta, scale, room)

    return act


act = _compiled_act()
