"""A body and its mirror image live the same life, whatever is seen of it."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import amble.envs
from amble.envs.bodies.gym.base import JudgedVectorEnv, model_path
from amble.envs.mirror import Exchange, Mirror

ALL_IN_PLACE = {"exclude_current_positions_from_observation": False}
# The Humanoid's left knee has a spring of 1 Nm/rad, its right one has none.
CASES: list[tuple[str, dict[str, Any], float]] = [
    ("HalfCheetah-v5", {}, 1e-12),
    ("Hopper-v5", {}, 1e-12),
    ("Walker2d-v5", {}, 1e-9),
    ("Walker2d-v5", ALL_IN_PLACE, 1e-9),
    ("Swimmer-v5", {}, 1e-12),
    ("Ant-v5", {}, 1e-9),
    ("Ant-v5", ALL_IN_PLACE, 1e-9),
    ("Humanoid-v5", {}, 0.1),
]


def mirrored(exchange: Exchange, x: np.ndarray) -> np.ndarray:
    return x[..., exchange.index] * exchange.sign


def make(env_id: str, options: dict[str, Any]) -> tuple[JudgedVectorEnv, Mirror]:
    env = amble.envs.make(env_id, 2, backend="array", threads=1, **options).unwrapped
    assert isinstance(env, JudgedVectorEnv)
    assert env.mirror is not None
    return env, env.mirror


def state_with_its_image(env: JudgedVectorEnv, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two bodies' positions and velocities, made without what is tested."""
    q = env.model.qpos0 + rng.uniform(-0.05, 0.05, env.model.nq)
    v = rng.uniform(-0.5, 0.5, env.model.nv)
    name = type(env).__name__
    if name.startswith("Walker2d"):
        other = [0, 1, 2, 6, 7, 8, 3, 4, 5]
        return np.stack([q, q[other]]), np.stack([v, v[other]])
    if name.startswith("Swimmer"):
        return np.stack([q, q * [1, -1, -1, -1, -1]]), np.stack([v, v * [1, -1, -1, -1, -1]])
    if name.startswith("Ant"):
        # front left ↔ back right (the right one in front); hips turn the other way, ankles do not
        q[3:7] /= np.linalg.norm(q[3:7])
        turned = np.array([-1, 1, -1, 1, -1, 1, -1, 1])
        legs = [6, 7, 4, 5, 2, 3, 0, 1]
        q_image = np.concatenate([q[:7] * [1, -1, 1, 1, -1, 1, -1], q[7:][legs] * turned])
        v_image = np.concatenate([v[:6] * [1, -1, 1, -1, 1, -1], v[6:][legs] * turned])
        return np.stack([q, q_image]), np.stack([v, v_image])
    if name.startswith("Humanoid"):
        q[3:7] /= np.linalg.norm(q[3:7])
        # abdomen z, y, x; the right leg's four, the left's; the right arm's three, the left's
        joints = [0, 1, 2, 7, 8, 9, 10, 3, 4, 5, 6, 14, 15, 16, 11, 12, 13]
        turned = np.array([-1, 1, -1, *[1] * 8, -1, -1, 1, -1, -1, 1])
        q_image = np.concatenate([q[:7] * [1, -1, 1, 1, -1, 1, -1], q[7:][joints] * turned])
        v_image = np.concatenate([v[:6] * [1, -1, 1, -1, 1, -1], v[6:][joints] * turned])
        return np.stack([q, q_image]), np.stack([v, v_image])
    return np.stack([q, q]), np.stack([v, v])  # on a line, with no limbs in pairs


@pytest.mark.parametrize(("env_id", "options", "tolerance"), CASES)
def test_mirrored_actions_lead_to_mirror_images(
    env_id: str, options: dict[str, Any], tolerance: float
) -> None:
    env, mirror = make(env_id, options)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    env.set_states(*state_with_its_image(env, rng))
    space = env.single_action_space
    assert isinstance(space, gymnasium.spaces.Box)
    for _ in range(6):
        action = rng.uniform(space.low, space.high).astype(np.float32)
        both = np.stack([action, mirrored(mirror.action, action)])
        observation, reward, terminated, _, _ = env.step(both)
        np.testing.assert_allclose(
            mirrored(mirror.observation, observation[0]), observation[1], rtol=tolerance, atol=tolerance
        )
        assert reward[0] == pytest.approx(reward[1], abs=max(tolerance, 1e-5))  # the cost of float32 actions
        assert not terminated.any()


@pytest.mark.parametrize(("env_id", "options", "tolerance"), CASES)
def test_twice_in_the_mirror_is_as_before(env_id: str, options: dict[str, Any], tolerance: float) -> None:
    _, mirror = make(env_id, options)
    for exchange in mirror:
        x = np.arange(1.0, 1 + len(exchange.index))
        np.testing.assert_array_equal(mirrored(exchange, mirrored(exchange, x)), x)
    assert mirror.is_identity == (env_id in ("HalfCheetah-v5", "Hopper-v5"))


def test_a_model_whose_sides_differ_has_no_image(tmp_path: Path) -> None:
    standing = Path(model_path("ant.xml", "test")).read_text()
    for old, new in [
        ('name="hip_1" pos="0.0 0.0 0.0" range="-30 30"', 'name="hip_1" pos="0.0 0.0 0.0" range="-30 40"'),
        ('fromto="0.0 0.0 0.0 0.4 0.4 0.0"', 'fromto="0.0 0.0 0.0 0.4 0.5 0.0"'),
        ('gear="150"', 'gear="140"'),
        ('joint="hip_4"', 'jointinparent="hip_4"'),  # a motor that does not simply turn a joint
    ]:
        assert old in standing
        path = tmp_path / "lopsided.xml"
        path.write_text(standing.replace(old, new, 1))
        assert amble.envs.make("Ant-v5", 1, threads=1, xml_file=str(path)).unwrapped.mirror is None


def test_whose_task_looks_at_one_side_has_none() -> None:
    for env_id in ("Pusher-v5", "Reacher-v5", "HumanoidStandup-v5"):  # the last one's left hip goes further
        assert amble.envs.make(env_id, 1, threads=1).unwrapped.mirror is None
