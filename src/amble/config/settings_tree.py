"""The names a run file may hold, read off the models themselves."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from amble.config.behavior import HYPERPARAMETERS, BehaviorSettings
from amble.config.hyperparameters import Hyperparameters
from amble.config.parameters import SAMPLERS, SamplerNumbers
from amble.config.run import RunConfig


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The blocks behind an annotation such as `Block`, `Block | None`, `dict[str, Block]` or `Block | OtherBlock`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _named_by_the_user(annotation: Any) -> bool:
    """Whether the next part of a path is the user's own name, as in `behaviors`, or a place in a list."""
    return any(get_origin(part) in (dict, list) for part in (annotation, *get_args(annotation)))


def _names_of(model: type[BaseModel]) -> list[str]:
    """Its keys; where another key says what a block is (`trainer_type`, `sampler_type`), those of every kind."""
    kinds: dict[type[BaseModel], list[type[BaseModel]]] = {
        Hyperparameters: [*HYPERPARAMETERS.values()],
        SamplerNumbers: [*SAMPLERS.values()],
    }
    return list(dict.fromkeys(name for one in kinds.get(model, [model]) for name in one.model_fields))


def trainers_with(name: str) -> list[str]:
    """The trainers that have a hyperparameter of this name."""
    return [trainer for trainer, model in HYPERPARAMETERS.items() if name in model.model_fields]


def names_at(path: tuple[str, ...]) -> list[str]:
    """The keys valid below `path`, from the top of the file; none where the keys are the user's own."""
    models: list[type[BaseModel]] = [RunConfig]
    parts = iter(path)
    for part in parts:
        annotation = next((m.model_fields[part].annotation for m in models if part in m.model_fields), None)
        models = _models_in(annotation)
        if not models or (_named_by_the_user(annotation) and next(parts, None) is None):
            return []
    return list(dict.fromkeys(name for model in models for name in _names_of(model)))


def dotted_names(model: type[BaseModel] = BehaviorSettings, prefix: str = "") -> Iterator[str]:
    """Every key below `model` as a dotted path: `hyperparameters`, `hyperparameters.batch_size`, …"""
    for name in _names_of(model):
        yield prefix + name
        field = model.model_fields.get(name)
        if field is None or _named_by_the_user(field.annotation):
            continue
        for inner in _models_in(field.annotation):
            if inner is BehaviorSettings:
                continue
            yield from dotted_names(inner, f"{prefix}{name}.")
