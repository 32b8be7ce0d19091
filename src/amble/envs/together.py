"""One world that several learners act in, each through a vector environment of its own.

Each learner runs on a thread of its own, one at a time: a `step` of its part hands the turn on, and returns when the
world says that the part's next decision is due. So a learner is written as if it were alone, and what it does is the
same from run to run. Axes: B environments of a part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, runtime_checkable

from gymnasium import spaces
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from amble.errors import AmbleError

_PATIENCE_SECONDS = 30.0
"""For a learner to come to its next step when it is to end."""
_RESET, _DONE = object(), object()


@runtime_checkable
class World(Protocol):
    """What the parts act in."""

    def reset(self) -> Mapping[str, Any]:
        """Begin new episodes everywhere; the observations of every part."""
        ...

    def observation(self, name: str) -> Any:
        """What a part sees now."""
        ...

    def step(self, actions: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the actions of the parts that were due; what comes of it for those that are due now, one at least.

        A part that is not among them goes on with the actions that it gave.
        """
        ...


class Part(VectorEnv):
    """The environments of one learner; to be used by its role only."""

    def __init__(
        self,
        name: str,
        count: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        metadata: Mapping[str, Any],
    ):
        """`count` environments, B, with the spaces of a single one."""
        super().__init__()
        self.name, self.num_envs, self.metadata = name, count, dict(metadata)
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space = batch_space(observation_space, count)
        self.action_space = batch_space(action_space, count)
        self.requests: SimpleQueue[Any] = SimpleQueue()
        self.answers: SimpleQueue[Any] = SimpleQueue()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes, if all other parts want to as well; else those that run go on."""
        super().reset(seed=seed)
        return self.ask(_RESET), {}

    def step(self, actions: Any) -> Any:
        """Step, when the others have decided too."""
        return self.ask(actions)

    def ask(self, request: Any) -> Any:
        """Hand the turn on, and wait for an answer."""
        self.requests.put(request)
        answer = self.answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@dataclass(frozen=True)
class Role:
    """What a learner does in its part."""

    work: Callable[[], object]
    """Once."""
    go_on: Callable[[], object]
    """Again and again after that, until the others have done their work: its agents are still there."""


def perform(world: World, parts: Mapping[str, Part], roles: Mapping[str, Role]) -> None:
    """Have every role do its work in its part of the world.

    Raises:
        Whatever a role or the world raises; the other roles are then ended at their next step by the same words.
    """
    players = {name: _Player(part, roles[name]) for name, part in parts.items()}
    working = set(parts)

    def hear(name: str) -> Any:
        """Let a role go on to its next request."""
        request = parts[name].requests.get()
        if request is _DONE:
            working.discard(name)
            if not working:
                return _DONE
            parts[name].answers.put(None)
            request = parts[name].requests.get()
        if isinstance(request, _Failure):
            raise request.cause
        return request

    try:
        asked: dict[str, Any] = {}
        for name, player in players.items():
            player.start()
            asked[name] = hear(name)
        while working:
            resets = [name for name, request in asked.items() if request is _RESET]
            if len(resets) == len(parts):
                answers = world.reset()
                asked.clear()
            elif resets:
                answers = {name: world.observation(name) for name in resets}
                asked = {name: request for name, request in asked.items() if request is not _RESET}
            else:
                answers = world.step(asked)
                asked.clear()
            for name, answer in answers.items():
                parts[name].answers.put(answer)
                asked[name] = hear(name)
                if not working:
                    break
    except BaseException as failure:
        _end(players.values(), failure)
        raise
    _end(players.values(), None)


class _Player(threading.Thread):
    """A role, played."""

    def __init__(self, part: Part, role: Role):
        super().__init__(name=f"amble-{part.name}", daemon=True)
        self.part, self._role = part, role

    def run(self) -> None:
        """Until the end that an answer brings."""
        try:
            self._role.work()
            self.part.ask(_DONE)
            while True:
                self._role.go_on()
        except _Over:
            return
        except BaseException as failure:  # raised again where the parts meet
            self.part.requests.put(_Failure(failure))


@dataclass(frozen=True)
class _Failure:
    cause: BaseException


class _Over(BaseException):
    """Every part's work is done."""


def _end(players: Iterable[_Player], failure: BaseException | None) -> None:
    """Have the players raise at the step that they wait in, or come to next."""
    for player in players:
        if not player.is_alive():
            continue
        match failure:
            case None:
                reason: BaseException = _Over()
            case KeyboardInterrupt() | SystemExit():
                reason = type(failure)(*failure.args)
            case _:
                reason = AmbleError(str(failure) or type(failure).__name__)
        player.part.answers.put(reason)
        player.join(_PATIENCE_SECONDS)
