"""Amble teaches bodies to walk: policy optimisation in readable PyTorch on batched physics.

In short:

    import amble

    amble.train("walker", overrides=["max_steps=200000"])    # results/walker
    policy = amble.load("results/walker")
    env = amble.make("amble/Walker-v0", num_envs=16)

`amble.spinup` has Spinning Up's functions: `amble.spinup.ppo_pytorch(env_fn)`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

    from amble import spinup as spinup
    from amble.config import RunConfig
    from amble.training.policy import PortablePolicy

__version__ = "0.1.0"

__all__ = ["__version__", "evaluate", "load", "make", "train"]

# Each function imports what it needs when it is called, so that `amble --help` need not wait for torch. Nor should it
# for Gymnasium: the command registers our environments' ids when it makes one, and everybody else with the import.
if Path(next(iter(sys.argv), "")).stem != "amble":
    import amble.envs as _envs  # noqa: F401  # pyright: ignore[reportUnusedImport]

# Threads that spin while they wait take the cores from the physics. OpenMP reads this when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    """`amble.spinup` without an import of its own, and without torch for those who do not ask."""
    if name == "spinup":
        import amble.spinup as spinup_room

        return spinup_room
    raise AttributeError(f"module 'amble' has no attribute {name!r}")


def train(run: str | Path | RunConfig, overrides: Sequence[str] = ()) -> Path:
    """Train a preset, a run file or a `RunConfig`; return the run's directory.

    Args:
        run: a preset's name, a run file's path, or settings already loaded.
        overrides: `key=value` changes to the run file, as the command line's `--set`.
    """
    from amble.config import RunConfig, load_run
    from amble.errors import UsageError
    from amble.training.run import train as train_run

    if isinstance(run, RunConfig):
        if overrides:
            raise UsageError("overrides change a run file; a RunConfig is already resolved.")
        config = run
    else:
        config = load_run(run, overrides)
    train_run(config)
    return Path(config.checkpoint_settings.results_dir) / config.checkpoint_settings.run_id


def load(run: str | Path) -> PortablePolicy:
    """The trained policy of a run's directory, as it was at a checkpoint (`RUN@STEP`), or a preset's, by its name.

    `policy.act(observations)` gives actions.
    """
    from amble.config import shipped_policy
    from amble.training.policy import PortablePolicy

    folder = Path(run)
    if isinstance(run, str) and not folder.exists():
        folder = shipped_policy(run) or folder
    return PortablePolicy.of_run(folder)


def evaluate(run: str | Path, episodes: int = 20, seed: int | None = None) -> dict[str, Any]:
    """Returns and lengths of whole episodes of a run's policy; see `amble.training.evaluate`."""
    from amble.training.evaluate import evaluate as evaluate_run

    return evaluate_run(Path(run), episodes, seed)


def make(env_id: str, num_envs: int = 1, **settings: Any) -> VectorEnv:
    """`num_envs` environments of any Gymnasium id behind our boundary; see `amble.envs.make`."""
    import amble.envs

    return amble.envs.make(env_id, num_envs, **settings)
