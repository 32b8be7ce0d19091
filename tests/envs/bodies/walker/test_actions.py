"""Actions: Unity's order, ranges and clamps."""

import numpy as np

from amble.envs.bodies.walker import ACTION_NAMES, neutral_action
from amble.envs.bodies.walker.actions import ActionMap
from amble.envs.bodies.walker.model import build
from amble.envs.bodies.walker.settings import WalkerSettings

MODEL = build(WalkerSettings())
MAP = ActionMap(MODEL, max_force=20_000.0)
HINGES = [MODEL.joint(j).name for j in range(1, MODEL.njnt)]


def test_order_is_unitys() -> None:
    assert len(ACTION_NAMES) == 39
    for place, name in {
        0: "chest_x_target", 3: "spine_x_target", 6: "thighL_x_target", 9: "thighR_y_target", 10: "shinL_x_target",
        12: "footR_x_target", 15: "footL_x_target", 18: "armL_x_target", 23: "forearmR_x_target",
        25: "head_y_target", 26: "chest_strength", 28: "head_strength", 31: "footL_strength", 38: "forearmR_strength",
    }.items():  # fmt: skip
        assert ACTION_NAMES[place] == name


def targets(action: np.ndarray) -> dict[str, float]:
    return dict(zip(HINGES, np.degrees(MAP.targets(action[None])[0]).round(9), strict=True))


def test_targets_span_each_joints_range() -> None:
    low, middle, high = (targets(np.full(39, a)) for a in (-1.0, 0.0, 1.0))
    assert (low["thighL_x"], middle["thighL_x"], high["thighL_x"]) == (-90.0, -15.0, 60.0)
    assert (low["shinR_x"], high["shinR_x"]) == (0.0, 120.0)
    assert (low["footR_z"], high["footR_z"]) == (-20.0, 20.0)
    assert (low["chest_z"], high["head_x"]) == (-15.0, 10.0)


def test_actions_beyond_one_saturate() -> None:
    beyond, at = np.full((1, 39), 1.7), np.ones((1, 39))
    np.testing.assert_array_equal(MAP.targets(beyond), MAP.targets(at))
    np.testing.assert_array_equal(MAP.force_limits(-beyond), np.zeros((1, 26)))


def test_strength_reaches_every_hinge_of_its_joint_and_no_other() -> None:
    action = np.full((1, 39), -1.0)
    action[0, ACTION_NAMES.index("footR_strength")] = 0.5
    limits = dict(zip(HINGES, MAP.force_limits(action)[0], strict=True))
    assert {name for name, limit in limits.items() if limit} == {"footR_x", "footR_y", "footR_z"}
    assert limits["footR_x"] == 15_000.0


def test_neutral_action_is_the_start_pose() -> None:
    np.testing.assert_allclose(list(targets(neutral_action()).values()), 0.0, atol=1e-12)
