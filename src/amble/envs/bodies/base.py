"""What our MuJoCo bodies share: one `mujoco.batch.Batch`, step counters, autoreset, warnings, pictures.

Axes: B environments, O observation, A action, n a subset of the environments.

A body is a subclass that writes three hooks, each over many environments at once:

| hook | what it does |
|---|---|
| `_reset_bodies(ids)` | put the bodies `ids` (n,) into an episode's first state (`self.np_random`) |
| `_advance(actions)` | carry out one decision of all B bodies; return reward, terminated, truncated (B,) |
| `_observe(rows, out)` | write what the bodies `rows` see into `out` (n, O) |

One whose settings can change from episode to episode names them in `adjustable`, and has `_adjust(ids, values)`.

`rows` is `slice(None)` for all B, or ids (n,): index every field with it, `self.batch.qpos[rows]`, which
costs nothing for the slice. MuJoCo's derived fields (xpos, sensordata) are as old as the last call on the
batch, so `_reset_bodies` ends with `self.batch.forward(ids)` if `_observe` reads any, and `_advance` with
`self.batch.step(..., stage=mjSTAGE_VEL)`. A field is best bound once, in `__init__` (`self.batch.bind`).
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float, Int
from mujoco.batch import Batch

from amble.envs.backends.cores import usable_cores
from amble.envs.bodies.published import BodySignals, MuJoCoSignals, Referee
from amble.envs.bodies.rendering import BodyRenderer
from amble.envs.mirror import Mirror
from amble.envs.parameters import EpisodeParameters, Limits, Value
from amble.errors import AmbleError, EnvironmentFault, UsageError

log = logging.getLogger(__name__)

Rows = slice | Int[np.ndarray, "n"]

# After one of these MuJoCo puts the simulation back to its default state: the episode is ruined.
_DIVERGED = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]


class BodyVectorEnv(VectorEnv, ABC):
    """B bodies of one MuJoCo model behind Gymnasium's `VectorEnv`, as `amble.envs.boundary` states it.

    Attributes for subclasses and their readers:
        batch: the B simulations; its fields are live (B, …) arrays.
        model: the compiled model they share.
        steps: (B,) decisions carried out in each running episode.
        time_limit: decisions after which an episode is truncated; 0 for never.
        threads: that step them.
        observation_size: O.
        published: the body's signals, once anybody asked for them.
        referee: what reward and terminations become before an ended episode is reset; None leaves them.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own declaration)
        "render_modes": ["rgb_array"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }
    camera: ClassVar[str | int] = -1  # a camera of the model, or -1 for MuJoCo's free one
    adjustable: ClassVar[Mapping[str, Limits]] = {}  # settings that can change from episode to episode
    mirror: Mirror | None = None  # of a body that is the same on both sides

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        *,
        single_observation_space: spaces.Box,
        single_action_space: spaces.Box,
        time_limit: int,
        render_mode: str | None = None,
        threads: int = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
    ):
        """Make the batch; `threads` 0 takes every core this process may use.

        With `autoreset_mode` DISABLED the caller resets, and the last observation is `step`'s own.
        """
        super().__init__()
        name = type(self).__name__
        if num_envs < 1:
            raise UsageError(f"{name}: num_envs must be at least 1, got {num_envs}.")
        if threads < 0:
            raise UsageError(f"{name}: threads must be 0 (every core) or more, got {threads}.")
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise UsageError(
                f"{name}: render_mode {render_mode!r} is unknown; "
                f"use one of {self.metadata['render_modes']} or None."
            )
        if autoreset_mode is AutoresetMode.NEXT_STEP:
            raise UsageError(f"{name}: autoreset_mode is SAME_STEP or DISABLED, got {autoreset_mode}.")

        self.num_envs = num_envs
        self.single_observation_space = single_observation_space
        self.single_action_space = single_action_space
        self.observation_space = batch_space(single_observation_space, num_envs)
        self.action_space = batch_space(single_action_space, num_envs)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "autoreset_mode": autoreset_mode}
        self.time_limit = time_limit

        self.model = model
        self.threads = min(threads or usable_cores(), num_envs)
        self.batch = Batch(model, num_envs, self.threads)
        self.steps: Int[np.ndarray, "B"] = np.zeros(num_envs, np.int64)
        self._autoreset = autoreset_mode is AutoresetMode.SAME_STEP
        self._all: Int[np.ndarray, "B"] = np.arange(num_envs)
        self.observation_size = int(single_observation_space.shape[0])
        self._reset_called = False
        self._warnings: Int[np.ndarray, "W"] = np.zeros(self.batch.warning.shape[1], np.int64)
        self._warning_counts: Int[np.ndarray, "B W"] = self.batch.warning[:, :, 1]
        self._warnings_seen = np.zeros(self._warning_counts.shape, np.int64)
        self.published: BodySignals | None = None
        self.referee: Referee | None = None
        self._parameters = EpisodeParameters(name, self.adjustable, num_envs)
        self._renderer: BodyRenderer | None = None
        self._picture: tuple[mujoco.MjModel, mujoco.MjData] | None = None

    # The hooks of a body.

    @abstractmethod
    def _reset_bodies(self, ids: Int[np.ndarray, "n"]) -> None:
        """Put the bodies `ids` into the first state of an episode.

        Before an explicit `reset` the base has put every simulation into the model's default state; at an
        autoreset the bodies are as their last episode left them.
        """

    @abstractmethod
    def _advance(
        self, actions: Float[np.ndarray, "B A"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        """Carry out one decision of every body; return reward, terminated, truncated.

        `truncated` is for reasons of the body's own: the base adds the time limit. The actions are the
        caller's array, so they are not to be written to.
        """

    @abstractmethod
    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        """Write what the bodies `rows` see into `out`, row by row."""

    def _adjust(self, ids: Int[np.ndarray, "n"], values: Mapping[str, Float[np.ndarray, "n"]]) -> None:
        """Give the bodies `ids`, whose episode begins, these values of `adjustable` settings, by name.

        A body that has any overrides it. It comes before `_reset_bodies`.
        """

    def _publish(self) -> BodySignals:
        """The body's signals; a body with more to tell overrides it."""
        return MuJoCoSignals(self)

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Set `adjustable` settings; each body takes them, or a draw of its own, when its next episode begins."""
        self._parameters.set(parameters)

    def _begin_episodes(self, ids: Int[np.ndarray, "n"]) -> None:
        due, values = self._parameters.due(ids)
        if values and due.size:
            self._adjust(due, values)
        self._reset_bodies(ids)

    def publish(self) -> BodySignals:
        """The body's signals, to be watched and read between a decision and the autoreset: see `referee`."""
        if self.published is None:
            self.published = self._publish()
        return self.published

    def observe_all(self) -> Float[np.ndarray, "B O"]:
        """What all bodies see as they stand."""
        return self._observation(slice(None), self.num_envs)

    # Gymnasium's VectorEnv.

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, "B O"], dict[str, Any]]:
        """Begin a new episode in every environment; the same seed begins the same episodes."""
        super().reset(seed=seed)
        self.batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.steps[:] = 0
        self._begin_episodes(self._all)
        if self.published is not None:
            self.published.forget(self._all)
        self._warnings_seen[:] = self._warning_counts
        self._reset_called = True
        return self._observation(slice(None), self.num_envs), {}

    def step(
        self, actions: Float[np.ndarray, "B A"]
    ) -> tuple[
        Float[np.ndarray, "B O"],
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Carry out one decision; where an episode ends, begin the next and hand out the last observation.

        `truncated` is False where a body terminates at its time limit: a terminal state has no value to lose.
        """
        self._check_actions(actions)
        if self.published is not None:
            self.published.before(actions)
        reward, terminated, truncated = self._advance(actions)
        if self.published is not None:
            self.published.after(reward)
        if self.referee is not None:
            reward, terminated = self.referee(reward, terminated)
        self.steps += 1
        self._count_warnings()
        if self.time_limit:
            truncated = truncated | (self.steps >= self.time_limit)
        truncated = truncated & ~terminated
        observation = self._observation(slice(None), self.num_envs)
        info: dict[str, Any] = {}

        done = terminated | truncated
        if self._autoreset and np.count_nonzero(done):
            ids = np.flatnonzero(done)
            final = np.zeros_like(observation)
            final[ids] = observation[ids]
            info = {"final_obs": final, "_final_obs": done}
            self.steps[ids] = 0
            self._begin_episodes(ids)
            if self.published is not None:
                self.published.forget(ids)
            self._warnings_seen[:] = self._warning_counts
            observation[ids] = self._observation(ids, len(ids))
        return observation, reward, terminated, truncated, info

    def render(self) -> tuple[np.ndarray, ...]:
        """Draw every environment as an (H, W, 3) frame."""
        return tuple(self.render_one(index) for index in range(self.num_envs))

    def render_one(self, index: int) -> np.ndarray:
        """Draw environment `index` as an (H, W, 3) frame."""
        if self.render_mode is None:
            raise UsageError(f"{type(self).__name__}: make it with render_mode='rgb_array' to draw it.")
        model = self.batch.get_model(index)
        if self._picture is None:
            self._picture = (model, mujoco.MjData(model))
        data = self.batch.get_data(index, self._picture[1])
        mujoco.mj_forward(model, data)
        if self._renderer is None:
            self._renderer = self._make_renderer(model, data)
        return self._renderer.frame(data)

    def _make_renderer(self, model: mujoco.MjModel, data: mujoco.MjData) -> BodyRenderer:
        return BodyRenderer(model, self.camera)

    def close_extras(self, **kwargs: Any) -> None:
        """Free what drawing needed; the simulations go with the object."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # What went wrong in the physics.

    @property
    def physics_warnings(self) -> dict[str, int]:
        """How often MuJoCo warned in all environments, by the name of the warning; empty if all is well."""
        return {
            mujoco.mjtWarning(kind).name: int(count) for kind, count in enumerate(self._warnings) if count
        }

    def _count_warnings(self) -> None:
        """Add MuJoCo's new warnings to the totals (its own counters restart with each simulation's reset)."""
        counts = self._warning_counts
        if not np.count_nonzero(counts):
            return
        new = np.maximum(counts - self._warnings_seen, 0)
        self._warnings_seen[:] = counts
        self._note_warnings(new)

    def _note_warnings(self, new: Int[np.ndarray, "B W"]) -> None:
        """Add these to the totals, and say so where the physics diverged."""
        self._warnings += new.sum(axis=0)
        diverged = np.flatnonzero(new[:, _DIVERGED].any(axis=1))
        if diverged.size:
            log.warning(
                "%s: the physics of environment %d diverged at decision %d of its episode (%d environments "
                "in this step), and MuJoCo put it back to its default pose; expected never. Strong drives or "
                "large actions at too long a timestep do this.",
                type(self).__name__,
                diverged[0],
                self.steps[diverged[0]],
                diverged.size,
            )

    # Plumbing.

    def _observation(self, rows: Rows, count: int) -> Float[np.ndarray, "n O"]:
        out = np.empty((count, self.observation_size), self.single_observation_space.dtype)
        self._observe(rows, out)
        return out

    def _check_actions(self, actions: np.ndarray) -> None:
        name = type(self).__name__
        if not self._reset_called:
            raise AmbleError(f"{name}: step was called before reset; call reset once first.")
        expected = self.action_space.shape
        if np.shape(actions) != expected:
            raise AmbleError(
                f"{name}: step takes actions of shape {expected} (environments, action size), "
                f"got {np.shape(actions)}."
            )
        finite = np.isfinite(actions)
        if np.count_nonzero(finite) < finite.size:
            index = int(np.flatnonzero(~finite.all(axis=1))[0])
            raise EnvironmentFault(
                index,
                f"({name}) was given the action {actions[index].tolist()} at decision "
                f"{self.steps[index]} of its episode; every number must be finite. "
                "The policy has most likely diverged.",
            )
