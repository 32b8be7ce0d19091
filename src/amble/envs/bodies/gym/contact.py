"""External contact forces `cfrc_ext` of B simulations, as Gymnasium reads them after each decision.

Gymnasium calls `mj_rnePostConstraint` behind the last substep. A batch has no such call, but MuJoCo makes it
itself for a sensor that needs it, so the model gets one (`with_contact_forces`), which is switched on in the last
evaluation only. That is enough for Euler and the implicit integrators. Under RK4 a substep evaluates the dynamics
four times, sensors are computed in the first, and the forces that Gymnasium reads are those of the fourth. So the
last substep of a decision is taken here, stage by stage, with four calls of `forward`: the same work as `mj_step`,
three more calls on the threads.

RK4 as MuJoCo 4 has it (Munthe-Kaas's, for the quaternions), h the timestep, (q, v) the state, a(q, v) the forward
dynamics, ⊕ `mj_integratePos`, c = (½, ½, 1), b = (1/6, 1/3, 1/3, 1/6):

    v₁ = v,  k₁ = v,  F₁ = a(q, v)
    uᵢ = h cᵢ₋₁ kᵢ₋₁,  vᵢ = v + h cᵢ₋₁ Fᵢ₋₁,  Fᵢ = a(q ⊕ uᵢ, vᵢ),  kᵢ = dexp⁻¹(uᵢ) vᵢ        i = 2, 3, 4
    q' = q ⊕ h Σ bᵢ kᵢ,  v' = v + h Σ bᵢ Fᵢ,  every solve warm-started from the last substep's F₄

dexp⁻¹(u) v = v + ½ u × v + (1 − ½θ cot ½θ)/θ² · u × (u × v) with θ = ‖u‖ for the angular velocity of a ball or free
joint, in the body's own axes, and v for every other one.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from jaxtyping import Float, Int
from mujoco.batch import Batch

from amble.envs.backends.array import NoArrayForm
from amble.envs.bodies.gym.runge_kutta import Joints, Step, finish, next_stage

_NO_SENSORS = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
_STAGE_NONE = mujoco.mjtStage.mjSTAGE_NONE.value
_BAD_ACCELERATION = int(mujoco.mjtWarning.mjWARN_BADQACC)
_POST_CONSTRAINT = [
    int(kind)
    for kind in (
        mujoco.mjtSensor.mjSENS_ACCELEROMETER,
        mujoco.mjtSensor.mjSENS_FORCE,
        mujoco.mjtSensor.mjSENS_TORQUE,
        mujoco.mjtSensor.mjSENS_FRAMELINACC,
        mujoco.mjtSensor.mjSENS_FRAMEANGACC,
    )
]


def with_contact_forces(path: str) -> mujoco.MjModel:
    """Compile a model file with one more sensor: the world's acceleration, for which `cfrc_ext` is computed."""
    spec = mujoco.MjSpec.from_file(path)
    own = {int(sensor.type) for sensor in spec.sensors}
    if not own & set(_POST_CONSTRAINT):
        spec.add_sensor(
            name="amble_post_constraint",
            type=mujoco.mjtSensor.mjSENS_FRAMELINACC,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname="world",
        )
    return spec.compile()


class ContactForces:
    """Steps a batch so that it knows the external force on every body.

    Attributes:
        forces: (B, bodies, 6), rotation then translation, N m and N; 0 at a reset, unless the model has a
            sensor that computes them.
        own_sensors: whether it has one.
    """

    def __init__(self, batch: Batch, path: str):
        model = self._model = batch.model
        self._batch = batch
        self._staged = model.opt.integrator == int(mujoco.mjtIntegrator.mjINT_RK4)
        if self._staged and (model.na or model.nhistory or model.nplugin):
            raise NoArrayForm(
                f"{path}: contact forces under the RK4 integrator are computed for models without actuator "
                "activations, delays and plugins."
            )
        self.own_sensors = not any(
            model.sensor(i).name == "amble_post_constraint" for i in range(model.nsensor)
        )
        self._disabled = batch.expand("opt.disableflags")
        self._flags = int(model.opt.disableflags)
        self._disabled[:] = self._flags | _NO_SENSORS
        self._measured: Float[np.ndarray, "B bodies 6"] = batch.bind("cfrc_ext")
        self.forces: Float[np.ndarray, "B bodies 6"] = np.zeros(self._measured.shape)
        self._qpos, self._qvel, self._qacc = (batch.bind(name) for name in ("qpos", "qvel", "qacc"))
        self._warm, self._time = batch.bind("qacc_warmstart"), batch.bind("time")
        self._joints = joints_of(model)
        positions, velocities = self._qpos.shape, self._qvel.shape
        self._step = Step(np.empty(positions), *(np.empty(velocities) for _ in range(4)))

    def reset(self, ids: Int[np.ndarray, "n"]) -> None:
        """Compute the derived fields of fresh simulations, whose forces Gymnasium has not computed yet."""
        if not self.own_sensors:
            self._batch.forward(ids)
            self.forces[ids] = 0.0
            return
        self._disabled[:] = self._flags
        self._batch.forward(ids)
        self._disabled[:] = self._flags | _NO_SENSORS
        self.forces[ids] = self._measured[ids]

    def step(self, substeps: int) -> None:
        """Take `substeps` steps and compute the forces of the last."""
        if substeps > 1:
            self._batch.step(nstep=substeps - 1)
        if self._staged:
            self._runge_kutta()
        else:
            self._disabled[:] = self._flags
            self._batch.step()
        self._disabled[:] = self._flags | _NO_SENSORS
        self.forces[:] = self._measured

    def _runge_kutta(self) -> None:
        """One RK4 step of every simulation; the equations stand above."""
        h, batch, step = float(self._model.opt.timestep), self._batch, self._step
        at = self._qacc, self._qpos, self._qvel
        batch.forward()
        self._restart_diverged()
        step.q[:], step.v[:], step.k[:] = self._qpos, self._qvel, self._qvel
        step.mean_k[:] = step.mean_f[:] = 0.0
        for c, b in ((0.5, 1 / 6), (0.5, 1 / 3), (1.0, 1 / 3)):
            next_stage(h * c, b, self._joints, step, *at)
            if c == 1.0:
                self._disabled[:] = self._flags
            batch.forward()
        finish(h, 1 / 6, self._joints, step, *at)
        self._warm[:] = self._qacc
        self._time += h

    def _restart_diverged(self) -> None:
        """As `mj_step` does: where an acceleration is no number, or absurd, begin from the default state."""
        if np.abs(self._qacc).max() <= mujoco.mjMAXVAL:
            return
        ids = np.flatnonzero(~(np.abs(self._qacc).max(axis=1) <= mujoco.mjMAXVAL))
        self._batch.reset(ids, stage=_STAGE_NONE)
        self._batch.forward()
        self._batch.warning[ids, _BAD_ACCELERATION, 1] += 1


def joints_of(model: mujoco.MjModel) -> Joints:
    """Where positions change by addition, and where by turning."""
    adds: list[tuple[int, int]] = []
    turns: list[tuple[int, int]] = []
    for kind, q, v in zip(model.jnt_type, model.jnt_qposadr, model.jnt_dofadr, strict=True):
        if kind == mujoco.mjtJoint.mjJNT_FREE:
            adds += [(q + i, v + i) for i in range(3)]
            turns.append((q + 3, v + 3))
        elif kind == mujoco.mjtJoint.mjJNT_BALL:
            turns.append((q, v))
        else:
            adds.append((q, v))
    return Joints(*(np.array(places, np.int64).reshape(-1, 2) for places in (adds, turns)))
