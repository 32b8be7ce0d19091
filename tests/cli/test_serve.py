"""`amble serve`, as the command that it is: a child process, a trainer's socket, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amble.cli import main
from amble.envs.serve import Order
from amble.unity.session import Session
from amble.unity.spec import ActionSpec
from amble.unity.steps import Actions
from unity_helpers import free_port

PATIENCE = 120.0


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(port=0, timeout=PATIENCE) as ours:
        yield ours


@pytest.fixture
def serve() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command; whatever a test leaves running is killed."""
    started = []
    # A run of the tests in the background ignores Ctrl-C, and its children would too
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "amble.cli", "serve", *words]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def test_a_gymnasium_id_as_ml_agents_starts_it(serve: Any, session: Session, own_folder: Path) -> None:
    log = own_folder / "logs" / "Player-0.log"
    process = serve(
        *[
            "CartPole-v1",
            "-nographics",
            "-batchmode",
            "--mlagents-port",
            str(session.port),
            "--num-agents",
            "3",
        ],
        *["-logFile", str(log)],
    )
    session.greet()
    session.begin()
    frame = session.receive()["CartPole-v1?team=0"]
    assert session.behaviors["CartPole-v1?team=0"].actions == ActionSpec(0, (2,))
    assert frame.decisions.observations[0].shape == (3, 4)
    session.act({"CartPole-v1?team=0": Actions(None, np.ones((3, 1), np.int32))})
    assert session.receive()["CartPole-v1?team=0"].decisions.reward.tolist() == [1, 1, 1]
    session.close()
    assert ended(process) == (0, "")  # what it has to say is in its log
    assert "Connected to a trainer (ML-Agents 0.28.0)." in log.read_text()


def test_ctrl_c_ends_it_and_the_trainer_is_told(serve: Any, session: Session) -> None:
    process = serve("CartPole-v1", "--port", str(session.port), "--behavior", "Mine")
    session.greet()
    session.begin()
    assert "Mine?team=0" in session.receive()
    process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130
    assert "Traceback" not in said


def test_no_trainer_is_said_by_name(serve: Any) -> None:
    port = free_port()
    code, said = ended(serve("CartPole-v1", "--port", str(port), "--wait", "0.2"))
    assert code == 1
    assert f"amble: No trainer listens on 127.0.0.1:{port} (waited 0.2 s)." in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "Wolker-v0"], "There is no environment 'Wolker-v0'"),
        (["serve", "walker", "--set", "body"], "--set body: this is no key=value"),
        (["serve", "walker", "3dball", "--behavior", "A"], "--behavior and --set are of one environment"),
        (["serve", "walker", "--set", "body=release_7"], "body must be one of"),
    ],
)
def test_what_cannot_be_served(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_program_is_written_that_serves_just_this(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", "walker", "--num-agents", "4", "--set", "body=release_21", "--time-scale", "2.0"]
    assert main([*words, "--write-build", "builds/Walker"]) == 0
    assert capsys.readouterr().out == "builds/Walker\n"
    program = own_folder / "builds" / "Walker"
    assert os.access(program, os.X_OK)
    assert program.read_text().endswith(
        ' -m amble.cli serve walker --num-agents 4 --time-scale 2.0 --set body=release_21 "$@"\n'
    )
    assert Order("walker", 4, None, ("body=release_21",), 2.0, None).words() == [
        *["serve", "walker", "--num-agents", "4", "--time-scale", "2.0", "--set", "body=release_21"]
    ]


def test_several_environments_share_a_scene(serve: Any, session: Session) -> None:
    process = serve("CartPole-v1", "Pendulum-v1", "--port", str(session.port), "--num-agents", "2")
    session.greet()
    session.begin()
    frames = session.receive()
    assert {name: len(frame.decisions) for name, frame in frames.items()} == {
        "CartPole-v1?team=0": 2,
        "Pendulum-v1?team=0": 2,
    }
    session.close()
    code, said = ended(process)
    assert code == 0
    assert "Pendulum-v1: 2 agents of behaviour Pendulum-v1" in said
    assert Order("walker", 4, others=("3dball",)).words() == [
        "serve",
        "walker",
        "3dball",
        "--num-agents",
        "4",
    ]
