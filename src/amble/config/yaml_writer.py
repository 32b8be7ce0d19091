"""A run's settings as YAML text that reads back equal, every value explicit."""

import json
import re
from typing import Any, cast

from amble.config.run import RunConfig
from amble.config.yaml_reader import plain_scalar

_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def to_yaml(config: RunConfig) -> str:
    """The text of `run.yaml`: `load_run` on it gives an object equal to `config`."""
    lines = ["# Amble run file, everything resolved."]
    _write_block(config.model_dump(), "", lines)
    return "\n".join(lines) + "\n"


def _write_block(block: dict[str, Any], indent: str, lines: list[str]) -> None:
    for key, value in block.items():
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{_text(key)}:")
            _write_block(cast("dict[str, Any]", value), indent + "  ", lines)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{indent}{_text(key)}:")
            for item in cast("list[dict[str, Any]]", value):
                first = len(lines)
                _write_block(item, indent + "    ", lines)
                lines[first] = f"{indent}  - {lines[first].lstrip()}"
        else:
            lines.append(f"{indent}{_text(key)}: {_flow(value)}")


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in cast('list[Any]', value))}]"
    return json.dumps(value)  # numbers, true, false, null and {} are the same in JSON and YAML


def _text(text: str) -> str:
    """Plain where that cannot be mistaken for another value, else in double quotes."""
    if _PLAIN_TEXT.fullmatch(text) and plain_scalar(text) == text:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in quoted)
