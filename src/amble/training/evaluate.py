"""How good a finished policy is: its mean action, its normaliser frozen, the environment's own reward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

import amble.envs
from amble.config import UNITY_ENV
from amble.errors import UsageError
from amble.training.policy import PortablePolicy

MOST_ENVS = 100


def evaluate(run: Path, episodes: int, seed: int | None) -> dict[str, Any]:
    """Play whole episodes with the policy of a run.

    Args:
        run: a run's directory; its `policy/` is played.
        episodes: how many episodes to count, at least 1.
        seed: of the episodes; 0 if None.

    Returns:
        return_mean, return_std, return_min, return_max, length_mean (decisions), episodes, seed, env_steps.
    """
    if episodes < 1:
        raise UsageError(f"at least one episode is played; got episodes = {episodes}.")
    policy = PortablePolicy.load(Path(run) / "policy")
    spec = policy.spec
    count = (
        1 if spec["env_id"] == UNITY_ENV else min(episodes, MOST_ENVS)
    )  # a scene has as many agents as it has
    env = amble.envs.make(spec["env_id"], count, **spec["env_kwargs"])
    try:
        returns, lengths = play_episodes(env, policy, episodes, 0 if seed is None else seed)
    finally:
        env.close()
    return {
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
        "return_min": float(returns.min()),
        "return_max": float(returns.max()),
        "length_mean": float(lengths.mean()),
        "episodes": len(returns),
        "seed": 0 if seed is None else seed,
        "env_steps": spec["env_steps"],
    }


def play_episodes(
    env: VectorEnv, policy: PortablePolicy, episodes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (n,) and lengths (n,) of `episodes` episodes.

    Each environment plays a share fixed beforehand: counting whichever end first would favour short ones.
    """
    count = env.num_envs
    share = np.full(count, episodes // count) + (np.arange(count) < episodes % count)
    total, length = np.zeros(count), np.zeros(count, np.int64)
    returns: list[float] = []
    lengths: list[int] = []
    observation, _ = env.reset(seed=seed)
    policy.forget()
    while share.any():
        observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
        total += reward
        length += 1
        done = terminated | truncated
        for i in np.flatnonzero(done & (share > 0)):
            returns.append(float(total[i]))
            lengths.append(int(length[i]))
            share[i] -= 1
        total[done], length[done] = 0.0, 0
        policy.forget(done)
    return np.array(returns), np.array(lengths)
