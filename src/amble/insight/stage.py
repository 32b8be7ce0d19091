"""A policy on stage: some seconds of its episodes as states, signals and terms, to be drawn afterwards from any side.

For bodies of ours, whose states can be kept and put back. Axes: N decisions, K terms, M markers.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Float

from amble.envs.bodies.base import BodyVectorEnv
from amble.envs.bodies.rendering import BodyRenderer
from amble.envs.making import find_spec
from amble.envs.rewarded import RewardedVectorEnv
from amble.errors import UsageError
from amble.training.evaluate import rewards_of
from amble.training.policy import PortablePolicy

OWN = "task's own reward"
"""The one term of a policy that learned from no terms of its own."""
_TURN_SECONDS = 0.8
"""Over which the camera follows a turn of the way."""


@dataclass(frozen=True)
class Take:
    """What a policy did.

    Attributes:
        model: of the body.
        camera: of the model, where there is no way to go alongside.
        qpos: (N, nq) the state at each decision's end.
        marker: (N, M, 3) where the model's markers stood.
        signals: name → (N,) or (N, n), those that were asked for.
        terms: label → (N,) what each term paid for the decision, in a product the factor's sum over substeps.
        paid: (N,) the reward that the policy learned from.
        begins: (N,) where an episode has just begun.
        ended: (N,) where one ended before its time.
        seconds: of a decision.
        substeps: of a decision.
        combine: sum, product, or None for the task's own reward.
    """

    model: mujoco.MjModel
    camera: str | int
    qpos: Float[np.ndarray, "N nq"]
    marker: Float[np.ndarray, "N M 3"]
    signals: dict[str, np.ndarray]
    terms: dict[str, Float[np.ndarray, "N"]]
    paid: Float[np.ndarray, "N"]
    begins: Bool[np.ndarray, "N"]
    ended: Bool[np.ndarray, "N"]
    seconds: float
    substeps: int
    combine: str | None

    def __len__(self) -> int:
        return len(self.qpos)


def perform(run: Path, seconds: float, *, seed: int = 0, signals: Iterable[str] = ()) -> Take:
    """Let the policy of `run` play for that long, episode after episode, by its mean action.

    Args:
        run: a run's directory.
        seconds: of simulated time.
        seed: of the first episode; each further one takes the next.
        signals: to be kept, of those that the body publishes; others are left out.

    Raises:
        UsageError: the environment is no body of ours.
    """
    policy = PortablePolicy.load(Path(run) / "policy")
    spec = policy.spec
    vector = body_of(spec["env_id"], spec["env_kwargs"])
    try:
        settings = rewards_of(spec)
        rewarded = None if settings is None else RewardedVectorEnv(vector, settings)
        if rewarded is not None:
            rewarded.engine.at(spec["env_steps"])
        env: VectorEnv = vector if rewarded is None else rewarded
        return _played(env, vector, policy, seconds, seed, signals)
    finally:
        vector.close()


def body_of(env_id: str, env_kwargs: dict[str, Any]) -> BodyVectorEnv:
    """One body of ours that waits to be reset; UsageError where the environment is none."""
    find_spec(env_id)
    env = gymnasium.make(env_id, disable_env_checker=True, **env_kwargs)
    vector = getattr(env.unwrapped, "vector", None)
    if not isinstance(vector, BodyVectorEnv):
        env.close()
        raise UsageError(f"{env_id} is no body of Amble's own: its states cannot be kept to be drawn later.")
    return vector


def _played(
    env: VectorEnv,
    vector: BodyVectorEnv,
    policy: PortablePolicy,
    seconds: float,
    seed: int,
    names: Iterable[str],
) -> Take:
    engine = env.engine if isinstance(env, RewardedVectorEnv) else None
    source = vector.publish()
    kept = [name for name in names if name in source.signals and source.signals[name].taken != "substeps"]
    source.watch(kept)
    decision = 1.0 / float(vector.metadata["render_fps"])
    if source.substep_seconds is not None:
        decision = source.substeps * source.substep_seconds
    qpos, marker = vector.batch.bind("qpos"), vector.batch.bind("mocap_pos")
    states, markers, paid, begins, ended = [], [], [], [], []
    rows: dict[str, list[np.ndarray]] = {name: [] for name in kept}
    ledger: list[np.ndarray] = []
    over, episode = True, 0
    observation: Any = None
    for _ in range(max(1, round(seconds / decision))):
        if over:
            observation, _ = env.reset(seed=seed + episode)
            policy.forget()
            episode += 1
        begins.append(over)
        observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
        over = bool(terminated[0] or truncated[0])
        states.append(qpos[0].copy())
        markers.append(marker[0].reshape(-1, 3).copy())
        paid.append(float(reward[0]))
        ended.append(bool(terminated[0]))
        for name in kept:
            rows[name].append(np.array(source.read(name)[0]))
        if engine is not None:
            ledger.append(engine.ledger.now[: len(engine.ledger.labels), 0].copy())
    if engine is None:
        terms = {OWN: np.array(paid)}
    else:
        terms = dict(zip(engine.ledger.labels, np.stack(ledger, axis=1), strict=True))
    return Take(
        vector.batch.get_model(0), vector.camera, np.stack(states), np.stack(markers),
        {name: np.stack(values) for name, values in rows.items()}, terms, np.array(paid), np.array(begins),
        np.array(ended), decision, source.substeps, None if engine is None else engine.settings.combine,
    )  # fmt: skip


class Alongside:
    """Draws a take from beside its body, which goes to the right whatever way it faces. A context manager."""

    def __init__(self, take: Take, width: int, height: int):
        """(height, width) of the frames; a body that does not move freely is seen by its model's own camera."""
        self._take = take
        self._data = mujoco.MjData(take.model)
        self._free = take.model.njnt > 0 and take.model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
        camera: Any = take.camera
        if self._free:
            self._way = heading(take)
            standing = take.model.qpos0[2]
            camera = mujoco.MjvCamera()
            camera.elevation, camera.distance = -7.0, 3.6 * standing
            self._look_at = _followed(take, 1.18 * float(standing))
        self._camera = camera
        self._renderer = BodyRenderer(take.model, camera, width, height)

    def frame(self, decision: int) -> np.ndarray:
        """The state at the end of a decision, (height, width, 3) uint8."""
        take, data = self._take, self._data
        data.qpos[:] = take.qpos[decision]
        data.mocap_pos[:] = take.marker[decision]
        mujoco.mj_forward(take.model, data)
        if self._free:
            self._camera.lookat = self._look_at[decision]
            self._camera.azimuth = float(np.degrees(self._way[decision])) + 90.0
        return self._renderer.frame(data)

    def __enter__(self) -> Alongside:
        return self

    def __exit__(self, *error: object) -> None:
        self._renderer.close()


def _followed(take: Take, height: float) -> Float[np.ndarray, "N 3"]:
    """Where the camera looks: at the body's place, at one height whatever the body does."""
    look_at = take.qpos[:, :3].copy()
    look_at[:, 2] = height
    return look_at


def heading(take: Take) -> Float[np.ndarray, "N"]:
    """The way a free body takes over the ground, rad; where it stays on the spot, the way it last took, or faced first.

    Smoothed over `_TURN_SECONDS` within each episode.
    """
    angles = np.zeros(len(take))
    bounds = [*np.flatnonzero(take.begins), len(take)]
    half = max(1, round(_TURN_SECONDS / take.seconds))
    for first, last in pairwise(bounds):
        place = take.qpos[first:last, :2]
        index = np.arange(len(place))
        ahead, behind = np.minimum(index + half, len(place) - 1), np.maximum(index - half, 0)
        step = place[ahead] - place[behind]
        span = np.maximum(ahead - behind, 1) * take.seconds
        facing = _facing(take.qpos[first, 3:7])
        moving = np.hypot(*step.T) / span > 0.3
        direction = np.where(moving, np.arctan2(step[:, 1], step[:, 0]), np.nan)
        known = np.flatnonzero(moving)
        if len(known):
            latest = np.maximum.accumulate(np.where(moving, index, -1))
            direction = direction[np.where(latest >= 0, latest, known[0])]
        else:
            direction = np.full(len(place), facing)
        angles[first:last] = _smooth(np.unwrap(direction), half)
    return angles


def _facing(quaternion: np.ndarray) -> float:
    """Where the third axis of a part points over the ground, the front of Unity's bodies."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (y * z - w * x), 2 * (x * z + w * y)))


def _smooth(values: np.ndarray, half: int) -> np.ndarray:
    """Means over 2·half + 1 neighbours, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)
