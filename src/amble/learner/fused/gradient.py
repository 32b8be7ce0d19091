"""What the losses have in common: forward to log π, H and V, backward from their derivatives, and the step.

Each loss is a file of its own and stands between a `*_forward` and a `*_backward`. Axes as in `arrays.py`; n is the
number of samples in use, of memory that may have room for more.
"""

from __future__ import annotations

import numpy as np

from amble.learner.fused import heads
from amble.learner.fused.adam import adam, norm
from amble.learner.fused.network import backward, forward
from amble.native.compiled import kernel

_LARGEST = float(np.finfo(np.float32).max)


@kernel
def actor_forward(n, nets, theta, batch, memory):
    """log π of the stored actions and H, by dimension, into `memory`."""
    output = _outputs(n, nets, memory.output)
    forward(batch.observation[:n], theta, nets.actor, nets.activation, memory, output)
    log_std = _log_std(theta, nets, memory)
    numbers, choices = batch.numbers[:n], batch.choices[:n]
    heads.log_probs(nets.head, output, numbers, choices, nets.branches, log_std, memory.log_prob[:n])
    heads.entropies(nets.head, output, nets.branches, log_std, memory.entropy[:n])


@kernel
def actor_divergence(n, nets, theta, batch, memory):
    """KL(old ‖ new) of each sample into `memory`, after `actor_forward`."""
    output, log_std = _outputs(n, nets, memory.output), _log_std(theta, nets, memory)
    heads.divergence(nets.head, output, batch.distribution_old[:n], nets.branches, log_std, memory.kl)


@kernel
def actor_backward(n, nets, theta, gradient, batch, memory, by_entropy, by_kl):
    """The actor's gradient from ∂L/∂log π in `memory`, and ∂L/∂H and ∂L/∂KL of every sample; after `actor_forward`."""
    d_output = _outputs(n, nets, memory.d_output)
    heads.backward(
        nets.head,
        _outputs(n, nets, memory.output),
        batch.numbers[:n],
        batch.choices[:n],
        nets.branches,
        _log_std(theta, nets, memory),
        memory.entropy[:n],
        batch.distribution_old[:n],
        memory.d_log_prob[:n],
        by_entropy,
        by_kl,
        d_output,
        _log_std(gradient, nets, memory),
    )
    observation = batch.observation[:n]
    backward(observation, theta, gradient, nets.actor, memory, d_output)


@kernel
def critic_forward(n, nets, theta, batch, memory):
    """V into `memory`; the hidden layers' memory is the actor's too, so the actor must be done with it."""
    observation, value = batch.observation[:n], memory.value[:n]
    forward(observation, theta, nets.critic, nets.activation, memory, value)


@kernel
def critic_backward(n, nets, theta, gradient, batch, memory):
    """The critic's gradient from ∂L/∂V in `memory`, after `critic_forward`."""
    observation, d_value = batch.observation[:n], memory.d_value[:n]
    backward(observation, theta, gradient, nets.critic, memory, d_value)


@kernel
def descend(learned, step, loss):
    """Adam's step down the gradient, left out where the loss or the gradient is not finite; (‖g‖, whether it was)."""
    length = norm(learned.gradient)
    if not (length < np.inf and abs(loss) <= _LARGEST):
        return length, 1.0
    # Each parameter by its own count: a checkpoint may hold different ones.
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
    return length, 0.0


@kernel
def take_rows(rows, index, out):
    """The rows `index` into `out`; none where there are none."""
    if rows.shape[0] > 0:
        for i in range(index.size):
            for j in range(rows.shape[1]):
                out[i, j] = rows[index[i], j]


@kernel
def _outputs(n, nets, flat):
    width = nets.actor[-1, 1]
    return flat[: n * width].reshape(n, width)


@kernel
def _log_std(vector, nets, memory):
    return vector[nets.log_std : nets.log_std + (memory.log_prob.shape[1] if nets.log_std >= 0 else 0)]
