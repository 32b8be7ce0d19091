"""Environment parameters that change while environments run: numbers by name, fixed or drawn for each episode.

An environment that can follow them has `set_parameters(parameters)`, and `adjustable`, the names that it knows; each
of its environments takes a new value when its next episode begins. Axes: B environments, n of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Float, Int

from amble.errors import UsageError

Kind = Literal["uniform", "gaussian", "multirangeuniform"]
_TRIES = 1000
"""Draws of a Gaussian that may fall outside of what a body can be, before the mean is taken."""


@dataclass(frozen=True)
class Drawn:
    """A parameter that is drawn anew for every episode."""

    kind: Kind
    numbers: tuple[float, ...]
    """(low, high), (mean, standard deviation), or (low, high, low, high, …)."""
    seed: int

    def __str__(self) -> str:
        """In a few words."""
        first, second, *_ = self.numbers
        if self.kind == "gaussian":
            return f"drawn for each episode, Gaussian {first:g} ± {second:g}"
        pairs = zip(self.numbers[::2], self.numbers[1::2], strict=True)
        return "drawn for each episode, uniform in " + " and ".join(
            f"[{low:g}, {high:g}]" for low, high in pairs
        )

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {"kind": self.kind, "numbers": list(self.numbers), "seed": self.seed}


Value = float | int | Drawn
"""What a parameter is set to."""


def value_from_json(value: Any) -> Value:
    """What `Drawn.as_json` or a number was written as."""
    if isinstance(value, dict):
        return Drawn(value["kind"], tuple(value["numbers"]), value["seed"])
    return float(value)


def in_words(value: Value) -> str:
    """For a line on screen."""
    return str(value) if isinstance(value, Drawn) else f"{value:g}"


def set_parameters(env: VectorEnv, what: str, parameters: Mapping[str, Value]) -> None:
    """Hand the parameters to an environment; UsageError where it cannot change them while it runs.

    Args:
        env: behind our boundary.
        what: its name, for messages.
        parameters: by name.
    """
    setter = getattr(env.unwrapped, "set_parameters", None)
    if setter is not None:
        setter(parameters)
    elif parameters:
        raise UsageError(
            f"environment_parameters.{next(iter(parameters))}: {what} takes its settings when it is made, so a sampler "
            "or a curriculum cannot reach it. Give a plain number."
        )


@dataclass(frozen=True)
class Limits:
    """What a parameter may be: `above` < value ≤ `most`."""

    above: float = -np.inf
    most: float = np.inf

    def hold(self, values: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        """Which of the values may be."""
        return np.isfinite(values) & (values > self.above) & (values <= self.most)

    def __str__(self) -> str:
        """For messages."""
        parts = [f"above {self.above:g}"] if np.isfinite(self.above) else []
        parts += [f"at most {self.most:g}"] if np.isfinite(self.most) else []
        return " and ".join(parts) or "finite"


class EpisodeParameters:
    """The parameters of B environments that run side by side: who is due for a new value, and which."""

    def __init__(self, what: str, limits: Mapping[str, Limits], count: int):
        """`limits`: of each parameter that there is, by name; `count` is B."""
        self._what, self._limits = what, limits
        self._numbers: dict[str, float] = {}
        self._draws: dict[str, tuple[Drawn, np.random.Generator]] = {}
        self._stale = np.zeros(count, np.bool_)

    def set(self, parameters: Mapping[str, Value]) -> None:
        """Every environment takes these at its next episode.

        Raises:
            UsageError: there is no such parameter, or it may not be this; nothing was changed.
        """
        for name, value in parameters.items():
            self._check(name, value)
        for name, value in parameters.items():
            self._numbers.pop(name, None)
            self._draws.pop(name, None)
            if isinstance(value, Drawn):
                self._draws[name] = value, np.random.default_rng(value.seed & 0xFFFFFFFF)
            else:
                self._numbers[name] = float(value)
        self._stale[:] = True

    def due(
        self, ids: Int[np.ndarray, "n"]
    ) -> tuple[Int[np.ndarray, "m"], dict[str, Float[np.ndarray, "m"]]]:
        """Of these environments, whose episode begins: those that take new values, and the values by name."""
        due = ids if self._draws else ids[self._stale[ids]]
        self._stale[due] = False
        fixed = {name: np.full(len(due), number) for name, number in self._numbers.items()}
        return due, {
            **fixed,
            **{name: self._draw(name, *source, len(due)) for name, source in self._draws.items()},
        }

    def _check(self, name: str, value: Value) -> None:
        if name not in self._limits:
            raise UsageError(
                f"{self._what}: the parameter {name!r} cannot change from episode to episode; "
                f"{', '.join(self._limits) or 'none'} can."
            )
        limits = self._limits[name]
        if not isinstance(value, Drawn):
            numbers = (float(value),)
        else:
            numbers = value.numbers[:1] if value.kind == "gaussian" else value.numbers
        if not limits.hold(np.array(numbers)).all():
            raise UsageError(f"{self._what}: {name} must be {limits}; got {in_words(value)}.")

    def _draw(self, name: str, drawn: Drawn, rng: np.random.Generator, count: int) -> Float[np.ndarray, "m"]:
        if drawn.kind != "gaussian":
            return _from_intervals(np.reshape(drawn.numbers, (-1, 2)), rng, count)
        mean, deviation = drawn.numbers
        values = rng.normal(mean, deviation, count)
        for _ in range(_TRIES):  # what no body can be is drawn again
            bad = np.flatnonzero(~self._limits[name].hold(values))
            if not bad.size:
                return values
            values[bad] = rng.normal(mean, deviation, len(bad))
        values[~self._limits[name].hold(values)] = mean
        return values


def _from_intervals(
    intervals: Float[np.ndarray, "k 2"], rng: np.random.Generator, count: int
) -> Float[np.ndarray, "m"]:
    """Uniform over all intervals together: one is chosen by its length, and a number in it."""
    low, high = intervals.T
    lengths = high - low
    shares = lengths / lengths.sum() if lengths.sum() > 0 else np.full(len(low), 1 / len(low))
    chosen = rng.choice(len(low), count, p=shares)
    return low[chosen] + lengths[chosen] * rng.random(count)
