"""A trained actor-critic on disk: safetensors and JSON, sealed with checksums, where Spinning Up pickles a module.

    output_dir/actor_critic/
        actor_critic.safetensors   every weight
        actor_critic.json          spaces and ac_kwargs
        manifest.json              format version and the sha256 of the other two

Reading one runs nothing of its content, so the class is not taken from the file: whoever loads an actor-critic of
their own names its class, as they did for training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
from torch import nn

import amble
from amble.errors import AmbleError, UsageError
from amble.spinup.actor_critic import MLPActorCritic
from amble.spinup.logger import readable
from amble.training import files
from amble.training.checkpoint import tensors_from_bytes, tensors_to_bytes
from amble.training.spaces import space_from_json, space_to_json

FOLDER, FORMAT, FORMAT_VERSION = "actor_critic", "amble-spinup-actor-critic", 1
_TENSORS, _SPEC = "actor_critic.safetensors", "actor_critic.json"
_FILE_BYTES_MAX = 4 * 2**30
_ACTIVATIONS = {
    module.__name__: module for module in (nn.Tanh, nn.ReLU, nn.ELU, nn.SiLU, nn.GELU, nn.LeakyReLU)
}


def save_actor_critic(
    output_dir: Path, actor_critic: nn.Module, env: gymnasium.Env, ac_kwargs: Mapping[str, Any]
) -> Path:
    """Write `output_dir`/actor_critic, in place of the one that was there; the folder's path comes back."""
    spec = {
        "class": type(actor_critic).__qualname__,
        "observation_space": space_to_json(env.observation_space),
        "action_space": space_to_json(env.action_space),
        "ac_kwargs": readable(ac_kwargs),
    }
    contents = {
        _TENSORS: tensors_to_bytes(actor_critic.state_dict()),
        _SPEC: json.dumps(spec, indent=1).encode(),
    }
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": {"amble": amble.__version__},
    }
    files.write_sealed(output_dir / FOLDER, contents, manifest)
    return output_dir / FOLDER


def load_actor_critic(
    output_dir: str | Path,
    actor_critic: Callable = MLPActorCritic,
    ac_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """The actor-critic that a run in `output_dir` saved last.

    Args:
        output_dir: the run's.
        actor_critic: the class it was trained with.
        ac_kwargs: as for training; by default those that were saved, which do for the default class.

    Raises:
        AmbleError: none is there, a file is damaged, or its weights are those of other nets.
    """
    directory = files.standing(Path(output_dir) / FOLDER)
    if not directory.is_dir():
        raise AmbleError(f"{directory}: no actor-critic is there. A run writes one with its first epoch.")
    _, contents = files.read_sealed(directory, (_TENSORS, _SPEC), FORMAT, FORMAT_VERSION, _FILE_BYTES_MAX)
    spec = files.parse_json(directory / _SPEC, contents[_SPEC])
    if spec["class"] != getattr(actor_critic, "__qualname__", None):
        raise UsageError(
            f"{directory}: its class is {spec['class']}, not {getattr(actor_critic, '__qualname__', actor_critic)}. "
            "Pass the one it was trained with as actor_critic."
        )
    if ac_kwargs is None:
        ac_kwargs = dict(spec["ac_kwargs"])
        if actor_critic is MLPActorCritic and "activation" in ac_kwargs:
            ac_kwargs["activation"] = _activation(directory, ac_kwargs["activation"])
    spaces = space_from_json(spec["observation_space"]), space_from_json(spec["action_space"])
    made = actor_critic(*spaces, **ac_kwargs)
    try:
        made.load_state_dict(tensors_from_bytes(directory / _TENSORS, contents[_TENSORS]))
    except RuntimeError as error:
        raise AmbleError(
            f"{directory}: its weights do not fit the nets ({error}). Pass its ac_kwargs."
        ) from error
    return made


def _activation(directory: Path, name: Any) -> type[nn.Module]:
    if name not in _ACTIVATIONS:
        raise UsageError(
            f"{directory}: its activation is {name!r}, expected one of {', '.join(_ACTIVATIONS)}. "
            "Pass the ac_kwargs it was trained with."
        )
    return _ACTIVATIONS[name]
