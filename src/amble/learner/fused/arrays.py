"""What a kernel is handed: a rollout's samples, the networks, the flat vectors, memory.

Axes: n samples, O observation, D action dimensions, P₀ outputs of the actor, P parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
    """(n, P) for the objective kl_penalty, else of no rows, as the two before it where a loss has no use for them."""


class Networks(NamedTuple):
    """What is computed, and where its parameters are in the flat vector; see `network.py`."""

    actor: np.ndarray
    """(layers, 7)"""
    critic: np.ndarray
    """(layers, 7)"""
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
    """Of the activations, by what they were given."""
    normal: np.ndarray
    """x̂ of layer norm; as the next, of no length where no network has that."""
    inverse_std: np.ndarray
    """1/σ of layer norm, n numbers a layer."""
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


class Step(NamedTuple):
    """Adam's settings."""

    rate: float
    epsilon: float
    limit: float
    """Of the gradient's norm; inf for none."""
