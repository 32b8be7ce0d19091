"""rsl_rl's PPO.

Observations are normalised by its EmpiricalNormalization, rewards and returns not (it offers neither); advantages over
each minibatch; actor's and critic's gradients are clipped each for itself. Its check for NaN and its log are off.
It has no distribution for discrete actions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from gymnasium.wrappers.vector import ClipAction
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from peers import environments
from peers.clock import BudgetSpent, Clock, ClockedVectorEnv
from peers.settings import Setting
from peers.trained import Trained


class OfVectorEnv(VecEnv):
    """A Gymnasium VectorEnv in SAME_STEP as rsl_rl wants it."""

    def __init__(self, env: VectorEnv, seed: int):
        self.env = env
        self.num_envs = env.num_envs
        self.num_actions = int(np.prod(env.single_action_space.shape))
        self.max_episode_length = 1000
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self.device, self.cfg = "cpu", {}
        self._observation = self._tensors(env.reset(seed=seed)[0])

    def _tensors(self, observation: np.ndarray) -> TensorDict:
        return TensorDict(
            {"policy": torch.as_tensor(observation, dtype=torch.float32)}, batch_size=[self.num_envs]
        )

    def get_observations(self) -> TensorDict:
        return self._observation

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        observation, reward, terminated, truncated, _ = self.env.step(actions.numpy())
        self._observation = self._tensors(observation)
        return (
            self._observation,
            torch.as_tensor(reward, dtype=torch.float32),
            torch.as_tensor(terminated | truncated),
            {"time_outs": torch.as_tensor(truncated & ~terminated)},
        )


def train(task: str, setting: Setting, seed: int, *, clock: Clock, steps: int | None, envs: str) -> Trained:
    torch.manual_seed(seed)
    vector = ClockedVectorEnv(ClipAction(environments.make(envs, task, setting.envs)), clock)
    network = {
        "class_name": "MLPModel",
        "hidden_dims": list(setting.hidden),
        "activation": "tanh",
        "obs_normalization": True,
    }
    runner = OnPolicyRunner(
        OfVectorEnv(vector, seed),
        {
            "num_steps_per_env": setting.decisions,
            "save_interval": 10**9,
            "check_for_nan": False,
            "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
            "actor": {
                **network,
                "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 1.0},
            },
            "critic": network,
            "algorithm": {
                "class_name": "PPO",
                "num_learning_epochs": setting.epochs,
                "num_mini_batches": setting.minibatches,
                "clip_param": setting.clip,
                "gamma": setting.gamma,
                "lam": setting.gae_lambda,
                "value_loss_coef": setting.value_coefficient,
                "entropy_coef": 0.0,
                "learning_rate": setting.learning_rate,
                "max_grad_norm": setting.max_grad_norm,
                "use_clipped_value_loss": False,
                "schedule": "fixed",
                "normalize_advantage_per_mini_batch": True,
                "rnd_cfg": None,
                "symmetry_cfg": None,
            },
        },
        log_dir=None,
        device="cpu",
    )
    try:
        runner.learn(10**9 if steps is None else -(-steps // setting.rollout))
        clock.finish()
    except BudgetSpent:
        pass
    policy = runner.get_inference_policy("cpu")

    @torch.no_grad()
    def act(observation: np.ndarray) -> np.ndarray:
        tensor = torch.as_tensor(observation, dtype=torch.float32)
        return policy(TensorDict({"policy": tensor}, batch_size=[len(tensor)])).numpy()

    vector.close()
    return clock.trained(act)
