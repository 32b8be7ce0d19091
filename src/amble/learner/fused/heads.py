"""The policy heads with their derivatives: `amble.nets.distributions`, differentiated by hand.

Axes: n samples of a minibatch, P₀ outputs of the actor, D dimensions, P numbers of a distribution. What a head does is
in two halves, with the loss between them, so that neither knows of the other:

    log_probs, entropies, divergence    output, action → log π and H of each dimension, KL(old ‖ new)
    backward    ∂L/∂log π, ∂L/∂H, ∂L/∂KL → ∂L/∂output, ∂L/∂log σ

The discrete heads' branches are columns `branches[d]` to `branches[d + 1]` of the output.
"""

from __future__ import annotations

import math

import numpy as np

from amble.maths import squashed
from amble.native.compiled import kernel

GAUSSIAN, SQUASHED, CATEGORICAL, BERNOULLI = range(4)
"""CATEGORICAL is one choice, or several, each a branch."""

_LOG_2PI = math.log(2 * math.pi)
_NODES = np.array([*squashed.NODES, *(-node for node in squashed.NODES)])
_WEIGHTS = np.array([*squashed.WEIGHTS, *squashed.WEIGHTS])


@kernel
def log_probs(kind, output, numbers, choices, branches, log_std, log_prob):
    """log π of the stored actions, by dimension.

    Args:
        kind: of head.
        output: (n, P₀) of the actor; a categorical head's logits become log-probabilities here.
        numbers: (n, D) actions of a continuous head.
        choices: (n, D) those of a discrete one.
        branches: (D + 1,) a categorical head's.
        log_std: (D,) a Gaussian head's.
        log_prob: (n, D) written.
    """
    n, dimensions = log_prob.shape
    for d in range(dimensions):
        if kind == CATEGORICAL:
            for i in range(n):
                log_p = output[i, branches[d] : branches[d + 1]]
                log_softmax(log_p)
                log_prob[i, d] = log_p[choices[i, d]]
        elif kind == BERNOULLI:
            for i in range(n):
                log_prob[i, d] = answer(output[i, d], choices[i, d])[0]
        else:
            std = math.exp(log_std[d])
            for i in range(n):
                log_density = gaussian(numbers[i, d], output[i, d], std)[0] - log_std[d]
                if kind == SQUASHED:
                    log_density -= log_slope(numbers[i, d])
                log_prob[i, d] = log_density


@kernel
def entropies(kind, output, branches, log_std, entropy):
    """The entropy, by dimension.

    Args:
        kind: of head.
        output: (n, P₀) as `log_probs` left it.
        branches: (D + 1,) a categorical head's.
        log_std: (D,) a Gaussian head's.
        entropy: (n, D) written.
    """
    n, dimensions = entropy.shape
    for d in range(dimensions):
        if kind == CATEGORICAL:
            for i in range(n):
                entropy[i, d] = choice_entropy(output[i, branches[d] : branches[d + 1]])
        elif kind == BERNOULLI:
            for i in range(n):
                entropy[i, d] = answer_entropy(output[i, d])[0]
        else:
            std, spread = math.exp(log_std[d]), gaussian_entropy(log_std[d])
            for i in range(n):
                entropy[i, d] = spread
                if kind == SQUASHED:
                    entropy[i, d] += squashing(output[i, d], std)[0]


@kernel
def divergence(kind, output, old, branches, log_std, kl):
    """E21: KL(old ‖ new) of each sample, the sum over dimensions.

    Args:
        kind: of head.
        output: (n, P₀) as `log_probs` left it.
        old: (n, P) the distributions that the rollout was collected by.
        branches: (D + 1,) a categorical head's.
        log_std: (D,) a Gaussian head's.
        kl: (n,) written.
    """
    n, width = output.shape
    for i in range(n):
        total = 0.0
        for d in range(width):
            if kind == CATEGORICAL:
                total += choice_kl(old[i, d], output[i, d])
            elif kind == BERNOULLI:
                total += answer_kl(old[i, d], output[i, d])[0]
            else:
                total += gaussian_kl(old[i, d], old[i, width + d], output[i, d], log_std[d])[0]
        kl[i] = total


@kernel
def backward(
    kind,
    output,
    numbers,
    choices,
    branches,
    log_std,
    entropy,
    old,
    d_log_prob,
    d_entropy,
    d_kl,
    d_output,
    d_log_std,
):
    """∂L/∂output and ∂L/∂log σ.

    Args:
        kind: of head.
        output: (n, P₀) as `log_probs` left it.
        numbers: (n, D) actions of a continuous head.
        choices: (n, D) those of a discrete one.
        branches: (D + 1,) a categorical head's.
        log_std: (D,) a Gaussian head's.
        entropy: (n, D) from `entropies`.
        old: (n, P), or of no rows where the loss has no KL.
        d_log_prob: (n, D) ∂L/∂log π.
        d_entropy: ∂L/∂H of every sample and dimension.
        d_kl: ∂L/∂KL of every sample.
        d_output: (n, P₀) written.
        d_log_std: (D,) written by a Gaussian head.
    """
    rest = d_log_prob, d_entropy, d_kl, d_output
    if kind == CATEGORICAL:
        _choices_backward(output, choices, branches, entropy, old, *rest)
    elif kind == BERNOULLI:
        _answers_backward(output, choices, old, *rest)
    else:
        _gaussian_backward(kind == SQUASHED, output, numbers, log_std, old, *rest, d_log_std)


@kernel
def _choices_backward(log_p, choices, branches, entropy, old, d_log_prob, d_entropy, d_kl, d_output):
    for i in range(d_log_prob.shape[0]):
        for d in range(d_log_prob.shape[1]):
            for k in range(branches[d], branches[d + 1]):
                p, chosen = math.exp(log_p[i, k]), 1.0 if k - branches[d] == choices[i, d] else 0.0
                slope = d_log_prob[i, d] * (chosen - p)
                slope -= d_entropy * p * (log_p[i, k] + entropy[i, d])
                if old.shape[0] > 0:
                    slope += d_kl * (p - math.exp(old[i, k]))
                d_output[i, k] = slope


@kernel
def _answers_backward(logits, choices, old, d_log_prob, d_entropy, d_kl, d_output):
    for i in range(d_log_prob.shape[0]):
        for d in range(d_log_prob.shape[1]):
            slope = d_log_prob[i, d] * answer(logits[i, d], choices[i, d])[1]
            slope += d_entropy * answer_entropy(logits[i, d])[1]
            if old.shape[0] > 0:
                slope += d_kl * answer_kl(old[i, d], logits[i, d])[1]
            d_output[i, d] = slope


@kernel
def _gaussian_backward(
    squashed_too, mean, numbers, log_std, old, d_log_prob, d_entropy, d_kl, d_mean, d_log_std
):
    n, dimensions = d_log_prob.shape
    for d in range(dimensions):
        std, total = math.exp(log_std[d]), n * d_entropy
        for i in range(n):
            _, by_mean, by_log_std = gaussian(numbers[i, d], mean[i, d], std)
            slope = d_log_prob[i, d] * by_mean
            total += d_log_prob[i, d] * by_log_std
            if squashed_too:
                _, by_mean, by_log_std = squashing(mean[i, d], std)
                slope += d_entropy * by_mean
                total += d_entropy * by_log_std
            if old.shape[0] > 0:
                _, by_mean, by_log_std = gaussian_kl(
                    old[i, d], old[i, dimensions + d], mean[i, d], log_std[d]
                )
                slope += d_kl * by_mean
                total += d_kl * by_log_std
            d_mean[i, d] = slope
        d_log_std[d] = total


@kernel
def gaussian(x, mean, std):
    """log N(x; μ, σ²) + log σ = -½z² - ½ log 2π with z = (x - μ)/σ; of log N, ∂/∂μ = z/σ and ∂/∂log σ = z² - 1."""
    z = (x - mean) / std
    return -0.5 * z * z - 0.5 * _LOG_2PI, z / std, z * z - 1


@kernel
def gaussian_entropy(log_std):
    """H = log σ + ½ log 2πe, whose ∂/∂log σ = 1."""
    return log_std + 0.5 * (_LOG_2PI + 1)


@kernel
def gaussian_kl(mean_p, log_std_p, mean_q, log_std_q):
    """E21: log σq/σp + ½(r + d² - 1), r = σp²/σq², d = (μq - μp)/σq; ∂/∂μq = d/σq and ∂/∂log σq = 1 - r - d²."""
    variance_ratio, inverse = math.exp(2 * (log_std_p - log_std_q)), math.exp(-log_std_q)
    d = (mean_q - mean_p) * inverse
    kl = log_std_q - log_std_p + 0.5 * (variance_ratio + d * d - 1)
    return kl, d * inverse, 1 - variance_ratio - d * d


@kernel
def log_slope(u):
    """log d tanh(u)/du = 2 (log 2 - u - softplus(-2u)), whose derivative is -2 tanh u."""
    return 2 * (math.log(2.0) - u - max(-2 * u, 0.0) - math.log1p(math.exp(-2 * abs(u))))


@kernel
def squashing(mean, std):
    """E[log_slope(u)], u = μ + σz, what tanh adds to the entropy; ∂/∂μ = E[-2 tanh u], ∂/∂log σ = E[-2 tanh(u) σz]."""
    total = by_mean = by_log_std = 0.0
    for k in range(_NODES.size):
        away = std * _NODES[k]
        u, steep = mean + away, -2 * math.tanh(mean + away) * _WEIGHTS[k]
        total += _WEIGHTS[k] * log_slope(u)
        by_mean += steep
        by_log_std += steep * away
    return total, by_mean, by_log_std


@kernel
def log_softmax(logits):
    """l_k ← l_k - log Σ_j exp l_j, whose ∂(log p_a)/∂l_k = [k = a] - p_k."""
    largest, total = logits[0], 0.0
    for k in range(logits.size):
        largest = max(largest, logits[k])
    for k in range(logits.size):
        total += math.exp(logits[k] - largest)
    shift = largest + math.log(total)
    for k in range(logits.size):
        logits[k] -= shift


@kernel
def choice_entropy(log_p):
    """H = -Σ_k p_k log p_k, whose ∂/∂l_k = -p_k (log p_k + H)."""
    total = 0.0
    for k in range(log_p.size):
        total -= math.exp(log_p[k]) * log_p[k]
    return total


@kernel
def choice_kl(log_p, log_q):
    """One choice's part of E21, p (log p - log q); of their sum ∂/∂l_k = q_k - p_k, l being q's logits."""
    p = math.exp(log_p)
    return p * (log_p - log_q) if p != 0 else 0.0


@kernel
def answer(logit, yes):
    """log p of yes, log(1 - p) of no, p = sigmoid(l), and ∂/∂l = [yes] - p."""
    signed = logit if yes else -logit
    log_prob = min(signed, 0.0) - math.log1p(math.exp(-abs(logit)))
    return log_prob, (1.0 if yes else 0.0) - _sigmoid(logit)


@kernel
def answer_entropy(logit):
    """H = -p log p - (1-p) log(1-p) and ∂H/∂l = -l p (1-p)."""
    p, no = _sigmoid(logit), _sigmoid(-logit)
    return -p * answer(logit, True)[0] - no * answer(logit, False)[0], -logit * p * no


@kernel
def answer_kl(logit_p, logit_q):
    """E21 of one answer, p log p/q + (1-p) log (1-p)/(1-q), and ∂/∂l_q = q - p."""
    p = _sigmoid(logit_p)
    yes = answer(logit_p, True)[0] - answer(logit_q, True)[0]
    no = answer(logit_p, False)[0] - answer(logit_q, False)[0]
    return p * yes + (1 - p) * no, _sigmoid(logit_q) - p


@kernel
def _sigmoid(x):
    return 1 / (1 + math.exp(-x))
