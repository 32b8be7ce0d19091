"""Names of variants as Spinning Up makes them, and runs of many."""

import json
from pathlib import Path

import pytest
import torch

import spinup_helpers
from amble.errors import AmbleError, UsageError
from amble.spinup import ExperimentGrid, ppo_pytorch
from spinup_helpers import progress


def test_names() -> None:
    grid = ExperimentGrid("ppo-bench")
    grid.add("env_name", "CartPole-v1", "", in_name=True)
    grid.add("seed", [0, 10])
    grid.add("epochs", 10)
    grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
    grid.add("ac_kwargs:activation", [torch.nn.Tanh, torch.nn.ReLU], "")
    grid.add("lam", [0.9, 0.97])
    variants = grid.variants()
    assert len(variants) == 16
    assert variants[0] == {
        "env_name": "CartPole-v1",
        "seed": 0,
        "epochs": 10,
        "ac_kwargs": {"hidden_sizes": (32,), "activation": torch.nn.Tanh},
        "lam": 0.9,
    }
    assert grid.variant_name(variants[0]) == "ppo-bench_cartpole-v1_hid32_tanh_lam0-9"
    assert grid.variant_name(variants[-1]) == "ppo-bench_cartpole-v1_hid64-64_relu_lam0-97"


def test_default_shorthands_and_booleans() -> None:
    grid = ExperimentGrid()
    grid.add("steps_per_epoch", [1, 2])
    grid.add("ac_kwargs:hidden_sizes", 3, in_name=True)
    grid.add("v_clip", [True, False])
    names = [grid.variant_name(variant) for variant in grid.variants()]
    assert names == ["ste1_ac-hid3_vc", "ste1_ac-hid3", "ste2_ac-hid3_vc", "ste2_ac-hid3"]


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    grid = ExperimentGrid("g")
    grid.add("seed", [0, 1, 2])
    grid.add("lam", [0.9, 1.0])
    grid.print()
    shown = capsys.readouterr().out
    assert "counting seeds: 6\n" in shown
    assert "not counting seeds: 2\n" in shown


def test_two_by_two_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = ExperimentGrid("tiny")
    grid.add("env_name", "probes:PaidAction-v0")
    grid.add("seed", [0, 1])
    grid.add("lam", [0.5, 1])
    for key, value in {"epochs": 2, "steps_per_epoch": 16, "train_pi_iters": 1, "train_v_iters": 1}.items():
        grid.add(key, value)
    folders = grid.run(ppo_pytorch, num_cpu=2, data_dir=tmp_path)
    assert folders == {
        f"tiny_lam{lam}_s{seed}": tmp_path / f"tiny_lam{lam}" / f"tiny_lam{lam}_s{seed}"
        for lam in ("0-5", "1")
        for seed in (0, 1)
    }
    for folder in folders.values():
        assert len(progress(folder)) == 2
        config = json.loads((folder / "config.json").read_text())
        assert config["exp_name"] == folder.parent.name
        assert config["seed"] == int(folder.name[-1])
        assert "AverageEpRet" in (folder / "output.txt").read_text()
    assert "tiny_lam1_s1: done after" in capsys.readouterr().out


def test_one_that_fails_is_named_and_stops_no_other(tmp_path: Path) -> None:
    grid = ExperimentGrid("g")
    grid.add("how", ["raise", "vanish", "fine"])
    with pytest.raises(AmbleError) as failure:
        grid.run(spinup_helpers.fragile, num_cpu=2, data_dir=tmp_path)
    assert "2 of 3 variants failed, the others are done" in str(failure.value)
    assert "g_howraise_s0: RuntimeError: told to raise" in str(failure.value)
    assert "g_howvanish_s0: its process ended with exit code 7" in str(failure.value)
    assert (tmp_path / "g_howfine/g_howfine_s0/done").read_text() == "fine"
    assert "told to raise" in (tmp_path / "g_howraise/g_howraise_s0/output.txt").read_text()


def test_refusals(tmp_path: Path) -> None:
    grid = ExperimentGrid("g")
    grid.add("ac_kwargs:hidden_sizes", [(4,)])
    with pytest.raises(UsageError, match="`ac_kwargs` was added before, as `ac_kwargs:hidden_sizes`"):
        grid.add("ac_kwargs", {})
    with pytest.raises(UsageError, match="the key is 'a::b'"):
        grid.add("a::b", 1)
    with pytest.raises(UsageError, match="`lam` has no values"):
        grid.add("lam", [])
    with pytest.raises(UsageError, match="num_cpu is 0, expected 'auto' or at least 1"):
        grid.run(ppo_pytorch, num_cpu=0)
    with_lambda = ExperimentGrid("g")
    with_lambda.add("env_fn", lambda: None)
    with pytest.raises(UsageError, match=r"g_s0: `env_fn` cannot go to another process .*`env_name`"):
        with_lambda.run(ppo_pytorch, data_dir=tmp_path)
    alike = ExperimentGrid("g")
    alike.add("lam", [0.1, "0.1"])
    with pytest.raises(UsageError, match="2 variants are named g_lam0-1_s0"):
        alike.run(ppo_pytorch, data_dir=tmp_path)
    assert not list(tmp_path.iterdir())
