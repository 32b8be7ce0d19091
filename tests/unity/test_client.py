"""The environment's end against trainers that behave, and against those that do not. All over sockets."""

import time

import numpy as np
import pytest

from amble.unity import client, encode
from amble.unity.channels import ANALYTICS, pack
from amble.unity.faults import BadMessage, NotFinite, PeerGone, PeerSilent, UnityFault, VersionMismatch
from amble.unity.protocol.communicator_pb2 import CommandProto, UnityMessageProto
from amble.unity.steps import Actions
from unity_helpers import NAME, SOON, Running, ScriptedScene, frame, free_port, message, training


def hello(version: str = "1.5.0", seed: int = 5) -> UnityMessageProto:
    said = message()
    said.unity_input.rl_initialization_input.communication_version = version
    said.unity_input.rl_initialization_input.package_version = "0.28.0"
    said.unity_input.rl_initialization_input.seed = seed
    return said


def command(what: int, rows: list[list[float]] | None = None, channel: bytes = b"") -> UnityMessageProto:
    said = message()
    said.unity_input.rl_input.command = what  # type: ignore[assignment]
    said.unity_input.rl_input.side_channel = channel
    if rows is not None:
        values = said.unity_input.rl_input.agent_actions[NAME].value
        encode.write_actions(Actions(np.array(rows, np.float32)), values)
    return said


RESET, STEP, QUIT = CommandProto.RESET, CommandProto.STEP, CommandProto.QUIT
END = message(400)


def a_scene(frames: int = 5) -> ScriptedScene:
    return ScriptedScene([{NAME: frame({1: [1, 2], 2: [3, 4]})} for _ in range(frames)])


def test_what_a_trainer_hears() -> None:
    scene = a_scene()
    analytics = pack(
        [(ANALYTICS, b"any protobuf")]
    )  # which ML-Agents always sends, and an environment need not know
    with training(
        hello(), command(RESET, channel=analytics), command(STEP, [[0] * 3, [1] * 3]), END
    ) as trainer:
        assert Running(scene, trainer.port).ended() is None
        heard = [UnityMessageProto.FromString(trainer.heard.get_nowait()) for _ in range(4)]
        assert trainer.heard.empty()  # told to end, it does not call again
    assert [one.header.status for one in heard] == [200] * 4
    first = heard[0].unity_output.rl_initialization_output
    assert (first.name, first.communication_version) == ("AcademySingleton", "1.5.0")
    assert first.capabilities == encode.capabilities()
    assert not heard[1].HasField("unity_output")
    brains = [list(one.unity_output.rl_initialization_output.brain_parameters) for one in heard[2:]]
    assert [len(one) for one in brains] == [1, 0]  # described with the first agents, and once
    assert (brains[0][0].brain_name, brains[0][0].action_spec.num_continuous_actions) == (NAME, 3)
    assert [one.id for one in heard[2].unity_output.rl_output.agentInfos[NAME].value] == [1, 2]
    assert scene.of("seed") == [5]
    assert scene.of("step")[0][NAME].continuous.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_quit_ends_it() -> None:
    with training(hello(), command(QUIT)) as trainer:
        assert Running(a_scene(), trainer.port).ended() is None


def test_a_first_step_begins_the_episodes() -> None:
    scene = a_scene()
    with training(hello(), command(STEP), END) as trainer:
        assert Running(scene, trainer.port).ended() is None
    assert [kind for kind, _ in scene.told] == ["seed", "reset"]


def test_no_trainer() -> None:
    port = free_port()
    with pytest.raises(PeerSilent, match=rf"No trainer listens on 127.0.0.1:{port} \(waited 0.2 s\)"):
        client.run(a_scene(), "127.0.0.1", port, connect_seconds=0.2)


def test_a_trainer_that_comes_later() -> None:
    port = free_port()
    running = Running(a_scene(), port)
    time.sleep(0.3)
    from amble.unity.session import Session

    with Session(port=port, timeout=SOON) as session:
        session.greet()
    assert running.ended() is None


def test_a_trainer_that_does_not_answer() -> None:
    def sleep(_: bytes) -> bytes:
        time.sleep(1.0)
        return b""

    with training(sleep) as trainer, pytest.raises(PeerSilent, match=r"has not answered for 0\.2 s"):
        client.run(a_scene(), "127.0.0.1", trainer.port, connect_seconds=SOON, answer_seconds=0.2)


def test_a_trainer_that_dies() -> None:
    with training(hello(), command(RESET), command(STEP)) as trainer:
        running = Running(ScriptedScene([{NAME: frame({1: [1, 2]})}] * 10_000), trainer.port)
        while trainer.heard.qsize() < 5 and running.is_alive():
            time.sleep(0.01)
    failure = running.ended()
    assert isinstance(failure, PeerGone), failure
    assert f"The trainer on 127.0.0.1:{trainer.port}" in str(failure)


@pytest.mark.parametrize(
    ("answers", "fault", "words"),
    [
        ([hello("2.0.0")], VersionMismatch, "The trainer speaks version '2.0.0'"),
        ([hello(), message()], BadMessage, "holds no command"),
        ([b"\xff\xff\xff"], BadMessage, "The trainer sent 3 bytes that are no message"),
        ([hello(), command(7)], BadMessage, "command is 7; expected 0 to 2"),
        ([hello(), command(RESET), command(STEP, [[1, 2, 3]])], BadMessage, "1 actions came for 2 agents"),
        (
            [hello(), command(RESET), command(STEP, [[1, 2]] * 2)],
            BadMessage,
            "hold 8 bytes; 3 numbers need 12",
        ),
        ([hello(), command(RESET), command(STEP, [[np.nan] * 3] * 2)], NotFinite, "it has diverged"),
        ([hello(), command(RESET, channel=b"123")], BadMessage, "3 bytes are left"),
    ],
)
def test_what_the_protocol_does_not_allow(answers: list, fault: type[UnityFault], words: str) -> None:
    with training(*answers) as trainer:
        failure = Running(a_scene(), trainer.port).ended()
        assert type(failure) is fault
        assert words in str(failure)
        while not trainer.heard.empty():
            last = UnityMessageProto.FromString(trainer.heard.get_nowait())
        assert (last.header.status, last.header.message) == (400, str(failure))  # the trainer is told why


def test_actions_of_a_behaviour_that_is_not_here() -> None:
    said = command(STEP)
    said.unity_input.rl_input.agent_actions["Stranger?team=0"].value.add()
    with training(hello(), command(RESET), said) as trainer:
        failure = Running(a_scene(), trainer.port).ended()
    assert "actions of 'Stranger?team=0', a behaviour not here" in str(failure)


def test_a_scene_that_fails_tells_the_trainer() -> None:
    with training(hello(), command(RESET), command(STEP, [[0] * 3] * 2)) as trainer:
        failure = Running(a_scene(frames=1), trainer.port).ended()
        assert isinstance(failure, IndexError)
        said = [UnityMessageProto.FromString(trainer.heard.get_nowait()) for _ in range(4)]
    assert (said[-1].header.status, said[-1].header.message) == (400, "pop from empty list")
