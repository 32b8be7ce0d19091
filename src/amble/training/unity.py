"""Unity scenes as a run file describes them: of one behaviour, or of several that share them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from gymnasium.vector import VectorEnv

import amble.envs
from amble.config import UNITY_ENV, RunConfig
from amble.envs.parameters import Value
from amble.errors import UsageError
from amble.native import waits
from amble.training.lessons import Lessons

Row = dict[str, float | int | str | None]

if TYPE_CHECKING:
    from amble.envs.backends.unity import UnityPart
    from amble.envs.backends.unity_scenes import UnityScenes


def make_scenes(config: RunConfig, num_envs: int | None = None) -> VectorEnv:
    """Start the run file's builds, or wait for an editor, and say so meanwhile."""
    with waits.explained(_tell):
        kwargs = scene_kwargs(config)
        kwargs["parameters"] |= Lessons(config).values
        env = amble.envs.make(UNITY_ENV, num_envs or config.env_settings.num_envs or 1, **kwargs)
    try:
        refuse_hyper(config, env)
    except BaseException:
        env.close()
        raise
    return env


def refuse_hyper(config: RunConfig, env: VectorEnv) -> None:
    """UsageError where the behaviour's goal is to make the weights of its networks."""
    name, behavior = config.behavior
    goals = getattr(env.unwrapped, "goals", [])
    if goals and behavior.network_settings.goal_conditioning_type == "hyper":
        raise UsageError(
            f"behaviors.{name}.network_settings.goal_conditioning_type is hyper, and the scene's observation "
            f"{goals[0]!r} is a goal: networks whose weights the goal makes are not supported here. Set it to none, "
            "and the goal is an observation like any other."
        )


def scene_figures(env: VectorEnv) -> tuple[Row, dict[str, list[float]]]:
    """What Unity scenes have reported of themselves since the last time; nothing of other environments.

    Returns:
        For a row of metrics, `scene.<name>` each, and the values by name of those that are to be a histogram.
    """
    take = getattr(env.unwrapped, "take_statistics", None)
    if take is None:
        return {}, {}
    figures, histograms = take()
    return {f"scene.{name}": value for name, value in figures.items()}, histograms


def scene_kwargs(config: RunConfig) -> dict[str, Any]:
    """The keyword arguments of `UnityVectorEnv`, which are the run file's settings of Unity."""
    name, _ = config.behavior
    return {"behavior": name, **_kwargs(config)}


def shared_scenes(
    kwargs: dict[str, Any], behaviors: Collection[str], num_envs: int, parameters: Mapping[str, Value]
) -> UnityScenes:
    """Scenes of several behaviours, by the settings of any one of them, with `parameters` beside its own."""
    from amble.envs.backends.unity_scenes import UnityScenes  # of an optional extra

    settings = {key: value for key, value in kwargs.items() if key != "behavior"}
    settings["parameters"] = {**settings["parameters"], **parameters}
    with waits.explained(_tell):
        return UnityScenes(num_envs, behaviors=behaviors, **settings)


def parts_of(scenes: UnityScenes) -> dict[str, UnityPart]:
    """What each behaviour learns or plays in."""
    from amble.envs.backends.unity import UnityPart

    return {name: UnityPart(scenes, name) for name in scenes.boards}


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
        "no_graphics_monitor": config.engine_settings.no_graphics_monitor,
        "engine": config.engine_settings.model_dump(exclude={"no_graphics", "no_graphics_monitor"}),
        "parameters": config.constant_parameters,
        "restarts": {
            "lifetime": settings.max_lifetime_restarts,
            "often": settings.restarts_rate_limit_n,
            "seconds": settings.restarts_rate_limit_period_s,
        },
        **settings.env_kwargs,
    }


def _tell(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
