"""skrl's PPO.

Observations and returns are normalised by its RunningStandardScaler, advantages over the whole rollout (it has no
other way); value clip and KL stop are off, the bootstrap at time limits on. Its TensorBoard writer, checkpoints and
progress bar are off.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers.vector import ClipAction
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, GaussianMixin, Model
from skrl.resources.preprocessors.torch import RunningStandardScaler
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from torch import nn

from peers import environments
from peers.clock import BudgetSpent, Clock, ClockedVectorEnv
from peers.settings import Setting
from peers.trained import Trained


def mlp(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.Tanh()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Gaussian(GaussianMixin, Model):
    def __init__(self, hidden: tuple[int, ...], **spaces: Any):
        Model.__init__(self, **spaces)
        GaussianMixin.__init__(self)
        self.net = mlp(self.num_observations, hidden, self.num_actions)
        self.log_std = nn.Parameter(torch.zeros(self.num_actions))

    def compute(self, inputs: dict[str, Any], role: str) -> Any:
        return self.net(inputs["observations"]), {"log_std": self.log_std}


class Categorical(CategoricalMixin, Model):
    def __init__(self, hidden: tuple[int, ...], **spaces: Any):
        Model.__init__(self, **spaces)
        CategoricalMixin.__init__(self)
        self.net = mlp(self.num_observations, hidden, self.num_actions)

    def compute(self, inputs: dict[str, Any], role: str) -> Any:
        return self.net(inputs["observations"]), {}


class Value(DeterministicMixin, Model):
    def __init__(self, hidden: tuple[int, ...], **spaces: Any):
        Model.__init__(self, **spaces)
        DeterministicMixin.__init__(self)
        self.net = mlp(self.num_observations, hidden, 1)

    def compute(self, inputs: dict[str, Any], role: str) -> Any:
        return self.net(inputs["observations"]), {}


def train(task: str, setting: Setting, seed: int, *, clock: Clock, steps: int | None, envs: str) -> Trained:
    logging.getLogger("skrl").setLevel(logging.ERROR)
    set_seed(seed)
    vector = environments.make(envs, task, setting.envs)
    discrete = isinstance(vector.single_action_space, spaces.Discrete)
    env = wrap_env(
        ClockedVectorEnv(vector if discrete else ClipAction(vector), clock),
        wrapper="gymnasium",
        verbose=False,
    )
    shapes = {
        "observation_space": env.observation_space,
        "action_space": env.action_space,
        "device": env.device,
    }
    policy = (Categorical if discrete else Gaussian)(setting.hidden, **shapes)
    agent = PPO(
        models={"policy": policy, "value": Value(setting.hidden, **shapes)},
        memory=RandomMemory(memory_size=setting.decisions, num_envs=env.num_envs, device=env.device),
        cfg=PPO_CFG(
            rollouts=setting.decisions,
            learning_epochs=setting.epochs,
            mini_batches=setting.minibatches,
            discount_factor=setting.gamma,
            gae_lambda=setting.gae_lambda,
            learning_rate=setting.learning_rate,
            observation_preprocessor=RunningStandardScaler,
            observation_preprocessor_kwargs={"size": env.observation_space, "device": env.device},
            value_preprocessor=RunningStandardScaler,
            value_preprocessor_kwargs={"size": 1, "device": env.device},
            grad_norm_clip=setting.max_grad_norm,
            ratio_clip=setting.clip,
            value_clip=0.0,
            entropy_loss_scale=0.0,
            value_loss_scale=setting.value_coefficient,
            time_limit_bootstrap=True,
            experiment={"write_interval": 0, "checkpoint_interval": 0},  # type: ignore[arg-type]
        ),
        **shapes,
    )
    iterations = 10**7 if steps is None else -(-steps // setting.rollout)
    trainer = SequentialTrainer(
        env=env,
        agents=agent,
        cfg={
            "timesteps": iterations * setting.decisions,
            "headless": True,
            "disable_progressbar": True,
            "close_environment_at_exit": False,
        },
    )
    try:
        trainer.train()
        clock.finish()
    except BudgetSpent:
        pass
    agent.enable_training_mode(False, apply_to_models=True)

    @torch.no_grad()
    def act(observation: np.ndarray) -> np.ndarray:
        tensor = torch.as_tensor(observation, dtype=torch.float32)
        _, outputs = agent.act(tensor, None, timestep=0, timesteps=0)
        return outputs["net_output"].argmax(-1).numpy() if discrete else outputs["mean_actions"].numpy()

    env.close()
    return clock.trained(act)
