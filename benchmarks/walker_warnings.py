"""A million random decisions of each Walker: MuJoCo must not warn once. `python benchmarks/walker_warnings.py [N]`."""

from __future__ import annotations

import sys

import numpy as np

from amble.envs.bodies.walker import WalkerVectorEnv

ENVIRONMENTS = 500


def main() -> int:
    decisions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    warned = False
    for body in ("release_19", "release_21"):
        env = WalkerVectorEnv(ENVIRONMENTS, body=body)
        env.reset(seed=0)
        rng = np.random.default_rng(0)
        falls = 0
        for _ in range(-(-decisions // ENVIRONMENTS)):
            actions = rng.uniform(-1, 1, (ENVIRONMENTS, 39)).astype(np.float32)
            observation, _, terminated, _, _ = env.step(actions)
            falls += int(terminated.sum())
            if not np.isfinite(observation).all():
                print(f"{body}: an observation is not finite")
                return 1
        print(
            f"{body}: {decisions:,} random decisions, {falls:,} falls, MuJoCo warnings: {env.physics_warnings or 0}"
        )
        warned |= bool(env.physics_warnings)
    return int(warned)


if __name__ == "__main__":
    sys.exit(main())
