"""The frame: quick help, one paragraph for every failure, the right exit codes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import amble
from amble import __version__
from amble.cli import main
from amble.errors import AmbleError


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The paragraph on stderr of a command that must fail with code 2 and print nothing else."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def fresh_python(*words: str) -> str:
    """What a new interpreter prints, importing the package under test."""
    env = {**os.environ, "PYTHONPATH": str(Path(amble.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=True, env=env
    ).stdout


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv[0] = '/bin/amble'; from amble.cli import main; code = main(['--help']);"
        "print('CODE', code, 'MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    help_text, _, rest = fresh_python("-c", program).partition("CODE")
    code, _, modules = rest.partition("MODULES")
    assert code.strip() == "0"
    for command in ("train", "evaluate", "play", "plot", "compare", "presets"):
        assert f"\n  {command} " in help_text
    heavy = {
        "torch",
        "numpy",
        "pydantic",
        "gymnasium",
        "mujoco",
        "ruamel",
        "rich",
        "matplotlib",
        "scipy",
        "numba",
    }
    assert not heavy & set(modules.split())


def test_the_module_is_the_command() -> None:
    assert fresh_python("-m", "amble.cli", "--version") == f"amble {__version__}\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"amble {__version__}\n"


@pytest.mark.parametrize("command", ["train", "evaluate", "play", "plot", "presets"])
def test_each_command_has_help_in_plain_text(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: amble {command}")
    assert "─" not in out  # no boxes


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no command is given; for example `amble train walker`" in refused(capsys)


def test_an_unknown_command_gets_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        refused(capsys, "trian")
        == "amble: No such command 'trian'. Did you mean 'train'? See `amble --help`.\n"
    )


def test_an_unknown_option_gets_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "train", "walker", "--run-idd", "x")
    assert "No such option: --run-idd" in message
    assert "--run-id)" in message
    assert "See `amble train --help`." in message


def test_a_bad_or_missing_value_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Invalid value for '--seed'" in refused(capsys, "train", "walker", "--seed", "x")
    assert "Missing argument 'RUN_DIR[@STEP]|PRESET'" in refused(capsys, "evaluate")


class Refused(AmbleError):
    exit_code = 7


def test_our_own_errors_are_one_paragraph_with_their_code(
    stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("amble.training.run", "train", Refused("first line\n   second line"))
    assert main(["train", "walker"]) == 7
    assert capsys.readouterr().err == "amble: first line second line\n"


def test_a_surprise_is_one_paragraph_and_a_hint(stand_in: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in("amble.training.run", "train", ZeroDivisionError("division by zero"))
    assert main(["train", "walker"]) == 1
    err = capsys.readouterr().err
    assert (
        err
        == "amble: failed with ZeroDivisionError: division by zero. The option --debug shows the traceback.\n"
    )


@pytest.mark.parametrize("words", [["--debug", "train", "walker"], ["train", "walker", "--debug"]])
def test_debug_shows_the_traceback(
    words: list[str], stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in("amble.training.run", "train", ZeroDivisionError("division by zero"))
    assert main(words) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupt_is_130(stand_in: Any) -> None:
    stand_in("amble.training.run", "train", KeyboardInterrupt())
    assert main(["train", "walker"]) == 130
