"""The valid name a mistyped one most likely meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The closest of `names` to `name`, upper and lower case alike, or None when nothing is close."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    matches = get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A sentence that offers the nearest valid name, or all of them when none is near."""
    choices = list(names)
    match = nearest(name, choices)
    if match is not None:
        return f"The nearest valid name is `{match}`."
    if not choices:
        return "No names are valid there."
    return f"Valid names: {', '.join(f'`{choice}`' for choice in choices)}."
