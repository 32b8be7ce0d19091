"""The wait for the compiler is explained before it begins, and only where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amble.native.waits import announce, explained

A_KERNEL = """
from amble.native.compiled import entry
from amble.native.waits import explained

def double(x):
    return 2 * x

double = entry("something", seconds=7)(double)
with explained(lambda sentence: print(sentence)):
    print("before")
    print(double(1.5))
    print(double(2))  # of another type: compiled too
"""
A_RUN = """
import sys, amble
from numba.core import event

class Compiled(event.Listener):
    def on_start(self, event):
        print("compiled here:", getattr(event.data["dispatcher"], "__name__", "?"))

    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
amble.train("cartpole", ["max_steps=1024", "checkpoint_settings.force=true"])
print("torch's compiler:", "torch._dynamo" in sys.modules)
"""


def printed(*arguments: str, cache: Path, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_everybody_who_asked_is_told_and_nobody_else() -> None:
    heard: list[str] = []
    announce("too early")
    with explained(heard.append), explained(lambda sentence: heard.append(sentence.upper())):
        announce("now")
    announce("too late")
    assert heard == ["now", "NOW"]


def test_nobody_is_told_after_a_failure() -> None:
    heard: list[str] = []
    with pytest.raises(ZeroDivisionError), explained(heard.append):
        print(1 / 0)
    announce("too late")
    assert heard == []


def test_the_compiler_is_announced_once_and_not_when_it_has_nothing_to_do(tmp_path: Path) -> None:
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(A_KERNEL)
    before, told, *results = printed(str(script), cache=cache, folder=tmp_path)
    assert before == "before"
    assert told.startswith(f"Compiling something, which takes about 7 s. It is kept in {cache}")
    assert results == ["3.0", "4"]
    assert printed(str(script), cache=cache, folder=tmp_path) == ["before", "3.0", "4"]


def test_it_says_so_where_nothing_can_be_kept(tmp_path: Path) -> None:
    """There is no file that numba could know this code again by."""
    heard = printed("-c", A_KERNEL, cache=tmp_path, folder=tmp_path)
    assert "in every run, for numba finds no folder to keep it in: set" in heard[1]
    assert "NUMBA_CACHE_DIR" in heard[1]
    assert list(tmp_path.iterdir()) == []


def test_a_run_explains_its_wait_before_its_first_row_and_has_none_the_next_time(tmp_path: Path) -> None:
    """On one core (see conftest), where nobody compiles ahead."""
    first, second = (printed("-c", A_RUN, cache=tmp_path / "cache", folder=tmp_path) for _ in range(2))
    compiling, row = (
        next(k for k, line in enumerate(first) if line.startswith(start))
        for start in ("Compiling the fused learner", "CartPole. Step: 1024")
    )
    assert compiling < row
    assert "compiled here: epoch" in first
    assert not any("Compiling" in line or "compiled here" in line for line in second)
    assert first[-1] == second[-1] == "torch's compiler: False"


def test_a_second_core_compiles_the_gradient_steps_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    first, second = (printed("-c", A_RUN, cache=tmp_path / "cache", folder=tmp_path) for _ in range(2))
    assert "Compiling the gradient steps meanwhile, in a process of its own, which takes about 20 s." in first
    assert "compiled here: act" in first
    assert "compiled here: epoch" not in first  # found on disk, where the other process left it
    assert not any("Compiling" in line or "compiled here" in line for line in second)
