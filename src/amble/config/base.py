"""What every block of the run file shares: frozen, strict, no unknown keys, and the kinds of numbers."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from amble.config.trainers import not_supported

_LARGEST_COUNT = 2**63 - 1  # a NumPy counter holds no more


class Settings(BaseModel):
    """A block of the run file: never mutated, never lenient, written out with every value explicit."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _whole(value: object) -> object:
    """ML-Agents accepts `5e5` where a whole number is meant, so an integral float is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flag(value: object) -> object:
    """ML-Agents reads YAML 1.1, where yes/no/on/off are booleans; in YAML 1.2 they arrive as text."""
    if isinstance(value, str):
        return {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
    return value


def _refuse(value: object) -> object:
    if value is not None:
        raise ValueError(not_supported())
    return value


def refused(instead: str) -> BeforeValidator:
    """For an ML-Agents block that we do not do: null passes, anything else is refused with what to do instead."""

    def check(value: object) -> object:
        if value is not None:
            raise ValueError(f"is not supported: {instead}")
        return value

    return BeforeValidator(check)


def refused_if_true(instead: str) -> AfterValidator:
    """For an ML-Agents switch that we do not do: false passes, true is refused with what to do instead."""

    def check(value: bool) -> bool:
        if value:
            raise ValueError(f"cannot be true: {instead}")
        return value

    return AfterValidator(check)


def _plain(value: Any) -> Any:
    """A number, a text, true/false, null, or a list of those: what a keyword argument may hold."""
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    for item in items:
        if not (item is None or isinstance(item, str | bool | int | float)):
            raise ValueError("must be a number, a text, true, false, null or a list of those.")
        if isinstance(item, float) and not abs(item) < float("inf"):
            raise ValueError("must be a finite number.")
    return cast("Any", value)


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-_LARGEST_COUNT, le=_LARGEST_COUNT)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=_LARGEST_COUNT)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
UnitInterval = Annotated[float, Field(ge=0, le=1)]
Flag = Annotated[bool, BeforeValidator(_flag)]
FlagOrAuto = Annotated[Literal[True, False, "auto"], BeforeValidator(_flag)]
Plain = Annotated[Any, AfterValidator(_plain)]

Unsupported = Annotated[None, BeforeValidator(_refuse)]
"""An ML-Agents block we know and do not do: null passes, anything else is refused by name."""
