"""Epochs of large minibatches of wide networks, each minibatch cut into parts that threads share.

The gradient of a mean over n samples is the mean of its parts' gradients, weighted by their sizes. How a minibatch is
cut depends on its size and on the networks; a part's products are computed on one thread, and the parts' gradients
summed in their order. So a run's numbers do not depend on how many threads carry it out, or how many the machine has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from amble.learner.fused.arrays import Data
from amble.learner.fused.epoch import FIGURES, in_parts
from amble.native.team import Team

_WORTH_A_PART = 2**24
"""Multiplications of the largest layer's product, half a millisecond or so, a tenth of what the part takes."""
_FEWEST_ROWS = 128
"""Of a part: adding up its gradient costs as much as some eight rows."""


def parts_of(n: int, largest: int) -> int:
    """Into how many parts to cut a minibatch of n samples where the largest layer has this many weights.

    What is worth one part is cut into two all the same, for a second core stands idle otherwise. Four are enough for
    most machines; more are cut only where each has 512 rows.
    """
    worth = n * largest // _WORTH_A_PART
    if worth == 0:
        return 1
    return max(1, min(max(worth, 2), n // _FEWEST_ROWS, max(4, n // 512)))


def epoch_in_parts(
    team: Team,
    threads: int,
    data: tuple[np.ndarray, ...],
    order: np.ndarray,
    ends: list[int],
    nets: tuple[Any, ...],
    learned: tuple[np.ndarray, ...],
    gradients: np.ndarray,
    loss: tuple[Any, ...],
    standardise: bool,
    step: tuple[float, ...],
    rooms: list[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]],
    figures: np.ndarray,
) -> None:
    """What `epoch` of `epoch.py` does, with each minibatch cut into K parts.

    Args:
        team: who carries it out.
        threads: how many of it.
        gradients: (K, P) room for the parts' gradients.
        standardise: the advantages of each minibatch.
        rooms: batch and memory for each part.
    """
    advantage = np.empty(len(order), np.float32)
    in_parts.advantages(Data(*data).advantage, order, np.array(ends), standardise, advantage)
    cuts, totals = len(gradients), np.zeros(len(gradients))
    part_figures = np.zeros((cuts, len(FIGURES)))
    begin = 0
    for k, end in enumerate(ends):
        edges = [begin + (end - begin) * part // cuts for part in range(cuts + 1)]

        def part_gradient(part: int, edges: list[int] = edges) -> None:
            rows = slice(edges[part], edges[part + 1])
            totals[part] = in_parts.gradient(
                data,
                order[rows],
                advantage[rows],
                nets,
                learned[0],
                gradients[part],
                loss,
                *rooms[part],
                part_figures[part],
            )

        team.each(part_gradient, cuts, threads)
        shares = np.diff(edges) / (end - begin)
        in_parts.step(gradients, shares, totals, learned, step, part_figures, figures[k])
        begin = end
