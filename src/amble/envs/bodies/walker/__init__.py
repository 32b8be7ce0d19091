"""Unity ML-Agents' Walker: sixteen parts, thirteen driven joints, one target to walk to."""

from amble.envs.bodies.walker.actions import ACTION_NAMES, neutral_action
from amble.envs.bodies.walker.env import WalkerEnv, WalkerVectorEnv
from amble.envs.bodies.walker.observation import OBSERVATION_NAMES
from amble.envs.bodies.walker.settings import WalkerSettings

__all__ = [
    "ACTION_NAMES",
    "OBSERVATION_NAMES",
    "WalkerEnv",
    "WalkerSettings",
    "WalkerVectorEnv",
    "neutral_action",
]
