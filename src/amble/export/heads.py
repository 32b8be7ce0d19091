"""The policy heads as ONNX nodes: each gives an action drawn and the likeliest one, as the environment takes them.

Both are outputs of the model; Unity takes the second where "Deterministic Inference" is ticked. Choices count from 0,
as Unity's branches do. Axes: n rows, A action dimensions, D branches, K logits of all branches.
"""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from amble.export.graph import Graph
from amble.nets.actions import ActionMap
from amble.nets.distributions import (
    BernoulliHead,
    BetaHead,
    CategoricalHead,
    ContinuousHead,
    DiscreteHead,
    GaussianHead,
    MultiCategoricalHead,
)
from amble.nets.heads import beta

_NEVER = 1e8
"""What is taken from the logit of a choice that is not allowed, as in training."""
_INT64 = 7


def branch_sizes(head: DiscreteHead) -> list[int]:
    """The choices of each branch; a yes-or-no answer is a branch of two, 1 for yes."""
    if isinstance(head, CategoricalHead):
        return [head.outputs]
    return list(head.choices) if isinstance(head, MultiCategoricalHead) else [2] * head.dimensions


def add_continuous(graph: Graph, head: ContinuousHead, actions: ActionMap, output: str) -> tuple[str, str]:
    """(n, A) drawn and (n, A) likeliest, from the network's output."""
    if isinstance(head, BetaHead):
        drawn, mode = _beta(graph, head, output)
    else:
        drawn, mode = _gaussian(graph, head, output), output
        if actions.distribution == "squashed":
            drawn, mode = graph.node("Tanh", drawn), graph.node("Tanh", mode)
    return _to_env(graph, actions, drawn), _to_env(graph, actions, mode)


def add_discrete(graph: Graph, head: DiscreteHead, output: str, masks: str) -> tuple[str, str]:
    """(n, D) drawn and (n, D) likeliest choices, from the network's output and the mask (n, K), 1 where allowed."""
    if isinstance(head, BernoulliHead):
        output = _yes_or_no(graph, head, output)
    drawn: list[str] = []
    mode: list[str] = []
    sizes, start = branch_sizes(head), 0
    for size in sizes:
        logits, mask = output, masks
        if len(sizes) > 1:
            logits, mask = (columns(graph, value, start, start + size) for value in (output, masks))
        logits = _masked(graph, logits, mask)
        log_p = graph.node("LogSoftmax", logits, axis=1)
        drawn.append(graph.node("Multinomial", log_p, dtype=_INT64, sample_size=1))
        mode.append(graph.node("ArgMax", logits, axis=1, keepdims=1))
        start += size
    return graph.joined(drawn), graph.joined(mode)


def columns(graph: Graph, value: str, start: int, stop: int) -> str:
    """Columns start to stop - 1 of (n, w)."""
    return graph.node("Slice", value, axes=[1], starts=[start], ends=[stop])


def _masked(graph: Graph, logits: str, mask: str) -> str:
    """The logits with what is not allowed far below; a mask that allows nothing is taken to allow everything."""
    one = graph.constant([1.0])
    nothing = graph.node("Sub", one, graph.node("ReduceMax", mask, axes=[1], keepdims=1))
    allowed = graph.node("Max", mask, nothing)
    below = graph.node("Mul", graph.node("Sub", allowed, one), graph.constant([_NEVER]))
    return graph.node("Add", graph.node("Mul", logits, allowed), below)


def _yes_or_no(graph: Graph, head: BernoulliHead, output: str) -> str:
    """(n, D) logits of yes → (n, 2D) of no and yes in turn, that of no being 0: softmax of the two is the sigmoid."""
    place = np.zeros((head.dimensions, 2 * head.dimensions), np.float32)
    place[np.arange(head.dimensions), 2 * np.arange(head.dimensions) + 1] = 1.0
    return graph.node("MatMul", output, graph.constant(place))


def _gaussian(graph: Graph, head: GaussianHead, mean: str) -> str:
    """μ + σ·noise."""
    noise = graph.node("RandomNormalLike", mean, mean=0.0, scale=1.0)
    return graph.node("Add", mean, graph.node("Mul", noise, graph.constant(head.log_std.detach().exp())))


def _beta(graph: Graph, head: BetaHead, output: str) -> tuple[str, str]:
    """Numbers in [0, 1]: g_α / (g_α + g_β) with g ~ Gamma, and (α - 1) / (α + β - 2)."""
    excess = graph.node("Clip", _softplus(graph, output), min=beta.EXCESS_MIN)
    shape = graph.node("Add", excess, graph.constant([1.0]))
    return _share(graph, head, _gamma(graph, shape)), _share(graph, head, excess)


def _softplus(graph: Graph, x: str) -> str:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|), which neither overflows nor needs a node of its own."""
    rest = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
    log = graph.node("Log", graph.node("Add", rest, graph.constant([1.0])))
    return graph.node("Add", graph.node("Relu", x), log)


def _share(graph: Graph, head: BetaHead, both: str) -> str:
    """first / (first + second) of the two halves, kept off the ends."""
    first = columns(graph, both, 0, head.dimensions)
    second = columns(graph, both, head.dimensions, 2 * head.dimensions)
    share = graph.node("Div", first, graph.node("Add", first, second))
    return graph.node("Clip", share, min=beta.EDGE, max=1 - beta.EDGE)


def _gamma(graph: Graph, shape: str) -> str:
    """Samples of Gamma(shape, 1) by the rejection of `amble.nets.heads.beta`, every candidate with its own coin."""
    d = graph.node("Sub", shape, graph.constant([1 / 3]))
    spread = graph.node("Sqrt", graph.node("Mul", d, graph.constant([9.0])))
    one, sample = graph.constant([1.0]), ""
    for _ in range(beta.CANDIDATES):
        normal = graph.node("RandomNormalLike", d, mean=0.0, scale=1.0)
        root = graph.node("Add", graph.node("Div", normal, spread), one)
        root = graph.node("Clip", root, min=1e-10)
        v = graph.node("Mul", root, graph.node("Mul", root, root))
        candidate = graph.node("Mul", d, v)
        if not sample:  # the one that needs no permission
            sample = candidate
            continue
        inner = graph.node("Mul", graph.node("Log", root), graph.constant([3.0]))
        inner = graph.node("Mul", d, graph.node("Add", graph.node("Sub", one, v), inner))
        half = graph.node("Mul", graph.node("Mul", normal, normal), graph.constant([0.5]))
        chance = graph.node("Exp", graph.node("Add", half, inner))
        coin = graph.node("RandomUniformLike", d, low=0.0, high=1.0)
        taken = graph.node("Cast", graph.node("Greater", chance, coin), to=1)
        kept = graph.node("Mul", graph.node("Sub", one, taken), sample)
        sample = graph.node("Add", graph.node("Mul", taken, candidate), kept)
    return sample


def _to_env(graph: Graph, actions: ActionMap, drawn: str) -> str:
    """`ActionMap.to_env` for a Box: stretched over the box and kept in it. For Unity's it is clip(·, ±3)/3."""
    if actions.distribution == "beta":
        drawn = graph.node("Sub", graph.node("Mul", drawn, graph.constant([2.0])), graph.constant([1.0]))
    centre, gain = actions.stretch
    if (gain != 1).any():
        drawn = graph.node("Mul", drawn, graph.constant(gain))
    if centre.any():
        drawn = graph.node("Add", drawn, graph.constant(centre))
    assert isinstance(actions.space, spaces.Box)
    low, high = (bound.reshape(-1).astype(np.float32) for bound in (actions.space.low, actions.space.high))
    if (low == low[0]).all() and (high == high[0]).all() and np.isfinite([low[0], high[0]]).all():
        return graph.node("Clip", drawn, min=float(low[0]), max=float(high[0]))
    if np.isfinite(low).any():
        drawn = graph.node("Max", drawn, graph.constant(low))
    return graph.node("Min", drawn, graph.constant(high)) if np.isfinite(high).any() else drawn
