"""Environment parameters over a run: what they are, and ML-Agents' rules for going on to the next lesson.

Whether a lesson is over is asked after every decision of all environments. `completed` is the rule; `Lessons` keeps
what it is asked about: each parameter's lesson, its smoothed return, and the latest returns of each behaviour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from amble.config import (
    CompletionCriteria,
    CurriculumSettings,
    GaussianNumbers,
    MultiRangeNumbers,
    RunConfig,
    SamplerSettings,
    UniformNumbers,
)
from amble.envs.parameters import Drawn, Value, in_words
from amble.errors import AmbleError

Row = dict[str, float | int | str | None]

KEEP = 0.25
"""Of the smoothed return, what it was before has this weight."""


def completed(
    criteria: CompletionCriteria, progress: float, returns: Iterable[float], smoothed: float
) -> tuple[bool, float]:
    """Whether a lesson is over, and its smoothed return from now on.

    Args:
        criteria: of the lesson.
        progress: steps by max_steps.
        returns: of the latest episodes, at most as many as are averaged.
        smoothed: the smoothed return at the last look; 0 at first.
    """
    latest = list(returns)
    if len(latest) < criteria.min_lesson_length:
        return False, smoothed
    if criteria.measure == "progress":
        return progress > criteria.threshold, smoothed
    if not latest:
        return False, smoothed
    measure = float(np.mean(latest))
    if criteria.signal_smoothing:
        smoothed = measure = KEEP * smoothed + (1 - KEEP) * measure
    return measure > criteria.threshold, smoothed


class Change(NamedTuple):
    """What a look at the lessons led to."""

    parameters: dict[str, Value]
    """New values by name."""
    reset: bool
    """All episodes are to be broken off."""
    words: list[str]
    """For the user."""


class Lessons:
    """The environment parameters of a run that are not constant, and the lesson that each is in.

    Attributes:
        numbers: the lesson of each parameter with a curriculum, from 0.
    """

    def __init__(self, config: RunConfig):
        self._values: dict[str, list[Value]] = {}
        self._courses: dict[str, CurriculumSettings] = {}
        constants = config.constant_parameters
        offset = 0
        for name, parameter in config.environment_parameters.items():
            if isinstance(parameter, CurriculumSettings):
                given = [lesson.value for lesson in parameter.curriculum]
                if name not in constants:
                    self._courses[name] = parameter
            else:
                given = [parameter]
            values: list[Value] = []
            # Every value without a seed of its own takes the next, numbers too, as ML-Agents counts
            for one in given:
                own = one.sampler_parameters.seed if isinstance(one, SamplerSettings) else -1
                values.append(_value(one, config.env_settings.seed + offset if own == -1 else own))
                offset += own == -1
            if name not in constants:
                self._values[name] = values
        self.numbers = dict.fromkeys(self._courses, 0)
        self._smoothed = dict.fromkeys(self._courses, 0.0)
        self._returns: dict[str, deque[float]] = {}
        for course in self._courses.values():
            for criteria in (lesson.completion_criteria for lesson in course.curriculum):
                if criteria is not None:
                    longest = self._returns.get(criteria.behavior, deque(maxlen=1)).maxlen or 1
                    most = max(longest, criteria.min_lesson_length)
                    self._returns[criteria.behavior] = deque(maxlen=most)

    @property
    def values(self) -> dict[str, Value]:
        """The parameters as they are now, but for constant ones."""
        return {name: values[self.numbers.get(name, 0)] for name, values in self._values.items()}

    @property
    def over(self) -> bool:
        """Whether no lesson will change any more."""
        return all(self._last(name) for name in self._courses)

    def ended(self, behavior: str, returns: Iterable[float]) -> None:
        """Episodes of a behaviour have ended, with these returns."""
        if behavior in self._returns:
            self._returns[behavior].extend(float(value) for value in returns)

    def look(self, steps: Mapping[str, int], max_steps: Mapping[str, int]) -> Change | None:
        """Go on to the next lesson where one is over; None where none is.

        A new lesson of any parameter forgets the returns of all behaviours.

        Args:
            steps: taken so far, by behaviour.
            max_steps: its budget.
        """
        changed: list[str] = []
        reset = False
        for name, course in self._courses.items():
            criteria = course.curriculum[self.numbers[name]].completion_criteria
            if criteria is None or self._last(name) or criteria.behavior not in steps:
                continue
            progress = steps[criteria.behavior] / max_steps[criteria.behavior]
            returns = self._returns[criteria.behavior]
            is_over, self._smoothed[name] = completed(criteria, progress, returns, self._smoothed[name])
            if is_over:
                self.numbers[name] += 1
                changed.append(name)
                reset |= criteria.require_reset
        if not changed:
            return None
        for returns in self._returns.values():
            returns.clear()
        words = [f"{self._place(name)} begins after {self._steps(name, steps)} steps." for name in changed]
        return Change({name: self.values[name] for name in changed}, reset, words)

    def describe(self) -> list[str]:
        """Lines for the start of a run."""
        return [
            f"{self._place(name)}."
            if name in self._courses
            else f"Environment parameter {name}: {in_words(value)}."
            for name, value in self.values.items()
        ]

    def figures(self) -> Row:
        """Of the lessons, for a row of metrics."""
        return {f"lesson.{name}": number for name, number in self.numbers.items()}

    def restore(self, numbers: Mapping[str, int]) -> None:
        """Go on in the lessons of a checkpoint; a parameter that it does not know is in its first.

        Of several checkpoints, one of each behaviour, the latest lessons are gone on in.
        """
        for name in self.numbers:
            number = int(numbers.get(name, 0))
            if not 0 <= number < len(self._courses[name].curriculum):
                raise AmbleError(
                    f"environment_parameters.{name}: the checkpoint is in lesson {number + 1}, and the curriculum now "
                    f"has {len(self._courses[name].curriculum)}. Put the lessons back, or start a new run from its "
                    "networks with --initialize-from."
                )
            self.numbers[name] = max(number, self.numbers[name])

    def _last(self, name: str) -> bool:
        return self.numbers[name] + 1 >= len(self._courses[name].curriculum)

    def _place(self, name: str) -> str:
        lessons, number = self._courses[name].curriculum, self.numbers[name]
        return (
            f"Environment parameter {name}: lesson {number + 1} of {len(lessons)}, {lessons[number].name!r} "
            f"({in_words(self.values[name])})"
        )

    def _steps(self, name: str, steps: Mapping[str, int]) -> str:
        criteria = self._courses[name].curriculum[self.numbers[name] - 1].completion_criteria
        return f"{steps[criteria.behavior]:,}" if criteria is not None else "no"


def _value(given: float | SamplerSettings, seed: int) -> Value:
    if not isinstance(given, SamplerSettings):
        return float(given)
    match given.sampler_parameters:
        case UniformNumbers(min_value=low, max_value=high):
            return Drawn("uniform", (low, high), seed)
        case GaussianNumbers(mean=mean, st_dev=deviation):
            return Drawn("gaussian", (mean, deviation), seed)
        case MultiRangeNumbers(intervals=intervals):
            return Drawn("multirangeuniform", tuple(end for pair in intervals for end in pair), seed)
        case numbers:
            return float(getattr(numbers, "value", 0.0))
