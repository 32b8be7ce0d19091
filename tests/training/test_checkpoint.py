import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from amble.errors import AmbleError
from amble.training.checkpoint import (
    checkpoint_versions,
    latest_checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from amble.training.files import DamagedFileError

FLAT = torch.arange(6.0)
TENSORS = {
    "float64": torch.tensor([1 / 3, -0.0, float("inf"), 5e-324], dtype=torch.float64),
    "nan": torch.tensor([float("nan")]),
    "int64": torch.tensor([2**63 - 1, -(2**63)]),
    "bool": torch.tensor([[True], [False]]),
    "bfloat16": torch.tensor([1.5], dtype=torch.bfloat16),
    "uint8": torch.arange(256, dtype=torch.uint8),
    "scalar": torch.tensor(3.25),
    "empty": torch.empty(0, 4, dtype=torch.float64),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "view of one storage": FLAT[1:3],
    "another": FLAT[2:],
    "leaf": torch.nn.Parameter(torch.ones(2)),
}
STATE = {"step": 10**15, "seed": 2**127, "none": None, "flags": [True, 1, 1.0], "x": 0.1, "deep": {"ü": []}}


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def save(directory, step, keep=5, value=None):
    value = float(step if value is None else value)
    return save_checkpoint(directory, step, {"w": torch.tensor(value)}, {"value": value}, keep)


def value_of(path):
    tensors, state = load_checkpoint(path)
    assert tensors["w"].item() == state["value"]
    return state["value"]


class TestRoundTrip:
    def test_every_bit_comes_back(self, tmp_path):
        path = save_checkpoint(tmp_path / "checkpoints", 123456, TENSORS, STATE)
        assert path == tmp_path / "checkpoints" / "step-000000123456"
        tensors, state = load_checkpoint(path)
        assert list(tensors) == sorted(TENSORS)
        for name, tensor in TENSORS.items():
            back = tensors[name]
            assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
            raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
            assert torch.equal(back.reshape(-1).view(torch.uint8), raw), name
        assert state == STATE
        assert type(state["flags"][0]) is bool
        assert type(state["flags"][2]) is float

    def test_what_comes_back_can_be_written_to_apart(self, tmp_path):
        tensors, _ = load_checkpoint(save_checkpoint(tmp_path, 1, TENSORS, {}))
        tensors["another"] += 1
        assert tensors["view of one storage"].tolist() == [1.0, 2.0]

    def test_numpy_scalars_and_tuples_become_plain(self, tmp_path):
        state = {"a": np.int64(2**40), "b": np.float32(0.1), "c": (1, 2)}
        _, back = load_checkpoint(save_checkpoint(tmp_path, 1, {}, state))
        assert back == {"a": 2**40, "b": float(np.float32(0.1)), "c": [1, 2]}

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            ({"a": {3: 1}}, r"state\.a: JSON keys are strings, got 3"),
            ({"a": [0, torch.ones(1)]}, r"state\.a\[1\]: Tensor is not JSON"),
            ({"rng": np.zeros(2)}, r"state\.rng: ndarray is not JSON"),
        ],
    )
    def test_a_state_that_json_would_change_is_refused_and_nothing_written(self, tmp_path, state, message):
        with pytest.raises(TypeError, match=message):
            save_checkpoint(tmp_path, 1, {}, state)
        assert names(tmp_path) == []

    def test_there_is_no_pickle_in_it(self, tmp_path):
        path = save_checkpoint(tmp_path, 1, TENSORS, STATE)
        assert names(path) == ["manifest.json", "state.json", "tensors.safetensors"]
        json.loads((path / "state.json").read_text())
        assert b"torch" not in (path / "tensors.safetensors").read_bytes()

    def test_it_says_what_wrote_it(self, tmp_path):
        versions = checkpoint_versions(save(tmp_path, 1))
        assert versions["torch"] == torch.__version__
        assert set(versions) == {"amble", "torch", "numpy", "python", "machine"}


class TestKeeping:
    def test_the_newest_are_kept(self, tmp_path):
        for step in (900, 1000, 1_000_000_000_000, 1100 + 10**12):
            save(tmp_path, step, keep=2)
        assert [path.name for path in list_checkpoints(tmp_path)] == [
            "step-1000000001100",
            "step-1000000000000",
        ]
        assert names(tmp_path) == ["step-1000000000000", "step-1000000001100"]

    def test_the_same_step_is_replaced(self, tmp_path):
        save(tmp_path, 5, value=1)
        save(tmp_path, 10, value=2)
        assert value_of(save(tmp_path, 10, value=3)) == 3
        assert names(tmp_path) == ["step-000000000005", "step-000000000010"]

    def test_a_run_that_went_back_loses_its_abandoned_future_and_never_what_it_just_wrote(
        self, tmp_path, caplog
    ):
        save(tmp_path, 10)
        save(tmp_path, 30)
        save(tmp_path, 20, keep=1)
        assert names(tmp_path) == ["step-000000000020"]
        assert "step-000000000030: the run went on from before it" in caplog.text

    def test_strangers_stay(self, tmp_path):
        (tmp_path / "step-000000000001-mine").mkdir()
        (tmp_path / "notes.txt").write_text("")
        save(tmp_path, 10, keep=1)
        save(tmp_path, 20, keep=1)
        assert names(tmp_path) == ["notes.txt", "step-000000000001-mine", "step-000000000020"]

    @pytest.mark.parametrize(("step", "keep"), [(-1, 5), (1, 0)])
    def test_arguments_out_of_range(self, tmp_path, step, keep):
        with pytest.raises(ValueError, match=r"expected keep|counts from 0"):
            save_checkpoint(tmp_path, step, {}, {}, keep)


class TestLatest:
    def test_none_where_there_is_none(self, tmp_path):
        assert latest_checkpoint(tmp_path) is None
        assert latest_checkpoint(tmp_path / "nowhere") is None

    def test_the_newest_without_a_word(self, tmp_path, caplog):
        save(tmp_path, 10)
        save(tmp_path, 20)
        assert value_of(latest_checkpoint(tmp_path)) == 20
        assert caplog.text == ""

    def test_a_damaged_one_is_passed_over_loudly(self, tmp_path, caplog):
        save(tmp_path, 10)
        damaged = save(tmp_path, 20) / "tensors.safetensors"
        damaged.write_bytes(damaged.read_bytes()[:-1])
        with caplog.at_level(logging.WARNING):
            assert value_of(latest_checkpoint(tmp_path)) == 10
        assert f"{damaged}: expected" in caplog.text
        assert f"going back to the checkpoint {tmp_path / 'step-000000000010'}" in caplog.text

    def test_all_damaged_is_an_error_and_not_a_fresh_start(self, tmp_path):
        for step in (10, 20):
            (save(tmp_path, step) / "manifest.json").unlink()
        with pytest.raises(
            AmbleError, match=r"not one of its 2 checkpoints loads.*000020/manifest\.json: .*missing"
        ):
            latest_checkpoint(tmp_path)

    def test_of_one_step_the_newer_is_taken(self, tmp_path):
        older = save(tmp_path, 20, value=1).rename(tmp_path / "aside")
        save(tmp_path, 20, value=2)
        older.rename(tmp_path / "step-000000000020.replaced")
        assert value_of(latest_checkpoint(tmp_path)) == 2
        save(tmp_path, 30)
        assert names(tmp_path) == ["step-000000000020", "step-000000000030"]

    def test_the_older_of_one_step_is_taken_where_a_kill_left_only_that(self, tmp_path):
        save(tmp_path, 10)
        save(tmp_path, 20).rename(tmp_path / "step-000000000020.replaced")
        assert value_of(latest_checkpoint(tmp_path)) == 20
        save(tmp_path, 30, keep=2)
        assert names(tmp_path) == ["step-000000000010", "step-000000000030"]


class TestDamage:
    @pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
    def test_any_flipped_bit_and_any_cut_is_found(self, tmp_path, name):
        path = save_checkpoint(tmp_path, 1, {"w": torch.arange(40.0)}, STATE)
        good = (path / name).read_bytes()
        for position in np.linspace(0, len(good) - 1, 64).astype(int):
            bad = bytearray(good)
            bad[position] ^= 1 << (position % 8)
            (path / name).write_bytes(bad)
            with pytest.raises(DamagedFileError, match=rf"{name}: its sha256"):
                load_checkpoint(path)
        for length in np.linspace(0, len(good) - 1, 16).astype(int):
            (path / name).write_bytes(good[:length])
            with pytest.raises(
                DamagedFileError, match=rf"{name}: expected {len(good)} bytes, found {length}"
            ):
                load_checkpoint(path)

    def test_a_flipped_bit_in_the_manifest_never_changes_what_is_loaded(self, tmp_path):
        path = save(tmp_path, 8)
        manifest = path / "manifest.json"
        good = manifest.read_bytes()
        found = 0
        for position in range(len(good)):
            bad = bytearray(good)
            bad[position] ^= 1
            manifest.write_bytes(bad)
            try:
                assert value_of(path) == 8
            except DamagedFileError:
                found += 1
            except AmbleError:  # it reads as another format or version
                found += 1
        assert found > len(good) / 2

    def test_a_renamed_checkpoint_is_found(self, tmp_path):
        path = save(tmp_path, 8).rename(tmp_path / "step-000000000009")
        with pytest.raises(
            DamagedFileError, match="is of step 8, but the directory is named step-000000000009"
        ):
            load_checkpoint(path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\x80\x04\x95", r"header claims"),  # the beginning of a pickle
            ((2**62).to_bytes(8, "little") + b"{}", rf"header claims {2**62} bytes of a file of 10"),
            ((2).to_bytes(8, "little") + b"[]", r"no valid safetensors file"),
        ],
    )
    def test_a_forged_file_with_a_true_checksum_is_refused(self, tmp_path, content, message, monkeypatch):
        monkeypatch.setattr("amble.training.checkpoint.tensors_to_bytes", lambda tensors: content)
        with pytest.raises(DamagedFileError, match=message):
            load_checkpoint(save(tmp_path, 1))


class TestFaults:
    @pytest.mark.parametrize("case", ["newer", "same", "policy"])
    def test_killed_at_every_file_operation_the_old_or_the_new_loads(self, tmp_path, case):
        script = Path(__file__).with_name("kill_points.py")
        result = subprocess.run(
            [sys.executable, script, tmp_path, case], capture_output=True, text=True, timeout=120, check=False
        )
        assert result.returncode == 0, result.stderr
        lines = [line.split() for line in result.stdout.splitlines()]
        assert len(lines) > 15
        assert [line[1] for line in lines] == ["killed"] * (len(lines) - 1) + ["finished"]
        found = [int(line[2]) for line in lines]
        assert found == sorted(found)  # once the new one is there, it stays
        assert (found[0], found[-1]) == (1, 2)
        assert {line[3] for line in lines} == {"3"}
        assert {line[4] for line in lines} == {"0"}

    def test_a_full_disk_keeps_the_previous_one(self, tmp_path):
        save(tmp_path, 10)
        with (
            file_size_limit(20_000),
            pytest.raises(AmbleError, match=r"step-000000000020: cannot be written") as info,
        ):
            save_checkpoint(tmp_path, 20, {"w": torch.zeros(10_000)}, {})
        assert info.value.exit_code == 1
        assert names(tmp_path) == ["step-000000000010"]
        assert value_of(latest_checkpoint(tmp_path)) == 10

    def test_a_vanished_run_is_not_made_anew(self, tmp_path):
        with pytest.raises(AmbleError, match=r"run/checkpoints: cannot be written .*removed or renamed"):
            save(tmp_path / "run" / "checkpoints", 1)
        assert names(tmp_path) == []

    def test_leftovers_of_a_killed_save_are_swept(self, tmp_path):
        (tmp_path / ".tmp-step-000000000005-77").mkdir()
        save(tmp_path, 10)
        assert names(tmp_path) == ["step-000000000010"]

    def test_an_old_one_that_cannot_be_removed_does_not_fail_the_save(self, tmp_path, monkeypatch, caplog):
        save(tmp_path, 10)
        real = os.rename

        def rename(source, target):
            if "removed" in str(target):
                raise PermissionError(13, "Permission denied")
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
        assert value_of(save(tmp_path, 20, keep=1)) == 20
        assert "step-000000000010 could not be removed" in caplog.text


@contextlib.contextmanager
def file_size_limit(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
