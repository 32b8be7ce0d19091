"""The signals that any of our bodies publishes: its joints, its root, what it was told. Axes: B environments.

A body adds its own by overriding `_more`. Signals are read between a decision and the autoreset that may follow it, so
that an episode's last decision is judged by the state that it ended in.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int

from amble.rewards.signals import Signal, SignalSource

Read = Callable[[], np.ndarray]
_XYZ = ("x", "y", "z")


class BodySignals(SignalSource):
    """Signals of a `BodyVectorEnv`, which calls `before`, `after` and `forget` where its signals are watched."""

    observation_names: ClassVar[tuple[str, ...]] = ()
    """Of the places of an observation; none if they have no names."""
    action_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, env: Any, *, substeps: int = 1, substep_seconds: float | None = None):
        self.env = env
        self.num_envs, self.substeps, self.substep_seconds = env.num_envs, substeps, substep_seconds
        self._actions = np.zeros(env.action_space.shape, np.float64)
        self._before = np.zeros_like(self._actions)
        self._begins = np.ones(env.num_envs, bool)
        self._reward = np.zeros(env.num_envs)
        self._readers: dict[str, Read] = {}
        self._signals: dict[str, Signal] = {}
        self._watched: set[str] = set()
        for signal, read in (*self._common(), *self._more()):
            self._signals[signal.name], self._readers[signal.name] = signal, read

    @property
    def signals(self) -> Mapping[str, Signal]:
        """All that can be read, by name."""
        return self._signals

    @property
    def watched(self) -> frozenset[str]:
        """The names that are asked for."""
        return frozenset(self._watched)

    def watch(self, names: Iterable[str]) -> None:
        """Measure these from now on, besides what is watched already."""
        self._watched |= set(names)

    def read(self, name: str) -> np.ndarray:
        """The signal as the decision just carried out left it."""
        return self._readers[name]()

    # What the environment calls, once anything is watched.

    def before(self, actions: Float[np.ndarray, "B A"]) -> None:
        """A decision is about to be carried out."""
        if "action_change" in self._watched:
            self._before[:] = self._actions
            begins = np.flatnonzero(self._begins)
            self._before[begins] = actions[begins]
        if "action" in self._watched or "action_change" in self._watched:
            self._actions[:] = actions
        self._begins[:] = False

    def after(self, reward: Float[np.ndarray, "B"]) -> None:
        """A decision has been carried out, and paid this by the task itself."""
        self._reward = reward

    def forget(self, ids: Int[np.ndarray, "n"]) -> None:
        """New episodes begin there."""
        self._begins[ids] = True

    # What there is.

    def _more(self) -> Iterable[tuple[Signal, Read]]:
        """A body's own signals."""
        return ()

    def _common(self) -> Iterable[tuple[Signal, Read]]:
        env = self.env
        actions = self.action_names or tuple(str(i) for i in range(env.single_action_space.shape[0]))
        seen = self.observation_names or tuple(str(i) for i in range(env.single_observation_space.shape[0]))
        yield (
            Signal("reward", "1", "the task's own reward of the decision"),
            lambda: self._reward,
        )
        yield (
            Signal("observation", "various", "what the policy sees next", seen),
            env.observe_all,
        )
        yield Signal("action", "1", "what it was told to do", actions), lambda: self._actions
        yield (
            Signal(
                "action_change", "1", "action minus the one before; 0 in an episode's first decision", actions
            ),
            lambda: self._actions - self._before,
        )
        yield (
            Signal("decisions", "decisions", "carried out in the episode, this one included"),
            lambda: env.steps + 1.0,
        )

    def _root(self) -> Iterable[tuple[Signal, Read]]:
        """Of a body whose first joint is free."""
        model, env = self.env.model, self.env
        if not model.njnt or model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
            return
        qpos, qvel = env.batch.bind("qpos"), env.batch.bind("qvel")
        yield Signal("root_position", "m", "of the root body, world axes", _XYZ), lambda: qpos[:, :3]
        yield Signal("root_velocity", "m/s", "of the root body, world axes", _XYZ), lambda: qvel[:, :3]
        yield (
            Signal("root_spin", "rad/s", "angular velocity of the root body, its own axes", _XYZ),
            lambda: qvel[:, 3:6],
        )

    def _joints(self) -> Iterable[tuple[Signal, Read]]:
        """Of the hinges and slides."""
        model, env = self.env.model, self.env
        hinge, slide = mujoco.mjtJoint.mjJNT_HINGE.value, mujoco.mjtJoint.mjJNT_SLIDE.value
        ids = [j for j in range(model.njnt) if model.jnt_type[j] in (hinge, slide)]
        if not ids:
            return
        names = tuple(model.joint(j).name or str(j) for j in ids)
        angle, speed = _columns(model.jnt_qposadr[ids]), _columns(model.jnt_dofadr[ids])
        qpos, qvel = env.batch.bind("qpos"), env.batch.bind("qvel")
        turning = all(model.jnt_type[j] == hinge for j in ids)
        yield (
            Signal(
                "joint_angle",
                "rad" if turning else "rad or m",
                "of each hinge; of a slide, how far it is",
                names,
            ),
            lambda: qpos[:, angle],
        )
        yield (
            Signal("joint_speed", "rad/s" if turning else "rad/s or m/s", "of each hinge or slide", names),
            lambda: qvel[:, speed],
        )

    def _motors(self) -> Iterable[tuple[Signal, Read]]:
        """Of actuators that pull at a joint with gear · control."""
        model, env = self.env.model, self.env
        if not model.nu or (model.actuator_trntype != mujoco.mjtTrn.mjTRN_JOINT).any():
            return
        names = tuple(model.joint(j).name or str(j) for j in model.actuator_trnid[:, 0])
        gear, dof = model.actuator_gear[:, 0], model.jnt_dofadr[model.actuator_trnid[:, 0]]
        ctrl, qvel = env.batch.bind("ctrl"), env.batch.bind("qvel")
        limited = model.actuator_ctrllimited.astype(bool)
        low, high = (
            np.where(limited, end, sign)
            for end, sign in zip(model.actuator_ctrlrange.T, (-np.inf, np.inf), strict=True)
        )

        def torque() -> Float[np.ndarray, "B m"]:
            return np.clip(ctrl, low, high) * gear

        yield Signal("joint_torque", "N·m", "of the motors, held over the decision", names), torque
        yield (
            Signal("power", "W", "Σ|τ·ω| over the motors, at the speeds of the decision's end"),
            lambda: np.abs(torque() * qvel[:, dof]).sum(axis=1),
        )
        weight = float(model.body_mass.sum() * np.linalg.norm(model.opt.gravity))
        yield Signal("body_weight", "N", "m·g, the same throughout"), lambda: np.full(env.num_envs, weight)


class MuJoCoSignals(BodySignals):
    """What every body has: root, joints, motors."""

    def _more(self) -> Iterable[tuple[Signal, Read]]:
        yield from self._root()
        yield from self._joints()
        yield from self._motors()


def _columns(at: Int[np.ndarray, "n"]) -> slice | Int[np.ndarray, "n"]:
    """A slice where they lie side by side, which costs no copy."""
    first, count = int(at[0]), len(at)
    return slice(first, first + count) if (np.diff(at) == 1).all() else at


Referee = Callable[
    [Float[np.ndarray, "B"], Bool[np.ndarray, "B"]],
    tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"]],
]
"""From the task's own reward and terminations of a decision to those that count."""
