"""Contact forces, and the RK4 step that is taken for them, against `mj_step` and `mj_rnePostConstraint`."""

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch
from numba import njit

from amble.envs.backends.array import NoArrayForm
from amble.envs.bodies.gym.contact import ContactForces, joints_of, with_contact_forces
from amble.envs.bodies.gym.runge_kutta import correct_turn, turn

# Every kind of joint: free, then a ball, a slide and a hinge; it falls on a floor.
XML = """
<mujoco><option integrator="RK4" timestep="0.005"/>
  <worldbody><geom type="plane" size="5 5 1"/>
    <body pos="0 0 0.4"><freejoint/><geom size="0.2 0.1" type="capsule" mass="2"/>
      <body pos="0.3 0 0"><joint type="ball"/><geom size="0.1 0.15" type="capsule" pos="0.2 0 0"/>
        <body pos="0.4 0 0"><joint name="s" type="slide" axis="1 0 0"/><geom size="0.1"/></body>
      </body>
      <body pos="-0.3 0 0"><joint name="h" axis="0 1 0"/><geom size="0.1" pos="-0.2 0 0"/></body>
    </body>
  </worldbody>
  <actuator><motor joint="h"/><motor joint="s"/></actuator>
</mujoco>"""


def model_file(tmp_path, text=XML):
    path = tmp_path / "model.xml"
    path.write_text(text)
    return str(path)


def follow(path, substeps, decisions, seed=0):
    """Both at once, from equal states: the worst relative error of state and forces, and the largest force."""
    batch = Batch(with_contact_forces(path), 3, 1)
    contacts = ContactForces(batch, path)
    model = mujoco.MjModel.from_xml_path(path)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(seed)
    qvel = batch.bind("qvel")
    qvel[:] = rng.normal(size=qvel.shape)  # it tumbles
    worst = {"qpos": 0.0, "qvel": 0.0, "qacc_warmstart": 0.0, "cfrc_ext": 0.0}
    largest = 0.0
    for _ in range(decisions):
        batch.ctrl = rng.normal(size=(3, 2))
        for field in ("qpos", "qvel", "qacc_warmstart", "ctrl", "time"):
            setattr(data, field, getattr(batch, field)[1])
        contacts.step(substeps)
        mujoco.mj_step(model, data, nstep=substeps)
        mujoco.mj_rnePostConstraint(model, data)
        assert batch.bind("time")[1] == pytest.approx(data.time, rel=1e-12)
        for field, before in worst.items():
            mine = contacts.forces[1] if field == "cfrc_ext" else getattr(batch, field)[1]
            theirs = getattr(data, field)
            worst[field] = max(before, np.abs(mine - theirs).max() / max(1, np.abs(theirs).max()))
        largest = max(largest, np.abs(data.cfrc_ext).max())
    return worst, largest


@pytest.mark.parametrize("substeps", [1, 4])
def test_every_kind_of_joint_under_rk4(tmp_path, substeps):
    worst, largest = follow(model_file(tmp_path), substeps, 200)
    assert largest > 10  # N or N m: it has hit the floor
    assert worst["qpos"] < 1e-13
    assert worst["qvel"] < 1e-12
    assert worst["qacc_warmstart"] < 1e-8
    assert worst["cfrc_ext"] < 1e-9


@pytest.mark.parametrize("integrator", ["Euler", "implicitfast"])
def test_other_integrators_are_exact(tmp_path, integrator):
    worst, largest = follow(model_file(tmp_path, XML.replace("RK4", integrator)), 3, 100)
    assert largest > 10
    assert worst == dict.fromkeys(worst, 0.0)


def test_places_of_the_joints():
    # free: 3 + 4 positions for 3 + 3 velocities; ball: 4 for 3; then a slide and a hinge
    joints = joints_of(mujoco.MjModel.from_xml_string(XML))
    assert joints.adds.tolist() == [[0, 0], [1, 1], [2, 2], [11, 9], [12, 10]]
    assert joints.turns.tolist() == [[3, 3], [7, 6]]


@njit
def turned(q, u):
    out = np.empty_like(q)
    for i in range(len(q)):
        turn(q[i], u[i, 0], u[i, 1], u[i, 2], out[i])
    return out


@njit
def corrected(u, v):
    out = v.copy()
    correct_turn(u, out)
    return out


def test_turning_is_mujocos():
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><joint type='ball'/><geom size='1'/></body></worldbody></mujoco>"
    )
    rng = np.random.default_rng(0)
    q, u = rng.normal(size=(50, 4)), rng.normal(size=(50, 3)) * np.logspace(-9, 1, 50)[:, None]
    u[0] = 0.0
    out = turned(q, u)
    for i in range(50):
        mujoco.mj_integratePos(model, q[i], u[i], 1.0)
    np.testing.assert_allclose(out, q, atol=1e-15)


def test_turn_correction():
    # u = θ e_x, v = e_y: u × v = θ e_z, u × (u × v) = −θ² e_y. At θ = π/2: ½θ cot ½θ = π/4.
    u, v = np.array([np.pi / 2, 0, 0]), np.array([0.0, 1, 0])
    np.testing.assert_allclose(corrected(u, v) - v, [0, -(1 - np.pi / 4), np.pi / 4], atol=1e-15)
    # along the axis, and for no turn at all, nothing is to be corrected
    np.testing.assert_allclose(corrected(u, 3 * u), 3 * u, atol=1e-15)
    np.testing.assert_array_equal(corrected(0 * u, v), v)


def test_absurd_accelerations_restart_the_simulation(tmp_path):
    path = model_file(tmp_path)
    batch = Batch(with_contact_forces(path), 3, 1)
    contacts = ContactForces(batch, path)
    batch.bind("qfrc_applied")[1, 0] = 1e15
    before = batch.warning[1, :, 1].copy()
    contacts.step(1)
    assert np.abs(batch.qpos).max() < 2
    assert (batch.warning[1, :, 1] - before).sum() == 1
    # as from the default state, in which nothing is applied: 0.4 m up, falling for 5 ms
    assert batch.qpos[1, 2] == pytest.approx(0.4 - 9.81 * 0.005**2 / 2, abs=1e-6)
    np.testing.assert_allclose(batch.qpos[1], batch.qpos[0], atol=1e-12)


def test_forces_are_those_of_each_simulation(tmp_path):
    path = model_file(tmp_path)
    batch = Batch(with_contact_forces(path), 2, 1)
    contacts = ContactForces(batch, path)
    batch.bind("qpos")[0, 2] = 0.15  # the first lies on the floor, the second is in the air
    contacts.step(1)
    assert np.abs(contacts.forces[0]).max() > 10
    assert not contacts.forces[1].any()
    contacts.reset(np.array([0]))
    assert not contacts.forces.any()


def test_activations_are_refused(tmp_path):
    text = XML.replace('<motor joint="h"/>', '<general joint="h" dyntype="integrator"/>')
    path = model_file(tmp_path, text)
    with pytest.raises(NoArrayForm, match="actuator activations, delays and plugins"):
        ContactForces(Batch(with_contact_forces(path), 1, 1), path)
