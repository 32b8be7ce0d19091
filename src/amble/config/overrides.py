"""`--set key=value` and the command's own options: changes to a run file before it is validated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from amble.config.nearest import nearest
from amble.config.run import RunConfig
from amble.config.settings_tree import dotted_names, names_at
from amble.config.yaml_reader import Path, read_value
from amble.errors import UsageError


@dataclass(frozen=True)
class Override:
    """One change: the dotted key, its value, and how the user asked for it (quoted in errors)."""

    key: str
    value: Any
    cited: str


def parse_override(text: str) -> Override:
    """`dotted.key=value`, the value in YAML (`1e-3`, `true`, `[1.0, 3.0]`, `null`)."""
    key, equals, value = text.partition("=")
    cited = f"--set {text}"
    if not equals or not key.strip():
        raise UsageError(
            f"{cited}: this is no key=value; for example `--set hyperparameters.learning_rate=1e-3`."
        )
    return Override(key.strip(), read_value(value, cited), cited)


def apply_overrides(
    values: dict[str, Any], behaviors: Sequence[str], overrides: Sequence[Override]
) -> tuple[dict[str, Any], dict[Path, str]]:
    """`values` with the changes made, and for each changed path the words that asked for it.

    A key is either a path from the top of the file or one below a behaviour, and then meant for each of `behaviors`.
    `values` itself is left alone.
    """
    cited: dict[Path, str] = {}
    for override in overrides:
        for path in _full_paths(override, behaviors):
            values = _with_value(values, path, override, ())
            for stale in [known for known in cited if known[: len(path)] == path]:
                del cited[stale]
            cited[path] = override.cited
    return values, cited


def _full_paths(override: Override, behaviors: Sequence[str]) -> list[Path]:
    parts = tuple(override.key.split("."))
    if not all(parts):
        raise UsageError(f"{override.cited}: the key `{override.key}` has an empty part between its dots.")
    if parts[0] == "behaviors" and behaviors:
        paths: list[Path] = [_below_behavior(override, behaviors)]
    elif parts[0] in RunConfig.model_fields or not behaviors:
        paths = [parts]
    else:
        paths = [("behaviors", behavior, *parts) for behavior in behaviors]
    return [_existing(override, path) for path in paths]


def _existing(override: Override, path: Path) -> Path:
    """The path by its proper name; UsageError if there is no such key."""
    if path[-2:] == ("hyperparameters", "lambda"):
        path = (*path[:-1], "lambd")
    for depth in range(len(path)):
        valid = names_at(path[:depth])
        if valid and path[depth] not in valid:
            match = nearest(path[depth], valid) if path[0] == "rewards" and depth else None
            suggestion = (
                _suggestion(override.key)
                if match is None
                else f"The nearest valid name is `{'.'.join((*path[:depth], match, *path[depth + 1 :]))}`."
            )
            raise UsageError(f"{override.cited}: the key `{override.key}` does not exist. {suggestion}")
    return path


def _below_behavior(override: Override, behaviors: Sequence[str]) -> Path:
    """A behaviour's name may hold dots itself, so it is taken off as a whole."""
    rest = override.key.removeprefix("behaviors").removeprefix(".")
    if rest in behaviors:
        return ("behaviors", rest)
    named = [behavior for behavior in behaviors if rest.startswith(behavior + ".")]
    if not named:
        one = ", ".join(f"`behaviors.{behavior}`" for behavior in behaviors)
        meant = (
            f"the one behaviour of this run is {one}, and its keys need no prefix."
            if len(behaviors) == 1
            else f"the behaviours of this run are {one}; a key without this prefix is meant for each of them."
        )
        raise UsageError(f"{override.cited}: the key `{override.key}` does not exist; {meant}")
    behavior = max(named, key=len)
    return ("behaviors", behavior, *rest[len(behavior) + 1 :].split("."))


def _suggestion(key: str) -> str:
    names = list(dotted_names())
    names += [
        name for name in dotted_names(RunConfig) if not name.startswith(("behaviors", "default_settings"))
    ]
    match = nearest(key, names)
    if match is None or match.rpartition(".")[2] != key.rpartition(".")[2]:
        # `learning_rate` and `lerning_rate` mean `hyperparameters.learning_rate`.
        leaves = {name.rpartition(".")[2]: name for name in reversed(names)}
        leaf = nearest(key.rpartition(".")[2], leaves)
        match = leaves[leaf] if leaf is not None and (match is None or "." not in key) else match
    return f"The nearest valid name is `{match}`." if match else "See the keys in a run's own run.yaml."


def _with_value(block: dict[str, Any], path: Path, override: Override, above: Path) -> dict[str, Any]:
    head, rest = path[0], path[1:]
    if not rest:
        kept = {key: value for key, value in block.items() if not (head == "lambd" and key == "lambda")}
        return {**kept, head: override.value}
    inner = block.get(head)
    if inner is None:
        inner = {}
    if not isinstance(inner, dict):
        full = ".".join((*above, head))
        raise UsageError(
            f"{override.cited}: `{full}` is a value, not a block, so nothing can be set below it."
        )
    return {**block, head: _with_value(cast("dict[str, Any]", inner), rest, override, (*above, head))}
