"""The trainer's socket: gRPC's calls turned into a conversation of one message each way.

The environment's call is answered when the trainer has decided, however long that takes. Calls arrive on threads of
gRPC's; whoever trains sees two functions, `receive` and `reply`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

try:
    import grpc
except ImportError as error:
    from amble.unity.protocol import missing

    missing(error)

from amble.errors import UsageError
from amble.unity.decode import parse
from amble.unity.faults import PeerGone, PeerSilent
from amble.unity.protocol import LAST, MESSAGE_BYTES_MAX, SERVICE
from amble.unity.protocol.communicator_pb2 import UnityMessageProto

_LOOK_SECONDS = 0.1
"""How often a silent environment is looked after."""
_PATIENCE_SECONDS = 2.0
"""For the last answer to arrive."""
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second trainer on the port is to fail, not to share it
    # gRPC refuses without a word to us, so it takes a little more than we do
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX + 2**20),
    ("grpc.max_send_message_length", -1),
)


def farewell(reason: str = "") -> bytes:
    """The last message of a session."""
    message = UnityMessageProto()
    message.header.status, message.header.message = LAST, reason
    return message.SerializeToString()


class Conversation:
    """One environment's calls on one port, from the first to the last."""

    def __init__(self, host: str, port: int):
        """Listen at once. `port` 0 takes any that is free."""
        self._requests: queue.SimpleQueue[tuple[int, bytes | None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._peer: str | None = None
        self._call = 0  # the number of the call that waits for an answer, or of the last one
        self._answer: queue.SimpleQueue[bytes] | None = None  # of the call that waits
        self._closed = False
        self._threads = _Threads(4)
        self._server = grpc.server(self._threads, options=_OPTIONS)
        handler = grpc.unary_unary_rpc_method_handler(self._exchange)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, {"Exchange": handler})]
        )
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            self.port = 0
        if not self.port:
            self._server.stop(0)
            self._threads.end()
            raise UsageError(
                f"Port {port} of {host} cannot be listened on: another program holds it, a trainer that still runs "
                "perhaps. End that one, or give another --base-port."
            )
        self._server.start()

    def receive(self, timeout: float, look_after: Callable[[], None] = lambda: None) -> UnityMessageProto:
        """Wait for the environment's next message.

        Args:
            timeout: seconds.
            look_after: called again and again meanwhile; raises where waiting is in vain.
        """
        left = timeout
        while True:
            try:
                call, request = self._requests.get(timeout=min(left, _LOOK_SECONDS))
            except queue.Empty:
                look_after()
                left -= _LOOK_SECONDS
                if left <= 0:
                    raise PeerSilent(f"It has not spoken for {timeout:g} s.") from None
                continue
            if request is None:
                if call == self._call:
                    raise PeerGone("It closed its connection.")
                continue  # an earlier call's end
            return parse(request, "The environment")

    def reply(self, answer: bytes) -> None:
        """Answer the message that `receive` returned."""
        with self._lock:
            waiting, self._answer = self._answer, None
        if waiting is None:
            raise PeerGone("It closed its connection before it was answered.")
        waiting.put(answer)

    def close(self, reason: str = "") -> None:
        """Answer what waits with the last message, and listen no more. Again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting, self._answer = self._answer, None
        if waiting is not None:
            waiting.put(farewell(reason))
        # An event, set when every call is over
        if not self._server.stop(_PATIENCE_SECONDS).wait(2 * _PATIENCE_SECONDS):
            self._server.stop(0)
        self._threads.end()

    def _exchange(self, request: bytes, context: Any) -> bytes:
        """One call, on a thread of its own."""
        with self._lock:
            if self._closed or self._answer is not None or self._peer not in (None, context.peer()):
                return farewell("This trainer is talking to another environment.")
            self._peer = context.peer()
            self._call += 1
            call = self._call
            self._answer = answer = queue.SimpleQueue()
        if not context.add_callback(lambda: self._over(call)):
            self._over(call)
        self._requests.put((call, request))
        return answer.get()

    def _over(self, call: int) -> None:
        """A call is over: answered, or its caller has gone."""
        with self._lock:
            if call != self._call or self._answer is None:
                return
            waiting, self._answer = self._answer, None
        waiting.put(b"")  # nobody reads it; the thread is to go on
        self._requests.put((call, None))


class _Threads(futures.Executor):
    """Threads that no interpreter waits for at its end: `ThreadPoolExecutor`'s would hang it on an open call."""

    def __init__(self, count: int):
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._count = count
        for _ in range(count):
            threading.Thread(target=self._serve, daemon=True, name="unity-call").start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        """Run `fn` on one of the threads."""
        future: futures.Future[Any] = futures.Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as failure:  # handed on, as an executor's contract is
                future.set_exception(failure)

        self._work.put(run)
        return future

    def end(self) -> None:
        """Let every thread end once it has nothing to do."""
        for _ in range(self._count):
            self._work.put(None)

    def _serve(self) -> None:
        while (run := self._work.get()) is not None:
            run()
