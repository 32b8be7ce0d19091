"""Named terms: pure functions of signals, registered by a decorator."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import numpy as np

from amble.errors import UsageError

_Function = TypeVar("_Function", bound=Callable[..., Any])

LIBRARY = ("tracking", "posture", "effort", "gait", "feats", "anything")
"""The modules of `rewards/library`, in the order in which their terms are listed."""


@dataclass(frozen=True)
class Term:
    """A function of signals that gives each environment a number.

    Attributes:
        name: what run files call it.
        function: of the signals in order, and of the parameters by name; gives (B,), or (S, B) where a signal is
            resolved by substep.
        signals: the argument's name → the signal that it is given unless the run file says otherwise.
        parameters: name → default; without one, the run file must give it.
        lowest: its least possible value; None if unknown.
        highest: its greatest possible value; None if unknown.
        origin: the file that it comes from, for messages; empty for the library's.
    """

    name: str
    function: Callable[..., Any]
    signals: Mapping[str, str]
    parameters: Mapping[str, Any]
    lowest: float | None = None
    highest: float | None = None
    origin: str = ""

    @property
    def formula(self) -> str:
        """The first paragraph of its docstring."""
        return " ".join((inspect.getdoc(self.function) or "").partition("\n\n")[0].split())


@dataclass
class _Registry:
    terms: dict[str, Term] = field(default_factory=dict)
    origin: str = ""


_registry = _Registry()


@overload
def term(function: _Function) -> _Function: ...


@overload
def term(
    *,
    name: str | None = None,
    signals: Mapping[str, str] | None = None,
    lowest: float | None = None,
    highest: float | None = None,
) -> Callable[[_Function], _Function]: ...


def term(
    function: Any = None,
    *,
    name: str | None = None,
    signals: Mapping[str, str] | None = None,
    lowest: float | None = None,
    highest: float | None = None,
) -> Any:
    """Make a function a term that run files can name; the function itself is left as it is.

    Args:
        function: its positional arguments are signals, (B,), (B, n) or (S, B); those after a star are parameters, each
            a number, text or flag. It gives (B,) or (S, B).
        name: what run files call it; the function's own name if None.
        signals: argument → the signal it is given, where the two are not of one name.
        lowest: its least possible value, if there is one. Factors of a product need one of at least 0.
        highest: its greatest possible value, if there is one.

    Raises:
        UsageError: there is a term of that name, or an argument can be neither signal nor parameter.
    """

    def register(function: _Function) -> _Function:
        made = _made(function, name, signals or {}, lowest, highest)
        if made.name in _registry.terms and made.origin != _registry.terms[made.name].origin:
            other = _registry.terms[made.name].origin or "Amble's own library"
            raise UsageError(
                f"{made.origin or 'a term'}: the term `{made.name}` is defined already, by {other}. Give yours "
                "another name."
            )
        _registry.terms[made.name] = made
        return function

    return register if function is None else register(function)


def _made(
    function: Callable[..., Any],
    name: str | None,
    signals: Mapping[str, str],
    lowest: float | None,
    highest: float | None,
) -> Term:
    called = name or function.__name__
    roles: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            parameters[parameter.name] = parameter.default
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty:
            roles[parameter.name] = signals.get(parameter.name, parameter.name)
        else:
            raise UsageError(
                f"the term `{called}`: its argument `{parameter.name}` is neither a signal (a plain argument without a "
                "default) nor a parameter (after a star: `*, height: float = 1.0`)."
            )
    if unknown := sorted(signals.keys() - roles.keys()):
        raise UsageError(
            f"the term `{called}`: `signals` names {unknown[0]}, which is none of its arguments "
            f"({', '.join(roles) or 'it has none'})."
        )
    if not roles:
        raise UsageError(f"the term `{called}` takes no signal, so that it could only be a constant.")
    return Term(called, function, roles, parameters, lowest, highest, _registry.origin)


def known_terms() -> dict[str, Term]:
    """All terms there are, by name: the library's, then the user's."""
    for module in LIBRARY:
        importlib.import_module(f"amble.rewards.library.{module}")
    own = {name: made for name, made in _registry.terms.items() if not made.origin}
    return {**own, **{name: made for name, made in _registry.terms.items() if made.origin}}


def per_component(value: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A number an environment, (B,), shaped to go with `like`, (B,) or (B, n)."""
    return value if like.ndim == 1 else value[:, None]
