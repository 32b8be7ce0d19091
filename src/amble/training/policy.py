"""The portable policy: what a finished policy needs to act, in one directory of safetensors and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Shaped
from torch import Tensor

from amble.config import UNITY_ENV, RunConfig
from amble.envs.parameters import Drawn, Value
from amble.errors import UsageError
from amble.nets.actor_critic import Policy
from amble.nets.network import NetShape
from amble.training.branch import find_branch
from amble.training.checkpoint import below, load_checkpoint
from amble.training.policy_files import read_policy
from amble.training.run_directory import run_around
from amble.training.spaces import space_from_json, space_to_json
from amble.training.unity import scene_kwargs


def policy_spec(
    config: RunConfig,
    env: VectorEnv,
    policy: Policy,
    env_steps: int,
    parameters: Mapping[str, Value] | None = None,
) -> dict[str, Any]:
    """Everything but the weights: environment, spaces, networks, reward.

    `parameters` are those of the environment that change during a run, as they are now.
    """
    name, behavior = config.behavior
    network, hyper = behavior.network_settings, behavior.hyperparameters
    extrinsic = behavior.reward_signals.extrinsic
    return {
        "behavior": name,
        "env_id": config.env_settings.env_id,
        "env_kwargs": (
            scene_kwargs(config)
            if config.env_settings.env_id == UNITY_ENV
            else {**config.env_settings.env_kwargs, **config.constant_parameters}
        ),
        "parameters": {
            name: value.as_json() if isinstance(value, Drawn) else value
            for name, value in (parameters or {}).items()
        },
        "observation_space": space_to_json(env.single_observation_space),
        "action_space": space_to_json(env.single_action_space),
        "hidden": [network.hidden_units] * network.num_layers,
        "activation": network.activation,
        "encoder": network.vis_encode_type,
        "memory_size": policy.memory_size,
        "layer_norm": network.layer_norm,
        "distribution": hyper.distribution,
        "normalise": policy.normaliser is not None,
        "action_clip": hyper.action_clip,
        "reward": {
            "extrinsic": None if extrinsic is None else extrinsic.model_dump(),
            "terms": None if config.rewards is None else config.rewards.model_dump(),
        },
        "env_steps": env_steps,
    }


def env_kwargs(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the environment that a policy was trained in, for one that does not change.

    A parameter that was in a lesson has that lesson's number; one that was drawn has the environment's own.
    """
    numbers = {
        name: value for name, value in spec.get("parameters", {}).items() if not isinstance(value, dict)
    }
    if spec["env_id"] == UNITY_ENV:
        given = spec["env_kwargs"]
        return {**given, "parameters": {**given.get("parameters", {}), **numbers}}
    return {**spec["env_kwargs"], **numbers}


class PortablePolicy:
    """A policy that acts and no longer learns: observations in, environment actions out.

    One with a memory remembers what the same rows showed it before: `forget` those whose episode has ended.
    """

    def __init__(self, policy: Policy, spec: dict[str, Any]):
        self.spec = spec
        self._policy = policy.eval().requires_grad_(requires_grad=False)
        self._state: Tensor | None = None

    @classmethod
    def load(cls, directory: Path) -> PortablePolicy:
        """Read the policy in `directory`; AmbleError names a file that is missing or damaged."""
        return cls._of(*read_policy(directory))

    @classmethod
    def of_run(cls, run: Path | str) -> PortablePolicy:
        """The policy of a run, or as it was at one of its checkpoints, where `run` is `RUN@STEP`.

        A checkpoint's acts in the environment as the run left it: lessons that ended later have ended for it too.

        Raises:
            UsageError: there is no such checkpoint, or it is of one of several behaviours, which act together.
            AmbleError: a file is missing or damaged.
        """
        run = Path(run)
        if "@" not in run.name or run.exists():
            return cls.load(run / "policy")
        branch = find_branch(str(run), "", asked_by="")
        if run_around(branch.run) is not None:
            raise UsageError(
                f"{run}: is a checkpoint of one of several behaviours, which act together; only the latest of all of "
                f"them can be played: name {branch.run}."
            )
        _, spec = read_policy(branch.run / "policy")
        tensors, _ = load_checkpoint(branch.checkpoint)
        return cls._of(below(tensors, "policy."), {**spec, "env_steps": branch.step})

    @classmethod
    def _of(cls, tensors: dict[str, Tensor], spec: dict[str, Any]) -> PortablePolicy:
        policy = Policy(
            space_from_json(spec["observation_space"]),
            space_from_json(spec["action_space"]),
            shape=NetShape(
                hidden=spec["hidden"],
                activation=spec["activation"],
                encoder=spec.get("encoder", "simple"),
                memory_size=spec.get("memory_size", 0),
                layer_norm=spec.get("layer_norm", False),
            ),
            normalise=spec["normalise"],
            initial_std=1.0,
            action_clip=spec["action_clip"],
            distribution=spec.get("distribution", "gaussian"),
            rng=torch.Generator(),
        )
        policy.load_state_dict(tensors)
        return cls(policy, spec)

    @property
    def policy(self) -> Policy:
        """The networks themselves, for those who write them in another format."""
        return self._policy

    @torch.no_grad()
    def act(self, observation: Any) -> Shaped[np.ndarray, "n ..."] | tuple[np.ndarray, ...]:
        """The likeliest actions, as the environment takes them: n of them, for a Tuple a tuple of its parts' n.

        Args:
            observation: raw, of n environments: (n, O), or for other spaces as a VectorEnv gives it.
        """
        policy = self._policy
        rows = torch.as_tensor(policy.layout.flat(observation, _batch_size(observation)))
        if self._state is None or len(self._state) != len(rows):
            self._state = policy.nothing_remembered(len(rows))
        output, self._state = policy.step(policy.normalised(rows), self._state)
        return policy.actions.to_env(policy.head.mode(output))

    def forget(self, done: Bool[np.ndarray, "n"] | None = None) -> None:
        """Begin anew in the rows whose episode has ended; in all of them if None."""
        if done is None or self._state is None:
            self._state = None
        else:
            self._state = self._state.masked_fill(torch.as_tensor(done)[:, None], 0.0)


def _batch_size(observation: Any) -> int:
    """n of a batched observation: the first axis of any of its arrays."""
    while isinstance(observation, dict | tuple):
        observation = next(iter(observation.values() if isinstance(observation, dict) else observation))
    return len(observation)
