"""The files of a run are those that Spinning Up's plotter reads: read here with nothing but csv and json."""

import csv
import io
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from amble.errors import AmbleError, UsageError
from amble.spinup import (
    MLPActorCritic,
    load_actor_critic,
    ppo_pytorch,
    setup_logger_kwargs,
    trpo_pytorch,
    vpg_pytorch,
)
from amble.spinup.logger import Logger
from spinup_helpers import SMALL, OneNumber, probe, progress, quiet

HEAD = [
    *("Epoch", "AverageEpRet", "StdEpRet", "MaxEpRet", "MinEpRet", "EpLen"),
    *("AverageVVals", "StdVVals", "MaxVVals", "MinVVals", "TotalEnvInteracts"),
    *("LossPi", "LossV", "DeltaLossPi", "DeltaLossV"),
]
COLUMNS = {
    vpg_pytorch: [*HEAD, "Entropy", "KL", "Time"],
    ppo_pytorch: [*HEAD, "Entropy", "KL", "ClipFrac", "StopIter", "Time"],
    trpo_pytorch: [*HEAD, "KL", "BacktrackIters", "Time"],
}


@pytest.mark.parametrize("function", COLUMNS, ids=lambda function: function.__name__)
def test_the_files_of_a_run(function: Any, tmp_path: Path) -> None:
    stream = io.StringIO()
    arguments = {**SMALL, "epochs": 2, "seed": 3}
    function(
        probe("Discounting"),
        logger_kwargs={"output_dir": str(tmp_path / "a/b"), "exp_name": "two", "stream": stream},
        **arguments,
    )
    with (tmp_path / "a/b/progress.txt").open() as file:
        table = list(csv.reader(file, delimiter="\t"))
    assert table[0] == COLUMNS[function]
    assert len(table) == 3
    rows = progress(tmp_path / "a/b")
    assert [row["Epoch"] for row in rows] == [0, 1]
    assert [row["TotalEnvInteracts"] for row in rows] == [64, 128]
    assert rows[0]["AverageEpRet"] == rows[0]["MaxEpRet"] == 1
    assert rows[0]["StdEpRet"] == 0
    assert rows[0]["EpLen"] == 2

    config = json.loads((tmp_path / "a/b/config.json").read_text())
    assert config["exp_name"] == "two"
    assert config["ac_kwargs"] == {"hidden_sizes": [16]}
    assert config["actor_critic"] == "MLPActorCritic"
    assert {name: config[name] for name in ("seed", "epochs", "gamma", "vf_lr", "lam")} == {
        "seed": 3,
        "epochs": 2,
        "gamma": 0.9,
        "vf_lr": 0.01,
        "lam": 0.97,
    }
    assert re.search(r"^\| +AverageEpRet \| +1 \|$", stream.getvalue(), re.M)
    assert "Number of parameters: pi" in stream.getvalue()


def test_an_epoch_that_ends_no_episode_has_no_return(tmp_path: Path) -> None:
    vpg_pytorch(probe("Endless", limit=10**9), epochs=1, logger_kwargs=quiet(tmp_path), **SMALL)
    row = progress(tmp_path)[0]
    assert math.isnan(row["AverageEpRet"])
    assert math.isnan(row["EpLen"])


def test_setup_logger_kwargs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup_logger_kwargs("ppo") == {"output_dir": "data/ppo", "exp_name": "ppo"}
    assert setup_logger_kwargs("ppo", 3, "d")["output_dir"] == "d/ppo/ppo_s3"
    monkeypatch.setattr(time, "localtime", lambda: time.struct_time((2026, 1, 2, 3, 4, 5, 4, 2, 0)))
    stamped = setup_logger_kwargs("ppo", 0, "d", datestamp=True)["output_dir"]
    assert stamped == "d/2026-01-02_ppo/2026-01-02_03-04-05-ppo_s0"
    assert setup_logger_kwargs("ppo", None, "d", datestamp=True)["output_dir"] == "d/2026-01-02_ppo"


def test_a_folder_of_its_own_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    one, other = Logger(stream=io.StringIO()), Logger(stream=io.StringIO())
    assert one.output_dir != other.output_dir
    assert one.output_dir.parent == tmp_path / "experiments"
    one.close()
    other.close()


def test_a_table_written_anew_is_said(tmp_path: Path) -> None:
    for words in ("Logging data to", "progress.txt is there already"):
        stream = io.StringIO()
        Logger(tmp_path, stream=stream).close()
        assert words in stream.getvalue()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AmbleError, match=r"file/out/progress.txt: cannot be written \(Not a dir.*output_dir"):
        Logger(tmp_path / "file" / "out", stream=io.StringIO())


def test_saved_and_loaded(tmp_path: Path) -> None:
    """Every second epoch and the last, after its update; the activation by name."""
    ac = ppo_pytorch(
        probe("PaidAction", continuous=True),
        epochs=2,
        logger_kwargs=quiet(tmp_path),
        **{**SMALL, "ac_kwargs": {"hidden_sizes": [8, 4], "activation": torch.nn.ReLU}},
    )
    assert sorted(path.name for path in (tmp_path / "actor_critic").iterdir()) == [
        "actor_critic.json",
        "actor_critic.safetensors",
        "manifest.json",
    ]
    loaded = load_actor_critic(tmp_path)
    assert isinstance(loaded, MLPActorCritic)
    assert isinstance(loaded.pi.mu_net[1], torch.nn.ReLU)
    assert all(torch.equal(a, b) for a, b in zip(ac.parameters(), loaded.parameters(), strict=True))
    assert loaded.act(torch.zeros(1)).shape == (1,)


def test_loading_ones_own_class_and_what_goes_wrong(tmp_path: Path) -> None:
    with pytest.raises(AmbleError, match="no actor-critic is there"):
        load_actor_critic(tmp_path)
    ac = vpg_pytorch(
        probe("PaidAction", continuous=True),
        OneNumber,
        {"bias": 0.5},
        epochs=1,
        steps_per_epoch=8,
        logger_kwargs=quiet(tmp_path),
    )
    loaded = load_actor_critic(tmp_path, OneNumber)
    assert torch.equal(loaded.v.value, ac.v.value)
    with pytest.raises(UsageError, match="its class is OneNumber, not MLPActorCritic"):
        load_actor_critic(tmp_path)
    weights = tmp_path / "actor_critic" / "actor_critic.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(AmbleError, match=r"actor_critic.safetensors: its sha256 is not the one"):
        load_actor_critic(tmp_path, OneNumber)
