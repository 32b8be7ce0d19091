"""`network_settings`: the shape of actor and critic."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from amble.config.base import Count, Flag, Settings
from amble.config.hyperparameters import contradiction

_FEWEST_NORMED = 3
"""Units of a hidden layer that layer norm leaves a direction to."""


class MemorySettings(Settings):
    """`memory`: an LSTM in actor and critic, each with its own."""

    memory_size: Annotated[Count, Field(multiple_of=2)] = Field(
        default=128,
        description="Numbers carried from decision to decision, half hidden and half cell state (even). Usual: "
        "32-256. Too small: forgets; too large: slow.",
    )
    sequence_length: Count = Field(
        default=64,
        description="Decisions that the gradient is followed back through (count). Usual: 4-128. Shorter than what "
        "must be remembered: it is not learned; longer: slow.",
    )


class NetworkSettings(Settings):
    """Width, depth and input of the networks; actor and critic are two networks of this same shape."""

    normalize: Flag = Field(
        default=False,
        description="Whether vector observations are standardised by running mean and variance. Off with raw "
        "physical units: learning stalls; on with one-hot inputs: rare inputs are blown up.",
    )
    hidden_units: Count = Field(
        default=128,
        description="Width H of each hidden layer (units). Usual: 32-512. Too small: cannot express the "
        "gait; too large: slower updates and no better return.",
    )
    num_layers: Count = Field(
        default=2,
        description="Hidden layers (count). Usual: 1-3. Too few: coarse behaviour; too many: harder to "
        "train.",
    )
    vis_encode_type: Literal["simple", "nature_cnn", "resnet", "match3", "fully_connected"] = Field(
        default="simple", description="Encoder of image observations; no effect on tasks without images."
    )
    goal_conditioning_type: Literal["hyper", "none"] = Field(
        default="hyper",
        description="How goal observations enter; no effect on tasks without them (none of ours has). none: as any "
        "other observation. hyper, weights made by the goal, does not exist here: a Unity scene with a goal asks for "
        "none.",
    )
    deterministic: Flag = Field(
        default=False,
        description="Act on the mean, without exploring: only with checkpoint_settings.inference, for nothing could "
        "be learned from it. Evaluation always takes the mean.",
    )
    memory: MemorySettings | None = Field(
        default=None,
        description="A recurrent layer behind the body, null for none. With it a policy can act on what it has seen "
        "before; each decision costs several times as much to learn from.",
    )
    activation: Literal["silu", "tanh", "relu", "elu"] = Field(
        default="silu",
        description="Non-linearity of the hidden layers; silu is ML-Agents' Swish. tanh saturates on "
        "inputs that are not normalised; relu units can die at a large learning rate.",
    )
    layer_norm: Flag = Field(
        default=False,
        description="Whether each hidden layer is normalised over its units before its activation; a memory and the "
        "encoder of images are left as they are. On, activations stay in range at a large learning rate, for a "
        "somewhat slower update.",
    )

    @model_validator(mode="after")
    def _layer_norm_leaves_something(self) -> "NetworkSettings":
        if self.layer_norm and self.hidden_units < _FEWEST_NORMED:
            raise contradiction(
                "layer_norm",
                "hidden_units",
                f"contradicts hidden_units {self.hidden_units}: normalised, one unit is always 0 and of two only the "
                f"sign is left, so nothing can be learned. Raise hidden_units to {_FEWEST_NORMED} or more, or turn "
                "layer_norm off.",
            )
        return self
