"""The agents of Unity scenes as environments: builds that are started, or an editor that is waited for.

Every agent of a behaviour is one environment, whichever build it lives in. Unity's agents ask for decisions when they
like, and the boundary wants one decision of all of them at once, so a step answers each build until all of its agents
have asked:

- the usual case, all agents of a scene asking together, is exactly the boundary. A message with ends of episodes alone
  is answered with nothing, and waited through;
- an agent that asks again before the others have asked at all is given its last action again, and its rewards are
  added up (`repeated` counts these); one whose new episode begins in the meantime is given zeros (`skipped`).

An agent that never asks again after its episode's end leaves its place to one that was not there before. A build that
crashes is started again, as often as `restarts` allows; its agents' episodes are cut off where they were last seen.
Axes: B environments, P builds, n agents of one message.
"""

from __future__ import annotations

import logging
import struct
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float

from amble.envs.backends.restarts import RestartLimits, Restarts
from amble.envs.parameters import Drawn, Value
from amble.errors import AmbleError, EnvironmentFault, UsageError
from amble.native import waits
from amble.unity.channels import EngineChannel, ParameterChannel, Sampler, SideChannel, StatisticsChannel
from amble.unity.faults import BadMessage, PeerGone, PeerSilent, UnityFault
from amble.unity.protocol import BUILD_PORT, EDITOR_PORT
from amble.unity.session import Session
from amble.unity.spec import GOAL, BehaviorSpec
from amble.unity.statistics import aggregated
from amble.unity.steps import Actions, Decisions, Frame, Terminals

log = logging.getLogger(__name__)

MASK = "action_mask"
_SAMPLERS = {
    "uniform": Sampler.UNIFORM,
    "gaussian": Sampler.GAUSSIAN,
    "multirangeuniform": Sampler.MULTI_RANGE_UNIFORM,
}
_Agent = tuple[str, int]  # the behaviour's name with its team, and the agent's id


class UnityVectorEnv(VectorEnv):
    """The agents of one behaviour in one or several Unity scenes.

    Attributes:
        engine: side channels of each build, as are the next two.
        parameters: …
        statistics: …
        repeated: decisions answered with the agent's last action because others had not asked yet.
        skipped: decisions of new episodes answered with zeros for the same reason.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium's own declaration)
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        path: str | Path | None = None,
        args: Sequence[str] = (),
        behavior: str | None = None,
        base_port: int = BUILD_PORT,
        seed: int = 0,
        timeout: float = 60.0,
        agents: int | None = None,
        host: str = "127.0.0.1",
        num_areas: int = 1,
        no_graphics: bool = False,
        no_graphics_monitor: bool = False,
        engine: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Value] | None = None,
        restarts: Mapping[str, Any] | None = None,
        log_folder: str | Path | None = None,
        channels: Iterable[SideChannel] = (),
        render_mode: str | None = None,
    ):
        """Start the builds, or wait for the editor, and see what their agents are.

        Args:
            num_envs: P, how many builds. (The environment's own `num_envs` is B, its agents.)
            path: of the build; None waits for a Unity editor.
            args: for the builds.
            behavior: whose agents, without its team; None where the scene has only one.
            base_port: of the first build, each further one takes the next; the editor's is 5004.
            seed: of the first build, each further one takes the next.
            timeout: seconds that a scene may take for each message, the first included.
            agents: how many agents to wait for in each scene; None takes those that ask first.
            host: whose address to listen on.
            num_areas: training areas in each scene.
            no_graphics: start builds without a window.
            no_graphics_monitor: start all builds but the first without one.
            engine: Unity's window and clock, as `EngineChannel.set` names them.
            parameters: environment parameters.
            restarts: of builds that crash, the fields of `RestartLimits`.
            log_folder: where builds write their logs.
            channels: side channels of one's own, for a single build.
            render_mode: None; a scene draws itself.
        """
        super().__init__()
        if render_mode is not None:
            raise UsageError("A Unity scene draws itself; no pictures of it come over the wire.")
        if path is None and num_envs != 1:
            raise UsageError(
                f"One Unity editor can be waited for, not {num_envs}: give a build (--env), or num_envs: 1."
            )
        own = tuple(channels)
        if own and num_envs != 1:
            raise UsageError("Side channels of one's own are for a single build.")
        self._timeout, self._behavior = timeout, behavior
        self._restarts, self._is_build = Restarts(RestartLimits(**dict(restarts or {}))), path is not None
        self._parameters = dict(parameters or {})
        self.engine = engines = [EngineChannel() for _ in range(num_envs)]
        self.parameters = numbers = [ParameterChannel() for _ in range(num_envs)]
        self.statistics = statistics = [StatisticsChannel() for _ in range(num_envs)]
        first_port = EDITOR_PORT if path is None and base_port == BUILD_PORT else base_port

        def start(worker: int, current: Mapping[str, Value], port: int) -> Session:
            for channel in (engines[worker], numbers[worker]):
                channel.take_outgoing()  # what a crashed build was still to be told
            engines[worker].set(**dict(engine or {}))
            _send_parameters(numbers[worker], current)
            return Session(
                port=port,
                path=path,
                args=args,
                host=host,
                seed=seed + worker,
                timeout=timeout,
                num_areas=num_areas,
                no_graphics=no_graphics or (no_graphics_monitor and worker > 0),
                channels=[engines[worker], numbers[worker], statistics[worker], *own],
                log_folder=None if log_folder is None else Path(log_folder),
                worker=worker,
            )

        self._start: Callable[[int, Mapping[str, Value], int], Session] = start
        self._scenes: list[_Scene] = []
        self._end = weakref.finalize(self, _close, self._scenes)
        try:
            for worker in range(num_envs):
                port = first_port + worker if first_port else 0
                self._scenes.append(_Scene(start(worker, self._parameters, port), worker))
            if path is None:
                waits.announce(
                    f"Waiting up to {timeout:g} s for a Unity scene on port {self._scenes[0].session.port}: press Play "
                    "in the Unity editor."
                )
            self._meet(agents)
        except BaseException:
            self._end()
            raise
        self.repeated = self.skipped = 0
        self._fresh_reset = True

    def _meet(self, agents: int | None) -> None:
        """Greet every scene, begin, and lay the places out by what the first messages show."""
        for scene in self._scenes:
            scene.session.greet()
            scene.session.begin()
        first = [scene.first(agents, self._timeout) for scene in self._scenes]
        names = {name for scene in self._scenes for name in scene.session.behaviors}
        chosen = _chosen(names, self._behavior)
        specs = [
            scene.session.behaviors[name]
            for scene in self._scenes
            for name in chosen
            if name in scene.session.behaviors
        ]
        for spec in specs:
            if spec != specs[0]:
                raise UnityFault(
                    f"Behaviour {next(iter(chosen))!r} is not the same everywhere: {spec} and {specs[0]}."
                )
        self._spec = specs[0]
        self._names = chosen
        start = 0
        for scene, heard in zip(self._scenes, first, strict=True):
            scene.lay_out(sorted(_asking(heard)), start)
            start = scene.rows.stop
        self.num_envs = start
        self.single_observation_space, self._masked = _observation_space(self._spec)
        self.single_action_space = _action_space(self._spec)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._board = _Board(self.num_envs, self._spec)
        for scene, heard in zip(self._scenes, first, strict=True):
            for frames in heard:
                scene.absorb(self._board, frames)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode of every agent.

        A scene's random numbers were seeded when it started; the protocol has no word for doing so again.
        """
        super().reset(seed=seed)
        with self._all_or_none():
            if not self._fresh_reset:
                self._begin_again()
        self._fresh_reset = False
        return self._observation(self._board.observations), {}

    def _begin_again(self) -> None:
        self._board.clear()
        begun = [scene for scene in self._scenes if self._survives(scene, scene.session.begin)]
        for scene in begun:
            self._survives(scene, lambda scene=scene: self._take_places(scene))

    def _take_places(self, scene: _Scene) -> None:
        """Hear a scene until as many agents as before ask, and give them its rows."""
        heard = scene.first(len(scene.rows), self._timeout)
        scene.lay_out(sorted(_asking(heard)), scene.rows.start)
        for frames in heard:
            scene.absorb(self._board, frames)

    def step(
        self, actions: Any
    ) -> tuple[
        Any,
        Float[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        Bool[np.ndarray, "B"],
        dict[str, Any],
    ]:
        """Step every agent, and begin a new episode where one has ended."""
        board = self._board
        with self._all_or_none():
            board.begin(*self._split(actions))
            told = [
                scene
                for scene in self._scenes
                if self._survives(scene, lambda scene=scene: scene.answer(board, first=True))
            ]
            for scene in told:
                self._survives(scene, lambda scene=scene: self._complete(scene))
        self._fresh_reset = False
        done = board.terminated | board.truncated
        info: dict[str, Any] = {}
        if done.any():
            info = {"final_obs": self._observation(board.final, final=True), "_final_obs": done}
        return (
            self._observation(board.observations),
            board.reward.copy(),
            board.terminated.copy(),
            board.truncated.copy(),
            info,
        )

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Set environment parameters in every scene; they are sent with the next step or reset."""
        for channel in self.parameters:
            _send_parameters(channel, parameters)
        self._parameters |= parameters
        self._fresh_reset = False  # the next reset is to begin episodes that know of it

    def take_statistics(self) -> tuple[dict[str, float], dict[str, list[float]]]:
        """What all scenes have reported since the last time, by name: see `aggregated`."""
        return aggregated(channel.take() for channel in self.statistics)

    @property
    def restarts(self) -> int:
        """How many times a crashed build was started again."""
        return self._restarts.total

    @property
    def goals(self) -> list[str]:
        """The names of the observations that are goal signals."""
        return [part.name for part in self._spec.observations if part.kind == GOAL]

    def close_extras(self, **kwargs: Any) -> None:
        """End the sessions and the builds."""
        self._end()

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        """Whatever goes wrong with one scene ends them all."""
        if not self._end.alive:
            raise AmbleError("The Unity scenes are closed; make them again to go on.")
        try:
            yield
        except BaseException:
            self._end()
            raise

    def _survives(self, scene: _Scene, step: Callable[[], None]) -> bool:
        """Do this with a scene; False where it has crashed over it, and been started again."""
        try:
            step()
        except (PeerGone, PeerSilent) as fault:
            if not (self._is_build and scene.session.over):
                raise
            refusal = self._restarts.refusal(scene.worker, time.monotonic())
            if refusal is not None:
                raise type(fault)(f"{fault} It is not started again: {refusal}.") from fault
            log.warning("%s It is started again, and its agents begin anew.", fault)
            self._restarts.note(scene.worker, time.monotonic())
            self._start_again(scene)
            return False
        return True

    def _start_again(self, scene: _Scene) -> None:
        self._board.cut(slice(scene.rows.start, scene.rows.stop))
        scene.session = self._start(scene.worker, self._parameters, scene.session.port)
        scene.session.greet()
        scene.session.begin()
        self._take_places(scene)

    def _complete(self, scene: _Scene) -> None:
        """Hear the scene out until every agent of it has asked for its next decision."""
        board, deadline, heard = self._board, time.monotonic() + self._timeout, 0
        while True:
            frames = scene.hear()
            for name in frames.keys() - self._names:
                _chosen({*self._names, name}, self._behavior)  # complains
            repeated, skipped = scene.absorb(board, frames)
            self._note(repeated, skipped)
            heard += 1
            missing = np.flatnonzero(~board.fresh[scene.rows.start : scene.rows.stop])
            if not missing.size:
                return
            if time.monotonic() > deadline:
                raise PeerSilent(
                    f"Unity environment {scene.worker}: agent {scene.agent(int(missing[0]))} has not asked for a "
                    f"decision in {heard} messages and {self._timeout:g} s ({missing.size} of {len(scene.rows)} "
                    "agents). Every agent that was there at the start is waited for: those that leave for good must be "
                    "followed by new ones."
                )
            scene.answer(board, first=False)

    def _note(self, repeated: int, skipped: int) -> None:
        if (repeated or skipped) and not (self.repeated or self.skipped):
            log.warning(
                "Agents of behaviour %s do not ask for decisions together: one that asks before the others is given "
                "its last action again. Give their Decision Requesters the same period.",
                next(iter(self._names)),
            )
        self.repeated += repeated
        self.skipped += skipped

    def _split(self, actions: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The continuous (B, A) and discrete (B, D) parts of actions, checked."""
        spec, count = self._spec.actions, self.num_envs
        continuous = discrete = None
        if spec.continuous and spec.branches:
            continuous, discrete = actions
        elif spec.continuous:
            continuous = actions
        else:
            discrete = actions
        if continuous is not None:
            continuous = np.asarray(continuous, np.float32)
            if continuous.shape != (count, spec.continuous):
                raise AmbleError(
                    f"step takes continuous actions of shape {(count, spec.continuous)} (agents first), got "
                    f"{continuous.shape}."
                )
            finite = np.isfinite(continuous).all(axis=1)
            if not finite.all():
                raise EnvironmentFault(
                    int(np.flatnonzero(~finite)[0]),
                    "(Unity) was given an action that is not finite. The policy has most likely diverged.",
                )
        if discrete is not None:
            discrete = np.asarray(discrete, np.int32).reshape(len(discrete), -1)
            if discrete.shape != (count, len(spec.branches)):
                raise AmbleError(
                    f"step takes choices of shape {(count, len(spec.branches))} (agents first), got "
                    f"{discrete.shape}."
                )
        return continuous, discrete

    def _observation(self, arrays: Sequence[np.ndarray], final: bool = False) -> Any:
        """A batch in the form that the space says; the caller's own."""
        if isinstance(self.single_observation_space, spaces.Box):
            return arrays[0].copy()
        parts = {f"obs_{index}": array.copy() for index, array in enumerate(arrays)}
        if self._masked:
            allowed = np.ones_like(self._board.allowed) if final else self._board.allowed.copy()
            parts[MASK] = allowed.astype(np.int8)
        return parts


class _Board:
    """What all scenes together have said in a step. Axes: B environments."""

    def __init__(self, count: int, spec: BehaviorSpec):
        self.spec = spec
        self.observations = [np.zeros((count, *part.shape), np.float32) for part in spec.observations]
        self.final = [np.zeros_like(part) for part in self.observations]
        self.allowed = np.ones((count, spec.actions.choices), np.bool_)
        self.reward = np.zeros(count)
        self.terminated, self.truncated, self.fresh = (np.zeros(count, np.bool_) for _ in range(3))
        self.continuous = np.zeros((count, spec.actions.continuous), np.float32)
        self.discrete = np.zeros((count, len(spec.actions.branches)), np.int32)

    def clear(self) -> None:
        for array in (
            self.reward,
            self.terminated,
            self.truncated,
            self.fresh,
            self.continuous,
            self.discrete,
        ):
            array[:] = 0

    def begin(self, continuous: np.ndarray | None, discrete: np.ndarray | None) -> None:
        """A step begins with these actions."""
        for array in (self.reward, self.terminated, self.truncated, self.fresh):
            array[:] = 0
        if continuous is not None:
            self.continuous[:] = continuous
        if discrete is not None:
            self.discrete[:] = discrete

    def cut(self, rows: slice) -> None:
        """The episodes of these rows end where they were seen last."""
        going = np.flatnonzero(~(self.terminated | self.truncated)[rows]) + rows.start
        self.truncated[going] = True
        self.reward[going] = 0.0
        self.fresh[rows] = False
        for final, seen in zip(self.final, self.observations, strict=True):
            final[going] = seen[going]


class _Scene:
    """One scene: its session, and which agent has which row of the board."""

    def __init__(self, session: Session, worker: int):
        self.session, self.worker = session, worker
        self.rows = range(0)
        self._row: dict[_Agent, int] = {}
        self._asked: dict[
            str, np.ndarray
        ] = {}  # rows of the agents that asked in the last message, in its order

    def first(self, count: int | None, timeout: float) -> list[dict[str, Frame]]:
        """Hear until agents ask, `count` of them if that is given; the messages until then."""
        asking: set[_Agent] = set()
        heard: list[dict[str, Frame]] = []
        deadline = time.monotonic() + timeout
        while True:
            heard.append(frames := self.hear())
            asking |= _asking([frames])
            if len(asking) >= (count or 1):
                return heard
            if time.monotonic() > deadline:
                raise PeerSilent(
                    f"Unity environment {self.worker}: {len(asking)} agents have asked for a decision in {timeout:g} "
                    f"s; expected {count or 'at least one'}. Is there an agent in the scene whose behaviour type is "
                    "Default, with a Decision Requester?"
                )
            self.session.act(
                {
                    name: _nothing(self.session.behaviors[name], len(frame.decisions))
                    for name, frame in frames.items()
                }
            )

    def lay_out(self, agents: list[_Agent], start: int) -> None:
        """Give each agent a row, from `start` on."""
        if self.rows and len(agents) != len(self.rows):
            raise UnityFault(
                f"Unity environment {self.worker}: {len(agents)} agents began after a reset, and there were "
                f"{len(self.rows)} at first; their number must stay."
            )
        self.rows = range(start, start + len(agents))
        self._row = dict(zip(agents, self.rows, strict=True))

    def agent(self, place: int) -> str:
        """Who has this row of the scene's, for messages."""
        row = self.rows[place]
        return next(
            (f"{agent} ({name})" for (name, agent), taken in self._row.items() if taken == row), "nobody"
        )

    def hear(self) -> dict[str, Frame]:
        """The next message."""
        return self.session.receive()

    def answer(self, board: _Board, *, first: bool) -> None:
        """Send the actions of those who asked; after the first answer of a step, new episodes get zeros."""
        actions = {}
        for name, rows in self._asked.items():
            if not len(rows):
                continue
            continuous, discrete = board.continuous[rows], board.discrete[rows]
            if not first:
                begun = (board.terminated | board.truncated)[rows]
                continuous[begun], discrete[begun] = 0, 0
            actions[name] = Actions(continuous, discrete)
        self.session.act(actions)

    def absorb(self, board: _Board, frames: Mapping[str, Frame]) -> tuple[int, int]:
        """Write a message's agents to the board; how many decisions were repeated and skipped for it."""
        self._asked = {}
        repeated = skipped = 0
        for name, frame in frames.items():
            skipped += self._ends(board, name, frame.terminals)
            rows = self._rows_of(board, name, frame.decisions)
            self._asked[name] = rows
            again = board.fresh[rows]
            done = (board.terminated | board.truncated)[rows]
            repeated += int((again & ~done).sum())
            skipped += int((again & done).sum())
            going = rows[~done]
            board.reward[going] += frame.decisions.reward[~done]
            for target, source in zip(board.observations, frame.decisions.observations, strict=True):
                target[rows] = source
            board.allowed[rows] = True if frame.decisions.allowed is None else frame.decisions.allowed
            board.fresh[rows] = True
        return repeated, skipped

    def _ends(self, board: _Board, name: str, ended: Terminals) -> int:
        """Write the ends of episodes; how many were of episodes that nobody saw."""
        if not len(ended):
            return 0
        skipped = 0
        for at, agent in enumerate(ended.agent_id.tolist()):
            row = self._row.get((name, agent))
            if row is None or board.terminated[row] or board.truncated[row]:
                skipped += 1  # it came and went within one step
                if row is not None:
                    board.fresh[row] = False
                continue
            board.reward[row] += ended.reward[at]
            board.truncated[row] = ended.interrupted[at]
            board.terminated[row] = not ended.interrupted[at]
            board.fresh[row] = False
            for target, source in zip(board.final, ended.observations, strict=True):
                target[row] = source[at]
        return skipped

    def _rows_of(self, board: _Board, name: str, asking: Decisions) -> np.ndarray:
        try:
            return np.array([self._row[name, agent] for agent in asking.agent_id.tolist()], np.int64)
        except KeyError:
            pass
        here = {(name, agent) for agent in asking.agent_id.tolist()}
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


def _close(scenes: list[_Scene]) -> None:
    for scene in scenes:
        scene.session.close()


def _send_parameters(channel: ParameterChannel, parameters: Mapping[str, Value]) -> None:
    for name, value in parameters.items():
        try:
            if isinstance(value, Drawn):
                channel.set_sampler(name, _SAMPLERS[value.kind], value.numbers, value.seed)
            else:
                channel.set(name, value)
        except (UnicodeEncodeError, OverflowError, struct.error) as refused:
            raise UsageError(
                f"environment_parameters.{name}: cannot be sent to a Unity scene ({refused}). Names are plain letters "
                "(ASCII), values and seeds numbers of 32 bits."
            ) from refused


def _asking(heard: Iterable[Mapping[str, Frame]]) -> set[_Agent]:
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


def _chosen(names: Iterable[str], behavior: str | None) -> set[str]:
    """The behaviours of the scene, of all teams, if they are just the one that is wanted."""
    by_name: dict[str, set[str]] = {}
    for name in names:
        by_name.setdefault(name.partition("?")[0], set()).add(name)
    if behavior is not None and behavior not in by_name:
        raise UsageError(
            f"The Unity scene has no behaviour {behavior!r}; it has {', '.join(sorted(by_name))}. "
            "Name the behaviour in the run file as it is named in the scene."
        )
    if len(by_name) > 1:
        raise UsageError(
            f"The Unity scene has {len(by_name)} behaviours ({', '.join(sorted(by_name))}); training several at once "
            "is not supported yet. Set the others to Heuristic Only or Inference Only in the scene."
        )
    return next(iter(by_name.values()))


def _observation_space(spec: BehaviorSpec) -> tuple[spaces.Space[Any], bool]:
    """One vector is a Box; anything more a Dict of obs_0, obs_1, …, and the mask where there are choices."""
    if not spec.observations:
        raise BadMessage("The agents observe nothing; a policy needs an observation.")
    boxes: list[tuple[str, spaces.Space[Any]]] = [
        (f"obs_{index}", spaces.Box(-np.inf, np.inf, part.shape, np.float32))
        for index, part in enumerate(spec.observations)
    ]
    masked = bool(spec.actions.branches)
    if len(boxes) == 1 and not masked:
        return boxes[0][1], False
    if masked:
        boxes.append((MASK, spaces.MultiBinary(spec.actions.choices)))
    return spaces.Dict(boxes), masked


def _action_space(spec: BehaviorSpec) -> spaces.Space[Any]:
    actions = spec.actions
    continuous = spaces.Box(-1.0, 1.0, (actions.continuous,), np.float32)
    if not actions.branches:
        if not actions.continuous:
            raise BadMessage("The agents have no actions.")
        return continuous
    if len(actions.branches) == 1:
        discrete: spaces.Space[Any] = spaces.Discrete(actions.branches[0])
    else:
        discrete = spaces.MultiDiscrete(list(actions.branches))
    return spaces.Tuple([continuous, discrete]) if actions.continuous else discrete
