"""The run file: frozen settings with ML-Agents' names, read strictly and written out resolved.

Start with `load_run`; `RunConfig` is what every other room receives.
"""

from amble.config.actor_critics import (
    A2CHyperparameters,
    A3CHyperparameters,
    Estimator,
    PGHyperparameters,
    TRPOHyperparameters,
)
from amble.config.behavior import BehaviorSettings
from amble.config.catalogue import Preset, is_shipped, list_presets, shipped_policy
from amble.config.hyperparameters import GradientHyperparameters, Hyperparameters
from amble.config.load import load_rewards, load_run, run_from_env
from amble.config.network import MemorySettings, NetworkSettings
from amble.config.no_effect import without_effect
from amble.config.overrides import Override
from amble.config.parameters import (
    CompletionCriteria,
    ConstantNumbers,
    CurriculumSettings,
    GaussianNumbers,
    MultiRangeNumbers,
    SamplerSettings,
    UniformNumbers,
)
from amble.config.ppo import PPOHyperparameters
from amble.config.reshaping import PenaltySettings, RewardSettings, TerminationSettings, TermSettings
from amble.config.rewards import (
    CloningSettings,
    CuriosityReward,
    ExtrinsicReward,
    GailReward,
    LearnedReward,
    RewardSignals,
    RndReward,
)
from amble.config.run import UNITY_ENV, RunConfig
from amble.config.surroundings import (
    CheckpointSettings,
    EngineSettings,
    EnvSettings,
    LearnerName,
    TorchSettings,
)
from amble.config.trainers import TRAINERS
from amble.config.yaml_writer import to_yaml

__all__ = [
    "TRAINERS",
    "UNITY_ENV",
    "A2CHyperparameters",
    "A3CHyperparameters",
    "BehaviorSettings",
    "CheckpointSettings",
    "CloningSettings",
    "CompletionCriteria",
    "ConstantNumbers",
    "CuriosityReward",
    "CurriculumSettings",
    "EngineSettings",
    "EnvSettings",
    "Estimator",
    "ExtrinsicReward",
    "GailReward",
    "GaussianNumbers",
    "GradientHyperparameters",
    "Hyperparameters",
    "LearnedReward",
    "LearnerName",
    "MemorySettings",
    "MultiRangeNumbers",
    "NetworkSettings",
    "Override",
    "PGHyperparameters",
    "PPOHyperparameters",
    "PenaltySettings",
    "Preset",
    "RewardSettings",
    "RewardSignals",
    "RndReward",
    "RunConfig",
    "SamplerSettings",
    "TRPOHyperparameters",
    "TermSettings",
    "TerminationSettings",
    "TorchSettings",
    "UniformNumbers",
    "is_shipped",
    "list_presets",
    "load_rewards",
    "load_run",
    "run_from_env",
    "shipped_policy",
    "to_yaml",
    "without_effect",
]
