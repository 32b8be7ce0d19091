import json

import numpy as np
import pytest
import torch
from gymnasium import spaces

from amble.errors import AmbleError
from amble.training.policy_files import read_policy, write_policy
from amble.training.spaces import space_from_json, space_to_json

SPEC = {
    "env_id": "amble/Walker-v0",
    "env_kwargs": {"strength": 0.5},
    "observation_space": space_to_json(spaces.Box(-np.inf, np.inf, (3,), np.float32)),
}


def test_comes_back(tmp_path):
    assert write_policy(tmp_path / "policy", {"w": torch.tensor([1 / 3])}, SPEC) == tmp_path / "policy"
    tensors, spec = read_policy(tmp_path / "policy")
    assert torch.equal(tensors["w"], torch.tensor([1 / 3]))
    assert spec == SPEC
    assert space_from_json(spec["observation_space"]).shape == (3,)
    assert sorted(path.name for path in (tmp_path / "policy").iterdir()) == [
        "manifest.json",
        "policy.json",
        "policy.safetensors",
    ]


def test_the_spec_reads_as_json(tmp_path):
    write_policy(tmp_path / "policy", {}, SPEC)
    assert json.loads((tmp_path / "policy" / "policy.json").read_text()) == SPEC


def test_a_later_one_replaces_it(tmp_path):
    for number in (1, 2):
        write_policy(tmp_path / "policy", {f"w{number}": torch.ones(1)}, {"number": number})
    tensors, spec = read_policy(tmp_path / "policy")
    assert (list(tensors), spec) == (["w2"], {"number": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]


def test_no_policy_there(tmp_path):
    with pytest.raises(
        AmbleError, match=r"policy: no policy is there. A run writes one with its first checkpoint"
    ):
        read_policy(tmp_path / "policy")


@pytest.mark.parametrize("name", ["policy.json", "policy.safetensors"])
def test_an_edited_file_is_refused(tmp_path, name):
    path = write_policy(tmp_path / "policy", {"w": torch.ones(3)}, SPEC) / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    with pytest.raises(AmbleError, match=rf"{name}: its sha256"):
        read_policy(tmp_path / "policy")


def test_a_checkpoint_is_no_policy(tmp_path):
    path = write_policy(tmp_path / "policy", {}, SPEC) / "manifest.json"
    path.write_text(path.read_text().replace("amble-policy", "amble-checkpoint"))
    with pytest.raises(AmbleError, match="expected the format 'amble-policy', found 'amble-checkpoint'"):
        read_policy(tmp_path / "policy")


def test_a_spec_that_is_no_json_is_refused_and_the_old_one_stays(tmp_path):
    write_policy(tmp_path / "policy", {}, SPEC)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_policy(tmp_path / "policy", {}, {"low": float("-inf")})
    with pytest.raises(TypeError, match=r"spec\.net: ndarray"):
        write_policy(tmp_path / "policy", {}, {"net": np.ones(2)})
    assert read_policy(tmp_path / "policy")[1] == SPEC
