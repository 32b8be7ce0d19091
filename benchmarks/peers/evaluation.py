"""How good a policy is, by the same measure for every library."""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers.vector import ClipAction

from peers import environments
from peers.trained import Act


def evaluate(task: str, act: Act, episodes: int, seed: int) -> list[float]:
    """Returns of `episodes` episodes of the deterministic policy in Gymnasium's own environments, one each."""
    env = environments.make("inprocess", task, episodes)
    if isinstance(env.single_action_space, Box):
        env = ClipAction(env)
    total, going = np.zeros(episodes), np.ones(episodes, bool)
    observation, _ = env.reset(seed=seed)
    while going.any():
        observation, reward, terminated, truncated, _ = env.step(act(observation))
        total += reward * going
        going &= ~(terminated | truncated)
    env.close()
    return total.tolist()
