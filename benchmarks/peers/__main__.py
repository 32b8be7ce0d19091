"""Whole training loops side by side, Amble and its peers: `make bench-peers`, with options in `PEERS_ARGS`.

Without `--returns`: environment steps a second. First each peer's quickest way to run on this machine is found, for
each task and setting (who steps the environments, how many threads torch has), and kept in `ways.json`; then the
libraries take turns. A run's clock starts with its second iteration. With `--returns`: what is learned in the same
number of steps. Everything goes to `results/bench-peers` as JSON lines besides.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from peers import returns, speed
from peers.environments import KINDS, OUR_KIND
from peers.ours import has_learners
from peers.settings import LIBRARIES, SETTINGS, TASKS, How


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m peers", description=__doc__)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument(
        "--settings", nargs="+", choices=tuple(SETTINGS), help="both; with --returns: standard"
    )
    parser.add_argument("--folder", type=Path, default=Path("results/bench-peers"))
    parser.add_argument(
        "--learner", choices=("auto", "torch", "fused"), help="Amble's torch_settings.learner"
    )

    timing = parser.add_argument_group("speed")
    timing.add_argument("--rounds", type=int, default=3)
    timing.add_argument(
        "--seconds", type=float, default=15.0, help="of each run, from its first iteration on"
    )
    timing.add_argument("--trial-seconds", type=float, default=6.0, help="of each way a peer may run")
    timing.add_argument("--anew", action="store_true", help="find the peers' quickest ways again")
    timing.add_argument(
        "--envs", choices=(*KINDS, OUR_KIND), help="the peers' environments, instead of the quickest"
    )
    timing.add_argument("--threads", type=int, default=1, help="of the peers' torch, with --envs")

    learning = parser.add_argument_group("returns")
    learning.add_argument("--returns", action="store_true", help="learn, instead of taking the time")
    learning.add_argument("--seeds", type=int, default=5)
    learning.add_argument("--steps", type=int, help="100 000 for CartPole, 300 000 for the others")
    learning.add_argument("--episodes", type=int, default=20, help="of evaluation")
    learning.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    if given.learner is not None and not has_learners():
        parser.error("--learner: this Amble's run files have no torch_settings.learner.")

    settings = given.settings or (["standard"] if given.returns else list(SETTINGS))
    if given.returns:
        returns.measure(
            given.libraries,
            given.tasks,
            settings,
            seeds=given.seeds,
            steps=given.steps,
            episodes=given.episodes,
            at_once=given.at_once,
            learner=given.learner,
            folder=given.folder,
        )
        return
    if given.anew:
        (given.folder / "ways.json").unlink(missing_ok=True)
    speed.measure(
        given.libraries,
        given.tasks,
        settings,
        rounds=given.rounds,
        seconds=given.seconds,
        trial_seconds=given.trial_seconds,
        forced=None if given.envs is None else How(given.envs, given.threads),
        learner=given.learner,
        folder=given.folder,
    )


if __name__ == "__main__":
    main()
