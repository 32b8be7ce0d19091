"""Environments that call, and trainers that serve, as a script says: real sockets, in threads of this process."""

import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from amble.unity import client, encode
from amble.unity.channels import Setting, StatisticsChannel
from amble.unity.protocol import METHOD
from amble.unity.protocol.communicator_pb2 import UnityMessageProto
from amble.unity.spec import ActionSpec, BehaviorSpec, ObservationSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

NAME = "Toy?team=0"
VECTOR = ObservationSpec((2,), "VectorSensor_size2", (1,))
TOY = BehaviorSpec((VECTOR,), ActionSpec(3))
SOON = 20.0
"""Seconds within which everything here happens on a busy machine."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def frame(
    asking: Mapping[int, Sequence[float]],
    ended: Mapping[int, Sequence[float]] | None = None,
    *,
    reward: float = 0.0,
    last_reward: float = 0.0,
    interrupted: bool = False,
    allowed: Any = None,
) -> Frame:
    """Agents by id with what they see."""
    ended = ended or {}

    def rows(of: Mapping[int, Sequence[float]]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        seen = np.array(list(of.values()), np.float32).reshape(len(of), -1 if of else 2)
        return np.array(list(of), np.int64), (seen,)

    return Frame(
        Decisions(*rows(asking), np.full(len(asking), reward, np.float32), allowed),
        Terminals(
            *rows(ended),
            np.full(len(ended), last_reward, np.float32),
            np.full(len(ended), interrupted, np.bool_),
        ),
    )


class ScriptedScene:
    """Gives its frames one after the other, and keeps what it is told."""

    def __init__(
        self, frames: Sequence[dict[str, Frame]], behaviors: Mapping[str, BehaviorSpec] | None = None
    ):
        self.frames = list(frames)
        self.behaviors = dict(behaviors or {NAME: TOY})
        self.statistics = StatisticsChannel()
        self.told: list[tuple[str, Any]] = []

    def seed(self, seed: int) -> None:
        self.told.append(("seed", seed))

    def engine(self, setting: Setting) -> None:
        self.told.append(("engine", setting))

    def parameter(self, setting: Setting) -> None:
        self.told.append(("parameter", setting))

    def reset(self) -> dict[str, Frame]:
        self.told.append(("reset", None))
        return self.frames.pop(0)

    def step(self, actions: Mapping[str, Actions]) -> dict[str, Frame]:
        self.told.append(("step", dict(actions)))
        return self.frames.pop(0)

    def of(self, kind: str) -> list[Any]:
        return [what for name, what in self.told if name == kind]


class Running(threading.Thread):
    """A scene that calls; `failure` is what ended it."""

    def __init__(self, scene: Any, port: int):
        super().__init__(daemon=True)
        self.scene, self.port = scene, port
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            client.run(self.scene, "127.0.0.1", self.port, connect_seconds=SOON, answer_seconds=SOON)
        except BaseException as failure:
            self.failure = failure

    def ended(self) -> BaseException | None:
        self.join(SOON)
        assert not self.is_alive(), "the environment's end hangs"
        return self.failure


class Caller:
    """An environment that says what a test wants, well-formed or not."""

    def __init__(self, port: int):
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        self._call = self._channel.unary_unary(METHOD)

    def say(self, data: bytes | UnityMessageProto) -> grpc.Future:
        """Call without waiting; `result()` is the answer."""
        if isinstance(data, UnityMessageProto):
            data = data.SerializeToString()
        return self._call.future(data, timeout=SOON)

    def close(self) -> None:
        self._channel.close()


@contextmanager
def calling(port: int) -> Iterator[Caller]:
    caller = Caller(port)
    try:
        yield caller
    finally:
        caller.close()


def message(status: int = 200) -> UnityMessageProto:
    said = UnityMessageProto()
    said.header.status = status
    return said


def greeting(version: str = "1.5.0") -> UnityMessageProto:
    said = message()
    said.unity_output.rl_initialization_output.communication_version = version
    said.unity_output.rl_initialization_output.package_version = "2.2.1"
    return said


def records(
    frames: Mapping[str, Frame], behaviors: Mapping[str, BehaviorSpec], described: bool = True
) -> UnityMessageProto:
    """A message with these frames, with or without the description of their actions."""
    said = message()
    for name, one in frames.items():
        if described:
            brain = encode.brain_parameters(name, behaviors[name].actions)
            said.unity_output.rl_initialization_output.brain_parameters.append(brain)
        encode.Encoder(behaviors[name]).write(one, said.unity_output.rl_output.agentInfos[name].value)
    return said


class Trainer:
    """A trainer that answers each call with the next of its answers; the last one is given again and again."""

    def __init__(self, answers: Sequence[bytes | UnityMessageProto | Callable[[bytes], bytes]]):
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._answers = list(answers)
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(2)
        self._server = grpc.server(self._pool)
        handler = grpc.unary_unary_rpc_method_handler(self._answer)
        service = METHOD.split("/")[1]
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"Exchange": handler})]
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, request: bytes, context: Any) -> bytes:
        self.heard.put(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(answer):
            return answer(request)
        return answer if isinstance(answer, bytes) else answer.SerializeToString()

    def close(self) -> None:
        self._server.stop(0).wait()
        self._pool.shutdown()


@contextmanager
def training(*answers: bytes | UnityMessageProto | Callable[[bytes], bytes]) -> Iterator[Trainer]:
    trainer = Trainer(answers)
    try:
        yield trainer
    finally:
        trainer.close()
