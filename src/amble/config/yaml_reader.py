"""YAML to plain values, with the line of every key. Nothing in a file can make it run code or fill memory.

Only mappings, lists and scalars are read; tags (`!!python/object`) are refused outright, and aliases are
counted where they are used, so that a "billion laughs" file is refused and not expanded.

Plain scalars are resolved here: YAML 1.2, where `3e-4` is a number (PyYAML takes it for text), and with
ML-Agents' habits on top (`1_000_000`, `.5`, `-.5e3`).
"""

# ruamel.yaml annotates its nodes only in part.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, Event
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from amble.errors import UsageError

Path = tuple[str, ...]

_LONGEST_TEXT = 1_000_000
_DEEPEST = 32
_MOST_VALUES = 20_000

_INT = re.compile(r"[-+]?[0-9][0-9_]{0,60}")
_BASED_INT = re.compile(r"0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True)
class Document:
    """What a YAML text says, and on which line (from 1) it says it."""

    name: str
    values: dict[str, Any]
    lines: dict[Path, int]


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def read_document(text: str, name: str) -> Document:
    """`text` as a mapping, with lines; `name` is what messages call it."""
    lines: dict[Path, int] = {}
    values = _read(text, name, lines)
    if not isinstance(values, dict):
        kind = "nothing" if values is None else describe(values)
        raise UsageError(
            f"{name}: a run file is a mapping of keys such as `behaviors:`, but this holds {kind}."
        )
    return Document(name, values, lines)


def read_value(text: str, name: str) -> Any:
    """`text` as one YAML value: a scalar, a list in brackets or a mapping in braces."""
    return _read(text, name, {})


def describe(value: object) -> str:
    """A value as it came, with its kind, for an error message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null (nothing)"
    if isinstance(value, dict):
        return "a block of keys"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:57] + "..."
        return f"the text {shown!r}"
    return f"the number {value!r}"


def _read(text: str, name: str, lines: dict[Path, int]) -> Any:
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"{name}: more than {_LONGEST_TEXT} characters; this is no run file.")
    yaml = YAML(typ="safe", pure=True)
    try:
        _check_events(yaml, text, name)
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = name if mark is None else f"{name}, line {mark.line + 1}"
        reason = error.problem or error.context or "cannot be read"
        raise UsageError(f"{where}: this is not valid YAML: {reason}.") from error
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{name}: this is not valid YAML: {' '.join(str(error).split())}.") from error
    return None if node is None else _Builder(name, lines).build(node, (), ())


def _check_events(yaml: YAML, text: str, name: str) -> None:
    """Refuse tags and deep nesting before anything is built; the parser itself does not recurse."""
    depth = 0
    for event in yaml.parse(text):
        tag: object = getattr(event, "tag", None)
        if tag is not None:
            tag = str(tag).replace("tag:yaml.org,2002:", "!!")
            raise UsageError(
                f"{name}, line {_line(event)}: the YAML tag `{tag}` is refused; write the plain value."
            )
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise UsageError(f"{name}: nested more than {_DEEPEST} levels deep; this is no run file.")


class _Builder:
    """Turns YAML nodes into values, keeping the line of each path."""

    def __init__(self, name: str, lines: dict[Path, int]) -> None:
        self._name = name
        self._lines = lines
        self._count = 0

    def build(self, node: Node, path: Path, inside: tuple[int, ...]) -> Any:
        line = _line(node)
        self._lines.setdefault(path, line)
        self._count += 1
        if self._count > _MOST_VALUES:
            raise UsageError(
                f"{self._name}, line {line}: more than {_MOST_VALUES} values once aliases are filled in; "
                f"this is no run file."
            )
        if id(node) in inside:
            raise UsageError(f"{self._name}, line {line}: an alias (`*name`) contains itself.")
        if isinstance(node, ScalarNode):
            text = str(node.value)
            return text if node.style else plain_scalar(text)
        inside = (*inside, id(node))
        if isinstance(node, SequenceNode):
            return [self.build(item, (*path, str(i)), inside) for i, item in enumerate(node.value)]
        return self._mapping(node, path, inside)

    def _mapping(self, node: Node, path: Path, inside: tuple[int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        united: list[Node] = []
        pairs: list[tuple[Node, Node]] = node.value
        for key_node, value_node in pairs:
            key, line = self._key(key_node, path), _line(key_node)
            if key in first_line:
                full = ".".join((*path, key))
                raise UsageError(
                    f"{self._name}, line {line}: the key `{full}` is given twice, first on line "
                    f"{first_line[key]}; remove one."
                )
            first_line[key] = line
            if key == "<<":
                united.extend(value_node.value if isinstance(value_node, SequenceNode) else [value_node])
                continue
            self._lines[(*path, key)] = line
            values[key] = self.build(value_node, (*path, key), inside)
        for other in united:
            if not isinstance(other, MappingNode):
                raise UsageError(
                    f"{self._name}, line {_line(other)}: `<<` needs a mapping to take keys from."
                )
            for key, value in self.build(other, path, inside).items():
                values.setdefault(key, value)
        return values

    def _key(self, node: Node, path: Path) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value)
        where = f"in `{'.'.join(path)}` " if path else ""
        raise UsageError(
            f"{self._name}, line {_line(node)}: a key {where}is a list or a block; keys are names."
        )


def _line(node: Node | Event) -> int:
    mark: Any = node.start_mark
    return mark.line + 1
