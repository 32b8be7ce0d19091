"""`environment_parameters`: a number each, one drawn anew for every episode, or one that changes lesson by lesson."""

from typing import Annotated, Any, Literal, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    TypeAdapter,
    model_validator,
)
from pydantic_core import PydanticCustomError

from amble.config.base import Flag, NonNegative, Settings, Whole

_NUMBER = TypeAdapter(float, config=ConfigDict(strict=True, allow_inf_nan=False))


class SamplerNumbers(Settings):
    """What the numbers of every sampler share."""

    seed: Whole = Field(
        default=-1,
        description="Of the draws; −1: the run's seed, plus the number of samplers before this one in the file.",
    )


class UniformNumbers(SamplerNumbers):
    """Every number of an interval alike."""

    min_value: float = Field(default=0.0, description="The interval's lower end (the parameter's unit).")
    max_value: float = Field(default=1.0, description="Its upper end.")

    @model_validator(mode="after")
    def _in_order(self) -> "UniformNumbers":
        if self.min_value > self.max_value:
            raise _mistake(
                "min_value", f"({self.min_value:g}) is greater than max_value ({self.max_value:g})."
            )
        return self


class GaussianNumbers(SamplerNumbers):
    """A normal distribution."""

    mean: float = Field(default=1.0, description="Its mean (the parameter's unit).")
    st_dev: NonNegative = Field(default=1.0, description="Its standard deviation.")


class MultiRangeNumbers(SamplerNumbers):
    """Every number of several intervals alike, a longer one therefore the more often."""

    intervals: Annotated[list[list[float]], Field(min_length=1)] = Field(
        default_factory=lambda: [[0.0, 1.0]], description="[low, high] each (the parameter's unit)."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "MultiRangeNumbers":
        for interval in self.intervals:
            if len(interval) != 2 or interval[0] > interval[1]:
                raise _mistake(
                    "intervals", f"holds {interval}; each interval is [low, high] with low ≤ high."
                )
        return self


class ConstantNumbers(SamplerNumbers):
    """The same number always."""

    value: float = Field(default=0.0, description="It.")


SAMPLERS: dict[str, type[SamplerNumbers]] = {
    "uniform": UniformNumbers,
    "gaussian": GaussianNumbers,
    "multirangeuniform": MultiRangeNumbers,
    "constant": ConstantNumbers,
}
"""The block `sampler_parameters` of each `sampler_type`."""


def _of_sampler(given: object, info: Any) -> object:
    """The block as the sampler's own model; as it is where there is no such sampler. `info` is Pydantic's."""
    model = SAMPLERS.get(info.data.get("sampler_type", ""))
    if model is None or isinstance(given, model):
        return given
    return model.model_validate(given)


class SamplerSettings(Settings):
    """A parameter that is drawn anew for every episode."""

    sampler_type: Literal["uniform", "gaussian", "multirangeuniform", "constant"] = Field(
        description="What it is drawn from."
    )
    sampler_parameters: Annotated[SerializeAsAny[SamplerNumbers], BeforeValidator(_of_sampler)] = Field(
        description="The distribution's numbers."
    )

    def __str__(self) -> str:
        """In a few words."""
        match self.sampler_parameters:
            case UniformNumbers(min_value=low, max_value=high):
                return f"uniform in [{low:g}, {high:g}]"
            case GaussianNumbers(mean=mean, st_dev=deviation):
                return f"Gaussian {mean:g} ± {deviation:g}"
            case MultiRangeNumbers(intervals=intervals):
                return "uniform in " + " and ".join(f"[{low:g}, {high:g}]" for low, high in intervals)
            case ConstantNumbers(value=value):
                return f"{value:g}"
            case _:
                return self.sampler_type


def _value(given: object) -> "float | SamplerSettings":
    if isinstance(given, dict):
        return SamplerSettings.model_validate(given)
    return given if isinstance(given, SamplerSettings) else _NUMBER.validate_python(given)


Value = Annotated[float | SamplerSettings, BeforeValidator(_value)]
"""A number, or how it is drawn."""


class CompletionCriteria(Settings):
    """When a lesson is over."""

    behavior: Annotated[str, Field(min_length=1)] = Field(
        description="Whose steps or episodes are looked at, by its name in `behaviors`."
    )
    measure: Literal["reward", "progress"] = Field(
        default="reward",
        description="reward: the mean return of the latest episodes; progress: steps taken, by max_steps.",
    )
    threshold: float = Field(
        default=0.0,
        description="The lesson is over once the measure is above this (return; progress: 0 to 1). Too low: lessons "
        "fly by; out of reach: the first one lasts for ever.",
    )
    min_lesson_length: Annotated[Whole, Field(ge=0)] = Field(
        default=0,
        description="Episodes that must have ended in the lesson first, and over which the return is averaged (at "
        "least 1). Usual: 50-1000. Small: one lucky episode is enough.",
    )
    signal_smoothing: Flag = Field(
        default=True,
        description="Whether the mean return is smoothed, to 0.25 of what it was at the last look and 0.75 of what it "
        "is now; it begins at 0.",
    )
    require_reset: Flag = Field(
        default=False,
        description="Whether all episodes are broken off when the lesson ends; otherwise each takes the new value "
        "when it ends by itself.",
    )

    @model_validator(mode="after")
    def _progress_is_a_share(self) -> "CompletionCriteria":
        if self.measure == "progress" and not 0.0 <= self.threshold <= 1.0:
            raise _mistake(
                "threshold", f"is {self.threshold:g}, but progress goes from 0 to 1 (steps by max_steps)."
            )
        return self


class LessonSettings(Settings):
    """One lesson of a parameter."""

    name: str = Field(description="What messages call it.")
    value: Value = Field(description="The parameter in this lesson: a number, or a sampler.")
    completion_criteria: CompletionCriteria | None = Field(
        default=None, description="When it is over; of the last lesson it is ignored."
    )


class CurriculumSettings(Settings):
    """A parameter that changes lesson by lesson, as the behaviour learns."""

    curriculum: Annotated[list[LessonSettings], Field(min_length=1)] = Field(
        description="The lessons, in their order; every one but the last needs completion_criteria."
    )

    @model_validator(mode="after")
    def _lessons_end(self) -> "CurriculumSettings":
        for number, lesson in enumerate(self.curriculum[:-1]):
            if lesson.completion_criteria is None:
                raise _mistake(
                    ("curriculum", str(number), "completion_criteria"),
                    f"is missing: lesson {lesson.name!r} would never end, and the {len(self.curriculum) - number - 1} "
                    "after it never begin. Only the last lesson goes without.",
                )
        return self


def _parameter(given: object) -> "float | SamplerSettings | CurriculumSettings":
    if isinstance(given, dict) and "curriculum" in given:
        return CurriculumSettings.model_validate(given)
    return given if isinstance(given, CurriculumSettings) else _value(cast("object", given))


Parameter = Annotated[float | SamplerSettings | CurriculumSettings, BeforeValidator(_parameter)]
"""What `environment_parameters` holds by name."""


def constant(parameter: "float | SamplerSettings | CurriculumSettings") -> float | None:
    """The number of a parameter that never changes; None of any other."""
    if isinstance(parameter, CurriculumSettings):
        return constant(parameter.curriculum[0].value) if len(parameter.curriculum) == 1 else None
    if isinstance(parameter, SamplerSettings):
        numbers = parameter.sampler_parameters
        return numbers.value if isinstance(numbers, ConstantNumbers) else None
    return float(parameter)


def _mistake(key: str | tuple[str, ...], message: str) -> PydanticCustomError:
    return PydanticCustomError("cross_field", "{message}", {"key": key, "message": message})
