"""Lengths of time as a user writes them."""

import re

from amble.errors import UsageError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """`90`, `90s`, `10m`, `10 min`, `1.5h` → seconds; UsageError for anything else."""
    found = re.fullmatch(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*(s|m|min|h)?\s*", text)
    if found is None:
        raise UsageError(
            f"`{text}` is no length of time: give seconds (90), or a number with s, m or h, such as 10m or 1.5h."
        )
    return float(found[1]) * _SECONDS[found[2] or ""]
