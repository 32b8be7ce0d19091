"""The environment's end of a session: it calls the trainer, and does what the answers say."""

from __future__ import annotations

from collections.abc import Callable

try:
    import grpc

    from amble.unity import decode, encode
    from amble.unity.protocol.communicator_pb2 import CommandProto, UnityMessageProto
    from amble.unity.server import farewell
except ImportError as error:
    from amble.unity.protocol import missing

    missing(error)

from amble.unity.channels import ENGINE, PARAMETERS, Channels, SideChannel, read_engine, read_parameter
from amble.unity.faults import BadMessage, PeerGone, PeerSilent, UnityFault, VersionMismatch
from amble.unity.protocol import API_VERSION, GO_ON, MESSAGE_BYTES_MAX, METHOD
from amble.unity.scene import Scene
from amble.unity.steps import Frame

_PACKAGE_VERSION = "2.2.1"
"""Of com.unity.ml-agents, whose behaviour this end has; trainers only show it."""
_FAREWELL_SECONDS = 1.0
_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX + 2**20),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def run(
    scene: Scene,
    host: str,
    port: int,
    *,
    connect_seconds: float = 60.0,
    answer_seconds: float = 3600.0,
    connected: Callable[[str], None] = lambda _: None,
) -> None:
    """Call the trainer on `host`:`port` and serve it until it ends the session.

    Args:
        scene: the agents.
        host: of the trainer.
        port: of the trainer.
        connect_seconds: how long to wait for a trainer to listen.
        answer_seconds: how long the trainer may take for an answer, in which it learns.
        connected: is told the trainer's version.

    Raises:
        UnityFault: the trainer cannot be reached, died, was silent, or said what the protocol does not allow.
    """
    with grpc.insecure_channel(f"{host}:{port}", options=_OPTIONS) as channel:
        caller = _Caller(channel, f"{host}:{port}", answer_seconds)
        caller.wait(connect_seconds)
        try:
            _Served(scene, caller, connected).until_the_end()
        except BaseException as failure:
            caller.say_farewell(str(failure))
            raise


class _Caller:
    """One call after the other."""

    def __init__(self, channel: grpc.Channel, address: str, seconds: float):
        self._channel, self._address, self._seconds = channel, address, seconds
        self._exchange = channel.unary_unary(METHOD)
        self._answered = True

    def wait(self, seconds: float) -> None:
        try:
            grpc.channel_ready_future(self._channel).result(seconds)
        except grpc.FutureTimeoutError:
            raise PeerSilent(
                f"No trainer listens on {self._address} (waited {seconds:g} s). Start one, for example "
                "`mlagents-learn` or `amble train` with a run file, then this; or give --port."
            ) from None

    def ask(self, message: UnityMessageProto) -> UnityMessageProto | None:
        """The trainer's answer; None where it ends the session."""
        self._answered = False
        try:
            answer = self._exchange(message.SerializeToString(), timeout=self._seconds)
        except grpc.RpcError as error:
            raise self._fault(error) from error
        self._answered = True
        heard = decode.parse(answer, "The trainer")
        return heard if heard.header.status == GO_ON else None

    def say_farewell(self, reason: str) -> None:
        """As well as it goes: the trainer may be what is gone."""
        if not self._answered:
            return
        try:
            self._exchange(farewell(reason), timeout=_FAREWELL_SECONDS)
        except grpc.RpcError:
            return

    def _fault(self, error: grpc.RpcError) -> UnityFault:
        code, details = error.code(), error.details()  # type: ignore[attr-defined]
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return PeerSilent(f"The trainer on {self._address} has not answered for {self._seconds:g} s.")
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return PeerGone(f"The trainer on {self._address} is gone ({details}).")
        return BadMessage(f"The trainer on {self._address} failed: {code.name} ({details}).")


class _Served:
    """A scene and what the trainer has been told of it."""

    def __init__(self, scene: Scene, caller: _Caller, connected: Callable[[str], None]):
        self._scene, self._caller, self._connected = scene, caller, connected
        self._channels = Channels(
            [scene.statistics, _Heard(ENGINE, self._engine), _Heard(PARAMETERS, self._parameter)]
        )
        self._asked: dict[str, int] = {}
        self._encoders = {name: encode.Encoder(spec) for name, spec in scene.behaviors.items()}
        self._described: set[str] = set()
        self._begun = False
        self._message = UnityMessageProto()  # written over for every step
        self._message.header.status = GO_ON

    def until_the_end(self) -> None:
        greeting = UnityMessageProto()
        greeting.header.status = GO_ON
        ours = greeting.unity_output.rl_initialization_output
        ours.name, ours.communication_version = "AcademySingleton", API_VERSION
        ours.package_version = _PACKAGE_VERSION
        ours.capabilities.CopyFrom(encode.capabilities())
        answer = self._caller.ask(greeting)
        if answer is None:
            return
        theirs = answer.unity_input.rl_initialization_input
        if theirs.communication_version.split(".")[0] != API_VERSION.split(".")[0]:
            raise VersionMismatch(
                f"The trainer speaks version {theirs.communication_version[:50]!r} of the protocol (package "
                f"{theirs.package_version[:50]!r}), and this is {API_VERSION}; the first numbers must agree."
            )
        self._scene.seed(theirs.seed)
        self._connected(theirs.package_version)
        message = UnityMessageProto()
        message.header.status = GO_ON
        while (answer := self._caller.ask(message)) is not None:
            if not answer.unity_input.HasField("rl_input"):
                raise BadMessage("The trainer's answer holds no command (rl_input).")
            wanted = answer.unity_input.rl_input
            self._channels.incoming(wanted.side_channel)
            if wanted.command == CommandProto.QUIT:
                return
            if wanted.command not in (CommandProto.STEP, CommandProto.RESET):
                raise BadMessage(f"The trainer's command is {wanted.command}; expected 0 to 2.")
            if wanted.command == CommandProto.RESET or not self._begun:
                frames, self._begun = self._scene.reset(), True
            else:
                if unknown := wanted.agent_actions.keys() - self._scene.behaviors.keys():
                    raise BadMessage(
                        f"The trainer sent actions of {min(unknown)[:200]!r}, a behaviour not here."
                    )
                frames = self._scene.step(
                    {
                        name: decode.actions(
                            name, self._scene.behaviors[name].actions, count, wanted.agent_actions[name].value
                        )
                        for name, count in self._asked.items()
                    }
                )
            message = self._told(frames)

    def _told(self, frames: dict[str, Frame]) -> UnityMessageProto:
        output = self._message.unity_output
        told = output.rl_output
        output.ClearField("rl_initialization_output")
        for name in self._encoders:
            frame = frames.get(name)
            if frame is None or not len(frame.decisions) + len(frame.terminals):
                if name in told.agentInfos:
                    del told.agentInfos[name]
                self._asked.pop(name, None)
                continue
            if name not in self._described:
                spec = self._scene.behaviors[name].actions
                output.rl_initialization_output.brain_parameters.append(encode.brain_parameters(name, spec))
                self._described.add(name)
            self._encoders[name].write(frame, told.agentInfos[name].value)
            self._asked[name] = len(frame.decisions)
        told.side_channel = self._channels.outgoing()
        return self._message

    def _engine(self, payload: bytes) -> None:
        self._scene.engine(read_engine(payload))

    def _parameter(self, payload: bytes) -> None:
        self._scene.parameter(read_parameter(payload))


class _Heard(SideChannel):
    """A channel that only listens."""

    def __init__(self, channel_id: object, hear: Callable[[bytes], None]):
        super().__init__(channel_id)  # type: ignore[arg-type]
        self._hear = hear

    def receive(self, payload: bytes) -> None:
        self._hear(payload)
