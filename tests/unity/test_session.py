"""The trainer's end against environments that behave, and against those that do not. All over sockets."""

import socket
import threading
import time

import numpy as np
import pytest

from amble.errors import UsageError
from amble.unity.channels import Aggregation, EngineChannel, ParameterChannel, Setting, StatisticsChannel
from amble.unity.faults import (
    BadMessage,
    NotFinite,
    PeerGone,
    PeerSilent,
    SpacesChanged,
    UnityFault,
    VersionMismatch,
)
from amble.unity.protocol.communicator_pb2 import CommandProto, UnityMessageProto
from amble.unity.session import Session
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions
from unity_helpers import (
    NAME,
    SOON,
    TOY,
    VECTOR,
    Caller,
    Running,
    ScriptedScene,
    calling,
    frame,
    free_port,
    greeting,
    message,
    records,
)


def session(**settings) -> Session:
    return Session(port=0, **{"timeout": SOON, **settings})


def acting(rows) -> dict[str, Actions]:
    return {NAME: Actions(np.asarray(rows, np.float32))}


def test_a_whole_session_with_our_own_environment() -> None:
    scene = ScriptedScene(
        [
            {NAME: frame({1: [1, 2], 0: [3, 4]})},
            {NAME: frame({}, {0: [5, 6]}, last_reward=-1)},  # as Unity does: an end alone
            {NAME: frame({0: [7, 8], 1: [9, 10]}, {1: [0, 0]}, last_reward=2, interrupted=True, reward=0.5)},
            {},
            {NAME: frame({0: [1, 1]})},
        ]
    )
    engine, parameters, statistics = EngineChannel(), ParameterChannel(), StatisticsChannel()
    engine.set(time_scale=3)
    parameters.set("mass", 2)
    scene.statistics.report("goals", 4, Aggregation.MOST_RECENT)
    with session(seed=11, channels=[engine, parameters, statistics]) as ours:
        running = Running(scene, ours.port)
        ours.greet()
        assert ours.environment_version == "2.2.1"
        ours.begin()
        first = ours.receive()[NAME]
        assert ours.behaviors == {NAME: TOY}
        assert first.decisions.agent_id.tolist() == [1, 0]
        assert statistics.take() == {"goals": [(4.0, Aggregation.MOST_RECENT)]}
        ours.act(acting([[1, 2, 3], [4, 5, 6]]))
        alone = ours.receive()[NAME]
        assert (len(alone.decisions), alone.terminals.agent_id.tolist()) == (0, [0])
        assert (alone.terminals.reward.tolist(), alone.terminals.interrupted.tolist()) == ([-1], [False])
        ours.act({})
        both = ours.receive()[NAME]
        assert both.decisions.agent_id.tolist() == [0, 1]
        assert both.decisions.reward.tolist() == [0.5, 0.5]
        assert (both.terminals.agent_id.tolist(), both.terminals.interrupted.tolist()) == ([1], [True])
        ours.act(acting([[1, 1, 1], [2, 2, 2]]))
        assert ours.receive() == {}  # nobody asks
        ours.begin()
        assert ours.receive()[NAME].decisions.observations[0].tolist() == [[1, 1]]
    assert running.ended() is None
    assert scene.of("seed") == [11]
    assert Setting("time_scale", (3,)) in scene.of("engine")
    assert scene.of("parameter") == [Setting("mass", (2,))]
    assert [kind for kind, _ in scene.told if kind in ("reset", "step")] == [
        "reset",
        "step",
        "step",
        "step",
        "reset",
    ]
    steps = [step[NAME].continuous.tolist() for step in scene.of("step") if NAME in step]
    # Zero rows where only an episode's end was told; one set of actions for each message that asked
    assert steps == [[[1, 2, 3], [4, 5, 6]], [], [[1, 1, 1], [2, 2, 2]]]


def test_hybrid_actions_and_masks_go_through() -> None:
    spec = BehaviorSpec((VECTOR,), ActionSpec(1, (2, 3)))
    allowed = np.array([[True, False, True, True, False]])
    scene = ScriptedScene(
        [{NAME: frame({4: [0, 0]}, allowed=allowed)}, {NAME: frame({4: [0, 0]})}], {NAME: spec}
    )
    with session() as ours:
        running = Running(scene, ours.port)
        ours.greet()
        ours.begin()
        asking = ours.receive()[NAME].decisions
        assert asking.allowed is not None
        assert asking.allowed.tolist() == allowed.tolist()
        ours.act({NAME: Actions(np.array([[0.5]], np.float32), np.array([[0, 2]], np.int32))})
        assert ours.receive()[NAME].decisions.allowed is None
    assert running.ended() is None
    (step,) = scene.of("step")
    assert (step[NAME].continuous.tolist(), step[NAME].discrete.tolist()) == ([[0.5]], [[0, 2]])


def test_two_behaviours_and_one_that_comes_later() -> None:
    other = BehaviorSpec((VECTOR,), ActionSpec(0, (2,)))
    scene = ScriptedScene(
        [{NAME: frame({1: [0, 0]})}, {NAME: frame({1: [1, 1]}), "Late?team=1": frame({8: [2, 2]})}, {}],
        {NAME: TOY, "Late?team=1": other},
    )
    with session() as ours:
        running = Running(scene, ours.port)
        ours.greet()
        ours.begin()
        ours.receive()
        ours.act(acting([[0, 0, 0]]))
        assert set(ours.receive()) == {NAME, "Late?team=1"}
        assert ours.behaviors["Late?team=1"] == other
        ours.act({"Late?team=1": Actions(None, np.array([[1]], np.int32))})  # nothing for the other: zeros
        ours.receive()
    assert running.ended() is None
    last = scene.of("step")[-1]
    assert last[NAME].continuous.tolist() == [[0, 0, 0]]
    assert last["Late?team=1"].discrete.tolist() == [[1]]


# Environments that do not behave. Each says its messages and is answered; the session must fail by name and end.


def answered(said: list[UnityMessageProto | bytes], steps: int = 3, **settings) -> UnityFault:
    """The fault of a session with an environment that says this; it is told of the end."""
    ours = session(**settings)
    with calling(ours.port) as caller:
        answers = []

        def speak() -> None:
            for one in said:
                answers.append(caller.say(one).result())

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        with pytest.raises(UnityFault, match=r"^Unity environment 0: ") as raised:
            go_through(ours, steps)
        speaker.join(SOON)
        assert not speaker.is_alive()
    last = UnityMessageProto.FromString(answers[-1])
    assert last.header.status == 400
    assert str(raised.value).endswith(last.header.message)
    ours.close()  # again does nothing
    return raised.value


def go_through(ours: Session, steps: int) -> None:
    ours.greet()
    ours.begin()
    for _ in range(steps):
        ours.receive()
        ours.act({NAME: Actions(np.zeros((1, 3), np.float32))})


HELLO = [greeting(), message()]
FINE = records({NAME: frame({1: [1, 2]})}, {NAME: TOY})
UNDESCRIBED = records({NAME: frame({1: [1, 2]})}, {NAME: TOY}, described=False)
NAN = records({NAME: frame({1: [1, np.nan]})}, {NAME: TOY}, described=False)
WIDE = BehaviorSpec((ObservationSpec((3,), "VectorSensor_size3", (1,)),), ActionSpec(3))
WIDER = records({NAME: frame({1: [1, 2, 3]})}, {NAME: WIDE}, described=False)
OTHER_ACTIONS = records({NAME: frame({1: [1, 2]})}, {NAME: BehaviorSpec((VECTOR,), ActionSpec(4))})


def test_another_version() -> None:
    fault = answered([greeting("2.0.0")])
    assert isinstance(fault, VersionMismatch)
    assert "'2.0.0' of the protocol (package '2.2.1'), and this is 1.5.0" in str(fault)


@pytest.mark.parametrize("version", ["", "x", "11.5.0"])
def test_no_version(version: str) -> None:
    assert isinstance(answered([greeting(version)]), VersionMismatch)


def test_a_minor_version_is_the_same() -> None:
    assert isinstance(answered([greeting("1.0.0"), message(400)]), PeerGone)


@pytest.mark.parametrize(
    ("said", "fault", "words"),
    [
        ([message()], BadMessage, "first message is no greeting"),
        ([UNDESCRIBED], BadMessage, "first message is no greeting"),
        ([b"\xff\xff\xff"], BadMessage, "3 bytes that are no message"),
        ([*HELLO, b"\x0a\xff"], BadMessage, "2 bytes that are no message"),
        ([*HELLO, message(500)], PeerGone, "ended the session (status 500)"),
        ([*HELLO, FINE, b""], PeerGone, "ended the session (status 0)"),
        ([*HELLO, UNDESCRIBED], BadMessage, "before its actions were described"),
        ([*HELLO, FINE, NAN], NotFinite, "observation 0 ('VectorSensor_size2') of agent 1 is not finite"),
        ([*HELLO, FINE, WIDER], SpacesChanged, "has the shape [3]; it was [2] before"),
        ([*HELLO, FINE, OTHER_ACTIONS], SpacesChanged, "now has 4 continuous actions"),
    ],
)
def test_what_the_protocol_does_not_allow(said: list, fault: type[UnityFault], words: str) -> None:
    raised = answered(said)
    assert type(raised) is fault
    assert words in str(raised)


def test_an_environment_that_says_nothing() -> None:
    start = time.monotonic()
    with pytest.raises(PeerSilent, match=r"Unity environment 0: It has not spoken for 0\.3 s"):
        session(timeout=0.3).greet()
    assert time.monotonic() - start < SOON


def test_an_environment_that_falls_silent() -> None:
    ours = session(timeout=0.3)
    waiting = []  # kept: a call that nobody holds is cancelled
    with calling(ours.port) as caller:
        waiting.append(caller.say(greeting()))
        with pytest.raises(PeerSilent, match="has not spoken for"):
            ours.greet(timeout=0.5)  # the greeting comes, and nothing after it


def test_an_environment_that_goes_while_it_waits_for_an_answer() -> None:
    ours = session()
    caller = Caller(ours.port)
    first = caller.say(greeting())
    waiting = []  # kept: a call that nobody holds is cancelled
    greeted = threading.Thread(
        target=lambda: (first.result(), waiting.append(caller.say(message()))), daemon=True
    )
    greeted.start()
    ours.greet()
    greeted.join(SOON)
    caller.close()  # its connection with it, and the call that waits
    with pytest.raises(PeerGone, match="closed its connection"):
        begin_soon(ours)
    ours.close()


def begin_soon(ours: Session) -> None:
    time.sleep(0.2)
    ours.begin()
    ours.receive()


def test_only_one_environment_at_a_time() -> None:
    scene = ScriptedScene([{NAME: frame({1: [1, 2]})}])
    with session() as ours:
        Running(scene, ours.port)
        ours.greet()
        with calling(ours.port) as second:
            refused = UnityMessageProto.FromString(second.say(greeting()).result())
        assert (refused.header.status, refused.header.message) == (
            400,
            "This trainer is talking to another environment.",
        )
        ours.begin()
        assert len(ours.receive()[NAME].decisions) == 1


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 cannot be listened on.*--base-port"):
            Session(port=port)


def test_two_trainers_do_not_share_a_port() -> None:
    with session() as ours, pytest.raises(UsageError, match="cannot be listened on"):
        Session(port=ours.port)


def test_the_port_is_free_again_at_once_and_no_thread_is_left() -> None:
    port = free_port()
    for _ in range(3):
        Session(port=port).close()
    deadline = time.monotonic() + SOON
    while (
        any(thread.name == "unity-call" for thread in threading.enumerate()) and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "unity-call"]


def test_only_this_machine_may_call() -> None:
    with session() as ours:
        wanted = f"{ours.port:04X}"
        with open("/proc/net/tcp") as four, open("/proc/net/tcp6") as six:
            listening = [
                line.split()[1].split(":")[0]
                for line in [*four, *six]
                if line.split()[1].endswith(f":{wanted}") and line.split()[3] == "0A"
            ]
    # 127.0.0.1, as IPv4 or as IPv6 writes it
    assert [address.removeprefix("0000000000000000FFFF0000") for address in listening] == ["0100007F"]


def test_commands_are_those_of_the_wire() -> None:
    assert (CommandProto.STEP, CommandProto.RESET, CommandProto.QUIT) == (0, 1, 2)
