"""The one contract between environments and everything that trains on them.

An environment is a `gymnasium.vector.VectorEnv` with SAME_STEP autoreset. Axes: B environments, n of them
whose episode has just ended; O and A stand for the shape of one observation and of one action.

`reset(seed=…)` returns

| | shape | |
|---|---|---|
| observation | (B, O) | the first of B new episodes; the same seed begins the same ones |
| info | dict | |

`step(actions (B, A))` returns

| | shape | |
|---|---|---|
| observation | (B, O) | what the next action is chosen on: a new episode's first where one has ended |
| reward | (B,) float | of this step, an episode's last step included |
| terminated | (B,) bool | the task itself is over: no reward could follow |
| truncated | (B,) bool | cut off from outside (a time limit): reward could have followed |
| info["final_obs"] | (B, O) or (B,) objects | the ended episodes' last observations where `_final_obs` |
| info["_final_obs"] | (B,) bool | terminated or truncated; both keys may be missing where no episode ended |

`metadata["autoreset_mode"]` is `AutoresetMode.SAME_STEP`. Where both `terminated` and `truncated` are True,
the state is terminal and `terminated` counts. Every step is one decision of every environment: nothing is
skipped, no action is ignored. Arrays once handed out are the caller's: a later step does not write to them,
and `step` does not write to the actions. Environments do not influence one another within an episode.

The value of a truncated episode's end is that of its final observation; `final_observations` fetches it in
whichever form the environment gave it.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Shaped

from amble.errors import AmbleError


def final_observations(
    info: dict[str, Any], done: Bool[np.ndarray, "B"], single_observation_space: gymnasium.Space
) -> Shaped[np.ndarray, "n *O"]:
    """Return the last observations of the episodes that ended in this step, in `done`'s order."""
    ids = np.flatnonzero(done)
    shape, dtype = single_observation_space.shape, single_observation_space.dtype
    if shape is None or dtype is None:
        raise AmbleError(
            f"Final observations of {single_observation_space} cannot be stacked: its elements are no arrays."
        )
    if not ids.size:
        return np.empty((0, *shape), dtype)
    if "final_obs" not in info:
        raise AmbleError(
            f"Environment {ids[0]} ended its episode, but info has no 'final_obs' (keys: {sorted(info)}). "
            "It must autoreset in SAME_STEP mode and put the episode's last observation there."
        )
    valid = info.get("_final_obs", done)
    missing = [i for i in ids if not valid[i] or info["final_obs"][i] is None]
    if missing:
        raise AmbleError(
            f"Environment {missing[0]} ended its episode, but info['final_obs'] has no observation for it "
            f"({len(missing)} of {len(ids)} are missing). info['_final_obs'] must be True wherever "
            "terminated or truncated is."
        )
    final = np.stack([np.asarray(row) for row in info["final_obs"][ids]]).astype(dtype, copy=False)
    if final.shape[1:] != shape:
        raise AmbleError(
            f"info['final_obs'] of environment {ids[0]} has shape {final.shape[1:]}; "
            f"the observation space says {shape}."
        )
    return final


def check_boundary(env: VectorEnv) -> None:
    """Refuse an environment that does not say it autoresets in SAME_STEP mode."""
    mode = env.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.SAME_STEP:
        raise AmbleError(
            f"{env} autoresets in mode {mode}; expected AutoresetMode.SAME_STEP in "
            "metadata['autoreset_mode']. Make it with amble.envs.make, which sees to that, or with "
            "autoreset_mode=AutoresetMode.SAME_STEP."
        )
