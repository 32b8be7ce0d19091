"""Builds as processes: found, started with ML-Agents' words, watched, and gone afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amble.errors import UsageError
from amble.unity.faults import PeerGone
from amble.unity.launch import Build, find_executable, is_build
from amble.unity.session import Session
from unity_helpers import SOON


def program(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def soon(holds) -> bool:
    deadline = time.monotonic() + SOON
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("given", ["Walker", "Walker.x86_64", "Walker.exe"])
def test_found_with_and_without_its_extension(tmp_path: Path, given: str) -> None:
    real = program(tmp_path / "Walker.x86_64", "exit 0\n")
    assert find_executable(tmp_path / given) == real
    assert is_build(str(tmp_path / given))


def test_found_in_a_mac_bundle(tmp_path: Path) -> None:
    inside = tmp_path / "Walker.app" / "Contents" / "MacOS"
    inside.mkdir(parents=True)
    real = program(inside / "Walker", "exit 0\n")
    assert find_executable(tmp_path / "Walker") == real


def test_what_is_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError, match=r"no build of a Unity scene at \./Walker \(tried: Walker, Walker\.x86_64"
    ):
        is_build("./Walker")
    assert not is_build("HalfCheetah-v5")
    assert not is_build("amble/Walker-v0")
    (tmp_path / "text").write_text("x")
    with pytest.raises(UsageError, match=r"text is no program.*chmod \+x"):
        find_executable("text")


def test_the_words_it_is_started_with(tmp_path: Path) -> None:
    out = tmp_path / "words"
    path = program(tmp_path / "Scene", f'echo "$@" > {out}.part; mv {out}.part {out}; exit 0\n')
    build = Build(path, 5007, ["--speed", "2 3"], no_graphics=True, log_folder=tmp_path, worker=2)
    assert soon(out.exists)
    assert out.read_text().split() == [
        *["-nographics", "-batchmode", "--mlagents-port", "5007"],
        *["-logFile", str(tmp_path / "Player-2.log"), "--speed", "2", "3"],
    ]
    build.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [("exit 3\n", "ended with exit code 3"), ("kill -SEGV $$\n", "ended by signal SIGSEGV")],
)
def test_a_build_that_dies_is_named_at_once(tmp_path: Path, text: str, words: str) -> None:
    start = time.monotonic()
    session = Session(port=0, path=program(tmp_path / "Scene", text), timeout=60)
    with pytest.raises(PeerGone, match=rf"Unity environment 0: Its process \({tmp_path}/Scene\) {words}"):
        session.greet()
    assert time.monotonic() - start < SOON


def test_a_build_that_does_not_listen_to_its_end(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    path = program(
        tmp_path / "Scene", f"trap '' TERM\necho $$ > {pid}.part; mv {pid}.part {pid}\nsleep 1000\n"
    )
    build = Build(path, 5007)
    assert soon(pid.exists)
    build.close(patience=0.1)
    assert build.process.returncode == -signal.SIGKILL
    assert not alive(int(pid.read_text()))


def test_its_own_children_end_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    path = program(tmp_path / "Scene", f"sleep 1000 &\necho $! > {pid}.part; mv {pid}.part {pid}\nwait\n")
    build = Build(path, 5007)
    assert soon(pid.exists)
    build.close(patience=0.1)
    assert soon(lambda: not alive(int(pid.read_text())))


def test_a_forgotten_build_ends(tmp_path: Path) -> None:
    build = Build(program(tmp_path / "Scene", "exec sleep 1000\n"), 5007)
    process = build.process
    del build
    assert process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_build_ends_when_we_are_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    path = program(tmp_path / "Scene", f"echo $$ > {pid}.part; mv {pid}.part {pid}\nexec sleep 1000\n")
    code = f"from amble.unity.launch import Build\nimport time\nb = Build({str(path)!r}, 5007)\ntime.sleep(1000)\n"
    parent = subprocess.Popen([sys.executable, "-c", code])
    assert soon(pid.exists)
    child = int(pid.read_text())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert soon(lambda: not alive(child))
