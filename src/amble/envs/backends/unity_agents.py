"""Who is who in Unity scenes, and what they have said in a step.

Axes: B agents of one behaviour, in whichever scene they live; n agents of one message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float

from amble.envs.backends.unity_spaces import MASK, action_space, observation_space, split_actions
from amble.unity.faults import PeerSilent, UnityFault
from amble.unity.session import Session
from amble.unity.spec import GOAL, BehaviorSpec
from amble.unity.steps import Actions, Decisions, Frame, Terminals

Agent = tuple[str, int]
"""The behaviour's name with its team, and the agent's id."""
Outcome = tuple[
    Any,
    Float[np.ndarray, "B"],
    Bool[np.ndarray, "B"],
    Bool[np.ndarray, "B"],
    dict[str, Any],
]
"""What `step` returns."""


class Board:
    """What the agents of one behaviour have said in a step.

    Attributes:
        behavior: its name, without a team.
        count: B.
        fresh: (B,) who has asked for the next decision.
        repeated: decisions answered with the agent's last action because others had not asked yet.
        skipped: decisions of new episodes answered with zeros for the same reason.
        seconds: that scenes have taken since the step began.
    """

    def __init__(self, behavior: str, count: int, spec: BehaviorSpec):
        self.behavior, self.count, self.spec = behavior, count, spec
        self.observation_space, self._masked = observation_space(spec)
        self.action_space = action_space(spec)
        self.observations = [np.zeros((count, *part.shape), np.float32) for part in spec.observations]
        self.final = [np.zeros_like(part) for part in self.observations]
        self.allowed = np.ones((count, spec.actions.choices), np.bool_)
        self.reward = np.zeros(count)
        self.terminated, self.truncated, self.fresh = (np.zeros(count, np.bool_) for _ in range(3))
        self.continuous = np.zeros((count, spec.actions.continuous), np.float32)
        self.discrete = np.zeros((count, len(spec.actions.branches)), np.int32)
        self.repeated = self.skipped = 0
        self.seconds = 0.0

    def begin(self, actions: Any) -> None:
        """A step begins with these actions; without any, none has been taken yet."""
        for array in (self.reward, self.terminated, self.truncated, self.fresh):
            array[:] = 0
        self.seconds = 0.0
        if actions is None:
            self.continuous[:], self.discrete[:] = 0, 0
            return
        continuous, discrete = split_actions(actions, self.spec, self.count)
        if continuous is not None:
            self.continuous[:] = continuous
        if discrete is not None:
            self.discrete[:] = discrete

    def cut(self, rows: slice) -> None:
        """The episodes of these rows end where they were seen last, with what was paid until then."""
        going = np.flatnonzero(~(self.terminated | self.truncated)[rows]) + rows.start
        self.truncated[going] = True
        self.fresh[rows] = False
        for final, seen in zip(self.final, self.observations, strict=True):
            final[going] = seen[going]

    @property
    def goals(self) -> list[str]:
        """The names of the observations that are goal signals."""
        return [part.name for part in self.spec.observations if part.kind == GOAL]

    def observation(self, *, final: bool = False) -> Any:
        """The agents' observations, or those of the episodes that have ended, as the space says; the caller's own."""
        arrays = self.final if final else self.observations
        if isinstance(self.observation_space, spaces.Box):
            return arrays[0].copy()
        parts: dict[str, np.ndarray] = {f"obs_{index}": array.copy() for index, array in enumerate(arrays)}
        if self._masked:
            allowed = np.ones_like(self.allowed) if final else self.allowed.copy()
            parts[MASK] = allowed.astype(np.int8)
        return parts

    def outcome(self) -> Outcome:
        """What has come of the step."""
        done = self.terminated | self.truncated
        info = {"final_obs": self.observation(final=True), "_final_obs": done} if done.any() else {}
        return (
            self.observation(),
            self.reward.copy(),
            self.terminated.copy(),
            self.truncated.copy(),
            info,
        )


class Cast:
    """The agents of one behaviour in one scene: who has which row of the board."""

    def __init__(self, board: Board, worker: int):
        self.board, self.worker = board, worker
        self.rows = range(0)
        self._row: dict[Agent, int] = {}
        self._asked: dict[str, np.ndarray] = {}  # rows of those who asked in the last message, in its order

    def lay_out(self, agents: list[Agent], start: int) -> None:
        """Give each agent a row, from `start` on."""
        if self.rows and len(agents) != len(self.rows):
            raise UnityFault(
                f"Unity environment {self.worker}: {len(agents)} agents began after a reset, and there were "
                f"{len(self.rows)} at first; their number must stay."
            )
        self.rows = range(start, start + len(agents))
        self._row = dict(zip(agents, self.rows, strict=True))

    def missing(self) -> list[str]:
        """Who has not asked for the next decision yet, for messages."""
        names = {row: f"{agent} ({name})" for (name, agent), row in self._row.items()}
        return [names.get(row, "nobody") for row in self.rows if not self.board.fresh[row]]

    def complete(self) -> bool:
        """Whether all have asked for their next decision."""
        return bool(self.board.fresh[self.rows.start : self.rows.stop].all())

    def actions(self, *, first: bool) -> dict[str, Actions]:
        """Of those who asked; after the first answer of a step, new episodes get zeros."""
        board, actions = self.board, dict[str, Actions]()
        for name, rows in self._asked.items():
            if not len(rows):
                continue
            continuous, discrete = board.continuous[rows], board.discrete[rows]
            if not first:
                begun = (board.terminated | board.truncated)[rows]
                continuous[begun], discrete[begun] = 0, 0
            actions[name] = Actions(continuous, discrete)
        return actions

    def absorb(self, frames: Mapping[str, Frame]) -> None:
        """Write the agents of a message, all of this behaviour, to the board."""
        self._asked = {}
        board = self.board
        for name, frame in frames.items():
            self._ends(name, frame.terminals)
            rows = self._rows_of(name, frame.decisions)
            self._asked[name] = rows
            again = board.fresh[rows]
            done = (board.terminated | board.truncated)[rows]
            board.repeated += int((again & ~done).sum())
            board.skipped += int((again & done).sum())
            going = rows[~done]
            board.reward[going] += frame.decisions.reward[~done]
            for target, source in zip(board.observations, frame.decisions.observations, strict=True):
                target[rows] = source
            board.allowed[rows] = True if frame.decisions.allowed is None else frame.decisions.allowed
            board.fresh[rows] = True

    def _ends(self, name: str, ended: Terminals) -> None:
        """Write the ends of episodes, and count those that nobody saw."""
        if not len(ended):
            return
        board = self.board
        for at, agent in enumerate(ended.agent_id.tolist()):
            row = self._row.get((name, agent))
            if row is None or board.terminated[row] or board.truncated[row]:
                board.skipped += 1  # it came and went within one step
                if row is not None:
                    board.fresh[row] = False
                continue
            board.reward[row] += ended.reward[at]
            board.truncated[row] = ended.interrupted[at]
            board.terminated[row] = not ended.interrupted[at]
            board.fresh[row] = False
            for target, source in zip(board.final, ended.observations, strict=True):
                target[row] = source[at]

    def _rows_of(self, name: str, asking: Decisions) -> np.ndarray:
        try:
            return np.array([self._row[name, agent] for agent in asking.agent_id.tolist()], np.int64)
        except KeyError:
            pass
        board, here = self.board, {(name, agent) for agent in asking.agent_id.tolist()}
        for key in sorted(here - self._row.keys()):
            free = [
                (old, row)
                for old, row in self._row.items()
                if (board.terminated[row] or board.truncated[row])
                and not board.fresh[row]
                and old not in here
            ]
            if not free:
                raise UnityFault(
                    f"Unity environment {self.worker}: agent {key[1]} of {name!r} has come, and all {len(self.rows)} "
                    "places are taken by agents that were there before. Their number must stay: a new one may come "
                    "when another's episode has ended for good. With `agents` more of them are waited for at the start."
                )
            old, row = min(free, key=lambda item: item[1])
            del self._row[old]
            self._row[key] = row
        return np.array([self._row[name, agent] for agent in asking.agent_id.tolist()], np.int64)


class Scene:
    """One scene: its session, and the agents of each behaviour, by its name without a team."""

    def __init__(self, session: Session, worker: int):
        self.session, self.worker = session, worker
        self.casts: dict[str, Cast] = {}

    def first(
        self, enough: Callable[[set[Agent]], bool], expected: str, timeout: float
    ) -> list[dict[str, Frame]]:
        """Hear until `enough` agents ask, which are `expected`; the messages until then."""
        asking: set[Agent] = set()
        heard: list[dict[str, Frame]] = []
        deadline = time.monotonic() + timeout
        while True:
            heard.append(frames := self.session.receive())
            asking |= who_asks([frames])
            if enough(asking):
                return heard
            if time.monotonic() > deadline:
                here = sorted({without_team(name) for name, _ in asking})
                of = f" of {', '.join(here)}" if here else ""
                raise PeerSilent(
                    f"Unity environment {self.worker}: {len(asking)} agents{of} have asked for a decision in "
                    f"{timeout:g} s; expected {expected}. Is there an agent in the scene whose behaviour type is "
                    "Default, with a Decision Requester?"
                )
            self.session.act(
                {
                    name: _nothing(self.session.behaviors[name], len(frame.decisions))
                    for name, frame in frames.items()
                }
            )

    def answer(self, beginning: Container[str]) -> None:
        """Send the actions of those who asked; the behaviours of `beginning` have just been given theirs."""
        actions: dict[str, Actions] = {}
        for behavior, cast in self.casts.items():
            actions |= cast.actions(first=behavior in beginning)
        self.session.act(actions)

    def absorb(self, frames: Mapping[str, Frame]) -> None:
        """Write a message to the boards of its behaviours, all of which are known."""
        for behavior, cast in self.casts.items():
            cast.absorb({name: frame for name, frame in frames.items() if without_team(name) == behavior})


def without_team(name: str) -> str:
    """`Walker` of `Walker?team=0`."""
    return name.partition("?")[0]


def who_asks(heard: Iterable[Mapping[str, Frame]]) -> set[Agent]:
    """Who asks for a decision in these messages."""
    return {
        (name, agent)
        for frames in heard
        for name, frame in frames.items()
        for agent in frame.decisions.agent_id.tolist()
    }


def _nothing(spec: BehaviorSpec, count: int) -> Actions:
    return Actions(
        np.zeros((count, spec.actions.continuous), np.float32),
        np.zeros((count, len(spec.actions.branches)), np.int32),
    )
