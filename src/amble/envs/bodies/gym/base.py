"""What Gymnasium's MuJoCo tasks share: model file, decisions, first states, observation of the state, info.

Axes: B environments, n of them, O observation, A action, q positions, v velocities.

Equal to Gymnasium: the model files are those of the installed package, `mujoco.batch` steps each simulation as
`mj_step` does, bit by bit, and rewards are computed in the order and the precision of Gymnasium's own lines (the
control cost of float32 actions in float32). Different: all B draw their first states from one generator, so the
same seed begins other episodes than it does in Gymnasium, from the same distribution.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

import inspect
import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypedDict, Unpack

import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.envs import mujoco as gymnasium_mujoco
from gymnasium.vector import AutoresetMode
from jaxtyping import Bool, Float, Int, Shaped

from amble.envs.bodies.base import BodyVectorEnv, Rows
from amble.envs.bodies.gym.contact import ContactForces, with_contact_forces
from amble.envs.bodies.gym.driven import Simulations
from amble.envs.bodies.gym.mirror import model_mirror
from amble.envs.bodies.published import BodySignals, MuJoCoSignals, Read
from amble.envs.bodies.rendering import BodyRenderer
from amble.errors import AmbleError, UsageError
from amble.rewards.signals import Signal

log = logging.getLogger(__name__)

Info = dict[str, Shaped[np.ndarray, "B ..."]]
Advanced = tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"], Bool[np.ndarray, "B"]]
Fields = Mapping[str, Float[np.ndarray, "n size"]]
Judged = tuple[Float[np.ndarray, "n"], Bool[np.ndarray, "n"], Info]
CameraConfig = Mapping[str, Any]
Range = tuple[float, float] | list[float]

_STAGE_NONE = mujoco.mjtStage.mjSTAGE_NONE.value
_INITIAL_SIZE = 480  # Gymnasium's pictures, pixels


class Common(TypedDict, total=False):
    """Settings that every task takes: Gymnasium's `MujocoEnv`'s, and those of `BodyVectorEnv`."""

    default_camera_config: CameraConfig | None
    camera_id: int | None
    camera_name: str | None
    width: int
    height: int
    max_episode_steps: int
    render_mode: str | None
    threads: int
    autoreset_mode: AutoresetMode


class Part(NamedTuple):
    """Numbers of a field of `mjData` that are observed, clipped."""

    field: str
    first: int
    size: int
    low: float = -np.inf
    high: float = np.inf


class GymVectorEnv(BodyVectorEnv):
    """B simulations of a model file. A subclass sets its options, calls `__init__` and writes:

    | hook | what it does |
    |---|---|
    | `_observation_length()` | length of one observation, from `self.model`; the state's by default |
    | `_advance(actions)` | `self._simulate(actions)`, then reward, terminated, truncated; fills `self._info` |
    | `_first_states(n)` | draw positions (n, q) and velocities (n, v) of an episode's beginning |
    | `_observe(rows, out)` | the state without its first `skip` positions, by default |
    | `_places(rows)` | what `info` says of the state, at a reset too |

    A `JudgedVectorEnv` leaves `_advance` and `_observe` alone and can be driven for a whole rollout.

    `info` has Gymnasium's keys as (B,) arrays, of the step just carried out: where an episode has ended they
    are of its last step, as `final_obs` is.

    Attributes:
        model_file: the path of the model.
        dt: seconds a decision.
        qpos, qvel: the live state, (B, q) and (B, v).
    """

    length: ClassVar[int] = 1000  # decisions an episode, unless told otherwise
    camera_config: ClassVar[CameraConfig] = {}
    contact_forces: ClassVar[bool] = False  # whether `self._forces` is wanted: cfrc_ext, (B, 6 · bodies)

    def __init__(
        self, num_envs: int, xml_file: str, frame_skip: int, *, skip: int = 0, **common: Unpack[Common]
    ):
        """Load the model and make the batch; the first `skip` positions are left out of the observation."""
        name = type(self).__name__
        if frame_skip < 1:
            raise UsageError(f"{name}: frame_skip must be at least 1, got {frame_skip}.")
        path = model_path(xml_file, name)
        width, height = common.get("width", _INITIAL_SIZE), common.get("height", _INITIAL_SIZE)
        self.model = load_model(path, self.contact_forces)
        self.model.vis.global_.offwidth = max(self.model.vis.global_.offwidth, width)
        self.model.vis.global_.offheight = max(self.model.vis.global_.offheight, height)
        self.frame_skip = frame_skip
        self.model_file = path
        self.dt = float(self.model.opt.timestep * frame_skip)
        self.metadata = {**self.metadata, "render_fps": round(1.0 / self.dt)}
        self._skip = skip
        low, high = self.model.actuator_ctrlrange.astype(np.float32).T
        super().__init__(
            self.model,
            num_envs,
            single_observation_space=spaces.Box(-np.inf, np.inf, (self._observation_length(),), np.float64),
            single_action_space=spaces.Box(low, high, dtype=np.float32),
            time_limit=common.get("max_episode_steps", self.length),
            render_mode=common.get("render_mode"),
            threads=common.get("threads", 0),
            autoreset_mode=common.get("autoreset_mode", AutoresetMode.SAME_STEP),
        )
        self._picture_size = width, height
        self._camera_config = common.get("default_camera_config", self.camera_config) or {}
        self._camera_id = self._find_camera(common.get("camera_id"), common.get("camera_name"))

        batch, m = self.batch, self.model
        self.qpos: Float[np.ndarray, "B q"] = batch.bind("qpos")
        self.qvel: Float[np.ndarray, "B v"] = batch.bind("qvel")
        self._ctrl: Float[np.ndarray, "B A"] = batch.bind("ctrl")
        # Positions and velocities lie side by side in the rows of the state, behind the time.
        time = mujoco.mj_stateSize(m, mujoco.mjtState.mjSTATE_TIME)
        self._state: Float[np.ndarray, "B qv"] = batch.state[:, time : time + m.nq + m.nv]
        self._reads_derived = False
        self.contacts = ContactForces(batch, path) if self.contact_forces else None
        self._forces: Float[np.ndarray, "B f"] = (
            np.zeros((num_envs, 0)) if self.contacts is None else self.contacts.forces.reshape(num_envs, -1)
        )
        self._info: Info = {}

    @classmethod
    def settings(cls) -> set[str]:
        """The names of the keyword arguments."""
        own = {p.name for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY}
        return own | set(Common.__annotations__)

    def _publish(self) -> BodySignals:
        """Root, joints, motors, and what `info` says; a step is taken to see what that is."""
        self.reset(seed=0)
        self.step(np.zeros((self.num_envs, self.model.nu), np.float32))
        return TaskSignals(self, substeps=1, substep_seconds=self.dt)

    # The hooks of a task.

    def _observation_length(self) -> int:
        return self.model.nq + self.model.nv - self._skip

    @abstractmethod
    def _first_states(self, n: int) -> tuple[Float[np.ndarray, "n q"], Float[np.ndarray, "n v"]]:
        """Draw the positions and velocities of `n` episodes' beginnings."""

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        out[:, : self.model.nq + self.model.nv - self._skip] = self._state[rows, self._skip :]

    def _places(self, rows: Rows) -> Info:
        return {}

    # What a task calls.

    def _derived(self, field: str) -> Shaped[np.ndarray, "B ..."]:
        """Bind a field that MuJoCo computes (xpos, …); after a reset it is computed anew."""
        self._reads_derived = True
        return self.batch.bind(field)

    def _simulate(self, actions: Shaped[np.ndarray, "B A"]) -> None:
        """Carry out one decision's substeps; derived fields are afterwards what they are after `mj_step`."""
        self._ctrl[:] = actions
        if self.contacts is None:
            self.batch.step(nstep=self.frame_skip)
        else:
            self.contacts.step(self.frame_skip)

    def _never(self) -> Bool[np.ndarray, "B"]:
        return np.zeros(self.num_envs, bool)

    def _uniform(self, n: int, size: int, scale: float) -> Float[np.ndarray, "n size"]:
        return self.np_random.uniform(-scale, scale, (n, size))

    def _body_id(self, body: str | int) -> int:
        try:
            return int(self.model.body(body).id)
        except (KeyError, IndexError) as missing:
            raise UsageError(
                f"{type(self).__name__}: its model has no body {body!r}: {missing}."
            ) from missing

    # Episodes.

    def set_states(
        self,
        qpos: Float[np.ndarray, "n q"],
        qvel: Float[np.ndarray, "n v"],
        ids: Int[np.ndarray, "n"] | None = None,
    ) -> None:
        """Put bodies `ids` (all if None) into these states, everything else as in a fresh simulation."""
        ids = self._all if ids is None else ids
        self.batch.reset(ids, stage=_STAGE_NONE)
        self.qpos[ids] = qpos
        self.qvel[ids] = qvel
        if self.contacts is not None:
            self.contacts.reset(ids)
        elif self._reads_derived:
            self.batch.forward(ids)

    def _reset_bodies(self, ids: Int[np.ndarray, "n"]) -> None:
        self.set_states(*self._first_states(len(ids)), ids)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, "B O"], dict[str, Any]]:
        """Begin a new episode in every environment."""
        observation, info = super().reset(seed=seed, options=options)
        return observation, {**self._places(slice(None)), **info}

    def step(
        self, actions: Shaped[np.ndarray, "B A"]
    ) -> tuple[
        Float[np.ndarray, "B O"],
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Carry out one decision of every environment."""
        observation, reward, terminated, truncated, ends = super().step(actions)
        return observation, reward, terminated, truncated, {**self._info, **ends}

    # Pictures.

    def _find_camera(self, camera_id: int | None, camera_name: str | None) -> int:
        """The camera asked for; −1 for the free one."""
        name = type(self).__name__
        if camera_id is not None and camera_name is not None:
            raise UsageError(f"{name}: give camera_id or camera_name, not both.")
        if camera_name is not None:
            camera_id = int(mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_CAMERA, camera_name))
            if camera_id < 0:
                known = [self.model.camera(i).name for i in range(self.model.ncam)]
                raise UsageError(f"{name}: its model has no camera {camera_name!r}; it has {known}.")
        if camera_id is not None and not -1 <= camera_id < self.model.ncam:
            raise UsageError(f"{name}: camera_id is −1 to {self.model.ncam - 1}, got {camera_id}.")
        return -1 if camera_id is None else camera_id

    def _make_renderer(self, model: mujoco.MjModel, data: mujoco.MjData) -> BodyRenderer:
        """Look from where Gymnasium looks: its free camera starts at the middle of the geoms."""
        width, height = self._picture_size
        if self._camera_id >= 0:
            return BodyRenderer(model, self._camera_id, width, height)
        camera = mujoco.MjvCamera()
        camera.lookat[:] = np.median(data.geom_xpos, axis=0)
        camera.distance = model.stat.extent
        for key, value in self._camera_config.items():
            if np.ndim(value):
                getattr(camera, key)[:] = value
            else:
                setattr(camera, key, value)
        return BodyRenderer(model, camera, width, height)


class TaskSignals(MuJoCoSignals):
    """Those of any body, and the keys of `info`."""

    def _more(self) -> Iterator[tuple[Signal, Read]]:
        yield from super()._more()
        for key, value in self.env._info.items():
            if value.ndim == 1:
                about = f"what the task says of itself in info[{key!r}]"
                yield Signal(f"info.{key}", "various", about), lambda key=key: self.env._info[key]


class JudgedVectorEnv(GymVectorEnv):
    """A task whose reward is a function of what is so before and after a decision, and of the action:

    | hook | what it does |
    |---|---|
    | `judge(before, after, actions)` | reward, terminated, what `info` says; of n decisions, whosever they are |
    | `observed()` | which numbers are seen, in order; the state without its first `skip` positions, by default |
    | `alive_between()` | what ends an episode, as bounds (q + v,) of the state; None, the default, for nothing |

    Attributes:
        judged_by: the fields of `mjData` that the reward is made of.
    """

    judged_by: ClassVar[tuple[str, ...]] = ("qpos",)

    def __init__(
        self, num_envs: int, xml_file: str, frame_skip: int, *, skip: int = 0, **common: Unpack[Common]
    ):
        """As `GymVectorEnv`; what `observed` asks of the task has been set."""
        super().__init__(num_envs, xml_file, frame_skip, skip=skip, **common)
        self._away = False  # whether the simulations have been driven since the batch was last used
        self._judged = {name: self._field(name) for name in self.judged_by}
        self._seen = [
            (part, self._field(part.field)[:, part.first : part.first + part.size])
            for part in self.observed()
        ]
        self.mirror = model_mirror(self.model, [part[:3] for part in self.observed()])

    @abstractmethod
    def judge(self, before: Fields, after: Fields, actions: Shaped[np.ndarray, "n A"]) -> Judged:
        """Reward, terminated and info of n decisions.

        Args:
            before: the fields `judged_by` when a decision was taken.
            after: the same after it.
            actions: as the environment was given them.
        """

    def observed(self) -> list[Part]:
        """Which numbers are seen, in order."""
        return [Part("qpos", self._skip, self.model.nq - self._skip), Part("qvel", 0, self.model.nv)]

    def alive_between(self) -> tuple[Float[np.ndarray, "qv"], Float[np.ndarray, "qv"]] | None:
        """The bounds, themselves excluded, between which a living body's state lies; NaN where there is none."""
        return None

    @cached_property
    def simulations(self) -> Simulations | None:
        """What drives these bodies through whole rollouts; None where the model has sensors like ours."""
        if self.contacts is not None and self.contacts.own_sensors:
            return None
        return Simulations(self, load_model(self.model_file, contact_forces=False))

    @contextmanager
    def driven(self) -> Iterator[None]:
        """Within, `simulations` go on from where the environment is; afterwards it is where they are."""
        if not self._reset_called:
            raise AmbleError(f"{type(self).__name__}: it was driven before reset; call reset once first.")
        simulations = self.simulations
        if simulations is None:
            raise AmbleError(f"{type(self).__name__}: a model with sensors of its own is not driven.")
        if not self._away:
            simulations.enter()
            self._away = True
        yield
        self._note_warnings(simulations.new_warnings())

    def _come_back(self) -> None:
        """Put the batch where the simulations are, if they were driven since it was last used."""
        if self._away and self.simulations is not None:
            self.simulations.leave()
            if self._reads_derived:
                self.batch.forward()
        self._away = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, "B O"], dict[str, Any]]:
        """Begin a new episode in every environment."""
        self._away = False
        return super().reset(seed=seed, options=options)

    def step(
        self, actions: Shaped[np.ndarray, "B A"]
    ) -> tuple[
        Float[np.ndarray, "B O"],
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Carry out one decision of every environment."""
        self._come_back()
        return super().step(actions)

    def render_one(self, index: int) -> np.ndarray:
        """Draw environment `index` as an (H, W, 3) frame."""
        self._come_back()
        return super().render_one(index)

    def draw_first_states(self, n: int) -> Float[np.ndarray, "n qv"]:
        """The first states of `n` episodes, from this environment's generator."""
        return np.concatenate(self._first_states(n), axis=1)

    def _observation_length(self) -> int:
        return sum(part.size for part in self.observed())

    def _advance(self, actions: Shaped[np.ndarray, "B A"]) -> Advanced:
        after = self._judged
        before = {name: field.copy() for name, field in after.items()}
        self._simulate(actions)
        reward, terminated, info = self.judge(before, after, actions)
        self._info = {**self._places(slice(None)), **info}
        return reward, terminated, self._never()

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        at = 0
        for part, numbers in self._seen:
            columns = out[:, at : at + part.size]
            columns[:] = numbers[rows]
            if part.low > -np.inf or part.high < np.inf:
                np.clip(columns, part.low, part.high, out=columns)
            at += part.size

    def _field(self, name: str) -> Float[np.ndarray, "B size"]:
        """A live field, one row a body."""
        if name == "cfrc_ext":
            return self._forces
        if name in ("qpos", "qvel"):
            return self.qpos if name == "qpos" else self.qvel
        return self._derived(name).reshape(self.num_envs, -1)


def model_path(xml_file: str, name: str) -> str:
    """Find a model file as Gymnasium does: beside its own, unless the path says where (`.`, `/`, `~`)."""
    if xml_file.startswith("~"):
        path = Path(xml_file).expanduser()
    elif xml_file.startswith((".", "/")):
        path = Path(xml_file)
    else:
        path = Path(gymnasium_mujoco.__path__[0], "assets", xml_file)
    if not path.exists():
        raise UsageError(
            f"{name}: there is no model file {path}. A name alone is looked for among Gymnasium's own; "
            "begin a path of yours with './', '/' or '~'."
        )
    return str(path)


def load_model(path: str, contact_forces: bool) -> mujoco.MjModel:
    """Compile a model file; with `contact_forces`, one that `ContactForces` can take."""
    try:
        with _warnings_logged():
            return with_contact_forces(path) if contact_forces else mujoco.MjModel.from_xml_path(path)
    except ValueError as broken:
        raise UsageError(f"{path}: MuJoCo cannot read this model: {broken}") from broken


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """MuJoCo's remarks on Gymnasium's own files go to the log, not into a file in the working directory."""
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: log.debug("MuJoCo: %s", message))
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)


def squared(actions: Shaped[np.ndarray, "B A"]) -> Shaped[np.ndarray, "B"]:
    """‖a‖² of each row, in the precision of the actions, as Gymnasium computes it."""
    return np.square(actions).sum(axis=1)


def norms(vectors: Float[np.ndarray, "B xyz"]) -> Float[np.ndarray, "B"]:
    """‖x‖ of each row."""
    return np.sqrt(np.square(vectors).sum(axis=1))


def ground_places(qpos: Float[np.ndarray, "n q"]) -> Info:
    """Where over the ground a body is whose first positions are x and y."""
    xy = qpos[:, :2].copy()
    return {"x_position": xy[:, 0], "y_position": xy[:, 1], "distance_from_origin": norms(xy)}
