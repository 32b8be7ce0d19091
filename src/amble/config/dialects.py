"""The two dialects of PPO: ours, and ML-Agents' (so that its run files give its results).

A dialect is nothing but a set of defaults. It is resolved when a file is read, and the run file that a
run writes states every value, so no other room ever asks which dialect was chosen.
"""

from typing import Any

_AMBLE: dict[str, Any] = {
    "ratio": "joint",
    "advantage_normalization": "minibatch",
    "advantage_combination": "sum",
    "value_clip": None,
    "max_grad_norm": 0.5,
    "target_kl": None,
    "normalize_returns": True,
    "adam_epsilon": 1e-5,
}

_ML_AGENTS: dict[str, Any] = {
    "ratio": "per_dimension",
    "advantage_normalization": "rollout",
    "advantage_combination": "mean",
    "value_clip": None,  # replaced by epsilon, see below
    "max_grad_norm": None,
    "target_kl": None,
    "normalize_returns": False,
    "adam_epsilon": 1e-8,
}

DIALECTS: dict[str, dict[str, Any]] = {"amble": _AMBLE, "ml-agents": _ML_AGENTS}

ML_AGENTS_EPSILON = 0.2


def with_dialect(given: dict[str, Any]) -> dict[str, Any]:
    """`given` hyperparameters with what the file leaves open filled in by its dialect.

    An unknown dialect is left as it is: the model's own validation names it.
    """
    dialect = given.get("dialect", "amble")
    if not isinstance(dialect, str) or dialect not in DIALECTS:
        return given
    defaults = dict(DIALECTS[dialect])
    if dialect == "ml-agents":
        # ML-Agents clips the value with the ratio's epsilon, in raw return units.
        defaults["value_clip"] = given.get("epsilon", ML_AGENTS_EPSILON)
    return {**defaults, **given}
