"""The portable policy: what a finished policy needs to act, in one directory of safetensors and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Shaped

from amble.config import RunConfig
from amble.nets.actor_critic import Policy
from amble.training.policy_files import read_policy
from amble.training.spaces import space_from_json, space_to_json


def policy_spec(config: RunConfig, env: VectorEnv, policy: Policy, env_steps: int) -> dict[str, Any]:
    """Everything but the weights: environment, spaces, networks, reward."""
    name, behavior = config.behavior
    network, hyper = behavior.network_settings, behavior.hyperparameters
    return {
        "behavior": name,
        "env_id": config.env_settings.env_id,
        "env_kwargs": {**config.env_settings.env_kwargs, **config.environment_parameters},
        "observation_space": space_to_json(env.single_observation_space),
        "action_space": space_to_json(env.single_action_space),
        "hidden": [network.hidden_units] * network.num_layers,
        "activation": network.activation,
        "normalise": policy.normaliser is not None,
        "action_clip": hyper.action_clip,
        "reward": {"extrinsic": behavior.reward_signals.extrinsic.model_dump()},
        "env_steps": env_steps,
    }


class PortablePolicy:
    """A policy that acts and no longer learns: numpy observations in, environment actions out."""

    def __init__(self, policy: Policy, spec: dict[str, Any]):
        self.spec = spec
        self._policy = policy.eval().requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, directory: Path) -> PortablePolicy:
        """Read the policy in `directory`; AmbleError names a file that is missing or damaged."""
        tensors, spec = read_policy(directory)
        policy = Policy(
            space_from_json(spec["observation_space"]),
            space_from_json(spec["action_space"]),
            hidden=spec["hidden"],
            activation=spec["activation"],
            normalise=spec["normalise"],
            initial_std=1.0,
            action_clip=spec["action_clip"],
            rng=torch.Generator(),
        )
        policy.load_state_dict(tensors)
        return cls(policy, spec)

    def act(self, observation: Shaped[np.ndarray, "n O"]) -> Shaped[np.ndarray, "n ..."]:
        """The likeliest actions for raw observations, as the environment takes them."""
        mode = self._policy.mode(torch.as_tensor(observation, dtype=torch.float32))
        return self._policy.actions.to_env(mode)
