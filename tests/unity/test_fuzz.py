"""Spoilt messages to both ends: whatever comes, the session ends by name or goes on; nothing hangs or crashes.

`make fuzz` sends 10,000. The same seeds give the same messages.
"""

import os
import queue
import threading
import time

import numpy as np
import pytest

from amble.unity import client, encode
from amble.unity.channels import EngineChannel, ParameterChannel, StatisticsChannel, pack
from amble.unity.faults import UnityFault
from amble.unity.protocol.communicator_pb2 import UnityMessageProto
from amble.unity.session import Session
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals
from unity_helpers import SOON, ScriptedScene, calling, greeting, message, training

CASES = int(os.environ.get("AMBLE_FUZZ_CASES", "400"))
BATCHES = 8
NAME = "Toy?team=0"
CAMERA = ObservationSpec((4, 5, 3), "camera", (2, 2, 1))
SPEC = BehaviorSpec((ObservationSpec((3,), "v", (1,)), CAMERA), ActionSpec(2, (2, 3)))


def a_frame(rng: np.random.Generator) -> Frame:
    def some(count: int):
        seen = (
            rng.normal(size=(count, 3)).astype(np.float32),
            rng.integers(0, 256, (count, 4, 5, 3), np.uint8),
        )
        return np.arange(count), seen, np.zeros(count, np.float32)

    asking, ended = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    allowed = rng.random((asking, 5)) < 0.7
    return Frame(Decisions(*some(asking), allowed), Terminals(*some(ended), np.zeros(ended, np.bool_)))


def well_formed(rng: np.random.Generator) -> list[bytes]:
    """What a real environment says: a greeting, a silence, agents."""
    said = [greeting(), message()]
    for described in (True, False, False):
        one = message()
        if described:
            brains = one.unity_output.rl_initialization_output.brain_parameters
            brains.append(encode.brain_parameters(NAME, SPEC.actions))
        encode.Encoder(SPEC).write(a_frame(rng), one.unity_output.rl_output.agentInfos[NAME].value)
        one.unity_output.rl_output.side_channel = pack([(StatisticsChannel().channel_id, bytes(12))])
        said.append(one)
    return [one.SerializeToString() for one in said]


def orders(rng: np.random.Generator) -> list[bytes]:
    """What a real trainer answers."""
    hello = message()
    hello.unity_input.rl_initialization_input.communication_version = "1.5.0"
    reset, step = message(), message()
    engine, parameters = EngineChannel(), ParameterChannel()
    engine.set()
    parameters.set("mass", 2)
    row = [(channel.channel_id, one) for channel in (engine, parameters) for one in channel.take_outgoing()]
    reset.unity_input.rl_input.command = 1
    reset.unity_input.rl_input.side_channel = pack(row)
    actions = Actions(rng.normal(size=(2, 2)).astype(np.float32), np.ones((2, 2), np.int32))
    encode.write_actions(actions, step.unity_input.rl_input.agent_actions[NAME].value)
    return [one.SerializeToString() for one in (hello, reset, step, step, message(400))]


def spoilt(said: list[bytes], rng: np.random.Generator) -> list[bytes]:
    """The same with one thing wrong, or several."""
    said = list(said)
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.integers(len(said)))
        one = bytearray(said[at])
        match int(rng.integers(8)):
            case 0:  # cut
                said[at] = bytes(one[: int(rng.integers(len(one) + 1))])
            case 1 if one:  # some bits turned
                for place in rng.integers(0, len(one), int(rng.integers(1, 9))):
                    one[place] ^= 1 << int(rng.integers(8))
                said[at] = bytes(one)
            case 2:  # garbage
                said[at] = rng.bytes(int(rng.integers(0, 300)))
            case 3:  # out of order
                other = int(rng.integers(len(said)))
                said[at], said[other] = said[other], said[at]
            case 4:  # twice
                said.insert(at, said[at])
            case 5:  # missing
                del said[at]
                if not said:
                    said = [b""]
            case 6:  # something in the midst
                place = int(rng.integers(len(one) + 1))
                said[at] = bytes(one[:place]) + rng.bytes(int(rng.integers(1, 20))) + bytes(one[place:])
            case _:  # large
                said[at] = bytes(one) + b"\x7a" + b"\xff\xff\x3f" + bytes(2**20 - 1)
    return said


def the_trainers_end(said: list[bytes]) -> str:
    """What becomes of a session with an environment that says this, and then ends its session."""
    channels = [EngineChannel(), ParameterChannel(), StatisticsChannel()]
    session = Session(port=0, timeout=SOON, channels=channels)
    outcome: queue.SimpleQueue[str] = queue.SimpleQueue()

    def train() -> None:
        try:
            session.greet()
            session.begin()
            while True:
                frames = session.receive()
                session.act(
                    {
                        name: Actions(
                            np.zeros(
                                (len(one.decisions), session.behaviors[name].actions.continuous), np.float32
                            ),
                            np.zeros(
                                (len(one.decisions), len(session.behaviors[name].actions.branches)), np.int32
                            ),
                        )
                        for name, one in frames.items()
                    }
                )
        except UnityFault as fault:
            outcome.put(type(fault).__name__)
        except BaseException as crash:
            outcome.put(f"crash: {crash!r}")

    trainer = threading.Thread(target=train, daemon=True)
    trainer.start()
    with calling(session.port) as caller:
        for one in [*said, message(400).SerializeToString()]:
            if UnityMessageProto.FromString(caller.say(one).result()).header.status != 200:
                break
        trainer.join(SOON)
    assert not trainer.is_alive(), "the trainer's end hangs"
    session.close()
    return outcome.get()


def the_environments_end(answers: list[bytes]) -> str:
    scene = ScriptedScene([], {NAME: SPEC})
    rng = np.random.default_rng(3)
    scene.reset = scene.step = lambda *_: {NAME: a_frame(rng)}  # type: ignore[method-assign]
    ended = message(400).SerializeToString()
    with training(*answers, ended) as trainer:
        outcome: queue.SimpleQueue[str] = queue.SimpleQueue()

        def serve() -> None:
            try:
                client.run(scene, "127.0.0.1", trainer.port, connect_seconds=SOON, answer_seconds=SOON)
                outcome.put("ended")
            except UnityFault as fault:
                outcome.put(type(fault).__name__)
            except BaseException as crash:
                outcome.put(f"crash: {crash!r}")

        environment = threading.Thread(target=serve, daemon=True)
        environment.start()
        environment.join(SOON)
        assert not environment.is_alive(), "the environment's end hangs"
    return outcome.get()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_spoilt_messages(batch: int) -> None:
    outcomes: dict[str, int] = {}
    for case in range(batch, CASES, BATCHES):
        rng = np.random.default_rng(case)
        end, said = (the_trainers_end, well_formed) if case % 2 else (the_environments_end, orders)
        outcome = end(spoilt(said(rng), rng))
        assert not outcome.startswith("crash"), f"case {case}: {outcome}"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert len(outcomes) > 1, outcomes  # the messages are spoilt in more than one way


def test_whole_messages_pass() -> None:
    rng = np.random.default_rng(0)
    assert the_trainers_end(well_formed(rng)) == "PeerGone"  # the farewell after them
    assert the_environments_end(orders(rng)) == "ended"


def test_more_than_a_message_may_be() -> None:
    start = time.monotonic()
    assert the_trainers_end([greeting().SerializeToString(), bytes(64 * 2**20 + 1)]) == "BadMessage"
    assert time.monotonic() - start < 3 * SOON
