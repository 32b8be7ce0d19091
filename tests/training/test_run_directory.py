import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from amble.errors import AmbleError, UsageError
from amble.training.run_directory import RunDirectory


def make_run(results, run_id="run", **files):
    with RunDirectory.create(results, run_id) as run:
        run.run_yaml.write_text("seed: 0\n")
        for name, content in files.items():
            (run.path / name).write_text(content)
    return run.path


def tree(path):
    return {str(entry.relative_to(path)): entry.is_file() and entry.read_bytes() for entry in path.rglob("*")}


def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def write_lock(path, pid, host=None, born=None):
    lock = {"pid": pid, "host": host or socket.gethostname(), "born": born}
    (path / "run.lock").write_text(json.dumps(lock))


class TestCreate:
    def test_a_new_run(self, tmp_path):
        with RunDirectory.create(tmp_path / "results", "walker-1") as run:
            assert run.path == tmp_path / "results" / "walker-1"
            assert run.name == "walker-1"
            assert run.checkpoints.is_dir()
            assert [run.run_yaml.name, run.metrics.name, run.summary.name, run.policy.name] == [
                "run.yaml",
                "metrics.jsonl",
                "summary.json",
                "policy",
            ]
            assert (run.curve.name, run.video.name, run.events) == ("curve.png", "video.mp4", run.path)
            assert run.initialize_from is None

    def test_a_run_that_wrote_nothing_yet_may_be_started_again(self, tmp_path):
        RunDirectory.create(tmp_path, "run").close()
        RunDirectory.create(tmp_path, "run").close()

    def test_a_run_is_never_overwritten_unasked(self, tmp_path):
        path = make_run(tmp_path)
        (path / "checkpoints" / "x").write_text("")
        before = tree(path)
        with pytest.raises(
            UsageError, match=r"run: a run is already there \(checkpoints, run\.yaml\).*--resume.*--force"
        ):
            RunDirectory.create(tmp_path, "run")
        assert tree(path) == before

    def test_what_is_not_a_run_is_not_written_into(self, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "thesis.tex").write_text("years")
        for force in (False, True):
            with pytest.raises(UsageError, match=r"thesis\.tex|--force deletes only runs"):
                RunDirectory.create(tmp_path, "run", force=force)
        assert tree(tmp_path / "run") == {"thesis.tex": b"years"}

    def test_resume(self, tmp_path):
        path = make_run(tmp_path)
        with RunDirectory.create(tmp_path, "run", resume=True):
            assert (path / "run.yaml").read_text() == "seed: 0\n"

    def test_nothing_to_resume(self, tmp_path):
        make_run(tmp_path, "walker-1")
        with pytest.raises(UsageError, match=r"walker-2: there is no run to resume\. Runs there: walker-1\."):
            RunDirectory.create(tmp_path, "walker-2", resume=True)
        assert os.listdir(tmp_path) == ["walker-1"]

    def test_force_deletes_the_run_and_only_the_run(self, tmp_path, caplog):
        path = make_run(
            tmp_path, **{"metrics.jsonl": "{}", "notes.txt": "mine", "events.out.tfevents.1.a.2": "x"}
        )
        (path / "policy").mkdir()
        (path / "policy" / "policy.json").write_text("{}")
        (path / "checkpoints" / "step-000000000001").mkdir()
        with RunDirectory.create(tmp_path, "run", force=True):
            assert sorted(tree(path)) == ["checkpoints", "notes.txt", "run.lock"]
        assert "what no run writes was left there: notes.txt" in caplog.text

    def test_force_follows_no_link_out_of_the_run(self, tmp_path):
        path = make_run(tmp_path)
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "x").write_text("")
        (path / "policy").symlink_to(tmp_path / "precious")
        RunDirectory.create(tmp_path, "run", force=True).close()
        assert not (path / "policy").exists()
        assert (tmp_path / "precious" / "x").exists()

    def test_force_without_a_run_starts_one(self, tmp_path):
        RunDirectory.create(tmp_path, "run", force=True).close()

    def test_force_does_not_delete_a_run_at_work(self, tmp_path):
        path = make_run(tmp_path)
        with RunDirectory.create(tmp_path, "run", resume=True):
            before = tree(path)
            with pytest.raises(UsageError, match="is at work in it"):
                RunDirectory.create(tmp_path, "run", force=True)
            assert tree(path) == before

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"resume": True, "force": True}, "--resume goes on with a run and --force deletes it"),
            ({"resume": True, "initialize_from": "run"}, "--initialize-from has nothing to give"),
            ({"force": True, "initialize_from": "run"}, "is this very run"),
            ({"initialize_from": "gone"}, r"there is no such run in .*Runs there: run\."),
        ],
    )
    def test_contradictions(self, tmp_path, options, message):
        path = make_run(tmp_path)
        before = tree(path)
        with pytest.raises(UsageError, match=message):
            RunDirectory.create(tmp_path, "run", **options)
        assert tree(path) == before

    def test_initialize_from_by_id_or_by_path(self, tmp_path):
        source = make_run(tmp_path, "first")
        for number, given in enumerate(("first", str(source))):
            with RunDirectory.create(tmp_path, f"second-{number}", initialize_from=given) as run:
                assert run.initialize_from == source

    @pytest.mark.parametrize(
        "run_id",
        ["", ".", "..", "a/b", "../a", "/a", "a\\b", "C:a", "a..b", ".hidden", " a", "a\n", "a\0", "x" * 201],
    )
    def test_ids_that_are_no_plain_name(self, tmp_path, run_id):
        with pytest.raises(UsageError, match="cannot name a directory"):
            RunDirectory.create(tmp_path / "results", run_id)
        assert not (tmp_path / "results").exists()

    @pytest.mark.parametrize("run_id", ["walker", "Walker 2", "ppo_1.5e-3", "lauf-ü"])
    def test_plain_ids(self, tmp_path, run_id):
        with RunDirectory.create(tmp_path, run_id) as run:
            assert run.name == run_id

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "run").write_text("")
        with pytest.raises(UsageError, match="run: expected a directory, and it is a file"):
            RunDirectory.create(tmp_path, "run")
        with pytest.raises(AmbleError, match="run/other: cannot be written"):
            RunDirectory.create(tmp_path / "run", "other")


class TestOpen:
    def test_reads_without_a_lock(self, tmp_path):
        path = make_run(tmp_path)
        with RunDirectory.create(tmp_path, "run", resume=True):
            RunDirectory.open(path).close()
            assert (path / "run.lock").exists()

    @pytest.mark.parametrize(
        ("name", "message"), [("gone", "gone: does not exist"), ("empty", "is no directory of a run")]
    )
    def test_no_run(self, tmp_path, name, message):
        make_run(tmp_path, "walker-1")
        (tmp_path / "empty").mkdir()
        with pytest.raises(UsageError, match=message + r".*Runs there: walker-1\."):
            RunDirectory.open(tmp_path / name)


class TestLock:
    def test_is_released_at_close(self, tmp_path):
        run = RunDirectory.create(tmp_path, "run")
        assert json.loads((run.path / "run.lock").read_text())["pid"] == os.getpid()
        run.close()
        run.close()
        assert not (run.path / "run.lock").exists()

    def test_a_live_one_is_named(self, tmp_path):
        message = rf"process {os.getpid()} on {socket.gethostname()} is at work in it"
        with RunDirectory.create(tmp_path, "run"), pytest.raises(UsageError, match=message):
            RunDirectory.create(tmp_path, "run")

    @pytest.mark.parametrize("reused", [False, True])
    def test_one_of_a_dead_process_is_taken_over_and_said_so(self, tmp_path, caplog, reused):
        path = make_run(tmp_path)
        pid = os.getppid() if reused else dead_pid()  # the same number, given to a process born later
        write_lock(path, pid, born=1 if reused else None)
        with caplog.at_level(logging.WARNING), RunDirectory.create(tmp_path, "run", resume=True):
            assert json.loads((path / "run.lock").read_text())["pid"] == os.getpid()
        assert f"taking over from process {pid}" in caplog.text

    def test_a_refusal_leaves_a_dead_ones_lock(self, tmp_path):
        path = make_run(tmp_path)
        write_lock(path, dead_pid())
        before = tree(path)
        with pytest.raises(UsageError, match="already there"):
            RunDirectory.create(tmp_path, "run")
        assert tree(path) == before

    def test_one_of_another_host_is_believed(self, tmp_path):
        path = make_run(tmp_path)
        write_lock(path, dead_pid(), host="elsewhere")
        with pytest.raises(
            UsageError, match=r"on elsewhere is at work.*If nothing runs there any more, delete .*run\.lock"
        ):
            RunDirectory.create(tmp_path, "run", resume=True)

    def test_no_lock_of_ours(self, tmp_path):
        path = make_run(tmp_path)
        (path / "run.lock").write_text("?")
        with pytest.raises(UsageError, match=r"run\.lock: is no lock of ours.*delete that file"):
            RunDirectory.create(tmp_path, "run", resume=True)

    def test_another_ones_is_not_removed_at_close(self, tmp_path):
        run = RunDirectory.create(tmp_path, "run")
        write_lock(run.path, 1)
        run.close()
        assert (run.path / "run.lock").exists()

    def test_of_twenty_starters_at_a_stale_lock_one_wins(self, tmp_path):
        write_lock(make_run(tmp_path), dead_pid())
        script = Path(__file__).with_name("lock_starters.py")
        result = subprocess.run(
            [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=60, check=True
        )
        assert sorted(result.stdout.splitlines()) == ["refused True"] * 19 + ["won"]

    def test_of_many_threads_that_start_afresh_one_wins(self, tmp_path):
        barrier, won, refused = threading.Barrier(8), [], []

        def start():
            barrier.wait()
            try:
                won.append(RunDirectory.create(tmp_path, "run"))
            except UsageError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(refused)) == (1, 7)
        won[0].close()
