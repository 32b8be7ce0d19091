"""Seeds for environments that are seeded one by one."""

import numpy as np


def environment_seeds(seed: int | None, num_envs: int) -> list[int | None]:
    """Draw one seed an environment from `seed`; None stays None.

    Gymnasium's own seed, seed + 1, … makes runs with neighbouring seeds share most of their episodes.
    """
    if seed is None:
        return [None] * num_envs
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(num_envs)]
