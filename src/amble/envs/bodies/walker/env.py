"""Unity ML-Agents' Walker as a batched environment.

Order of one decision. Five times: drive gains are set from the state, MuJoCo takes a substep, drag is applied;
after every substep the cube turns, the reward is added, falls and touched targets are noted. Unity leaves the
order of the agent's and the academy's step open; here the five rewards of a decision are those of the five states
that it leads to. A walker that falls inside a decision is still stepped to its end: the next episode begins with
the next decision. `driven.py` carries it out.
Axes: B environments, D = 26 hinges, P = 16 parts.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from jaxtyping import Bool, Float, Int

from amble.envs.bodies.base import BodyVectorEnv, Rows
from amble.envs.bodies.published import BodySignals
from amble.envs.bodies.single import SingleBodyEnv
from amble.envs.bodies.walker.actions import ACTION_SIZE, ActionMap
from amble.envs.bodies.walker.driven import Drive, Simulators, State, observe
from amble.envs.bodies.walker.measures import WalkerSignals
from amble.envs.bodies.walker.mirror import MIRROR, signal_images
from amble.envs.bodies.walker.model import UNITY_IN_WORLD, build
from amble.envs.bodies.walker.observation import OBSERVATION_SIZE, places
from amble.envs.bodies.walker.passes import Sizes, Task
from amble.envs.bodies.walker.settings import WalkerSettings
from amble.envs.bodies.walker.signals import Signals
from amble.envs.bodies.walker.skeleton import PART_ORDER, WELDED
from amble.envs.bodies.walker.task import draw_targets
from amble.envs.mirror import Exchange
from amble.envs.parameters import Limits
from amble.errors import EnvironmentFault

_ROOT_DOFS = 6
_TORSO = {"chest_mass": "chest", "spine_mass": "spine", "hip_mass": "hips"}


class WalkerVectorEnv(BodyVectorEnv):
    """B Walkers, each on a platform of its own. See `WalkerSettings` for every keyword argument."""

    camera = "follow"
    mirror = MIRROR
    adjustable: ClassVar[Mapping[str, Limits]] = {
        "gravity": Limits(),
        **dict.fromkeys(_TORSO, Limits(above=0.0)),
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        render_mode: str | None = None,
        threads: int = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
        **settings: Any,
    ):
        """Build the bodies; `settings` are the fields of `WalkerSettings`."""
        self.settings = s = WalkerSettings.from_kwargs(settings)
        self.metadata = {**self.metadata, "render_fps": round(1 / s.decision_seconds)}
        super().__init__(
            build(s),
            num_envs,
            single_observation_space=spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), np.float32),
            single_action_space=spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32),
            time_limit=max(1, s.max_substeps // s.substeps),
            render_mode=render_mode,
            threads=threads,
            autoreset_mode=autoreset_mode,
        )
        batch, model = self.batch, self.model
        self._state = State(batch.bind("qpos"), batch.bind("qvel"), batch.bind("qacc_warmstart"))
        self._marker = batch.bind("mocap_pos")
        self.signals = Signals(model, num_envs)
        self._simulators = Simulators(
            model, self.threads, part=self.signals.first_part, geom=self.signals.first_geom
        )
        self._actions = ActionMap(model, s.max_force)
        turning = [part for part in self.signals.names if part != "hips" and part not in WELDED]
        hinges = {part: int(model.body(part).dofadr[0]) - _ROOT_DOFS for part in turning}
        self._bodies, self._places = tuple(self.signals.bodies), tuple(places(self.signals, hinges))
        # Each body's own, before any factor of `randomize`
        self._mass: Float[np.ndarray, "B bodies"] = np.tile(model.body_mass, (num_envs, 1))
        self._inertia: Float[np.ndarray, "B bodies 3"] = np.tile(model.body_inertia, (num_envs, 1, 1))
        self._gravity: Float[np.ndarray, "B"] = np.full(num_envs, float(s.gravity))

        shape, joints = (num_envs,), (num_envs, len(self._actions.low))
        self.goal_speed: Float[np.ndarray, "B"] = np.ones(shape)
        self.goal_forward: Float[np.ndarray, "2 B"] = np.zeros((2, *shape))
        self.target: Float[np.ndarray, "B 3"] = np.zeros((*shape, 3))
        self.contact: Bool[np.ndarray, "B P"] = np.zeros((*shape, len(PART_ORDER)), bool)
        self._target_height = s.skeleton.target_size / 2
        self._target_radius = s.target_radius or s.skeleton.target_radius
        self._sizes = Sizes(
            contact_offset=s.contact_offset,
            half_target=self._target_height,
            touch_reach=1.1 * (s.skeleton.start_height + s.skeleton.target_size),
        )
        self._targets_placed = False
        self.task = Task(
            self.goal_speed,
            self.goal_forward,
            np.zeros((3, num_envs)),
            self.target,
            next_target=np.zeros((*shape, 3)),
            touched=np.zeros(shape, bool),
            contact=self.contact,
            velocity=np.zeros((3, num_envs)),
            velocity_error=np.zeros((s.substeps, num_envs)),
            facing=np.zeros((s.substeps, num_envs)),
            reward=np.zeros(shape),
            fallen=np.zeros(shape, bool),
        )
        self._task = tuple(self.task)
        self._drive = Drive(
            target=np.zeros(joints),
            limit=np.zeros(joints),
            spring=s.spring,
            damper=s.damper,
            kept=1.0 - s.drag * s.timestep,
            substeps=s.substeps,
        )
        self._unmeasured = WalkerSignals.nothing(self)
        self._warned = np.zeros((num_envs, len(self._warnings)), np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float[np.ndarray, "B O"], dict[str, Any]]:
        """Begin new episodes. Targets stay where they are, as in Unity, unless a seed asks for new ones."""
        if seed is not None:
            self._targets_placed = False
        return super().reset(seed=seed, options=options)

    # The hooks of a body.

    def _adjust(self, ids: Int[np.ndarray, "n"], values: Mapping[str, Float[np.ndarray, "n"]]) -> None:
        """Gravity, and the masses of the torso's parts: a collider's inertia goes with its mass."""
        expand, model = self.batch.expand, self.model
        if "gravity" in values:
            self._gravity[ids] = values["gravity"]
            expand("opt.gravity")[ids, 2] = -values["gravity"]
        for name in _TORSO.keys() & values.keys():
            body = model.body(_TORSO[name]).id
            self._mass[ids, body] = values[name]
            self._inertia[ids, body] = (
                model.body_inertia[body] * (values[name] / model.body_mass[body])[:, None]
            )
        if _TORSO.keys() & values.keys():
            expand("body_mass")[ids] = self._mass[ids]
            expand("body_inertia")[ids] = self._inertia[ids]
            self.batch.set_const(ids)
        self._simulators.give_models(ids, self.batch)

    def _reset_bodies(self, ids: Int[np.ndarray, "n"]) -> None:
        rng, s = self.np_random, self.settings
        if not self._targets_placed:
            for _ in range(2):  # a target, and the next one
                self._move_targets(self._all)
            self._targets_placed = True
        if s.randomize:
            self._randomize(ids)
        yaw = rng.uniform(0.0, 2 * np.pi, len(ids)) if s.random_yaw else np.zeros(len(ids))
        self._state.position[ids] = self.model.qpos0
        self._state.position[ids, 3:7] = _turned(yaw)
        self._state.velocity[ids] = 0.0
        self._drive.limit[ids] = 0.0
        self.goal_speed[ids] = rng.uniform(*s.target_speed_range, len(ids))
        self._settle(ids)
        self.contact[ids] = False

    def _advance(
        self, actions: Float[np.ndarray, "B A"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        self._drive.target[:] = self._actions.targets(actions)
        self._drive.limit[:] = self._actions.force_limits(actions)
        measured = self._unmeasured if self._measures is None else self._measures.measured
        self._simulators.advance(
            tuple(self._state),
            self._bodies,
            self._task,
            tuple(self._sizes),
            tuple(self._drive),
            tuple(measured),
            self._warned,
            count=self.num_envs,
        )
        reward, fallen = self.task.reward.copy(), self.task.fallen.copy()
        self._check_reward(reward)
        reward[fallen] = self.settings.fall_reward
        if np.count_nonzero(self.task.touched):
            self._move_targets(np.flatnonzero(self.task.touched))
            self.task.touched[:] = False
        if np.count_nonzero(self._warned):
            self._note_warnings(self._warned)
            self._warned[:] = 0
        return reward, fallen, np.zeros(self.num_envs, bool)

    def _settle(self, ids: Int[np.ndarray, "n"]) -> None:
        """Bring up to date what is derived from the states of `ids`; their cubes face the targets."""
        self._simulators.settle(ids, tuple(self._state), self._bodies, self._task)

    def _observe(self, rows: Rows, out: Float[np.ndarray, "n O"]) -> None:
        ids = self._all if isinstance(rows, slice) else rows
        max_force = self.settings.max_force
        observe(ids, self._bodies, self._task, self._places, self._drive.limit, max_force, out)

    def _publish(self) -> BodySignals:
        return WalkerSignals(self)

    def signal_images(self) -> dict[str, Exchange]:
        """What becomes of its signals in the mirror, by name; of those left out, nothing."""
        return signal_images(self.publish().signals)

    @property
    def _measures(self) -> WalkerSignals | None:
        return self.published if isinstance(self.published, WalkerSignals) else None

    def _move_targets(self, ids: Int[np.ndarray, "n"]) -> None:
        """The next target is the target from now on, where a touch has not made it so already; draw another."""
        self.target[ids] = self.task.next_target[ids]
        self._marker[ids, 0] = self.target[ids]
        self.task.next_target[ids] = draw_targets(
            self.np_random, len(ids), self._target_radius, self._target_height
        )

    def _randomize(self, ids: Int[np.ndarray, "n"]) -> None:
        """Draw this episode's masses, friction and gravity, as factors on the nominal ones."""
        rng, ranges, batch = self.np_random, self.settings.randomize, self.batch
        factors = {name: rng.uniform(*ranges[name], len(ids)) for name in sorted(ranges)}
        if "mass" in factors:
            factor = factors["mass"][:, None]
            batch.expand("body_mass")[ids] = self._mass[ids] * factor
            batch.expand("body_inertia")[ids] = self._inertia[ids] * factor[:, None]
        if "friction" in factors:
            friction = batch.expand("geom_friction")
            friction[ids] = self.model.geom_friction * factors["friction"][:, None, None]
        if "gravity" in factors:
            batch.expand("opt.gravity")[ids, 2] = -self._gravity[ids] * factors["gravity"]
        if "mass" in factors:
            batch.set_const(ids)
        self._simulators.give_models(ids, batch)

    def _check_reward(self, reward: Float[np.ndarray, "B"]) -> None:
        if np.isfinite(reward).all():
            return
        index = int(np.flatnonzero(~np.isfinite(reward))[0])
        raise EnvironmentFault(
            index,
            f"(Walker) has the reward {reward[index]} at decision {self.steps[index]} of its "
            "episode; every reward must be finite. The physics has diverged: check the settings that were changed.",
        )


class WalkerEnv(SingleBodyEnv):
    """One Walker as an ordinary `gymnasium.Env`; the same keyword arguments."""

    vector_class = WalkerVectorEnv


def _turned(yaw: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 4"]:
    """The start orientation (w, x, y, z) of the hips, turned by `yaw` radians about the world's z."""
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    w, x, y, z = UNITY_IN_WORLD
    # (c, 0, 0, s) · (w, x, y, z)
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)
