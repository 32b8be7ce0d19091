"""Checks the arguments of Spinning Up's functions by name, before anything is started or written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from amble.errors import UsageError

Number = float | int
"""A setting that may be written with or without a point."""

EMPTY: Mapping[str, Any] = MappingProxyType({})
"""The default `{}` of Spinning Up's signatures; it equals `{}` and nobody can write into it."""


@dataclass(frozen=True)
class _Rule:
    holds: Callable[[Any], bool]
    expected: str
    meaning: str


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


_POSITIVE, _SHARE, _COUNT = "a number above 0", "a number from 0 to 1", "a whole number, at least 1"
_RULES: dict[str, _Rule] = {
    "env_fn": _Rule(callable, "a function", "It makes one environment, e.g. lambda: gymnasium.make(...)."),
    "actor_critic": _Rule(callable, "a class", "It is made with (observation_space, action_space)."),
    "ac_kwargs": _Rule(lambda v: isinstance(v, Mapping), "a dict", "It goes to actor_critic."),
    "seed": _Rule(_whole(0), "a whole number, at least 0", "It seeds weights, actions and environment."),
    "steps_per_epoch": _Rule(_whole(1), _COUNT, "It is the number of decisions behind each update."),
    "epochs": _Rule(_whole(1), _COUNT, "It is the number of updates."),
    "gamma": _Rule(_share, _SHARE, "It is the discount γ."),
    "lam": _Rule(_share, _SHARE, "It is GAE's λ."),
    "max_ep_len": _Rule(_whole(1), _COUNT, "Episodes are cut after so many decisions."),
    "save_freq": _Rule(_whole(1), _COUNT, "It is the number of epochs between two saves."),
    "logger_kwargs": _Rule(lambda v: isinstance(v, Mapping), "a dict", "See setup_logger_kwargs."),
    "pi_lr": _Rule(_positive, _POSITIVE, "It is the policy's learning rate."),
    "vf_lr": _Rule(_positive, _POSITIVE, "It is the value function's learning rate."),
    "train_pi_iters": _Rule(_whole(1), _COUNT, "It is the most policy steps an epoch."),
    "train_v_iters": _Rule(_whole(1), _COUNT, "It is the number of value steps an epoch."),
    "clip_ratio": _Rule(_positive, _POSITIVE, "It is ε: ratios are clipped to [1-ε, 1+ε]."),
    "target_kl": _Rule(_positive, _POSITIVE, "Policy steps stop where the KL passes 1.5 times it."),
    "delta": _Rule(_positive, _POSITIVE, "It is the trust region's δ: no step's mean KL is larger."),
    "damping_coeff": _Rule(
        lambda v: _number(v) and v >= 0,
        "a number, at least 0",
        "It is added to the Fisher matrix's diagonal.",
    ),
    "cg_iters": _Rule(_whole(1), _COUNT, "It is the most conjugate gradient iterations."),
    "backtrack_iters": _Rule(_whole(1), _COUNT, "It is the number of step lengths to try."),
    "backtrack_coeff": _Rule(
        lambda v: _number(v) and 0 < v < 1,
        "a number between 0 and 1",
        "Each try keeps this share of the step.",
    ),
    "algo": _Rule(lambda v: v in ("trpo", "npg"), "'trpo' or 'npg'", "npg is trpo without the line search."),
}


def check_arguments(function: str, arguments: Mapping[str, Any]) -> None:
    """Raise a UsageError that names the first argument of `function` that cannot be meant."""
    for name, value in arguments.items():
        rule = _RULES[name]
        if not rule.holds(value):
            raise UsageError(f"{function}: `{name}` is {value!r}, expected {rule.expected}. {rule.meaning}")
