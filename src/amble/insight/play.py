"""Seeing a policy: its episodes as a film."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from amble.config import UNITY_ENV, is_shipped
from amble.envs.bodies.rendering import RenderingUnavailable, choose_gl
from amble.envs.making import find_spec
from amble.envs.rewarded import RewardedVectorEnv
from amble.errors import AmbleError, UsageError
from amble.insight.video import caption, write_video
from amble.training.evaluate import rewards_of
from amble.training.policy import PortablePolicy, env_kwargs

_SECONDS = 20.0


def play(
    run: Path,
    *,
    video: Path | None = None,
    seed: int | None = None,
    episodes: int | None = None,
    seconds: float | None = None,
) -> Path:
    """Film the policy of a run.

    Args:
        run: a run's directory; its `policy/` is played. `RUN@STEP` for that of a checkpoint.
        video: the MP4 to write; if None, `video.mp4` in the run's directory (`video-STEP.mp4` of a checkpoint), or
            `<preset>.mp4` here for a policy that comes with the package.
        seed: of the first episode.
        episodes: how many to show; as many as fit into `seconds` if None.
        seconds: simulated time after which the film ends; 20 if neither it nor `episodes` is given.

    Returns:
        The film's path.
    """
    run = Path(run)
    policy = PortablePolicy.of_run(run)
    env_id = policy.spec["env_id"]
    if env_id == UNITY_ENV:
        raise UsageError(
            f"{run}: its policy lives in a Unity scene, which draws itself: watch it there while "
            f"`amble evaluate {run}` plays it."
        )
    env = _drawable(env_id, env_kwargs(policy.spec))
    if seconds is None and episodes is None:
        seconds = _SECONDS
    fps = float(env.metadata.get("render_fps", 30))
    rewarded = _by_its_own_reward(env, policy)
    frames_at_most = None if seconds is None else max(1, round(seconds * fps))
    path = video or _place_of(run, policy)
    try:
        with _off_screen(env_id):
            return write_video(
                _frames(env, policy, rewarded, seed or 0, episodes, frames_at_most, fps), path, fps
            )
    finally:
        env.close()


def _place_of(run: Path, policy: PortablePolicy) -> Path:
    """Where a film goes that nobody named."""
    if is_shipped(run):
        return Path(f"{run.name}.mp4")
    if run.exists():
        return run / "video.mp4"
    return run.with_name(run.name.rpartition("@")[0]) / f"video-{policy.spec['env_steps']}.mp4"  # RUN@STEP


def _drawable(env_id: str, env_kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """The environment with pictures; UsageError where it has none."""
    find_spec(env_id)
    try:
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # "… not in the possible render_modes"
            return gymnasium.make(env_id, render_mode="rgb_array", **env_kwargs)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as missing:
        raise UsageError(f"{env_id} cannot be drawn: {missing}.") from missing
    except (gymnasium.error.Error, TypeError) as refused:
        if "render_mode" not in str(refused):
            raise
        raise UsageError(
            f"{env_id} cannot be drawn: it has no render_mode 'rgb_array' ({refused})."
        ) from refused


@contextlib.contextmanager
def _off_screen(env_id: str) -> Iterator[None]:
    """Within, Gymnasium's MuJoCo tasks draw without a display too; our own bodies see to that themselves."""
    chosen = None
    if not env_id.startswith("amble/"):
        with contextlib.suppress(RenderingUnavailable):  # of no concern to what draws without OpenGL
            chosen = choose_gl()
    if chosen is None:
        yield
        return
    os.environ["MUJOCO_GL"] = chosen
    try:
        yield
    finally:
        del os.environ["MUJOCO_GL"]  # `choose_gl` chooses only where there was none


def _by_its_own_reward(env: gymnasium.Env[Any, Any], policy: PortablePolicy) -> RewardedVectorEnv | None:
    """Let a body of ours pay, and end episodes, as the policy learned it; None where it learned the task's own."""
    settings, vector = rewards_of(policy.spec), getattr(env.unwrapped, "vector", None)
    if settings is None or not isinstance(vector, VectorEnv):
        return None
    rewarded = RewardedVectorEnv(vector, settings)
    rewarded.engine.at(policy.spec["env_steps"])
    return rewarded


def _frames(
    env: gymnasium.Env[Any, Any],
    policy: PortablePolicy,
    rewarded: RewardedVectorEnv | None,
    seed: int,
    episodes: int | None,
    at_most: int | None,
    fps: float,
) -> Iterator[np.ndarray]:
    shown, episode = 0, 0
    while episodes is None or episode < episodes:
        # A seed each: without one, a Walker's target outlasts its episode, and a film would show it again and again.
        observation, _ = env.reset(seed=seed + episode)
        policy.forget()
        episode += 1
        total, own, decisions, over = 0.0, 0.0, 0, False
        while not over:
            if shown == at_most:
                return
            try:
                frame = env.render()
            except gymnasium.error.DependencyNotInstalled as missing:
                raise UsageError(f"{policy.spec['env_id']} cannot be drawn: {missing}.") from missing
            if not isinstance(frame, np.ndarray):
                raise AmbleError(
                    f"{policy.spec['env_id']} drew no picture: it has no render_mode 'rgb_array'."
                )
            lines = [
                f"{policy.spec['behavior']} after {policy.spec['env_steps']:,} steps",
                f"episode {episode}",
            ]
            returns = f"return {total:.1f}" if rewarded is None else f"return {own:.1f}, reshaped {total:.1f}"
            yield caption(frame, [*lines, f"{decisions / fps:4.1f} s   {returns}"])
            shown += 1
            action = _only(policy.act(_batch_of_one(observation)))
            observation, reward, terminated, truncated, _ = env.step(action)
            own += 0.0 if rewarded is None else float(rewarded.reference[0])
            total, decisions, over = total + float(reward), decisions + 1, terminated or truncated


def _batch_of_one(observation: Any) -> Any:
    """One environment's observation as a VectorEnv of one would give it."""
    if isinstance(observation, dict):
        return {key: _batch_of_one(part) for key, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(_batch_of_one(part) for part in observation)
    return np.asarray(observation)[None]


def _only(action: Any) -> Any:
    """The one action of a batch of one, as a single environment takes it."""
    return tuple(part[0] for part in action) if isinstance(action, tuple) else action[0]
