"""`rewards`: a reward of the user's own, made of named terms, in place of the environment's.

Not to be mistaken for `reward_signals`, ML-Agents' block: that says which rewards the advantage is made of and how they
are discounted; this says what the extrinsic one is.
"""

import re
from itertools import pairwise
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from amble.config.base import NonNegative, Plain, Settings

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(f"must be a name of letters, digits, _ and -, but is {name!r}.")
    return name


def _empty_block(value: object) -> object:
    """`upright:` with nothing below it is YAML's null, and means the defaults."""
    return {} if value is None else value


def _points(value: Any) -> Any:
    """Pairs (env steps, factor) in rising order, as a list of lists."""
    wrong = "must be a list of [env steps, factor], the steps rising, for example [[0, 0], [1000000, 1]]."
    if not isinstance(value, list):
        raise ValueError(wrong)
    points: list[list[float]] = []
    for pair in cast("list[Any]", value):
        if not (isinstance(pair, list) and len(cast("list[Any]", pair)) == 2):
            raise ValueError(wrong)
        numbers: list[float] = []
        for number in cast("list[Any]", pair):
            if (
                isinstance(number, bool)
                or not isinstance(number, int | float)
                or not abs(number) < float("inf")
            ):
                raise ValueError(wrong)
            numbers.append(float(number))
        points.append(numbers)
    steps = [step for step, _ in points]
    if any(step < 0 for step in steps) or any(b <= a for a, b in pairwise(steps)):
        raise ValueError(wrong)
    return points


Label = Annotated[str, AfterValidator(_label)]
SignalName = Annotated[str, Field(min_length=1)]


class TermSettings(Settings):
    """One term: which, how much it counts, on what."""

    term: SignalName | None = Field(
        default=None, description="The term's name in the library; null: the key that it stands under."
    )
    weight: float = Field(
        default=1.0,
        description="Factor of the term in a sum, its exponent in a product. Usual: 1 for what is wanted; costs are "
        "negative, or stand among the penalties. The reward is paid once a substep, so all terms are on one scale.",
    )
    schedule: Annotated[list[list[float]], BeforeValidator(_points)] = Field(
        default_factory=list[list[float]],
        description="Factor on the weight by env steps, [[0, 0], [1000000, 1]], linear between the points and constant "
        "outside. Empty: 1 throughout.",
    )
    parameters: dict[str, Plain] = Field(default_factory=dict, description="The term's own numbers, by name.")
    signals: dict[str, float | SignalName] = Field(
        default_factory=dict,
        description="What the term is computed from, where it is not what it says itself: argument → signal "
        "(`foot_height`, `foot_height[left]`, `observation[3]`) or a number.",
    )


class PenaltySettings(TermSettings):
    """A term that is taken off, whatever the others are combined by."""

    weight: NonNegative = Field(
        default=1.0, description="Factor of what is taken off, at least 0. Usual: 0.01-0.5."
    )


class TerminationSettings(Settings):
    """A rule that ends episodes."""

    signal: SignalName = Field(description="What is looked at; of several components, any one is enough.")
    below: float | None = Field(default=None, description="The episode ends where the signal is less.")
    above: float | None = Field(default=None, description="The episode ends where the signal is more.")
    reward: float | None = Field(
        default=None,
        description="What the ending decision pays in place of its terms. Null: what stands in `fall_reward`.",
    )

    @model_validator(mode="after")
    def _some_limit(self) -> "TerminationSettings":
        if self.below is None and self.above is None:
            message = "must say `below` or `above`; without a limit the rule never ends an episode."
            raise PydanticCustomError("cross_field", "{message}", {"key": "signal", "message": message})
        return self


TermBlock = Annotated[TermSettings, BeforeValidator(_empty_block)]
PenaltyBlock = Annotated[PenaltySettings, BeforeValidator(_empty_block)]


class RewardSettings(Settings):
    """The reward that is learned from: Σ or Π of terms, less penalties. The environment's own is logged beside it."""

    combine: Literal["sum", "product"] = Field(
        default="sum",
        description="sum: Σ weight · term. product: Π term^weight, each term at least 0; one near 0 spoils all.",
    )
    terms: dict[Label, TermBlock] = Field(
        default_factory=dict, description="What is wanted, by names of your choice."
    )
    penalties: dict[Label, PenaltyBlock] = Field(
        default_factory=dict, description="What is taken off, after the terms are combined."
    )
    fall_reward: float | None = Field(
        default=None,
        description="What a decision pays, in place of its terms, where the task or a rule ends the episode. Null: its "
        "terms. Usual: -1. Without it, a body that earns penalties learns to fall at once.",
    )
    terminations: dict[Label, TerminationSettings] = Field(
        default_factory=dict, description="Rules that end episodes besides the task's own."
    )

    @model_validator(mode="after")
    def _something_to_pay(self) -> "RewardSettings":
        if not self.terms and not self.penalties:
            message = "names no term; a reward needs at least one, for example `upright: {weight: 1.0}`."
            raise PydanticCustomError("cross_field", "{message}", {"key": "terms", "message": message})
        if twice := sorted(self.terms.keys() & self.penalties.keys()):
            message = f"holds `{twice[0]}`, which stands among the terms too; give one of them another name."
            raise PydanticCustomError("cross_field", "{message}", {"key": "penalties", "message": message})
        return self
