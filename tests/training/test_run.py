"""Whole runs: what they leave on disk, and how they end, go on and start from one another."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amble.config import RunConfig, load_run, run_from_env, shipped_policy
from amble.errors import AmbleError, UsageError
from amble.training.checkpoint import load_checkpoint
from amble.training.metrics import REQUIRED
from amble.training.policy import PortablePolicy
from amble.training.policy_files import read_policy
from amble.training.run import train

SMALL = {
    "hyperparameters.buffer_size": 32,
    "hyperparameters.batch_size": 16,
    "hyperparameters.num_epoch": 1,
    "network_settings.hidden_units": 8,
    "network_settings.num_layers": 1,
    "env_settings.num_envs": 4,
    "env_settings.seed": 5,
    "max_steps": 96,
    "checkpoint_interval": 64,
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cartpole(run_id: str = "run", env_id: str = "CartPole-v1", **settings: Any) -> RunConfig:
    settings = {**SMALL, "checkpoint_settings.run_id": run_id, **settings}
    return run_from_env(env_id, "ppo", [f"{key}={value}" for key, value in settings.items()])


def rows(run: str = "run") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("results", run, "metrics.jsonl").read_text().splitlines()]


def summary(run: str = "run") -> dict[str, Any]:
    return json.loads(Path("results", run, "summary.json").read_text())


def tree(path: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file()}


class TestWhatARunLeaves:
    def test_exactly_the_files_of_the_contract(self) -> None:
        assert train(cartpole()) == 0
        run = Path("results/run")
        events, others = [], set()
        for entry in run.iterdir():
            (events.append if entry.name.startswith("events.out.tfevents.") else others.add)(entry.name)
        assert len(events) == 1
        assert others == {
            "run.yaml",
            "machine.json",
            "metrics.jsonl",
            "summary.json",
            "checkpoints",
            "policy",
        }
        assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
            "step-000000000064",
            "step-000000000096",
        ]

    def test_the_rows_and_the_summary(self) -> None:
        train(cartpole())
        assert [row["iteration"] for row in rows()] == [1, 2, 3]
        assert [row["env_steps"] for row in rows()] == [32, 64, 96]
        assert all(set(REQUIRED) <= set(row) for row in rows())
        assert all(a["wall_seconds"] < b["wall_seconds"] for a, b in zip(rows(), rows()[1:], strict=False))
        assert summary() == {**rows()[-1], "exit_reason": "done"}

    def test_the_settings_can_be_run_again(self) -> None:
        train(cartpole())
        written = load_run(Path("results/run/run.yaml"))
        assert written == cartpole()
        assert written.env_settings.seed == 5

    def test_the_policy_loads_and_acts(self) -> None:
        train(cartpole())
        policy = PortablePolicy.load(Path("results/run/policy"))
        action = policy.act(np.zeros((3, 4)))
        assert action.shape == (3,)
        assert set(action.tolist()) <= {0, 1}
        assert policy.spec["env_id"] == "CartPole-v1"
        assert policy.spec["env_steps"] == 96

    def test_the_policy_is_that_of_the_last_checkpoint(self) -> None:
        train(cartpole())
        tensors, state = load_checkpoint(Path("results/run/checkpoints/step-000000000096"))
        policy = PortablePolicy.load(Path("results/run/policy"))._policy
        for name, value in policy.state_dict().items():
            assert torch.equal(value, tensors[f"policy.{name}"])
        assert state["env_steps"] == 96
        assert state["iteration"] == 3

    def test_two_runs_of_one_seed_write_the_same_checkpoint(self) -> None:
        train(cartpole("one"))
        train(cartpole("two"))
        name = "checkpoints/step-000000000096/tensors.safetensors"
        assert Path("results/one", name).read_bytes() == Path("results/two", name).read_bytes()


class TestAnotherRunIsThere:
    def test_it_is_refused_and_nothing_changes(self) -> None:
        train(cartpole())
        before = tree(Path("results"))
        with pytest.raises(UsageError, match=r"a run is already there .* --resume.* --force"):
            train(cartpole(max_steps=32))
        assert tree(Path("results")) == before

    def test_force_begins_anew(self) -> None:
        train(cartpole())
        train(cartpole(max_steps=32, **{"checkpoint_settings.force": "true"}))
        assert [row["env_steps"] for row in rows()] == [32]
        assert [path.name for path in Path("results/run/checkpoints").iterdir()] == ["step-000000000032"]

    def test_what_cannot_start_writes_nothing(self) -> None:
        with pytest.raises(UsageError, match="no environment"):
            train(cartpole(env_id="CartPoole-v1"))
        assert not Path("results").exists()


class TestResume:
    resumed = {"checkpoint_settings.resume": "true"}

    def test_it_goes_on_where_it_stopped(self, capsys: pytest.CaptureFixture[str]) -> None:
        train(cartpole(max_steps=64))
        first = rows()
        assert train(cartpole(max_steps=160, **self.resumed)) == 0
        assert rows()[:2] == first
        assert [row["iteration"] for row in rows()] == [1, 2, 3, 4, 5]
        assert [row["env_steps"] for row in rows()] == [32, 64, 96, 128, 160]
        assert rows()[2]["wall_seconds"] > first[-1]["wall_seconds"]
        assert summary()["exit_reason"] == "done"
        shown = capsys.readouterr().out
        assert "Resuming at step 64." in shown
        assert "max_steps: 64 → 160" in shown

    def test_it_keeps_its_seed(self) -> None:
        train(cartpole(max_steps=64))
        train(cartpole(**self.resumed, **{"env_settings.seed": 77}))
        assert load_run(Path("results/run/run.yaml")).env_settings.seed == 5

    def test_rows_past_the_checkpoint_are_lived_again(self) -> None:
        """As after a kill: three rows are written, and the last checkpoint is of the second."""
        train(cartpole())
        run = Path("results/run")
        last = run / "checkpoints" / "step-000000000096"
        for file in last.iterdir():
            file.unlink()
        last.rmdir()
        train(cartpole(**self.resumed))
        assert [row["iteration"] for row in rows()] == [1, 2, 3]

    def test_a_run_that_is_done_stays_done(self) -> None:
        train(cartpole())
        before = rows()
        assert train(cartpole(**self.resumed)) == 0
        assert rows() == before
        assert summary()["env_steps"] == 96

    def test_before_the_first_checkpoint(self, capsys: pytest.CaptureFixture[str]) -> None:
        train(cartpole())
        for checkpoint in Path("results/run/checkpoints").iterdir():
            for file in checkpoint.iterdir():
                file.unlink()
            checkpoint.rmdir()
        train(cartpole(**self.resumed))
        assert "There is no checkpoint yet" in capsys.readouterr().out
        assert [row["iteration"] for row in rows()] == [1, 2, 3]

    def test_nothing_to_resume(self) -> None:
        with pytest.raises(UsageError, match="there is no run to resume"):
            train(cartpole(**self.resumed))
        assert not Path("results/run").exists()

    def test_networks_that_do_not_fit(self) -> None:
        train(cartpole())
        before = tree(Path("results"))
        with pytest.raises(UsageError, match="does not fit this run's networks"):
            train(cartpole(**self.resumed, **{"network_settings.hidden_units": 9}))
        assert tree(Path("results")) == before


class TestInitializeFrom:
    def test_the_networks_are_taken_and_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        train(cartpole("old", **{"hyperparameters.learning_rate": 1e-2}))
        settings = {"checkpoint_settings.initialize_from": "old", "hyperparameters.learning_rate": 1e-12}
        assert train(cartpole("new", max_steps=32, **settings)) == 0
        assert "Starting from the networks of" in capsys.readouterr().out
        assert [row["env_steps"] for row in rows("new")] == [32]
        old, _ = load_checkpoint(Path("results/old/checkpoints/step-000000000096"))
        new, state = load_checkpoint(Path("results/new/checkpoints/step-000000000032"))
        assert state["iteration"] == 1
        torch.testing.assert_close(
            new["policy.actor.0.weight"], old["policy.actor.0.weight"], atol=1e-9, rtol=0
        )
        assert new["policy.normaliser.count"] == old["policy.normaliser.count"] + 32

    def test_a_policy_that_comes_with_a_preset(self, capsys: pytest.CaptureFixture[str]) -> None:
        small = {key: value for key, value in SMALL.items() if not key.startswith("network_settings")}
        settings = {
            **small,
            "max_steps": 32,
            "hyperparameters.learning_rate": 1e-12,
            "checkpoint_settings.run_id": "new",
            "checkpoint_settings.initialize_from": "3dball",
        }
        assert train(load_run("3dball", [f"{key}={value}" for key, value in settings.items()])) == 0
        assert "Starting from the policy that comes with `3dball`; no critic does" in capsys.readouterr().out
        shipped = shipped_policy("3dball")
        assert shipped is not None
        old, _ = read_policy(shipped / "policy")
        new, _ = read_policy(Path("results/new/policy"))
        torch.testing.assert_close(new["actor.0.weight"], old["actor.0.weight"], atol=1e-9, rtol=0)
        assert new["normaliser.count"] == old["normaliser.count"] + 32

    def test_actions_spread_anew(self, capsys: pytest.CaptureFixture[str]) -> None:
        other = {
            "checkpoint_settings.initialize_from": "3dball",
            "checkpoint_settings.reset_std": 0.3,
            "hyperparameters.learning_rate": 1e-12,
            "checkpoint_settings.run_id": "new",
            "max_steps": 32,
        }
        small = {key: value for key, value in SMALL.items() if not key.startswith("network_settings")}
        assert train(load_run("3dball", [f"{key}={value}" for key, value in {**small, **other}.items()])) == 0
        assert "Its actions are spread anew, by σ = 0.3." in capsys.readouterr().out
        new, _ = read_policy(Path("results/new/policy"))
        torch.testing.assert_close(new["head.log_std"].exp(), torch.full((2,), 0.3), atol=1e-6, rtol=0)

    def test_discrete_actions_have_nothing_to_spread(self) -> None:
        train(cartpole("old"))
        spread = {"checkpoint_settings.initialize_from": "old", "checkpoint_settings.reset_std": 0.3}
        with pytest.raises(UsageError, match="this policy has none"):
            train(cartpole("new", **spread))

    def test_a_shipped_policy_of_other_networks(self) -> None:
        with pytest.raises(UsageError, match="policy does not fit this run's networks"):
            train(cartpole("new", **{"checkpoint_settings.initialize_from": "3dball"}))

    def test_a_run_that_is_not_there(self) -> None:
        with pytest.raises(UsageError, match="--initialize-from old: there is no such run"):
            train(cartpole("new", **{"checkpoint_settings.initialize_from": "old"}))
        assert not Path("results/new").exists()


class TestInitPath:
    @pytest.mark.parametrize(
        "path", ["results/old", "old", "results/old/checkpoints/step-000000000064", "step-000000000064"]
    )
    def test_the_networks_of_a_run_or_a_checkpoint(
        self, path: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        train(cartpole("old"))
        bare = {"checkpoint_settings.initialize_from": "old"} if path.startswith("step") else {}
        settings = {"init_path": path, "hyperparameters.learning_rate": 1e-12, "max_steps": 32, **bare}
        assert train(cartpole("new", **settings)) == 0
        step = "64" if "step" in path else "96"
        assert f"Starting from the networks of results/old/checkpoints/step-0000000000{step}." in (
            capsys.readouterr().out
        )
        old, _ = load_checkpoint(Path(f"results/old/checkpoints/step-0000000000{step}"))
        new, _ = load_checkpoint(Path("results/new/checkpoints/step-000000000032"))
        torch.testing.assert_close(
            new["policy.actor.0.weight"], old["policy.actor.0.weight"], atol=1e-9, rtol=0
        )

    def test_none_is_there(self) -> None:
        with pytest.raises(
            UsageError, match=r"behaviors\.CartPole-v1\.init_path names 'gone', .*tried: gone, results/gone"
        ):
            train(cartpole("new", init_path="gone"))
        assert not Path("results/new").exists()


class TestInference:
    acting: dict[str, Any] = {"checkpoint_settings.inference": True, "time_limit": 1.5}

    @pytest.mark.parametrize("likeliest", [False, True])
    def test_it_acts_by_the_last_checkpoint_and_writes_nothing(
        self, likeliest: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        train(cartpole())
        before = tree(Path("results"))
        capsys.readouterr()
        more = {"network_settings.deterministic": likeliest, "checkpoint_settings.resume": True}
        assert train(cartpole(**self.acting, **more)) == 0
        said = capsys.readouterr().out
        assert "The policy is that of results/run/checkpoints/step-000000000096." in said
        assert re.search(r"CartPole-v1\. Step: \d+\. .*Mean Reward: \d+", said)
        assert tree(Path("results")) == before

    def test_another_runs_policy(self, capsys: pytest.CaptureFixture[str]) -> None:
        train(cartpole("old"))
        assert train(cartpole("new", **self.acting, **{"checkpoint_settings.initialize_from": "old"})) == 0
        assert "The policy is that of results/old/checkpoints/" in capsys.readouterr().out
        assert not Path("results/new").exists()

    def test_no_policy_is_named(self) -> None:
        with pytest.raises(UsageError, match="inference acts by a trained policy, and none is named"):
            train(cartpole(**self.acting))


def test_debug_tells_what_the_package_logs(capsys: pytest.CaptureFixture[str]) -> None:
    train(cartpole(debug=True, max_steps=32))
    assert "INFO amble.envs.making: CartPole-v1: 4 environments" in capsys.readouterr().err
    train(cartpole(max_steps=32, **{"checkpoint_settings.force": True}))
    assert capsys.readouterr().err == ""


def test_what_has_no_effect_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    train(cartpole(max_steps=32, threaded=True))
    assert "behaviors.CartPole-v1.threaded has no effect: an iteration collects" in capsys.readouterr().out


class TestEnds:
    def test_a_time_limit_is_a_good_end(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert train(cartpole(time_limit=1e-6)) == 0
        assert summary()["exit_reason"] == "time_limit"
        assert [row["env_steps"] for row in rows()] == [32]
        assert Path("results/run/checkpoints/step-000000000032").is_dir()
        assert re.search(
            r"amble train results/run/run\.yaml --run-id run --resume --time-limit 1e9",
            capsys.readouterr().out,
        )

    def test_a_failure_is_written_down(self) -> None:
        settings = {"trouble": "reward", "at": 20}
        config = cartpole(
            env_id="probes:Clock-v0", **{f"env_settings.env_kwargs.{k}": v for k, v in settings.items()}
        )
        with pytest.raises(AmbleError, match="Environment 0 gave a reward that is not finite"):
            train(config)
        assert summary()["exit_reason"] == "failed"
        assert "Environment 0 gave a reward" in summary()["error"]
        assert not Path("results/run/run.lock").exists()

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_it_after_the_iteration(
        self, number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from amble.training.trainer import Trainer

        iterate = Trainer.iterate

        def signalled(trainer: Trainer) -> Any:
            os.kill(os.getpid(), number)
            return iterate(trainer)

        monkeypatch.setattr(Trainer, "iterate", signalled)
        assert train(cartpole()) == code
        assert summary()["exit_reason"] == number.name
        assert Path("results/run/checkpoints/step-000000000032").is_dir()

    def test_a_second_signal_ends_it_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from amble.training.trainer import Trainer

        def signalled(trainer: Trainer) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.15)
            os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(Trainer, "iterate", signalled)
        with pytest.raises(KeyboardInterrupt):
            train(cartpole())
        assert summary()["exit_reason"] == "interrupted"
        assert not Path("results/run/run.lock").exists()


class Child:
    """`amble …` in a process of its own."""

    def __init__(self, words: list[str]):
        command = [sys.executable, "-m", "amble.cli", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def signal_after(self, number: signal.Signals, env_steps: int) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a process signalled once its run has come so far."""
        metrics = Path("results/cartpole/metrics.jsonl")
        deadline = time.monotonic() + 60
        while not (metrics.exists() and (done := rows("cartpole")) and done[-1]["env_steps"] >= env_steps):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def test_stopped_by_ctrl_c_and_gone_on_with_as_it_says() -> None:
    """In child processes: Ctrl-C, the line that it prints for going on, and SIGTERM to that one."""
    code, out, err = Child(["train", "cartpole", "--seed", "1", "--max-steps", "1e9"]).signal_after(
        signal.SIGINT, 1
    )
    assert (code, err) == (130, "")
    assert summary("cartpole")["exit_reason"] == "SIGINT"
    reached = rows("cartpole")[-1]["env_steps"]
    assert Path(f"results/cartpole/checkpoints/step-{reached:012d}").is_dir()
    assert "Traceback" not in out
    line = re.search(r"amble (train .* --resume)", out)
    assert line is not None

    code, out, err = Child(shlex.split(line[1])).signal_after(signal.SIGTERM, reached + 1)
    assert (code, err) == (143, "")
    assert f"Resuming at step {reached}." in out
    steps = [row["env_steps"] for row in rows("cartpole")]
    assert steps == [1024 * (k + 1) for k in range(len(steps))]
    assert summary("cartpole")["exit_reason"] == "SIGTERM"
    assert Path(f"results/cartpole/checkpoints/step-{steps[-1]:012d}").is_dir()
    assert not Path("results/cartpole/run.lock").exists()
