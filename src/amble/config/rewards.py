"""`reward_signals`: which rewards the advantage is made of."""

from pydantic import Field

from amble.config.base import Count, NonNegative, Settings, UnitInterval, Unsupported
from amble.config.network import NetworkSettings


class ExtrinsicReward(Settings):
    """The environment's own reward."""

    gamma: UnitInterval = Field(
        default=0.99,
        description="γ, discount per decision; the horizon is about 1/(1−γ) decisions. Usual: 0.8-0.995. Too "
        "small: blind to what a step causes; too near 1: high variance and a slow critic.",
    )
    strength: NonNegative = Field(
        default=1.0,
        description="Factor on the reward (dimensionless). Usual: 1. 0: nothing to learn; huge: with a "
        "critic that does not normalise returns, the value loss dominates.",
    )
    network_settings: NetworkSettings = Field(
        default_factory=NetworkSettings,
        description="ML-Agents writes this block for every signal; the extrinsic one has no network: no "
        "effect.",
    )
    encoding_size: Count | None = Field(default=None, description="Deprecated in ML-Agents; no effect.")


class RewardSignals(Settings):
    """The signals by name; only `extrinsic` exists here."""

    extrinsic: ExtrinsicReward = Field(
        default_factory=ExtrinsicReward, description="The environment's own reward."
    )
    curiosity: Unsupported = Field(default=None, description="Intrinsic curiosity module. Not supported yet.")
    gail: Unsupported = Field(default=None, description="Adversarial imitation. Not supported yet.")
    rnd: Unsupported = Field(default=None, description="Random network distillation. Not supported yet.")
