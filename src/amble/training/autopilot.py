"""What a run has found this machine to be and chosen by itself; told when it starts, kept as `machine.json`.

What is chosen, and by what:

- who steps the environments: `amble.envs.make`, by trying what a rule cannot know (this process or workers);
- who takes the gradient steps: `amble.learner.choice`, by a rule;
- threads of physics and of gradient steps: `envs/bodies/base.py` and `training/threads.py`, by a rule.

None of it changes what is learned from a seed by the fused learner: worker processes run the same episodes as this
process, physics is the same on any number of threads, and the parts of a minibatch are as well. So nothing needs to be
measured the same way again when a run is resumed or repeated. (Torch's own products may round differently on another
number of threads; that number follows from the run file and the machine's cores.)
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from amble.envs.backends.cores import usable_cores
from amble.training.learner import Learner
from amble.training.trainer import Trainer

_BUSY = 0.75
"""Processes waiting for a core, by cores, from which on the machine is called busy."""


@dataclass(frozen=True)
class Choices:
    """Of one run."""

    cores: int
    load: float | None
    """Processes that wanted a core in the last minute, on average; None where the system does not say."""
    environments: int
    backend: str
    backend_speeds: dict[str, float]
    """Environment steps a second of each backend that was tried; empty where a rule decides."""
    physics_threads: int | None
    """None where the environments have no threads of ours."""
    learner: str
    """With the reason where it is not the fused one."""
    gradient_threads: int | None
    """None where workers take the gradient steps, each on one thread."""

    def as_json(self) -> dict[str, Any]:
        """For `machine.json`."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """For the lines that a run starts with."""
        threads = [
            f"{what} on {_count(number, 'thread')}"
            for what, number in (("physics", self.physics_threads), ("gradient steps", self.gradient_threads))
            if number is not None
        ]
        parts = [
            f"{_count(self.cores, 'core')}: {', '.join(threads)}" if threads else _count(self.cores, "core")
        ]
        if self.backend_speeds:
            tried = ", ".join(f"{name} {speed:,.0f}" for name, speed in self.backend_speeds.items())
            parts.append(f"environments {self.backend}, the quickest of what was tried (steps/s: {tried})")
        lines = ["; ".join(parts)]
        if self.load is not None and self.load >= _BUSY * self.cores:
            lines.append(
                f"Other processes keep this machine busy (load {self.load:.1f} on {_count(self.cores, 'core')}): "
                "the run shares its cores with them and will be slower for it."
            )
        return lines


def choices(trainer: Learner) -> Choices:
    """What was chosen for this run."""
    env = trainer.env
    batch = getattr(env.unwrapped, "batch", None)
    return Choices(
        cores=usable_cores(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        environments=env.num_envs,
        backend=str(env.metadata.get("amble_backend", "array")),
        backend_speeds=dict(env.metadata.get("amble_speeds", {})),
        physics_threads=getattr(batch, "nthread", None),
        learner=trainer.gradient_steps,
        gradient_threads=trainer.update_threads if isinstance(trainer, Trainer) else None,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
