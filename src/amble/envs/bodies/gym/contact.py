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

from itertools import pairwise

import mujoco
import numpy as np
from jaxtyping import Float, Int
from mujoco.batch import Batch

from amble.envs.backends.array import NoArrayForm

_NO_SENSORS = int(mujoco.mjtDisableBit.mjDSBL_SENSOR)
_STAGE_NONE = mujoco.mjtStage.mjSTAGE_NONE.value
_BAD_ACCELERATION = int(mujoco.mjtWarning.mjWARN_BADQACC)
_TURNING = (int(mujoco.mjtJoint.mjJNT_FREE), int(mujoco.mjtJoint.mjJNT_BALL))
_STAGES = ((0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6))  # c and b of stages 2 to 4
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
        self._own_sensors = not any(
            model.sensor(i).name == "amble_post_constraint" for i in range(model.nsensor)
        )
        self._disabled = batch.expand("opt.disableflags")
        self._flags = int(model.opt.disableflags)
        self._disabled[:] = self._flags | _NO_SENSORS
        self._measured: Float[np.ndarray, "B bodies 6"] = batch.bind("cfrc_ext")
        self.forces: Float[np.ndarray, "B bodies 6"] = np.zeros(self._measured.shape)
        self._qpos, self._qvel, self._qacc = (batch.bind(name) for name in ("qpos", "qvel", "qacc"))
        self._warm, self._time = batch.bind("qacc_warmstart"), batch.bind("time")
        self._spans, self._turns = joint_spans(model)

    def reset(self, ids: Int[np.ndarray, "n"]) -> None:
        """Compute the derived fields of fresh simulations, whose forces Gymnasium has not computed yet."""
        if not self._own_sensors:
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
        h, batch = float(self._model.opt.timestep), self._batch
        q, v, acceleration = self._qpos.copy(), self._qvel.copy(), self._qacc
        batch.forward()
        self._restart_diverged(q, v)
        quaternions = [Quaternions(q[:, at]) for at, _ in self._turns]
        k, mean_k, mean_f = v, v * (1 / 6), acceleration * (1 / 6)
        for c, b in _STAGES:
            u = k * (h * c)
            self._integrate(q, quaternions, u)
            k = acceleration * (h * c)
            k += v
            self._qvel[:] = k
            if c == 1.0:
                self._disabled[:] = self._flags
            batch.forward()
            for _, at in self._turns:
                k[:, at] += turn_correction(u[:, at].T, k[:, at].T).T
            mean_k += k * b
            mean_f += acceleration * b
        mean_k *= h
        self._integrate(q, quaternions, mean_k)
        mean_f *= h
        np.add(v, mean_f, out=self._qvel)
        self._warm[:] = acceleration
        self._time += h

    def _integrate(
        self, q: Float[np.ndarray, "B q"], quaternions: list["Quaternions"], u: Float[np.ndarray, "B v"]
    ) -> None:
        """Give the batch the positions q ⊕ u; `quaternions` are those of q."""
        for positions, velocities in self._spans:
            np.add(q[:, positions], u[:, velocities], out=self._qpos[:, positions])
        for quaternion, (positions, velocities) in zip(quaternions, self._turns, strict=True):
            quaternion.turned(u[:, velocities].T, out=self._qpos[:, positions].T)

    def _restart_diverged(self, q: Float[np.ndarray, "B q"], v: Float[np.ndarray, "B v"]) -> None:
        """As `mj_step` does: where an acceleration is no number, or absurd, begin from the default state."""
        if np.abs(self._qacc).max() <= mujoco.mjMAXVAL:
            return
        ids = np.flatnonzero(~(np.abs(self._qacc).max(axis=1) <= mujoco.mjMAXVAL))
        self._batch.reset(ids, stage=_STAGE_NONE)
        self._batch.forward()
        self._batch.warning[ids, _BAD_ACCELERATION, 1] += 1
        q[ids], v[ids] = self._qpos[ids], self._qvel[ids]


def joint_spans(model: mujoco.MjModel) -> tuple[list[tuple[slice, slice]], list[tuple[slice, slice]]]:
    """Where positions change by addition, and where by turning: slices of qpos and qvel, side by side.

    Neighbouring spans of additions are one.
    """
    adds: list[tuple[slice, slice]] = []
    turns: list[tuple[slice, slice]] = []
    ends = [*zip(model.jnt_qposadr, model.jnt_dofadr, strict=True), (model.nq, model.nv)]
    for kind, ((q, v), (q_end, v_end)) in zip(model.jnt_type, pairwise(ends), strict=True):
        turning = int(kind) in _TURNING
        if turning:
            turns.append((slice(int(q_end) - 4, int(q_end)), slice(int(v_end) - 3, int(v_end))))
            q_end, v_end = q_end - 4, v_end - 3  # noqa: PLW2901
        if q_end > q:
            if adds and adds[-1][0].stop == q:
                q, v = adds[-1][0].start, adds[-1][1].start  # noqa: PLW2901
                adds.pop()
            adds.append((slice(int(q), int(q_end)), slice(int(v), int(v_end))))
    return adds, turns


class Quaternions:
    """Unit quaternions (w, x, y, z) of B bodies, to be turned; components first, as all that follows."""

    def __init__(self, q: Float[np.ndarray, "B 4"]):
        q = q.T / np.sqrt(np.square(q).sum(axis=1))  # mj_integratePos normalises what it turns
        self._w = q[0]
        self._xyz = wide(q[1:])

    def turned(self, u: Float[np.ndarray, "3 B"], out: Float[np.ndarray, "4 B"]) -> None:
        """q · exp(u/2): turned by the vectors u (rad), in their own axes."""
        angle = np.sqrt(np.square(u).sum(axis=0))
        half = 0.5 * angle
        cosine = np.cos(half)
        # Below 1e-15 MuJoCo turns about x by the angle as it is: to its precision, not at all.
        r = wide(u * (np.sin(half) / np.maximum(angle, 1e-15)))
        xyz = self._xyz[:3]
        np.subtract(self._w * cosine, (xyz * r[:3]).sum(axis=0), out=out[0])
        np.add(self._w * r[:3], xyz * cosine, out=out[1:])
        out[1:] += cross(self._xyz, r)


def turn_correction(u: Float[np.ndarray, "3 B"], v: Float[np.ndarray, "3 B"]) -> Float[np.ndarray, "3 B"]:
    """dexp⁻¹(u) v − v of the equations above, with u × (u × v) = u (u·v) − v (u·u)."""
    square = np.square(u).sum(axis=0)
    half = 0.5 * np.sqrt(np.maximum(square, 1e-18))
    share = (1.0 - half / np.tan(half)) / (4.0 * half * half)
    twice = u * (u * v).sum(axis=0) - v * square
    return 0.5 * cross(wide(u), wide(v)) + share * twice


def wide(a: Float[np.ndarray, "3 B"]) -> Float[np.ndarray, "5 B"]:
    """(x, y, z) → (x, y, z, x, y), so that neighbours are slices."""
    out = np.empty((5, a.shape[1]))
    out[:3] = a
    out[3:] = a[:2]
    return out


def cross(a: Float[np.ndarray, "5 B"], b: Float[np.ndarray, "5 B"]) -> Float[np.ndarray, "3 B"]:
    """a × b of wide vectors, in a quarter of the time of `np.cross` for a few of them."""
    return a[1:4] * b[2:] - a[2:] * b[1:4]
