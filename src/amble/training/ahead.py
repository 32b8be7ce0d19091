"""PPO's gradient steps compiled by a process of their own, while the run compiles the rest and collects a rollout.

Numba compiles one function at a time in a process, and these are half of what a first run waits for. The other process
takes one step on a made-up minibatch of the run's size; what it compiled lies in Numba's cache, where the run finds it:
`python -m amble.training.ahead MINIBATCH WIDTH`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

import torch
from gymnasium import spaces

from amble.algorithms.algorithm import Algorithm, Problem
from amble.algorithms.ppo import PPO
from amble.algorithms.rollout import Samples
from amble.config import PPOHyperparameters
from amble.native.waits import announce
from amble.nets.actor_critic import Policy
from amble.nets.critics import Critic
from amble.nets.network import NetShape
from amble.nets.observations import ObservationLayout


@contextmanager
def compiled_ahead(algorithm: Algorithm) -> Iterator[None]:
    """Within, the other process works if the fused learner's first epoch would have to wait for the compiler.

    It does not where torch learns, where it has done so before, and where there is no second core for it.
    """
    if (
        not isinstance(algorithm, PPO)
        or isinstance(algorithm.epoch, MethodType)
        or torch.get_num_threads() == 1
    ):
        yield
        return
    from amble.learner.fused.epochs import FusedEpochs  # half a second of numba

    minibatch, epochs = algorithm.settings.batch_size, algorithm.epoch
    mark = epochs.compiled_mark(minibatch) if isinstance(epochs, FusedEpochs) else None
    if not isinstance(epochs, FusedEpochs) or mark is None or mark.exists():
        yield
        return
    announce("Compiling the gradient steps meanwhile, in a process of its own, which takes about 20 s.")
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "amble.training.ahead", str(minibatch), str(epochs.nets.actor[0, 1])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        epochs.wait_for = process
        try:
            yield
        finally:
            process.kill()


def compile_now(minibatch: int, width: int) -> None:
    """Compile what a run with minibatches of this size and layers of this width needs, and leave a mark."""
    from amble.learner.fused.epochs import FusedEpochs

    rng = torch.Generator().manual_seed(0)
    observed, acted, shape = spaces.Box(-1, 1, (width,)), spaces.Box(-1, 1, (1,)), NetShape([width, width])
    policy = Policy(
        observed,
        acted,
        shape=shape,
        normalise=False,
        initial_std=1.0,
        action_clip=3.0,
        distribution="gaussian",
        rng=rng,
    )
    critic = Critic(ObservationLayout(observed), shape=shape, standardise=False, rng=rng)
    given = PPOHyperparameters.filled_in({"batch_size": minibatch, "buffer_size": minibatch})
    ppo = PPO(policy, critic, PPOHyperparameters.model_validate(given), Problem(gamma=0.99, max_steps=1), rng)
    epochs, zeros = FusedEpochs(ppo), torch.zeros(minibatch)
    samples = Samples(torch.zeros(minibatch, width), zeros[:, None], zeros[:, None], zeros, zeros, zeros)
    epochs(samples, [torch.arange(minibatch)], 0.2, 0.0)
    mark = epochs.compiled_mark(minibatch)
    if mark is not None:
        mark.touch()


if __name__ == "__main__":
    compile_now(*map(int, sys.argv[1:]))
