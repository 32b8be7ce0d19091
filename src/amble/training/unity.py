"""Unity scenes as a run file describes them: of one behaviour, or of several that share them."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from gymnasium.vector import VectorEnv

import amble.envs
from amble.config import UNITY_ENV, RunConfig
from amble.envs.together import Part
from amble.native import waits

if TYPE_CHECKING:
    from amble.envs.backends.unity import UnityScenes


def make_scenes(config: RunConfig, num_envs: int | None = None) -> VectorEnv:
    """Start the run file's builds, or wait for an editor, and say so meanwhile."""
    with waits.explained(_tell):
        return amble.envs.make(
            UNITY_ENV, num_envs or config.env_settings.num_envs or 1, **scene_kwargs(config)
        )


def scene_kwargs(config: RunConfig) -> dict[str, Any]:
    """The keyword arguments of `UnityVectorEnv`, which are the run file's settings of Unity."""
    name, _ = config.behavior
    return {"behavior": name, **_kwargs(config)}


def shared_scenes(kwargs: dict[str, Any], behaviors: Collection[str], num_envs: int) -> UnityScenes:
    """Scenes of several behaviours, by the settings of any one of them."""
    from amble.envs.backends.unity import UnityScenes  # of an optional extra

    settings = {key: value for key, value in kwargs.items() if key != "behavior"}
    with waits.explained(_tell):
        return UnityScenes(num_envs, behaviors=behaviors, **settings)


def parts_of(scenes: UnityScenes) -> dict[str, Part]:
    """What each behaviour learns or plays in."""
    from amble.envs.backends.unity import METADATA

    return {
        name: Part(name, board.count, board.observation_space, board.action_space, METADATA)
        for name, board in scenes.boards.items()
    }


def _kwargs(config: RunConfig) -> dict[str, Any]:
    settings = config.env_settings
    return {
        "path": settings.env_path,
        "args": settings.env_args or [],
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
