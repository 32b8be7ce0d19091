"""How good a finished policy is: its mean action, its normaliser frozen, by the environment's own reward
and, where it learned from another, by that one too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

import amble.envs
from amble.config import UNITY_ENV, RewardSettings, load_run
from amble.envs.parameters import Value, set_parameters, value_from_json
from amble.envs.rewarded import RewardedVectorEnv
from amble.envs.together import Role, perform
from amble.errors import UsageError
from amble.training.policy import PortablePolicy
from amble.training.run_directory import run_around, runs_within
from amble.training.trainer import closed_on_failure, with_rewards
from amble.training.unity import parts_of, shared_scenes

MOST_ENVS = 100


def evaluate(run: Path, episodes: int, seed: int | None) -> dict[str, Any]:
    """Play whole episodes with the policy of a run.

    Args:
        run: a run's directory; its `policy/` is played. `RUN@STEP` for that of a checkpoint.
        episodes: how many episodes to count, at least 1.
        seed: of the episodes; 0 if None.

    Returns:
        return_mean, return_std, return_min, return_max of the environment's own reward, length_mean (decisions),
        episodes, seed, env_steps; of a policy trained with a `rewards` block also `reshaped_return_mean` and
        `reshaped_return_std`, of the reward that it learned from. Of a run of several behaviours, such figures of each,
        by its name.
    """
    if episodes < 1:
        raise UsageError(f"at least one episode is played; got episodes = {episodes}.")
    if within := runs_within(run):
        return _evaluate_together(within, episodes, seed)
    if (whole := run_around(run)) is not None:  # the others act with it, as they did when it learned
        return _evaluate_together(runs_within(whole), episodes, seed)[_behavior_of(run)]
    policy = PortablePolicy.of_run(run)
    # A scene of Unity has as many agents as it has.
    count = 1 if policy.spec["env_id"] == UNITY_ENV else min(episodes, MOST_ENVS)
    env = env_of_policy(policy, count)
    try:
        played = play_episodes(env, policy, episodes, 0 if seed is None else seed)
    finally:
        env.close()
    return _figures(policy, played, seed)


def _evaluate_together(runs: Sequence[Path], episodes: int, seed: int | None) -> dict[str, Any]:
    """The figures of each behaviour of shared scenes, all acting together."""
    policies = {_behavior_of(run): PortablePolicy.load(run / "policy") for run in runs}
    first = next(iter(policies.values()))
    scenes = shared_scenes(first.spec["env_kwargs"], list(policies), 1, _parameters_of(first.spec))
    played: dict[str, Played] = {}
    try:
        parts = parts_of(scenes)

        def role(name: str) -> Role:
            def work(count: int = episodes) -> Played:
                played_now = play_episodes(parts[name], policies[name], count, 0)
                return played.setdefault(name, played_now)

            return Role(work, lambda: work(1))

        perform(scenes, parts, {name: role(name) for name in policies})
    finally:
        scenes.close()
    return {name: _figures(policies[name], played[name], seed) for name in policies}


def _behavior_of(run: Path) -> str:
    return load_run(Path(run) / "run.yaml").behavior[0]


def _figures(policy: PortablePolicy, played: Played, seed: int | None) -> dict[str, Any]:
    returns, reshaped = played.returns, played.reshaped
    return {
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
        "return_min": float(returns.min()),
        "return_max": float(returns.max()),
        "length_mean": float(played.lengths.mean()),
        "episodes": len(returns),
        "seed": 0 if seed is None else seed,
        "env_steps": policy.spec["env_steps"],
        **(
            {}
            if reshaped is None
            else {
                "reshaped_return_mean": float(reshaped.mean()),
                "reshaped_return_std": float(reshaped.std()),
            }
        ),
    }


def env_of_policy(policy: PortablePolicy, num_envs: int) -> VectorEnv:
    """The environments that a policy was trained in, with the reward and the rules that it was trained by."""
    spec = policy.spec
    env = amble.envs.make(spec["env_id"], num_envs, **spec["env_kwargs"])
    with closed_on_failure(env):
        set_parameters(env, spec["env_id"], _parameters_of(spec))
    settings = rewards_of(spec)
    if settings is None:
        return env
    rewarded = with_rewards(env, settings)
    rewarded.engine.at(spec["env_steps"])
    return rewarded


def _parameters_of(spec: dict[str, Any]) -> dict[str, Value]:
    """The environment parameters that changed in training, as they were when the policy was written."""
    return {name: value_from_json(value) for name, value in spec.get("parameters", {}).items()}


def rewards_of(spec: dict[str, Any]) -> RewardSettings | None:
    """The `rewards` block that a policy was trained with."""
    block = spec["reward"].get("terms")
    return None if block is None else RewardSettings.model_validate(block)


@dataclass(frozen=True)
class Played:
    """Whole episodes: their returns by the environment's own reward (n,), and lengths in decisions (n,)."""

    returns: np.ndarray
    lengths: np.ndarray
    reshaped: np.ndarray | None
    """(n,) by the reward of a `rewards` block; None without one"""


def play_episodes(env: VectorEnv, policy: PortablePolicy, episodes: int, seed: int) -> Played:
    """Play `episodes` episodes.

    Each environment plays a share fixed beforehand: counting whichever end first would favour short ones.
    """
    count = env.num_envs
    share = np.full(count, episodes // count) + (np.arange(count) < episodes % count)
    total, own, length = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    ended: list[tuple[float, float, int]] = []
    observation, _ = env.reset(seed=seed)
    policy.forget()
    while share.any():
        observation, reward, terminated, truncated, info = env.step(policy.act(observation))
        total += reward
        own += info.get("reference_reward", reward)
        length += 1
        done = terminated | truncated
        for i in np.flatnonzero(done & (share > 0)):
            ended.append((float(own[i]), float(total[i]), int(length[i])))
            share[i] -= 1
        total[done], own[done], length[done] = 0.0, 0.0, 0
        policy.forget(done)
    returns, reshaped, lengths = zip(*ended, strict=True)
    rewarded = isinstance(env, RewardedVectorEnv)
    return Played(np.array(returns), np.array(lengths), np.array(reshaped) if rewarded else None)
