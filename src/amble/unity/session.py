"""The trainer's end of a session with one environment: a build that it starts, or an editor that it waits for.

A session is `start`, `greet`, then `begin` (RESET) and `act` (STEP), each followed by `receive`. Sending and
receiving are apart so that several environments can compute at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

try:
    from amble.unity import decode, encode
    from amble.unity.protocol.communicator_pb2 import CommandProto, UnityMessageProto
    from amble.unity.server import Conversation
except ImportError as error:
    from amble.unity.protocol import missing

    missing(error)

from amble.unity.channels import Channels, SideChannel
from amble.unity.faults import BadMessage, PeerGone, UnityFault, VersionMismatch
from amble.unity.launch import Build
from amble.unity.protocol import API_VERSION, GO_ON
from amble.unity.spec import ActionSpec, BehaviorSpec
from amble.unity.steps import Actions, Frame

_T = TypeVar("_T")
_BEHAVIORS_MAX = 1000


class Session:
    """A session with one environment.

    Attributes:
        port: that the environment is to call on.
        behaviors: what has been seen so far, by name (`Walker?team=0`).
        environment_version: of the environment's ML-Agents package.
        over: whether it has been closed.
    """

    def __init__(
        self,
        *,
        port: int,
        path: str | Path | None = None,
        args: Sequence[str] = (),
        host: str = "127.0.0.1",
        seed: int = 0,
        timeout: float = 60.0,
        num_areas: int = 1,
        no_graphics: bool = False,
        channels: Iterable[SideChannel] = (),
        log_folder: Path | None = None,
        worker: int = 0,
    ):
        """Listen on `port`, and start the build at `path`, if there is one.

        Args:
            port: to listen on; 0 takes a free one.
            path: of the build; None waits for an environment that somebody else starts.
            args: for the build, after those of ML-Agents.
            host: whose address to listen on; only this machine can call unless asked otherwise.
            seed: for the environment, sent when it greets.
            timeout: seconds that the environment may take for each message.
            num_areas: of training, in the scene.
            no_graphics: start the build without a window.
            channels: side channels.
            log_folder: where the build writes its log.
            worker: the number of this environment among several, for messages and the log's name.
        """
        self.behaviors: dict[str, BehaviorSpec] = {}
        self.environment_version = ""
        self.over = False
        self._who = f"Unity environment {worker}"
        self._timeout, self._seed, self._num_areas = timeout, seed, num_areas
        self._channels = Channels(channels)
        self._actions: dict[str, ActionSpec] = {}
        self._decoders: dict[str, decode.Decoder] = {}
        self._message = UnityMessageProto()  # written over for every step
        self._message.header.status = GO_ON
        self._pending: dict[str, int] = {}
        self._build: Build | None = None
        self._conversation = Conversation(host, port)
        self.port = self._conversation.port
        try:
            if path is not None:
                self._build = Build(
                    path, self.port, args, no_graphics=no_graphics, log_folder=log_folder, worker=worker
                )
        except BaseException:
            self._conversation.close()
            raise

    def greet(self, timeout: float | None = None) -> None:
        """Wait for the environment to greet, and agree on the version; `timeout` in the place of the usual one."""
        self._guarded(lambda: self._greet(self._timeout if timeout is None else timeout))

    def begin(self) -> None:
        """Have every agent begin a new episode; `receive` what they see."""
        self._guarded(lambda: self._send(CommandProto.RESET, {}))

    def act(self, actions: Mapping[str, Actions]) -> None:
        """Send the actions of the agents that asked in the last message; `receive` what comes of it."""
        self._guarded(lambda: self._send(CommandProto.STEP, actions))

    def receive(self) -> dict[str, Frame]:
        """Every behaviour's agents that ask for a decision or have ended their episode."""
        return self._guarded(self._receive)

    def close(self, reason: str = "") -> None:
        """End the session and the build. Again does nothing."""
        self.over = True
        self._conversation.close(reason)
        if self._build is not None:
            self._build.close()

    def __enter__(self) -> Session:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _guarded(self, step: Callable[[], _T]) -> _T:
        """Whatever goes wrong, the environment is told, its process ended, and the fault says whose it was."""
        try:
            return step()
        except UnityFault as fault:
            self.close(str(fault))
            raise type(fault)(f"{self._who}: {fault}") from fault
        except BaseException:
            self.close()
            raise

    def _look_after(self) -> None:
        if self._build is not None:
            self._build.look_after()

    def _hear(self, timeout: float) -> UnityMessageProto:
        message = self._conversation.receive(timeout, self._look_after)
        if message.header.status != GO_ON:
            said = f": {message.header.message[:500]}" if message.header.message else ""
            raise PeerGone(f"It ended the session (status {message.header.status}){said}.")
        return message

    def _greet(self, timeout: float) -> None:
        greeting = self._hear(timeout)
        if not greeting.unity_output.HasField("rl_initialization_output"):
            raise BadMessage("Its first message is no greeting (rl_initialization_output).")
        theirs = greeting.unity_output.rl_initialization_output
        self.environment_version = theirs.package_version
        if theirs.communication_version.split(".")[0] != API_VERSION.split(".")[0]:
            raise VersionMismatch(
                f"It speaks version {theirs.communication_version[:50]!r} of the protocol (package "
                f"{theirs.package_version[:50]!r}), and this is {API_VERSION}; the first numbers must agree. "
                "Use com.unity.ml-agents 1.0 or later in the Unity project."
            )
        self._learn_actions(greeting)
        answer = UnityMessageProto()
        answer.header.status = GO_ON
        ours = answer.unity_input.rl_initialization_input
        ours.seed, ours.num_areas = self._seed, self._num_areas
        ours.communication_version, ours.package_version = API_VERSION, "0.28.0"
        ours.capabilities.CopyFrom(encode.capabilities())
        self._conversation.reply(answer.SerializeToString())
        self._hear(timeout)  # says nothing, and waits for the first command

    def _send(self, command: int, actions: Mapping[str, Actions]) -> None:
        sent = self._message.unity_input.rl_input
        sent.command = command  # type: ignore[assignment]  # enums are numbers here
        sent.side_channel = self._channels.outgoing()
        for name in [name for name in sent.agent_actions if name not in actions]:
            del sent.agent_actions[name]
        for name, given in actions.items():
            encode.write_actions(given, sent.agent_actions[name].value)
        self._conversation.reply(self._message.SerializeToString())

    def _receive(self) -> dict[str, Frame]:
        message = self._hear(self._timeout)
        self._learn_actions(message)
        output = message.unity_output.rl_output
        frames: dict[str, Frame] = {}
        for name, records in output.agentInfos.items():
            if not records.value:
                continue
            decoder = self._decoders.get(name) or self._new_behavior(name, records.value[0])
            frames[name] = decoder.frame(records.value)
        self._channels.incoming(output.side_channel)
        return frames

    def _new_behavior(self, name: str, agent: decode.AgentInfoProto) -> decode.Decoder:
        if name not in self._actions:
            raise BadMessage(f"Agents of behaviour {name[:200]!r} came before its actions were described.")
        spec = BehaviorSpec(decode.observation_specs(agent, name), self._actions[name])
        self.behaviors[name] = spec
        self._decoders[name] = decoder = decode.Decoder(name, spec)
        return decoder

    def _learn_actions(self, message: UnityMessageProto) -> None:
        for brain in message.unity_output.rl_initialization_output.brain_parameters:
            spec = decode.action_spec(brain)
            known = self._actions.setdefault(brain.brain_name, spec)
            if known != spec:
                raise decode.SpacesChanged(
                    f"Behaviour {brain.brain_name!r} now has {spec}; it had {known} at first."
                )
            if len(self._actions) > _BEHAVIORS_MAX:
                raise BadMessage(f"It has more than {_BEHAVIORS_MAX} behaviours.")
