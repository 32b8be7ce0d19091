"""Every observation, by name, against one body computed by MuJoCo's own functions and by hand."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amble.envs.bodies.walker import OBSERVATION_NAMES, WalkerVectorEnv
from amble.envs.bodies.walker.actions import STRENGTH_ORDER
from amble.envs.bodies.walker.skeleton import PART_ORDER, SKELETONS
from walker_passes import accounted

B = 3


@pytest.fixture(scope="module")
def lived() -> tuple[WalkerVectorEnv, np.ndarray, np.ndarray]:
    """Three Walkers after some random decisions: the environment, the last observations, the last actions."""
    env = WalkerVectorEnv(B, threads=1)
    env.reset(seed=7)
    rng = np.random.default_rng(7)
    for _ in range(6):
        actions = rng.uniform(-1, 1, (B, 39)).astype(np.float32)
        observation, _, terminated, _, _ = env.step(actions)
        assert not terminated.any()
    return env, observation, actions


def test_layout_is_unitys() -> None:
    assert len(OBSERVATION_NAMES) == 243
    places = {name: OBSERVATION_NAMES.index(f"{name}.ground_contact") for name in PART_ORDER}
    assert places == {
        "hips": 18, "chest": 28, "spine": 43, "head": 58, "thighL": 73, "shinL": 88, "footL": 103, "thighR": 118,
        "shinR": 133, "footR": 148, "armL": 163, "forearmL": 178, "handL": 193, "armR": 203, "forearmR": 218,
        "handR": 233,
    }  # fmt: skip
    assert OBSERVATION_NAMES[0] == "speed_error"
    assert OBSERVATION_NAMES[6] == "goal_velocity.z"
    assert OBSERVATION_NAMES[7:11] == tuple(f"hips_to_goal.{c}" for c in "xyzw")
    assert OBSERVATION_NAMES[15] == "target_position.x"


def unity(v: np.ndarray) -> np.ndarray:
    return np.array([v[1], v[2], v[0]])


def rotation(data: mujoco.MjData, body: str) -> Rotation:
    """Orientation of a body in Unity's world axes: its own axes are Unity's, so only the world's are exchanged."""
    exchange = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    return Rotation.from_matrix(exchange @ data.body(body).xmat.reshape(3, 3))


def expected(env: WalkerVectorEnv, i: int, action: np.ndarray) -> dict[str, float]:
    """All 243 numbers of environment i from one MjData, in Unity's world axes."""
    model, data = env.model, env.batch.get_data(i)
    mujoco.mj_forward(model, data)
    position = {p: unity(data.body(p).xpos) for p in PART_ORDER}
    velocity, spin = {}, {}
    for part in PART_ORDER:
        six = np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, model.body(part).id, six, 0)
        velocity[part], spin[part] = unity(six[3:]), unity(six[:3])
    fx, fy = env.goal_forward[:, i]
    forward = np.array([fy, 0.0, fx])
    right = np.array([fx, 0.0, -fy])
    cube = np.stack([right, [0, 1, 0], forward])
    mean = np.mean(list(velocity.values()), axis=0)
    speed = env.goal_speed[i]
    value: dict[str, float] = {"speed_error": float(np.linalg.norm(forward * speed - mean))}

    def put(name: str, numbers: np.ndarray) -> None:
        value.update({f"{name}.{c}": float(n) for c, n in zip("xyzw", numbers, strict=False)})

    put("mean_velocity", cube @ mean)
    put("goal_velocity", np.array([0, 0, speed]))
    for name, part in (("hips_to_goal", "hips"), ("head_to_goal", "head")):
        facing = rotation(data, part).apply([0, 0, 1])
        axis = np.cross(facing, forward)
        angle = np.arccos(np.clip(facing @ forward, -1, 1))
        put(name, Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_quat())
    put("target_position", cube @ (unity(env.target[i]) - position["hips"]))
    parents = {part.name: part.parent for part in SKELETONS["release_19"].parts}
    strengths = dict(zip(STRENGTH_ORDER, (action[26:] + 1) / 2, strict=True))
    touching = {
        model.geom(g).name
        for c in data.contact
        for g in c.geom
        if "ground" in {model.geom(h).name for h in c.geom}
    }
    for part in PART_ORDER:
        value[f"{part}.ground_contact"] = float(part in touching)
        put(f"{part}.velocity", cube @ velocity[part])
        put(f"{part}.angular_velocity", cube @ spin[part])
        put(f"{part}.position", cube @ (position[part] - position["hips"]))
        if part in strengths:
            local = rotation(data, parents[part]).inv() * rotation(data, part)
            put(f"{part}.rotation", local.as_quat(canonical=True))
            value[f"{part}.strength"] = float(strengths[part])
    return value


@pytest.mark.parametrize("i", range(B))
def test_every_index(lived, i: int) -> None:
    env, observation, actions = lived
    by_hand = expected(env, i, actions[i])
    assert set(by_hand) == set(OBSERVATION_NAMES)
    for place, name in enumerate(OBSERVATION_NAMES):
        if name.endswith("ground_contact"):
            continue  # counted from contact_offset away, MuJoCo's contacts from 0: see test_env.py
        assert observation[i, place] == pytest.approx(by_hand[name], abs=2e-5), f"{place} {name}"


def test_strength_is_zero_before_the_first_action() -> None:
    env = WalkerVectorEnv(1, threads=1)
    observation, _ = env.reset(seed=0)
    assert not observation[0, [n.endswith("strength") for n in OBSERVATION_NAMES]].any()


def test_reward_and_falls_of_a_state(lived) -> None:
    """What `account` adds, from the same hand-made numbers as the observations."""
    env, _, actions = lived
    env.task.reward[:], env.task.fallen[:] = 0.0, False
    accounted(0, env.signals.bodies, env.task, env._sizes)
    reward = env.task.reward
    assert not env.task.fallen.any()
    for i in range(B):
        value = expected(env, i, actions[i])
        _, data = env.model, env.batch.get_data(i)
        mujoco.mj_forward(env.model, data)
        head = rotation(data, "head").apply([0.0, 0.0, 1.0])
        fx, fy = env.goal_forward[:, i]
        match = (1 - min(value["speed_error"] / env.goal_speed[i], 1.0) ** 2) ** 2
        assert reward[i] == pytest.approx(match * (head @ [fy, 0.0, fx] + 1) / 2, abs=1e-9)
