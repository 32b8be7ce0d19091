"""The reward of a run file: its terms bound to an environment's signals, computed decision by decision.

The reward is paid at every substep, as Unity pays it: a term resolved by substep counts at each, and one that is known
once a decision counts at all of them alike. So every weight is on one scale, that of the Walker's own reward. With
f_k(s) term k at substep s and w_k its weight at this point of the run, the decision pays

    sum:      r = Σ_k w_k · Σ_s f_k(s)      - Σ_p w_p · Σ_s f_p(s)
    product:  r = Σ_s Π_k f_k(s)^w_k        - Σ_p w_p · Σ_s f_p(s)

and `fall_reward` instead where the episode is over. Axes: B environments, S substeps of a decision.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from amble.config import RewardSettings, TerminationSettings, TermSettings
from amble.config.nearest import did_you_mean
from amble.errors import UsageError
from amble.rewards.ledger import Ledger
from amble.rewards.schedules import factor_at
from amble.rewards.signals import YES_NO, Readings, Reference, Signal, SignalSource, refer
from amble.rewards.terms import Term, known_terms


class RewardFault(UsageError):
    """A term gave something that cannot be learned from while the run was going: what was learned so far is good."""


@dataclass
class _Bound:
    """A term with everything that it is called with."""

    key: str
    """Where it stands in the run file: `rewards.terms.energy`."""
    label: str
    term: Term
    signals: tuple[Reference, ...]
    parameters: dict[str, Any]
    settings: TermSettings
    penalty: bool
    weight: float = 1.0

    @property
    def named(self) -> str:
        what = f"the term `{self.label}`"
        if self.term.name != self.label:
            what += f" ({self.term.name})"
        return what + (f" of {self.term.origin}" if self.term.origin else "")


@dataclass(frozen=True)
class _Rule:
    signal: Reference
    settings: TerminationSettings


class RewardEngine:
    """Computes the reward of B environments from the signals that its terms ask for, and keeps the ledger.

    Attributes:
        ledger: what each term has paid.
        source: what publishes the signals.
        needed: the names of the signals that are read.
    """

    def __init__(self, settings: RewardSettings, source: SignalSource, max_steps: int | None = None):
        """Bind the terms to the signals and try each of them once.

        Args:
            settings: the run file's `rewards`.
            source: what publishes the signals; it is told to watch those that are read.
            max_steps: of the run, env steps; a schedule that goes beyond is refused. None: not asked.

        Raises:
            UsageError: an unknown term, signal, component or parameter, a factor of a product that may be negative, a
                schedule beyond the run, a term that raises or gives the wrong shape. It names key and nearest name.
        """
        self.settings, self.source = settings, source
        terms = known_terms()
        self._terms = [
            _bind(f"rewards.terms.{label}", label, block, terms, source, penalty=False)
            for label, block in settings.terms.items()
        ]
        self._penalties = [
            _bind(f"rewards.penalties.{label}", label, block, terms, source, penalty=True)
            for label, block in settings.penalties.items()
        ]
        self._rules = [
            _Rule(_referred(f"rewards.terminations.{label}.signal", rule.signal, source), rule)
            for label, rule in settings.terminations.items()
        ]
        if settings.combine == "product":
            for bound in self._terms:
                _may_be_a_factor(bound)
        bounds = [*self._terms, *self._penalties]
        for bound in bounds:
            _within_the_run(bound, max_steps)
            _try_out(bound, source)
        references = [*(r for bound in bounds for r in bound.signals), *(rule.signal for rule in self._rules)]
        self.needed = frozenset(r.name for r in references if r.name is not None)
        source.watch(self.needed)
        self.ledger = Ledger([bound.label for bound in bounds], source.num_envs)
        self._readings = Readings(source)
        self.at(0)

    def at(self, env_steps: int) -> None:
        """The run has come so far: the weights are those of this point from now on."""
        for bound in (*self._terms, *self._penalties):
            bound.weight = bound.settings.weight * factor_at(bound.settings.schedule, env_steps)

    def judge(
        self, reference: Float[np.ndarray, "B"], terminated: Bool[np.ndarray, "B"]
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        """The reward of the decision just carried out, and where the episode is over.

        Args:
            reference: what the task itself pays.
            terminated: where the task itself ends the episode.

        Raises:
            RewardFault: a term raised, or gave another shape or a number that is not finite.
        """
        self._readings.refresh()
        now, substeps = self.ledger.now, self.source.substeps
        with np.errstate(all="ignore"):  # what comes of it is looked at below
            values = [
                _value(bound, self._readings, self.source) for bound in (*self._terms, *self._penalties)
            ]
            for row, (bound, value) in enumerate(zip((*self._terms, *self._penalties), values, strict=True)):
                now[row] = _paid(value, substeps)
                if bound.penalty:
                    now[row] *= -bound.weight
                elif self.settings.combine == "sum":
                    now[row] *= bound.weight
            reward = self._combined(values)
        count = len(values)
        if not np.isfinite(now[:count]).all() or not np.isfinite(reward).all():
            self._blame(values)
        now[count] = 0.0
        reward, terminated = self._ended(reward, terminated, count)
        now[count + 1], now[count + 2] = reward, reference
        self.ledger.add()
        return reward, terminated

    def _combined(self, values: Sequence[np.ndarray]) -> Float[np.ndarray, "B"]:
        """The decision's reward before its end is looked at; the rows of the ledger are there already."""
        now, terms, count = self.ledger.now, len(self._terms), len(values)
        if self.settings.combine == "sum" or not terms:
            return now[:count].sum(axis=0)
        product: np.ndarray | None = None
        for bound, value in zip(self._terms, values[:terms], strict=True):
            if bound.term.lowest is None and (value < 0).any():
                raise RewardFault(
                    f"{bound.key}: {bound.named} gave {float(value.min()):.6g}, and a factor of a product must be at "
                    "least 0. Put it among the penalties, take combine: sum, or bound it from below."
                )
            factor = value if bound.weight == 1.0 else value**bound.weight
            product = factor if product is None else product * factor
        assert product is not None
        reward = _paid(product, self.source.substeps)
        return reward + now[terms:count].sum(axis=0) if count > terms else reward

    def _ended(
        self, reward: Float[np.ndarray, "B"], terminated: Bool[np.ndarray, "B"], count: int
    ) -> tuple[Float[np.ndarray, "B"], Bool[np.ndarray, "B"]]:
        """Apply the rules and pay for ends; what is paid in place of the terms goes to its own row of the ledger."""
        fall_reward = self.settings.fall_reward
        over = terminated
        replaced, price = np.zeros(len(reward), bool), np.zeros(len(reward))
        if fall_reward is not None and terminated.any():
            replaced, price = terminated.copy(), np.where(terminated, fall_reward, 0.0)
        for rule in self._rules:
            met = self._met(rule) & ~over
            if not met.any():
                continue
            over = over | met
            paid = fall_reward if rule.settings.reward is None else rule.settings.reward
            if paid is not None:
                replaced, price = replaced | met, np.where(met, paid, price)
        if replaced.any():
            reward = np.where(replaced, price, reward)
            self.ledger.now[:count, replaced] = 0.0
            self.ledger.now[count, replaced] = price[replaced]
        return reward, over

    def _met(self, rule: _Rule) -> Bool[np.ndarray, "B"]:
        value, limits = self._readings[rule.signal], rule.settings
        met = np.zeros(value.shape, bool)
        if limits.below is not None:
            met |= value < limits.below
        if limits.above is not None:
            met |= value > limits.above
        if met.ndim == 1:
            return met
        return np.logical_or.reduce(met, axis=0 if self._taken(rule.signal) == "substeps" else 1)

    def _taken(self, reference: Reference) -> str:
        assert reference.name is not None
        return self.source.signals[reference.name].taken

    def _blame(self, values: Sequence[np.ndarray]) -> None:
        """Say which term is at fault for a reward that is not finite."""
        for bound, value in zip((*self._terms, *self._penalties), values, strict=True):
            wrong = ~np.isfinite(value)
            if not wrong.any():
                continue
            index = int(np.flatnonzero(wrong.any(axis=0) if wrong.ndim == 2 else wrong)[0])
            given = []
            for role, reference in zip(bound.term.signals, bound.signals, strict=True):
                reading = self._readings[reference]
                substeps = reading.ndim == 2 and reference.name and self._taken(reference) == "substeps"
                shown = reading[:, index] if substeps else reading[index]
                given.append(f"{role} = {np.array2string(np.asarray(shown), precision=4, threshold=8)}")
            first = value[..., index] if value.ndim == 1 else value[:, index][wrong[:, index]][0]
            raise RewardFault(
                f"{bound.key}: {bound.named} gave {float(first)} in environment {index} ({'; '.join(given)}); every "
                "value must be a finite number. The run is stopped, and what it had learned is saved."
            )
        raise RewardFault(
            "rewards: every term is finite, and yet the reward is not. Lower the weights "
            f"({', '.join(f'{b.label} {b.weight:g}' for b in self._terms)})."
        )


def _paid(value: np.ndarray, substeps: int) -> Float[np.ndarray, "B"]:
    """Σ_s of a term: one substep after the other, as the environment itself adds them up."""
    if value.ndim == 1:
        return value * substeps
    total = value[0].astype(np.float64)
    for s in range(1, len(value)):
        total += value[s]
    return total


def _value(bound: _Bound, readings: Readings, source: SignalSource) -> np.ndarray:
    try:
        value = bound.term.function(*[readings[reference] for reference in bound.signals], **bound.parameters)
    except Exception as failure:
        raise RewardFault(f"{bound.key}: {_raised(bound, failure)}") from failure
    return _checked(bound, value, source.num_envs, source.substeps)


def _checked(bound: _Bound, value: Any, count: int, substeps: int) -> np.ndarray:
    shape = getattr(value, "shape", None)
    if shape == (count,) or (shape == (substeps, count) and substeps > 1):
        return value
    came = f"an array of shape {shape}" if shape is not None else f"{type(value).__name__} {value!r:.60}"
    resolved = f" or ({substeps}, {count}), substeps first" if substeps > 1 else ""
    raise RewardFault(
        f"{bound.key}: {bound.named} gave {came}; expected one number an environment, ({count},){resolved}. A signal "
        "of several components is brought down to one by `.sum(axis=1)` or the like."
    )


def _raised(bound: _Bound, failure: Exception) -> str:
    frames = traceback.extract_tb(failure.__traceback__)
    where = f" in line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""
    return f"{bound.named} raised {type(failure).__name__}: {str(failure) or 'no message'}{where}."


def _bind(
    key: str, label: str, block: TermSettings, terms: dict[str, Term], source: SignalSource, *, penalty: bool
) -> _Bound:
    name = block.term or label
    if name not in terms:
        raise UsageError(
            f"{key}: there is no term `{name}`. {did_you_mean(name, terms)} One of your own is loaded by "
            "--terms FILE; `amble terms` lists all."
        )
    term = terms[name]
    for role in block.signals:
        if role not in term.signals:
            raise UsageError(
                f"{key}.signals.{role}: the term `{name}` has no such argument. {did_you_mean(role, term.signals)}"
            )
    parameters = _parameters(key, term, block.parameters)
    references = tuple(
        _referred(
            f"{key}.signals.{role}",
            block.signals.get(role, default),
            source,
            () if role in block.signals else (term, role),
        )
        for role, default in term.signals.items()
    )
    return _Bound(key, label, term, references, parameters, block, penalty)


def _parameters(key: str, term: Term, given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name not in term.parameters:
            raise UsageError(
                f"{key}.parameters.{name}: the term `{term.name}` has no such parameter. "
                f"{did_you_mean(name, term.parameters)}"
            )
        default = term.parameters[name]
        number = isinstance(default, int | float) and not isinstance(default, bool)
        untyped = default is inspect.Parameter.empty
        if (number or untyped) and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{key}.parameters.{name}: must be a number, but is {value!r}.")
    chosen = {**term.parameters, **given}
    for name, value in chosen.items():
        if value is inspect.Parameter.empty:
            raise UsageError(
                f"{key}.parameters.{name}: is missing, and the term `{term.name}` has no default for it."
            )
    return chosen


def _referred(key: str, text: str | float, source: SignalSource, unsaid: tuple[Any, ...] = ()) -> Reference:
    """The signal that a key names; `unsaid`, term and argument, where it is the term's own choice."""
    try:
        return refer(text, source.signals)
    except UsageError as wrong:
        if not unsaid:
            raise UsageError(f"{key}: {wrong}") from wrong
        term, role = unsaid
        raise UsageError(
            f"{key.partition('.signals')[0]}: the term `{term.name}` is made for the signal `{text}`; {wrong} Another "
            f"one is given to it by `signals: {{{role}: …}}`; `amble signals` lists those of an environment."
        ) from wrong


def _may_be_a_factor(bound: _Bound) -> None:
    if bound.term.lowest is not None and bound.term.lowest < 0:
        least = (
            "may be negative" if np.isinf(bound.term.lowest) else f"can be as low as {bound.term.lowest:g}"
        )
        raise UsageError(
            f"{bound.key}: {bound.named} {least}, and a factor of a product must be at "
            "least 0. Put it among the penalties, or take combine: sum."
        )
    if bound.settings.weight < 0:
        raise UsageError(
            f"{bound.key}.weight: is {bound.settings.weight:g}, and in a product the weight is the factor's exponent, "
            "at least 0. A cost stands among the penalties of a product."
        )


def _within_the_run(bound: _Bound, max_steps: int | None) -> None:
    points = bound.settings.schedule
    if points and max_steps is not None and points[-1][0] > max_steps:
        raise UsageError(
            f"{bound.key}.schedule: its last point is at {points[-1][0]:,.0f} env steps, and the run ends at "
            f"max_steps = {max_steps:,}. Move it, or lengthen the run."
        )


def _try_out(bound: _Bound, source: SignalSource) -> None:
    """Call the term once with ones, so that what cannot work is refused before anything is started."""
    count, substeps = 3, source.substeps
    ones = [
        np.ones(count)
        if r.name is None or r.component is not None
        else _ones(source.signals[r.name], count, substeps)
        for r in bound.signals
    ]
    with np.errstate(all="ignore"):
        try:
            value = bound.term.function(*ones, **bound.parameters)
        except Exception as failure:
            raise UsageError(
                f"{bound.key}: {_raised(bound, failure)} It was tried with ones for "
                f"{', '.join(f'{role} {one.shape}' for role, one in zip(bound.term.signals, ones, strict=True))}."
            ) from failure
    _checked(bound, value, count, substeps)


def _ones(signal: Signal, count: int, substeps: int) -> np.ndarray:
    kind = bool if signal.unit == YES_NO else np.float64
    if signal.taken == "substeps":
        return np.ones((substeps, count), kind)
    return np.ones((count, len(signal.labels)) if signal.labels else count, kind)
