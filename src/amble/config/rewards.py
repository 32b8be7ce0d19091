"""`reward_signals`: which rewards the advantage is made of; `behavioral_cloning`: imitation without any."""

from typing import Annotated, Any, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from amble.config.base import Count, Flag, NonNegative, Positive, Settings, UnitInterval, Whole
from amble.config.network import NetworkSettings

_DEMO_PATH = "A .demo file, or a folder of them, seen from where the command is run."


class RewardSignal(Settings):
    """What every signal has."""

    gamma: UnitInterval = Field(
        default=0.99,
        description="γ, discount per decision; the horizon is about 1/(1−γ) decisions. Usual: 0.8-0.995. Too "
        "small: blind to what a step causes; too near 1: high variance and a slow critic.",
    )


class ExtrinsicReward(RewardSignal):
    """The environment's own reward."""

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


class LearnedReward(RewardSignal):
    """A reward that networks of its own pay, which learn beside the policy."""

    network_settings: NetworkSettings = Field(
        default_factory=NetworkSettings,
        description="The shape of the signal's own networks. `normalize` standardises what they are shown by a "
        "normaliser of their own, behind the policy's.",
    )
    encoding_size: Count | None = Field(
        default=None,
        description="Deprecated in ML-Agents: hidden_units of network_settings, where that block is not given.",
    )

    @model_validator(mode="before")
    @classmethod
    def _width_by_its_old_name(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        signal = cast("dict[str, Any]", given)
        width = signal.get("encoding_size")
        if width is None or signal.get("network_settings") is not None:
            return signal
        return {**signal, "network_settings": {"hidden_units": width}}

    @model_validator(mode="after")
    def _judges_single_decisions(self) -> "LearnedReward":
        if self.network_settings.memory is not None:
            message = "is not supported: a reward signal judges each decision by itself. Remove the block."
            raise _about(("network_settings", "memory"), message)
        return self


class CuriosityReward(LearnedReward):
    """ICM: what a model of the environment's dynamics did not foresee."""

    strength: NonNegative = Field(
        default=1.0,
        description="Factor on the reward (dimensionless), which is capped at 1/strength before. Usual: 0.001-0.1. Too "
        "small: no exploration; too large: what is new counts for more than what is paid.",
    )
    learning_rate: Positive = Field(
        default=3e-4,
        description="Adam's step size of the signal's networks. Usual: 1e-5 to 1e-3. Too small: nothing ever gets old; "
        "too large: the surprise is noise.",
    )


class RndReward(LearnedReward):
    """Random network distillation: how badly a network yet tells what a fixed random one says of a state."""

    strength: NonNegative = Field(
        default=1.0,
        description="Factor on the reward (dimensionless). Usual: 0.001-0.01 beside rewards of about 1. Too small: no "
        "exploration; too large: what is new counts for more than what is paid.",
    )
    learning_rate: Positive = Field(
        default=1e-4,
        description="Adam's step size of the network that learns. Usual: 1e-5 to 1e-3. Too small: nothing ever gets "
        "old; too large: all of it does at once.",
    )


class GailReward(LearnedReward):
    """GAIL: how hard it is to tell a decision from a demonstration's."""

    strength: NonNegative = Field(
        default=1.0,
        description="Factor on the reward (dimensionless). Usual: 0.01-1, 1 where it is the only one. Too large beside "
        "a reward of the environment's: a poor demonstration is never surpassed.",
    )
    learning_rate: Positive = Field(
        default=3e-4,
        description="Adam's step size of the discriminator. Usual: 1e-5 to 1e-3. Too small: everything looks alike; "
        "too large: it can always tell, and its reward says nothing of the way there.",
    )
    demo_path: Annotated[str, Field(min_length=1)] = Field(description=_DEMO_PATH)
    use_actions: Flag = Field(
        default=False,
        description="Whether the discriminator sees actions too. On, the policy must do as the demonstration does; "
        "off, it must get where the demonstration gets.",
    )
    use_vail: Flag = Field(
        default=False,
        description="Whether the discriminator sees states through a variational bottleneck (VAIL). On, it is slower "
        "to be sure of itself, which steadies training with few demonstrations.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_a_demonstration(cls, given: object) -> object:
        return _with_demonstration(given, "gail imitates")


class RewardSignals(Settings):
    """The signals by name. The extrinsic one is there unless the block names others and not this one."""

    extrinsic: ExtrinsicReward | None = Field(default=None, description="The environment's own reward.")
    curiosity: CuriosityReward | None = Field(
        default=None, description="Pays for what its model of the environment did not foresee."
    )
    gail: GailReward | None = Field(default=None, description="Pays for looking like a demonstration.")
    rnd: RndReward | None = Field(default=None, description="Pays for states that were rarely seen.")

    @model_validator(mode="before")
    @classmethod
    def _extrinsic_alone(cls, given: object) -> object:
        """No signal at all is the extrinsic one."""
        if not isinstance(given, dict):
            return given
        signals = cast("dict[str, Any]", given)
        if "extrinsic" in signals or any(block is not None for block in signals.values()):
            return signals
        return {**signals, "extrinsic": {}}

    @model_validator(mode="after")
    def _one_at_least(self) -> "RewardSignals":
        if self.extrinsic is None and not self.learned:
            message = (
                "is null, and there is no other reward signal: nothing would be learned. To imitate by "
                "behavioral_cloning alone, keep it with strength: 0."
            )
            raise _about(("extrinsic",), message)
        return self

    @property
    def names(self) -> list[str]:
        """Of all there are, the extrinsic one first."""
        return [*(["extrinsic"] if self.extrinsic is not None else []), *self.learned]

    @property
    def learned(self) -> dict[str, LearnedReward]:
        """Those besides the extrinsic one, by name."""
        signals = {"curiosity": self.curiosity, "gail": self.gail, "rnd": self.rnd}
        return {name: signal for name, signal in signals.items() if signal is not None}


class CloningSettings(Settings):
    """`behavioral_cloning`: gradient steps towards a demonstration's actions, after each update by the reward."""

    demo_path: Annotated[str, Field(min_length=1)] = Field(description=_DEMO_PATH)
    steps: Annotated[Whole, Field(ge=0)] = Field(
        default=0,
        description="Env steps after which cloning has faded out (its learning rate falls to 0 linearly); 0: never. "
        "Usual: a tenth to a half of max_steps. Too long: a poor demonstration is never surpassed.",
    )
    strength: Positive = Field(
        default=1.0,
        description="Its learning rate as a multiple of the trainer's (dimensionless). Usual: 0.1-1. Too small: no "
        "effect; too large: each update by the reward is undone.",
    )
    samples_per_update: Annotated[Whole, Field(ge=0)] = Field(
        default=0,
        description="Most decisions of the demonstration learned from in each pass; 0: all. For demonstrations much "
        "longer than buffer_size.",
    )
    num_epoch: Count | None = Field(
        default=None,
        description="Passes over the demonstration after each update; null: the trainer's num_epoch.",
    )
    batch_size: Count | None = Field(
        default=None, description="Decisions of one minibatch; null: the trainer's batch_size."
    )

    @model_validator(mode="before")
    @classmethod
    def _has_a_demonstration(cls, given: object) -> object:
        return _with_demonstration(given, "cloning imitates")


def _about(path: tuple[str, ...], message: str) -> PydanticCustomError:
    """What is wrong with the key at `path` below this block."""
    return PydanticCustomError("cross_field", "{message}", {"key": path, "message": message})


def _with_demonstration(given: object, who: str) -> object:
    """`given` as it is; says what is missing where it names no demonstration."""
    if not isinstance(given, dict):
        return given
    block = cast("dict[str, Any]", given)
    if block.get("demo_path") is None:
        message = (
            f"is missing: {who} a demonstration, a .demo file or a folder of them. Record one in Unity, or by `amble "
            "play RUN --record-demo FILE.demo`."
        )
        raise _about(("demo_path",), message)
    return block
