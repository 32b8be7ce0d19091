"""Unity scenes as a run file describes them."""

from __future__ import annotations

import sys
from typing import Any

from gymnasium.vector import VectorEnv

import amble.envs
from amble.config import UNITY_ENV, RunConfig
from amble.native import waits


def make_scenes(config: RunConfig, num_envs: int | None = None) -> VectorEnv:
    """Start the run file's builds, or wait for an editor, and say so meanwhile."""
    with waits.explained(_tell):
        return amble.envs.make(
            UNITY_ENV, num_envs or config.env_settings.num_envs or 1, **scene_kwargs(config)
        )


def scene_kwargs(config: RunConfig) -> dict[str, Any]:
    """The keyword arguments of `UnityVectorEnv`, which are the run file's settings of Unity."""
    settings, (name, _) = config.env_settings, config.behavior
    return {
        "path": settings.env_path,
        "args": settings.env_args or [],
        "behavior": name,
        "base_port": settings.base_port,
        "seed": settings.seed,
        "timeout": settings.timeout_wait,
        "num_areas": settings.num_areas,
        "no_graphics": config.engine_settings.no_graphics,
        "engine": config.engine_settings.model_dump(exclude={"no_graphics", "no_graphics_monitor"}),
        "parameters": dict(config.environment_parameters),
        **settings.env_kwargs,
    }


def _tell(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
