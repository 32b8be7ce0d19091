"""Stable-Baselines3's PPO.

Observations and rewards are normalised by its VecNormalize, as the Zoo does for MuJoCo's tasks; advantages over each
minibatch; Adam's ε is its 1e-5. Its Monitor, which records episodes, its logger and its progress bar are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecEnvWrapper, VecNormalize

from peers import environments
from peers.clock import BudgetSpent, Clock
from peers.settings import Setting
from peers.trained import Trained


class OfVectorEnv(VecEnv):
    """A Gymnasium VectorEnv in SAME_STEP as Stable-Baselines3 wants it."""

    def __init__(self, env: gymnasium.vector.VectorEnv):
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.env, self._reset_seed = env, None

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        self._reset_seed = seed
        return [seed] * self.num_envs

    def reset(self) -> np.ndarray:
        observation, _ = self.env.reset(seed=self._reset_seed)
        self._reset_seed = None
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            infos[i] = {
                "terminal_observation": info["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
            }
        return observation, reward, done, infos

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.env, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError(
            f"these environments live together, none has an attribute {attr_name!r} of its own"
        )

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError(
            f"these environments live together, none has a method {method_name!r} of its own"
        )

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


class Clocked(VecEnvWrapper):
    """Ticks at each step."""

    def __init__(self, venv: VecEnv, clock: Clock):
        super().__init__(venv)
        self._clock = clock

    def reset(self) -> Any:
        return self.venv.reset()

    def step_async(self, actions: np.ndarray) -> None:
        self._clock.tick()
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        return self.venv.step_wait()


def make(kind: str, task: str, count: int) -> VecEnv:
    if kind == "inprocess":
        return DummyVecEnv([lambda: gymnasium.make(task)] * count)
    if kind == "processes":
        return SubprocVecEnv([lambda: gymnasium.make(task)] * count, start_method="fork")
    return OfVectorEnv(environments.make(kind, task, count))


def train(task: str, setting: Setting, seed: int, *, clock: Clock, steps: int | None, envs: str) -> Trained:
    env = VecNormalize(Clocked(make(envs, task, setting.envs), clock), gamma=setting.gamma)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=setting.learning_rate,
        n_steps=setting.decisions,
        batch_size=setting.minibatch,
        n_epochs=setting.epochs,
        gamma=setting.gamma,
        gae_lambda=setting.gae_lambda,
        clip_range=setting.clip,
        ent_coef=0.0,
        vf_coef=setting.value_coefficient,
        max_grad_norm=setting.max_grad_norm,
        policy_kwargs={
            "net_arch": {"pi": list(setting.hidden), "vf": list(setting.hidden)},
            "activation_fn": torch.nn.Tanh,
        },
        seed=seed,
        device="cpu",
        verbose=0,
    )
    try:
        model.learn(10**12 if steps is None else steps, log_interval=10**9)
        clock.finish()
    except BudgetSpent:
        pass

    def act(observation: np.ndarray) -> np.ndarray:
        return model.predict(env.normalize_obs(observation), deterministic=True)[0]

    env.close()
    return clock.trained(act)
