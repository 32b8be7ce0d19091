"""The compiled body against Unity's tables: masses, inertias, places, and the way every joint bends."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amble.envs.bodies.walker.model import build, hinges
from amble.envs.bodies.walker.settings import WalkerSettings
from amble.envs.bodies.walker.skeleton import JOINTS, SKELETONS

FORWARD, UP = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])  # MuJoCo's world
LOCAL_FORWARD, LOCAL_DOWN = np.array([0, 0, 1.0]), np.array([0, -1.0, 0])  # Unity's axes


def posed(body: str = "release_19", **degrees: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = build(WalkerSettings(body=body))
    data = mujoco.MjData(model)
    for hinge, angle in degrees.items():
        data.qpos[model.jnt_qposadr[model.joint(hinge).id]] = np.radians(angle)
    mujoco.mj_forward(model, data)
    return model, data


def in_world(data: mujoco.MjData, body: str, local: np.ndarray) -> np.ndarray:
    return data.body(body).xmat.reshape(3, 3) @ local


@pytest.mark.parametrize(("body", "kilograms"), [("release_19", 100.0), ("release_21", 109.0)])
def test_total_mass(body: str, kilograms: float) -> None:
    model, _ = posed(body)
    walker = [model.body(part.name).id for part in SKELETONS[body].parts]
    assert model.body_mass[walker].sum() == pytest.approx(kilograms)


def test_torso_masses_are_overridable() -> None:
    model = build(WalkerSettings(chest_mass=11.0))
    assert model.body("chest").mass[0] == 11.0
    assert model.body("spine").mass[0] == 8.0


@pytest.mark.parametrize(
    ("body", "part", "inertia"),
    [  # about the collider's centre, along Unity's x, y, z; figures of the prefab masses
        ("release_19", "thighL", (0.8734, 0.3977, 0.8734)),
        ("release_19", "shinR", (0.5191, 0.1314, 0.5191)),
        ("release_19", "footL", (0.1338, 0.1771, 0.05877)),
        ("release_19", "armL", (0.115, 0.3025, 0.3025)),
        ("release_19", "head", (1.016, 1.016, 1.016)),
        ("release_21", "hips", (0.06934, 0.1988, 0.1988)),
        ("release_21", "footR", (0.02282, 0.02886, 0.007583)),
        ("release_21", "forearmR", (0.00877, 0.02063, 0.02063)),
    ],
)
def test_inertia_of_each_collider(body: str, part: str, inertia: tuple[float, float, float]) -> None:
    model, _ = posed(body)
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.body(part).iquat)
    turn = turn.reshape(3, 3)
    tensor = turn @ np.diag(model.body(part).inertia) @ turn.T
    np.testing.assert_allclose(np.diag(tensor), inertia, rtol=2e-3)


@pytest.mark.parametrize(
    ("body", "part", "unity"),
    [
        ("release_19", "head", (0, 5.85, 0)),
        ("release_19", "footL", (-0.399994, 0.6, 0.1)),
        ("release_19", "handR", (2.95, 4.488, 0)),
        ("release_21", "head", (0, 1.8935, 0)),
        ("release_21", "shinR", (0.131998, 0.359, 0)),
        ("release_21", "handL", (-0.9735, 1.44404, 0)),
    ],
)
def test_places_in_the_start_pose(body: str, part: str, unity: tuple[float, float, float]) -> None:
    _, data = posed(body)
    x, y, z = data.body(part).xpos
    ground = SKELETONS[body].ground_height
    np.testing.assert_allclose((y, z + ground, x), unity, atol=1e-4)


@pytest.mark.parametrize(("body", "gap"), [("release_19", 0.032), ("release_21", 0.014)])
def test_feet_start_just_above_the_ground(body: str, gap: float) -> None:
    model, data = posed(body)
    for foot in ("footL", "footR"):
        assert data.geom(foot).xpos[2] - model.geom(foot).size[1] == pytest.approx(gap, abs=1e-3)


@pytest.mark.parametrize("body", SKELETONS)
def test_nothing_touches_in_the_start_pose(body: str) -> None:
    _, data = posed(body)
    assert data.ncon == 0


def test_there_are_26_hinges_in_13_joints_and_hands_are_welded() -> None:
    model, _ = posed()
    assert model.nv == 6 + 26
    assert model.body("handL").jntnum[0] == 0
    assert len(JOINTS) == 13


class TestAnatomy:
    """With the opposite sign every joint bends the wrong way."""

    @pytest.mark.parametrize("side", "LR")
    def test_knee_swings_the_shin_backwards(self, side: str) -> None:
        _, data = posed(**{f"shin{side}_x": 120})
        assert in_world(data, f"shin{side}", LOCAL_DOWN) @ FORWARD == pytest.approx(-np.sin(np.radians(120)))

    @pytest.mark.parametrize("side", "LR")
    def test_hip_lifts_the_thigh_forward_at_minus_90(self, side: str) -> None:
        _, data = posed(**{f"thigh{side}_x": -90})
        np.testing.assert_allclose(in_world(data, f"thigh{side}", LOCAL_DOWN), FORWARD, atol=1e-6)

    @pytest.mark.parametrize("side", "LR")
    def test_hip_takes_the_thigh_back_at_60(self, side: str) -> None:
        _, data = posed(**{f"thigh{side}_x": 60})
        assert in_world(data, f"thigh{side}", LOCAL_DOWN) @ FORWARD == pytest.approx(-np.sin(np.radians(60)))

    @pytest.mark.parametrize("side", "LR")
    def test_elbow_swings_the_forearm_forward(self, side: str) -> None:
        _, data = posed(**{f"forearm{side}_x": 90})
        elbow, hand = data.body(f"arm{side}").xpos, data.body(f"hand{side}").xpos
        assert (hand - elbow) @ FORWARD > 1.0

    @pytest.mark.parametrize("side", "LR")
    def test_shoulder_swings_the_arm_forward(self, side: str) -> None:
        _, data = posed(**{f"arm{side}_x": 90})
        shoulder, hand = data.body("chest").xpos, data.body(f"hand{side}").xpos
        assert (hand - shoulder) @ FORWARD > 2.0

    def test_head_nods_forward_at_minus_30(self) -> None:
        _, data = posed(head_x=-30)
        assert in_world(data, "head", LOCAL_FORWARD) @ UP == pytest.approx(-0.5, abs=1e-6)

    @pytest.mark.parametrize("part", ["spine", "chest"])
    def test_torso_bends_forward_at_minus_20(self, part: str) -> None:
        _, data = posed(**{f"{part}_x": -20})
        assert in_world(data, part, LOCAL_FORWARD) @ UP == pytest.approx(-np.sin(np.radians(20)))

    def test_parts_named_left_hang_on_unitys_left(self) -> None:
        _, data = posed()
        assert data.body("armL").xpos[1] < 0 < data.body("armR").xpos[1]  # Unity's +x is MuJoCo's +y


@pytest.mark.parametrize("joint", JOINTS, ids=lambda joint: joint.child)
def test_hinges_turn_as_unitys_target_rotation_does(joint) -> None:
    """Child = J (q_y q_x q_z)⁻¹ J⁻¹ in the parent's axes, with J the joint's frame in the child's axes."""
    angles = {"x": 0.6 * joint.x[1] + 0.4 * joint.x[0], "y": 0.7 * (joint.y or 0), "z": -0.4 * (joint.z or 0)}
    _, data = posed(**{name: angles[name[-1]] for name, _, _ in hinges(joint)})
    frame = np.stack([joint.axis, joint.secondary, np.cross(joint.axis, joint.secondary)], axis=1)
    target = Rotation.from_euler("YXZ", [angles["y"], angles["x"], angles["z"]], degrees=True).as_matrix()
    parent = next(part.parent for part in SKELETONS["release_19"].parts if part.name == joint.child)
    actual = data.body(parent).xmat.reshape(3, 3).T @ data.body(joint.child).xmat.reshape(3, 3)
    np.testing.assert_allclose(actual, frame @ target.T @ frame.T, atol=1e-9)


def test_jointed_pairs_do_not_collide_and_others_do() -> None:
    model, data = posed(forearmL_x=160, armL_x=120)  # the hand is brought in front of the chest
    data.qpos[2] += 5
    mujoco.mj_forward(model, data)
    pairs = {frozenset(model.geom(g).name for g in contact.geom) for contact in data.contact}
    parents = {part.name: part.parent for part in SKELETONS["release_19"].parts}
    assert not any(parents[child] in pair - {child} for pair in pairs for child in pair)
