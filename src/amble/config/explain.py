"""A validation failure as one paragraph: file, line, key, what was expected, what came, the nearest name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from amble.config.nearest import did_you_mean, nearest
from amble.config.settings_tree import names_at, trainers_with
from amble.config.yaml_reader import Path, describe, plain_scalar

_EXPECTED = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "dict_type": "must be a block of keys",
    "model_type": "must be a block of keys",
    "model_attributes_type": "must be a block of keys",
    "list_type": "must be a list",
    "finite_number": "must be a finite number",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
}


@dataclass(frozen=True)
class Source:
    """Where the values of a run came from: a file's lines, and the command's words."""

    name: str
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int])
    cited: Mapping[Path, str] = field(default_factory=dict[Path, str])

    def locate(self, path: Path) -> tuple[Path, str]:
        """The path as the user wrote it, and `FILE, line N` or the command's words for it."""
        spellings = list(_spellings(path))
        for changed, words in self.cited.items():
            if changed[: len(path)] == path:
                return path, words
        for length in range(len(path), 0, -1):
            for spelling in spellings:
                if spelling[:length] in self.cited:
                    return path, self.cited[spelling[:length]]
            for spelling in spellings:
                if spelling[:length] in self.lines:
                    # A prefix says where the block is, the whole path what it is called there.
                    shown = spelling if length == len(path) else path
                    return shown, f"{self.name}, line {self.lines[spelling[:length]]}"
        return path, self.name


def _spellings(path: Path) -> list[Path]:
    """The ways a file can have said this: under its behaviour, under default_settings, with `lambda`."""
    found = [path]
    if path[:1] == ("behaviors",) and len(path) > 2:
        found.append(("default_settings", *path[2:]))
    if path[-1:] == ("lambd",):
        found += [(*spelling[:-1], "lambda") for spelling in found]
    return found


def explain(failure: ValidationError, source: Source) -> str:
    """The first problem in full, the others by name; a wrong trainer goes first, being their cause."""
    errors = failure.errors()
    # A value is missing only where the dialect that fills it in is itself wrong.
    causes = [error for error in errors if error["type"] != "missing"] or errors
    problems = [(_path(error, source), error) for error in causes]
    problems.sort(key=lambda problem: _rank(problem[0], source))
    first = _paragraph(*problems[0], source)
    if problems[0][0][-1:] == ("trainer_type",) or len(problems) == 1:
        return first
    others = ", ".join(f"`{'.'.join(source.locate(path)[0])}`" for path, _ in problems[1:6])
    more = f" and {len(problems) - 6} more" if len(problems) > 6 else ""
    return f"{first} Also wrong: {others}{more}."


def _path(error: Any, source: Source) -> Path:
    """The key to blame; where two contradict each other, the one that the command or the file states."""
    block = tuple(str(part) for part in error["loc"])
    context = error.get("ctx", {})
    pair = [(*block, *_parts(context[role])) for role in ("key", "with") if role in context]
    for stated in (source.cited, source.lines):
        for path in pair:
            if any(spelling in stated for spelling in _spellings(path)):
                return path
    return pair[0] if pair else block


def _parts(key: str | tuple[str, ...]) -> Path:
    return (key,) if isinstance(key, str) else key


def _rank(path: Path, source: Source) -> tuple[bool, int]:
    shown, _ = source.locate(path)
    return path[-1:] != ("trainer_type",), source.lines.get(shown, 0)


def _paragraph(path: Path, error: Any, source: Source) -> str:
    shown, where = source.locate(path)
    key = ".".join(shown)
    if error["type"] == "extra_forbidden":
        owners = trainers_with(path[-1]) if path[-2:-1] == ("hyperparameters",) else []
        if owners:
            return f"{where}: `{key}` is a setting of trainer {' and '.join(owners)}, and not of this run's. Remove it."
        return f"{where}: unknown key `{key}`. {did_you_mean(path[-1], names_at(path[:-1]))}"
    return f"{where}: `{key}` {_complaint(error)}"


def _complaint(error: Any) -> str:
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return "is missing."
    if kind == "cross_field":
        return str(error["msg"])
    template = _EXPECTED.get(kind)
    expected = template.format_map(context) if template else f"is not right: {error['msg']}"
    came = f"{expected}, but is {describe(given)}."
    if kind == "literal_error" and isinstance(given, str):
        options = [option.strip(" '") for option in context["expected"].replace(" or ", ",").split(",")]
        match = nearest(given, options)
        return came + (f" The nearest valid name is `{match}`." if match else "")
    if kind in {"int_type", "float_type"} and isinstance(given, str) and _is_number(given):
        return came + " Remove the quotes."
    return came


def _is_number(text: str) -> bool:
    value = plain_scalar(text)
    return isinstance(value, int | float) and not isinstance(value, bool)
