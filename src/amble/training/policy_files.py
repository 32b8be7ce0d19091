"""A portable policy: one directory from which anyone can act, on any machine.

    policy/
        policy.safetensors   weights and normaliser
        policy.json          what they are: environment, spaces, network, reward
        manifest.json        format version and the sha256 of the other two

Reading one runs nothing of its content.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import amble
from amble.errors import AmbleError
from amble.training import files
from amble.training.checkpoint import plain_json, tensors_from_bytes, tensors_to_bytes

FORMAT = "amble-policy"
FORMAT_VERSION = 1
TENSORS = "policy.safetensors"
SPEC = "policy.json"
_FILE_BYTES_MAX = 4 * 2**30


def write_policy(directory: Path, tensors: Mapping[str, torch.Tensor], spec: Mapping[str, Any]) -> Path:
    """Makes `directory` hold this policy and nothing else, in one step.

    Args:
        directory: e.g. a run's `policy/`; the one above it must exist.
        tensors: name → tensor of any shape, dtype and device.
        spec: a JSON object with finite numbers; spaces through `space_to_json`.

    Returns:
        `directory`.

    Raises:
        AmbleError: the disk is full, or the place is gone or may not be written; the old policy stays.
        TypeError, ValueError: `spec` holds what JSON cannot give back.
    """
    text = json.dumps(plain_json(spec, "spec"), indent=1, allow_nan=False)
    contents = {TENSORS: tensors_to_bytes(tensors), SPEC: text.encode()}
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": {"amble": amble.__version__},
    }
    files.write_sealed(Path(directory), contents, manifest)
    return Path(directory)


def read_policy(directory: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors (on the CPU, in the order of their names) and the spec of a policy, every byte verified.

    Raises:
        AmbleError: there is no policy, a file is damaged (naming it), or its format is not one read here.
    """
    directory = Path(directory)
    if not files.standing(directory).is_dir():
        raise AmbleError(
            f"{directory}: no policy is there. A run writes one with its first checkpoint; "
            "name a run's directory that has come so far."
        )
    _, contents = files.read_sealed(directory, (TENSORS, SPEC), FORMAT, FORMAT_VERSION, _FILE_BYTES_MAX)
    spec = files.parse_json(directory / SPEC, contents[SPEC])
    return tensors_from_bytes(directory / TENSORS, contents[TENSORS]), spec
