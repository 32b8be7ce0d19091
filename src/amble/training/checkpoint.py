"""Checkpoints: everything a run needs to go on bit for bit; a kill never leaves one half-written.

    checkpoints/step-000000123456/
        tensors.safetensors   parameters, optimiser moments, normalisers, …
        state.json            counters, schedules, states of random generators (`training/random_state.py`)
        manifest.json         format version, step, who wrote it, sha256 of the other two; written last

A checkpoint is never a pickle: reading one runs none of its content.
"""

import json
import logging
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

import amble
from amble.errors import AmbleError
from amble.training import files

_log = logging.getLogger(__name__)

FORMAT = "amble-checkpoint"
FORMAT_VERSION = 1
TENSORS = "tensors.safetensors"
STATE = "state.json"
_FILE_BYTES_MAX = 64 * 2**30
_HEADER_BYTES_MAX = 16 * 2**20
_NAME = re.compile(r"step-(\d{12,18})(?:\.replaced)?")


def save_checkpoint(
    directory: Path, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any], keep: int = 5
) -> Path:
    """Writes the checkpoint of `step`, then removes all but the `keep` newest.

    Checkpoints of a later step are removed too: the run gave up that future by going on from here.

    Args:
        directory: the run's `checkpoints/`; made if only it is missing.
        step: env steps so far, which the checkpoint is named by; one of the same step is replaced.
        tensors: name → tensor of any shape, dtype and device; kept bit for bit, but not their order or
            sharing of memory.
        state: a JSON object (str keys; None, bool, int, float, str, list, dict; tuples come back as lists).
        keep: how many checkpoints to keep, at least 1.

    Returns:
        The checkpoint's directory.

    Raises:
        AmbleError: the disk is full, or the directory is gone or may not be written; older checkpoints stay.
        TypeError: `state` holds what JSON cannot give back, naming the key.
    """
    if step < 0:
        raise ValueError(f"a checkpoint's step counts from 0, got {step}")
    if keep < 1:
        raise ValueError(f"at least the newest checkpoint is kept: expected keep ≥ 1, got {keep}")
    directory = Path(directory)
    contents = {
        TENSORS: tensors_to_bytes(tensors),
        STATE: json.dumps(plain_json(state, "state"), indent=1).encode(),
    }
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "step": step,
        "written_by": {
            "amble": amble.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    }
    with files.named_os_errors(directory):
        directory.mkdir(exist_ok=True)
    files.sweep_temporaries(directory)
    path = directory / f"step-{step:012d}"
    files.write_sealed(path, contents, manifest)
    _prune(directory, step, keep)
    return path


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Reads one checkpoint and verifies every byte of it.

    Args:
        path: the directory `save_checkpoint` returned.

    Returns:
        The tensors, on the CPU and in the order of their names, and the state.

    Raises:
        DamagedFileError: a file is missing, cut short or changed, naming the file.
        AmbleError: it is of another format or a newer version.
    """
    path = Path(path)
    manifest, contents = files.read_sealed(path, (TENSORS, STATE), FORMAT, FORMAT_VERSION, _FILE_BYTES_MAX)
    named = _NAME.fullmatch(path.name)
    if named and manifest.get("step") != int(named[1]):
        raise files.DamagedFileError(
            f"{path / files.MANIFEST}: is of step {manifest.get('step')!r}, "
            f"but the directory is named {path.name}."
        )
    return tensors_from_bytes(path / TENSORS, contents[TENSORS]), files.parse_json(
        path / STATE, contents[STATE]
    )


def below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def checkpoint_versions(path: Path) -> dict[str, str]:
    """What wrote the checkpoint: version of `amble`, `torch`, `numpy`, `python`, and the `machine`.

    A run is promised to go on bit for bit only where these are the same.
    """
    return dict(files.read_json(files.standing(Path(path)) / files.MANIFEST).get("written_by", {}))


def latest_checkpoint(directory: Path) -> Path | None:
    """The newest checkpoint in `directory` that loads; None where there is none at all.

    A damaged newer one is passed over with a logged warning that names the damaged file.

    Raises:
        AmbleError: there are checkpoints, and not one of them loads.
    """
    failures: list[str] = []
    for path in list_checkpoints(directory):
        try:
            load_checkpoint(path)
        except AmbleError as error:
            failures.append(str(error))
            continue
        for failure in failures:
            _log.warning("checkpoint passed over: %s", failure)
        if failures:
            _log.warning("going back to the checkpoint %s", path)
        return path
    if failures:
        raise AmbleError(
            f"{directory}: not one of its {len(failures)} checkpoints loads. The newest: {failures[0]} "
            "Restore the directory from a copy, or start again with --force."
        )
    return None


def list_checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in `directory`, newest first, whether damaged or not."""
    directory = Path(directory)
    if not directory.is_dir():
        return []
    found = [(int(match[1]), path) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))]
    # Of one step, the plain name comes before `.replaced`, which is the older of the two.
    return [path for _, path in sorted(found, key=lambda item: (-item[0], len(item[1].name)))]


def tensors_to_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """`tensors` in the safetensors format; views of one storage are written apart."""
    if "__metadata__" in tensors:
        raise ValueError("a tensor cannot be named '__metadata__': safetensors keeps that name for itself")
    apart = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return safetensors.torch.save(apart)


def tensors_from_bytes(path: Path, data: bytes) -> dict[str, torch.Tensor]:
    """The tensors in safetensors bytes that came from `path`, in the order of their names.

    Raises:
        DamagedFileError: no valid safetensors file, or one with a header out of proportion.
    """
    header_bytes = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header_bytes > min(_HEADER_BYTES_MAX, len(data) - 8):
        raise files.DamagedFileError(
            f"{path}: its header claims {header_bytes} bytes of a file of {len(data)} "
            f"(at most {_HEADER_BYTES_MAX} are read): the file is damaged or not a safetensors file."
        )
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise files.DamagedFileError(f"{path}: no valid safetensors file ({error}).") from error
    return dict(sorted(tensors.items()))


def plain_json(value: Any, name: str) -> Any:
    """`value` rebuilt of what JSON gives back as it was; raises TypeError naming the key of anything else."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name}: JSON keys are strings, got {key!r} of type {type(key).__name__}")
        return {key: plain_json(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{name}[{index}]") for index, item in enumerate(value)]
    raise TypeError(f"{name}: {type(value).__name__} is not JSON; keep arrays among the tensors")


def _prune(directory: Path, step: int, keep: int) -> None:
    for path in _superfluous(directory, step, keep):
        try:
            files.remove_tree(path)
        except OSError as error:
            _log.warning("the old checkpoint %s could not be removed: %s", path, error)


def _superfluous(directory: Path, step: int, keep: int) -> Iterator[Path]:
    kept = 0
    for path in list_checkpoints(directory):
        of_step = int(path.name[5:].removesuffix(files.REPLACED))
        if of_step > step:
            _log.warning("removing the checkpoint %s: the run went on from before it", path)
            yield path
        elif kept == keep or path.name.endswith(files.REPLACED):
            yield path
        else:
            kept += 1
