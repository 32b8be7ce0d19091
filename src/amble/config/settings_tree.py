"""The names a run file may hold, read off the models themselves."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from amble.config.behavior import HYPERPARAMETERS, BehaviorSettings
from amble.config.hyperparameters import Hyperparameters
from amble.config.run import RunConfig


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The block behind an annotation such as `Block`, `Block | None` or `dict[str, Block]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        model = _model_in(inner)
        if model is not None:
            return model
    return None


def _named_by_the_user(annotation: Any) -> bool:
    """Whether the keys of the block are names of the user's choice, as in `behaviors`."""
    return get_origin(annotation) is dict


def _names_of(model: type[BaseModel]) -> list[str]:
    """Its keys; of `hyperparameters`, those of every trainer, since which one it is stands elsewhere in the file."""
    models = list(HYPERPARAMETERS.values()) if model is Hyperparameters else [model]
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def trainers_with(name: str) -> list[str]:
    """The trainers that have a hyperparameter of this name."""
    return [trainer for trainer, model in HYPERPARAMETERS.items() if name in model.model_fields]


def names_at(path: tuple[str, ...]) -> list[str]:
    """The keys valid below `path`, from the top of the file; none where the keys are the user's own."""
    model: type[BaseModel] = RunConfig
    parts = iter(path)
    for part in parts:
        if part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = _model_in(annotation)
        if inner is None:
            return []
        if _named_by_the_user(annotation) and next(parts, None) is None:
            return []
        model = inner
    return _names_of(model)


def dotted_names(model: type[BaseModel] = BehaviorSettings, prefix: str = "") -> Iterator[str]:
    """Every key below `model` as a dotted path: `hyperparameters`, `hyperparameters.batch_size`, …"""
    for name in _names_of(model):
        yield prefix + name
        field = model.model_fields.get(name)
        if field is None or _named_by_the_user(field.annotation):
            continue
        inner = _model_in(field.annotation)
        if inner is not None and inner is not BehaviorSettings:
            yield from dotted_names(inner, f"{prefix}{name}.")
