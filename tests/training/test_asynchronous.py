"""Asynchronous training in real worker processes: what it counts, and who dies and fails in it, with what message."""

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from amble.config import RunConfig, run_from_env
from amble.errors import AmbleError, UsageError
from amble.insight.play import play
from amble.training.asynchronous import AsynchronousTrainer
from amble.training.checkpoint import load_checkpoint
from amble.training.evaluate import evaluate
from amble.training.learner import Row
from amble.training.metrics import REQUIRED
from amble.training.run import train

SMALL = {
    "hyperparameters.buffer_size": 8,
    "hyperparameters.workers": 2,
    "network_settings.hidden_units": 8,
    "network_settings.num_layers": 1,
    "env_settings.num_envs": 4,
    "env_settings.seed": 5,
    "summary_freq": 64,
    "max_steps": 192,
}
"""Each worker has two environments, a push is of four decisions of both, a row of four pushes by both."""


def a_run(env_id: str = "CartPole-v1", **settings: Any) -> RunConfig:
    return run_from_env(env_id, "a3c", [f"{key}={value}" for key, value in {**SMALL, **settings}.items()])


def mortal(**kwargs: Any) -> dict[str, Any]:
    return {f"env_settings.env_kwargs.{key}": value for key, value in kwargs.items()}


Make = Callable[..., AsynchronousTrainer]


@pytest.fixture
def trainer() -> Iterator[Make]:
    made: list[AsynchronousTrainer] = []

    def make(env_id: str = "CartPole-v1", **settings: Any) -> AsynchronousTrainer:
        made.append(AsynchronousTrainer(a_run(env_id, **settings)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(trainer: AsynchronousTrainer) -> tuple[str, list[Row]]:
    rows: list[Row] = []
    reason = trainer.run(on_row=rows.append, on_checkpoint=lambda: None, should_stop=lambda: False)
    return reason, rows


def snapshot(trainer: AsynchronousTrainer) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in trainer.tensors().items()}


class TestCounts:
    def test_two_workers_to_the_budget(self, trainer: Make) -> None:
        """The budget is passed by less than one push of 8, whoever made the last one."""
        reason, rows = run(t := trainer(max_steps=190))
        assert reason == "done"
        assert t.env_steps == rows[-1]["env_steps"] == 192
        assert [row["iteration"] for row in rows] == [1, 2, 3]
        assert [row["env_steps"] for row in rows] == [64, 128, 192]
        # Every push is one step of Adam, and the observations of all 192 decisions are in the moments, after the 16 of
        # each environment that each worker saw before.
        assert float(t.tensors()["optimiser.0.step"]) == 192 / 8
        assert float(t.tensors()["policy.normaliser.count"]) == 192 + 4 * 16
        for row in rows:
            assert set(REQUIRED) <= set(row)
            assert row["worker_restarts"] == 0
            assert 0 <= row["staleness_mean"] <= row["staleness_max"] <= 7
            assert 0 <= row["lock_seconds"] <= row["update_seconds"]
            each = [row[f"worker_{worker}_steps_per_second"] for worker in (0, 1)]
            assert sum(each) == pytest.approx(row["steps_per_second"])
        assert sum(row["episodes"] for row in rows) > 0

    def test_the_schedules_clock_is_everybodys(self, trainer: Make) -> None:
        """α falls linearly with the env steps of all: the mean of pushes at 0, 8, … 56 of 192, where one pushes."""
        t = trainer(**{"hyperparameters.workers": 1, "env_settings.num_envs": 2, "summary_freq": 64})
        rate = t.behavior.hyperparameters.learning_rate
        assert t.iterate()["learning_rate"] == pytest.approx(rate * (1 - 28 / 192), rel=1e-6)
        assert t.iterate()["learning_rate"] == pytest.approx(rate * (1 - (64 + 28) / 192), rel=1e-6)

    def test_every_episode_is_reported_once(self, trainer: Make) -> None:
        """Episodes of 5 decisions that pay 1 each: 16 decisions of each environment end 3 of them in the first row."""
        t = trainer("probes:Endless-v0", **{"hyperparameters.workers": 1, "env_settings.num_envs": 4})
        row = t.iterate()
        assert (row["env_steps"], row["episodes"]) == (64, 12)
        assert row["return_mean"] == row["length_mean"] == 5
        assert row["extrinsic_reward"] == 1
        assert row["staleness_max"] == 0

    def test_shares_that_differ_by_one_environment(self, trainer: Make) -> None:
        """Five environments: three of one worker, T = 3, and two of the other, T = 4."""
        t = trainer(**{"env_settings.num_envs": 5, "max_steps": 64})
        _, (row,) = run(t)
        assert 64 <= t.env_steps < 64 + 9
        counts = [
            round(row[f"worker_{k}_steps_per_second"] / row["steps_per_second"] * t.env_steps) for k in (0, 1)
        ]
        assert (counts[0] % 9, counts[1] % 8) == (0, 0)

    def test_one_worker_repeats_itself_bit_for_bit(self, trainer: Make) -> None:
        one, two, other = (
            trainer(**{"hyperparameters.workers": 1, "env_settings.seed": seed}) for seed in (5, 5, 6)
        )
        rows = [run(t)[1] for t in (one, two, other)]
        same = [
            {key: value for key, value in row.items() if not key.endswith(("seconds", "per_second"))}
            for row in rows[0]
        ]
        assert len(same) == 3
        assert [{key: row[key] for key in like} for like, row in zip(same, rows[1], strict=True)] == same
        states = [snapshot(t) for t in (one, two, other)]
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert not torch.equal(states[2]["policy.actor.0.weight"], states[0]["policy.actor.0.weight"])


class TestDeath:
    @pytest.mark.parametrize(
        ("fate", "cause"),
        [
            ("kill", r"signal SIGKILL \(exit code -9\)"),
            ("lock", r"signal SIGKILL \(exit code -9\)"),
            ("exit", "exit code 3"),
        ],
        ids=["killed", "killed with the lock in its hand", "left"],
    )
    def test_a_worker_that_dies_is_named_and_replaced(
        self, trainer: Make, fate: str, cause: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Training goes on to the same budget; what the dead one had begun and not pushed is not counted."""
        t = trainer("mortal:Mortal-v0", **mortal(worker=1, fate=fate, at=50, once=tmp_path / "died"))
        with caplog.at_level(logging.WARNING, "amble"):
            reason, rows = run(t)
        assert (tmp_path / "died").exists()
        assert (reason, t.env_steps, t.restarts) == ("done", 192, 1)
        assert [row["env_steps"] for row in rows] == [64, 128, 192]
        assert rows[-1]["worker_restarts"] == 1
        (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert re.fullmatch(
            rf"Worker 1 \(environments 2–3 of the run\), process \d+, died with {cause}; it is replaced",
            warning,
        )
        assert all(torch.isfinite(tensor).all() for tensor in t.tensors().values())

    def test_one_that_dies_again_and_again_ends_the_run(self, trainer: Make) -> None:
        """Though the other one goes on meanwhile, and though it rests now and then before it dies."""
        t = trainer("mortal:Mortal-v0", **mortal(worker=0, fate="kill", at=40), max_steps=10**9)
        with pytest.raises(
            AmbleError,
            match=r"^Worker 0 \(environments 0–1 of the run\) died 4 times in a row, .* SIGKILL .*not replaced again",
        ):
            run(t)

    def test_a_worker_found_dead_after_a_rest_is_replaced(self, trainer: Make) -> None:
        t = trainer()
        t.iterate()
        process = t._seats[1].process
        assert process is not None
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert run(t)[0] == "done"
        assert t.restarts == 1
        assert t.env_steps == 192


class TestFailure:
    def test_an_environment_that_raises_has_its_number_in_the_run(self, trainer: Make) -> None:
        t = trainer("mortal:Mortal-v0", **mortal(worker=1, fate="raise", at=40))
        with pytest.raises(
            AmbleError,
            match=r"(?s)^Worker 1 \(environments 2–3 of the run\) failed\. Environment 3 raised ZeroDivisionError: "
            r"the mortal divided\n.*Traceback .*mortal\.py",
        ):
            run(t)

    def test_so_has_one_whose_reward_is_not_finite(self, trainer: Make) -> None:
        t = trainer("mortal:Mortal-v0", **mortal(worker=1, fate="nan", at=40))
        with pytest.raises(
            AmbleError, match=r"failed\. Environment 3 gave a reward that is not finite at decision"
        ):
            run(t)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                {"hyperparameters.workers": 5},
                r"`.*workers` does not fit: 5 workers cannot share 4 environments",
            ),
            ({"hyperparameters.workers": 0}, r"workers` must be at least 1"),
            (
                {"torch_settings.device": "cuda"},
                r"device` is cuda, but trainer a3c's workers share .* CPU's memory",
            ),
            ({"env_settings.backend": "workers"}, r"backend` contradicts trainer a3c, whose own workers"),
        ],
        ids=["more workers than environments", "no worker", "cuda", "workers of workers"],
    )
    def test_what_is_refused_before_anything_starts(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            a_run(**settings)

    def test_closing_ends_the_workers_and_removes_the_lock(self, trainer: Make) -> None:
        t = trainer()
        t.iterate()
        processes = [seat.process for seat in t._seats if seat.process is not None]
        assert len(processes) == 2
        assert Path(t._lock_path).exists()
        start = time.monotonic()
        t.close()
        assert not any(process.is_alive() for process in processes)
        assert not Path(t._lock_path).exists()
        assert time.monotonic() - start < 1.5  # by their own will, not by force
        t.close()


class TestStops:
    def test_a_request_to_stop_ends_the_iteration_with_the_rollouts_begun(self, trainer: Make) -> None:
        settings = {"hyperparameters.buffer_size": 512, "max_steps": 10**9, "summary_freq": 10**8}
        t, asked = trainer(**settings), [0]

        def should_stop() -> bool:
            asked[0] += 1
            return asked[0] > 3

        rows: list[Row] = []
        assert t.run(on_row=rows.append, on_checkpoint=lambda: None, should_stop=should_stop) == "stopped"
        assert len(rows) == 1
        assert t.steps_an_iteration == 64 * 2 * 512  # seconds of work
        assert 0 < t.env_steps < t.steps_an_iteration
        assert t.env_steps % 512 == 0
        memory = t._memory
        assert memory is not None
        assert memory.tensors()["claimed"].tolist() == memory.tensors()["pushed"].tolist()

    def test_a_time_limit_ends_it_too(self, trainer: Make) -> None:
        t = trainer(max_steps=10**9, time_limit=0.05)
        assert run(t)[0] == "time_limit"
        assert t.env_steps > 0


class TestMemory:
    def test_networks_with_a_memory(self, trainer: Make) -> None:
        t = trainer(
            **{"network_settings.memory.memory_size": 4, "network_settings.memory.sequence_length": 2},
            max_steps=64,
        )
        before = snapshot(t)
        assert run(t)[0] == "done"
        after = snapshot(t)
        for network in ("policy.actor", "critic.net"):
            assert not torch.equal(after[f"{network}.cell.weight_hh"], before[f"{network}.cell.weight_hh"])


def test_its_checkpoint_goes_on_and_its_policy_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = {"checkpoint_settings.run_id": "run"}
    assert train(a_run(**here)) == 0
    tensors, state = load_checkpoint(Path("results/run/checkpoints/step-000000000192"))
    assert (state["env_steps"], state["iteration"], state["worker_starts"]) == (192, 3, 2)
    assert float(tensors["optimiser.0.step"]) == 24

    found = evaluate(Path("results/run"), 3, seed=0)
    assert (found["episodes"], found["env_steps"]) == (3, 192)
    assert play(Path("results/run"), seconds=0.2).stat().st_size > 0

    again = {**here, "checkpoint_settings.resume": "true", "max_steps": 320}
    assert train(a_run(**again)) == 0
    tensors, state = load_checkpoint(Path("results/run/checkpoints/step-000000000320"))
    assert (state["env_steps"], state["iteration"], state["worker_starts"]) == (320, 5, 4)
    assert float(tensors["optimiser.0.step"]) == 40
    assert float(tensors["policy.normaliser.count"]) == 320 + 4 * 16  # warmed up once


class Command:
    """`amble …` in a process group of its own, as a terminal starts it, with a folder for what is temporary."""

    def __init__(self, words: list[str], temporary: Path):
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "amble.cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )

    def wait_for(self, env_steps: int) -> None:
        deadline = time.monotonic() + 60
        while not ((done := rows()) and done[-1]["env_steps"] >= env_steps):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def wait_for_nobody(self) -> None:
        """The processes that workers are forked from end a moment after the one that started them."""
        deadline = time.monotonic() + 5
        while group := self.group():
            assert time.monotonic() < deadline, group
            time.sleep(0.02)

    def group(self) -> list[int]:
        """The ids of all processes that it and its children are, by now or still."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group, *_ = stat.read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(group) == self.process.pid and state not in "ZX":
                found.append(int(stat.parent.name))
        return found


def rows() -> list[dict[str, Any]]:
    path = Path("results/cartpole-a3c/metrics.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_folder_for_temporary_files_that_leaves_no_room_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    command = Command(["train", "cartpole-a3c", "--results-dir", str(tmp_path / "results")], folder)
    _, err = command.process.communicate(timeout=60)
    assert command.process.returncode == 2
    assert "the path of this one is too long" in err
    assert "Set TMPDIR to a shorter one" in err
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in Linux's /proc")
def test_ctrl_c_then_on_as_it_says_then_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the workers too, as a terminal sends it; a parent that is killed says nothing to them."""
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "t"  # a socket's path has at most 107 letters
    words = ["train", "cartpole-a3c", "--max-steps", "1e9", "--seed", "1", "--set", "summary_freq=4096"]
    command = Command(words, temporary)
    command.wait_for(1)
    os.killpg(command.process.pid, signal.SIGINT)
    out, err = command.process.communicate(timeout=30)
    assert (command.process.returncode, err) == (130, "")
    reached = rows()[-1]["env_steps"]
    assert Path(f"results/cartpole-a3c/checkpoints/step-{reached:012d}").is_dir()
    assert rows()[-1]["worker_restarts"] == 0
    command.wait_for_nobody()
    assert list(temporary.iterdir()) == []
    line = re.search(r"amble (train .* --resume)", out)
    assert line is not None

    command = Command(shlex.split(line[1]), temporary)
    command.wait_for(reached + 1)
    assert [row["iteration"] for row in rows()] == list(range(1, len(rows()) + 1))
    assert len(command.group()) >= 4  # the parent, what workers are forked from, and two workers
    assert len(list(temporary.glob("amble-lock-*"))) == 1
    command.process.kill()
    command.process.communicate(timeout=30)
    command.wait_for_nobody()
    assert list(temporary.glob("amble-*")) == []
