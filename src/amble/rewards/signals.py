"""Named signals: what a reward may be made of, and how it is found by name.

Axes: B environments, S substeps of a decision, n components of a signal.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amble.config.nearest import did_you_mean
from amble.errors import UsageError

YES_NO = "yes/no"
"""The unit of a signal of booleans."""

_REFERENCE = re.compile(r"([A-Za-z_][\w.]*)(?:\[([^\[\]]+)\])?")


@dataclass(frozen=True)
class Signal:
    """One published quantity: what it is, in which unit, and when it is taken."""

    name: str
    unit: str
    about: str
    labels: tuple[str, ...] = ()
    """Names of the components, in order; none for a single number an environment."""
    taken: Literal["end", "mean", "substeps"] = "end"
    """end: at the end of the decision; mean: over the decision's substeps; substeps: at the end of each."""

    @property
    def shape(self) -> str:
        """Its shape, as it is written in a table."""
        if self.taken == "substeps":
            return "(S, B)"
        return f"(B, {len(self.labels)})" if self.labels else "(B,)"


class SignalSource(ABC):
    """What publishes the signals of B environments. Only those that are watched need be measured."""

    num_envs: int
    substeps: int
    """S of a decision; 1 where nothing is known of them."""
    substep_seconds: float | None
    """Simulated time of one; None where it is not known."""

    @property
    @abstractmethod
    def signals(self) -> Mapping[str, Signal]:
        """All that can be read, by name."""

    @abstractmethod
    def watch(self, names: Iterable[str]) -> None:
        """Measure these from now on, besides what is watched already."""

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """The signal as the decision just carried out left it: (B,), (B, n) or (S, B).

        It may be a view that the next decision writes to.
        """


@dataclass(frozen=True)
class Reference:
    """A signal as a run file names it: `foot_height`, `foot_height[left]`, `observation[3]`, or a plain number."""

    text: str
    name: str | None
    component: int | None = None
    number: float = 0.0


def refer(text: str | float, signals: Mapping[str, Signal]) -> Reference:
    """What `text` refers to.

    Raises:
        UsageError: no such signal or component; it names the nearest, and not where the text stood.
    """
    if isinstance(text, int | float):
        return Reference(str(text), None, number=float(text))
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"`{text}` names no signal; write `name`, `name[component]` or a number.")
    name, component = match[1], match[2]
    if name not in signals:
        raise UsageError(f"there is no signal `{name}` here. {did_you_mean(name, signals)}")
    if component is None:
        return Reference(text, name)
    labels = signals[name].labels
    if component in labels:
        return Reference(text, name, labels.index(component))
    if re.fullmatch(r"\d+", component) and int(component) < len(labels):
        return Reference(text, name, int(component))
    if not labels:
        raise UsageError(
            f"`{text}`: the signal `{name}` is one number an environment; leave out `[{component}]`."
        )
    hint = (
        f"It has components 0 to {len(labels) - 1}."
        if labels[0] == "0"
        else did_you_mean(component, labels[:300])
    )
    raise UsageError(f"`{text}`: the signal `{name}` has no component `{component}`. {hint}")


class Readings:
    """The signals of one decision, each read from the source once."""

    def __init__(self, source: SignalSource):
        self._source = source
        self._values: dict[str, np.ndarray] = {}
        self._constants: dict[Reference, np.ndarray] = {}

    def refresh(self) -> None:
        """Forget the last decision's."""
        self._values.clear()

    def __getitem__(self, reference: Reference) -> np.ndarray:
        if reference.name is None:
            if reference not in self._constants:
                self._constants[reference] = np.full(self._source.num_envs, reference.number)
            return self._constants[reference]
        value = self._values.get(reference.name)
        if value is None:
            value = self._values[reference.name] = self._source.read(reference.name)
        return value if reference.component is None else value[:, reference.component]
