"""The agents of Unity scenes as environments: builds that are started, or an editor that is waited for.

Every agent of a behaviour is one environment, whichever build it lives in. Unity's agents ask for decisions when they
like, and the boundary wants one decision of all of them at once, so a step answers each build until all of its agents
have asked:

- the usual case, all agents of a scene asking together, is exactly the boundary. A message with ends of episodes alone
  is answered with nothing, and waited through;
- an agent that asks again before the others have asked at all is given its last action again, and its rewards are
  added up (`repeated` counts these); one whose new episode begins in the meantime is given zeros (`skipped`).

An agent that never asks again after its episode's end leaves its place to one that was not there before.

A scene with several behaviours is one `UnityScenes`, whose behaviours go on each at its own pace: those that have all
asked are given their next decision, and the others' stands until they have. Axes: B environments, P builds.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from amble.envs.backends.unity_agents import Agent, Board, Cast, Outcome, Scene, who_asks, without_team
from amble.errors import AmbleError, UsageError
from amble.native import waits
from amble.unity.channels import EngineChannel, ParameterChannel, SideChannel, StatisticsChannel
from amble.unity.faults import PeerSilent, UnityFault
from amble.unity.protocol import BUILD_PORT, EDITOR_PORT
from amble.unity.session import Session

log = logging.getLogger(__name__)

METADATA: dict[str, Any] = {
    "autoreset_mode": AutoresetMode.SAME_STEP,
    "render_modes": [],
    "amble_backend": "unity",
}


class UnityScenes:
    """The agents of all behaviours in one or several Unity scenes.

    Attributes:
        boards: of the behaviours, by their names without a team.
        engine: side channels of each build, as are the next two.
        parameters: …
        statistics: …
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        path: str | Path | None = None,
        args: Sequence[str] = (),
        behaviors: Collection[str] | None = None,
        base_port: int = BUILD_PORT,
        seed: int = 0,
        timeout: float = 60.0,
        agents: int | None = None,
        host: str = "127.0.0.1",
        num_areas: int = 1,
        no_graphics: bool = False,
        engine: Mapping[str, Any] | None = None,
        parameters: Mapping[str, float] | None = None,
        log_folder: str | Path | None = None,
        channels: Iterable[SideChannel] = (),
    ):
        """Start the builds, or wait for the editor, and see what their agents are.

        Args:
            num_envs: P, how many builds.
            path: of the build; None waits for a Unity editor.
            args: for the builds.
            behaviors: the scene's, without their teams; None where it has only one.
            base_port: of the first build, each further one takes the next; the editor's is 5004.
            seed: of the first build, each further one takes the next.
            timeout: seconds that a scene may take for each message, the first included.
            agents: how many agents to wait for in each scene; None takes those that ask first.
            host: whose address to listen on.
            num_areas: training areas in each scene.
            no_graphics: start builds without a window.
            engine: Unity's window and clock, as `EngineChannel.set` names them.
            parameters: environment parameters.
            log_folder: where builds write their logs.
            channels: side channels of one's own, for a single build.
        """
        if path is None and num_envs != 1:
            raise UsageError(
                f"One Unity editor can be waited for, not {num_envs}: give a build (--env), or num_envs: 1."
            )
        own = tuple(channels)
        if own and num_envs != 1:
            raise UsageError("Side channels of one's own are for a single build.")
        self._timeout, self._wanted = timeout, None if behaviors is None else sorted(behaviors)
        self.engine = [EngineChannel() for _ in range(num_envs)]
        self.parameters = [ParameterChannel() for _ in range(num_envs)]
        self.statistics = [StatisticsChannel() for _ in range(num_envs)]
        first_port = EDITOR_PORT if path is None and base_port == BUILD_PORT else base_port
        self.boards: dict[str, Board] = {}
        self._noted = set[str]()
        self.scenes: list[Scene] = []
        self._end = weakref.finalize(self, _close, self.scenes)
        try:
            for worker in range(num_envs):
                self.engine[worker].set(**dict(engine or {}))
                for name, value in (parameters or {}).items():
                    self.parameters[worker].set(name, value)
                session = Session(
                    port=first_port + worker if first_port else 0,
                    path=path,
                    args=args,
                    host=host,
                    seed=seed + worker,
                    timeout=timeout,
                    num_areas=num_areas,
                    no_graphics=no_graphics,
                    channels=[self.engine[worker], self.parameters[worker], self.statistics[worker], *own],
                    log_folder=None if log_folder is None else Path(log_folder),
                    worker=worker,
                )
                self.scenes.append(Scene(session, worker))
            if path is None:
                waits.announce(
                    f"Waiting up to {timeout:g} s for a Unity scene on port {self.scenes[0].session.port}: press Play "
                    "in the Unity editor."
                )
            self._meet(agents)
        except BaseException:
            self._end()
            raise
        self._fresh = True

    def _meet(self, agents: int | None) -> None:
        """Greet every scene, begin, and lay the places out by what the first messages show."""
        for scene in self.scenes:
            scene.session.greet()
            scene.session.begin()
        wanted, count = set(self._wanted or ()), agents or 1

        def enough(asking: set[Agent]) -> bool:
            here = {without_team(name) for name, _ in asking}
            return bool(wanted and here - wanted) or (here >= wanted and len(asking) >= count)

        each = f", of each of {', '.join(sorted(wanted))}" if len(wanted) > 1 else ""
        first = [
            scene.first(enough, f"{agents or 'at least one'}{each}", self._timeout) for scene in self.scenes
        ]
        self._check({name for scene in self.scenes for name in scene.session.behaviors})
        for behavior in sorted({without_team(name) for heard in first for name, _ in who_asks(heard)}):
            asking = [
                sorted(agent for agent in who_asks(heard) if without_team(agent[0]) == behavior)
                for heard in first
            ]
            self.boards[behavior] = board = self._board(behavior, sum(map(len, asking)))
            start = 0
            for scene, agents_here in zip(self.scenes, asking, strict=True):
                scene.casts[behavior] = cast = Cast(board, scene.worker)
                cast.lay_out(agents_here, start)
                start = cast.rows.stop
        for scene, heard in zip(self.scenes, first, strict=True):
            for frames in heard:
                scene.absorb(frames)

    def _board(self, behavior: str, count: int) -> Board:
        specs = [
            spec
            for scene in self.scenes
            for name, spec in scene.session.behaviors.items()
            if without_team(name) == behavior
        ]
        for spec in specs:
            if spec != specs[0]:
                raise UnityFault(f"Behaviour {behavior!r} is not the same everywhere: {spec} and {specs[0]}.")
        return Board(behavior, count, specs[0])

    def _check(self, names: Iterable[str]) -> None:
        """UsageError unless the scenes have just the behaviours that are wanted."""
        here = {without_team(name) for name in names}
        if self._wanted is None:
            if len(here) > 1:
                raise UsageError(
                    f"The Unity scene has {len(here)} behaviours ({', '.join(sorted(here))}): name the one that is "
                    "meant, and set the others to Heuristic Only or Inference Only in the scene."
                )
            return
        if missing := sorted(set(self._wanted) - here):
            raise UsageError(
                f"The Unity scene has no behaviour {missing[0]!r}; it has {', '.join(sorted(here))}. "
                "Name the behaviour in the run file as it is named in the scene."
            )
        if more := sorted(here - set(self._wanted)):
            raise UsageError(
                f"The Unity scene has the behaviours {', '.join(sorted(here))}, and {', '.join(more)} is not named "
                "here. List it below `behaviors` in the run file too (with nothing below it, it takes "
                "default_settings), or set it to Heuristic Only or Inference Only in the scene."
            )

    def reset(self) -> dict[str, Any]:
        """Begin a new episode of every agent; their observations, by behaviour.

        A scene's random numbers were seeded when it started; the protocol has no word for doing so again.
        """
        with self._all_or_none():
            if not self._fresh:
                self._begin_again()
        self._fresh = False
        return {name: board.observation() for name, board in self.boards.items()}

    def _begin_again(self) -> None:
        for board in self.boards.values():
            board.begin(None)
        for scene in self.scenes:
            scene.session.begin()
        for scene in self.scenes:
            count = sum(len(cast.rows) for cast in scene.casts.values())
            heard = scene.first(lambda asking, count=count: len(asking) >= count, f"{count}", self._timeout)
            for behavior, cast in scene.casts.items():
                asking = sorted(agent for agent in who_asks(heard) if without_team(agent[0]) == behavior)
                cast.lay_out(asking, cast.rows.start)
            for frames in heard:
                scene.absorb(frames)

    def observation(self, name: str) -> Any:
        """What the agents of a behaviour see now."""
        return self.boards[name].observation()

    def step(self, actions: Mapping[str, Any]) -> dict[str, Outcome]:
        """Go on until all agents of a behaviour ask for a decision; what has come of the last ones of such behaviours.

        Args:
            actions: of the behaviours whose agents have all asked, (B, A) each.
        """
        with self._all_or_none():
            for name, given in actions.items():
                self.boards[name].begin(given)
            self._fresh = False
            lagging, beginning = self.scenes, actions.keys()
            heard = 0
            while True:
                start = time.monotonic()
                for scene in lagging:
                    scene.answer(beginning)
                for scene in lagging:
                    frames = scene.session.receive()
                    if any(without_team(name) not in self.boards for name in frames):
                        self._check({*self.boards, *frames})
                    scene.absorb(frames)
                heard += 1
                for board in self.boards.values():
                    self._note(board)
                    board.seconds += time.monotonic() - start
                ready = [name for name, board in self.boards.items() if board.fresh.all()]
                lagging, beginning = self._lagging(heard), ()
                if ready:
                    return {name: self.boards[name].outcome() for name in ready}

    def _lagging(self, heard: int) -> list[Scene]:
        """The scenes that the behaviour nearest to its next decision still waits for."""
        for name, board in self.boards.items():
            if board.seconds <= self._timeout or board.fresh.all():
                continue
            scene = next(scene for scene in self.scenes if not scene.casts[name].complete())
            missing = scene.casts[name].missing()
            raise PeerSilent(
                f"Unity environment {scene.worker}: agent {missing[0]} has not asked for a decision in {heard} "
                f"messages and {self._timeout:g} s ({len(missing)} of {len(scene.casts[name].rows)} agents). Every "
                "agent that was there at the start is waited for: those that leave for good must be followed by new "
                "ones."
            )
        nearest = max(
            self.boards, key=lambda name: sum(scene.casts[name].complete() for scene in self.scenes)
        )
        return [scene for scene in self.scenes if not scene.casts[nearest].complete()]

    def _note(self, board: Board) -> None:
        if (board.repeated or board.skipped) and board.behavior not in self._noted:
            self._noted.add(board.behavior)
            log.warning(
                "Agents of behaviour %s do not ask for decisions together: one that asks before the others is given "
                "its last action again. Give their Decision Requesters the same period.",
                board.behavior,
            )

    def set_parameters(self, parameters: Mapping[str, float]) -> None:
        """Set environment parameters in every scene; they are sent with the next step or reset."""
        for channel in self.parameters:
            for name, value in parameters.items():
                channel.set(name, value)

    def close(self) -> None:
        """End the sessions and the builds. Again does nothing."""
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


class UnityVectorEnv(VectorEnv):
    """The agents of the one behaviour of Unity scenes.

    Attributes:
        scenes: themselves.
        engine: side channels of each build, as are the next two.
        parameters: …
        statistics: …
    """

    metadata = METADATA

    def __init__(
        self,
        num_envs: int = 1,
        *,
        behavior: str | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ):
        """Start the builds, or wait for the editor, and see what their agents are.

        Args:
            num_envs: P, how many builds. (The environment's own `num_envs` is B, its agents.)
            behavior: whose agents, without its team; None where the scene has only one.
            render_mode: None; a scene draws itself.
            settings: of `UnityScenes`.
        """
        super().__init__()
        if render_mode is not None:
            raise UsageError("A Unity scene draws itself; no pictures of it come over the wire.")
        self.scenes = UnityScenes(num_envs, behaviors=None if behavior is None else [behavior], **settings)
        self.engine, self.parameters = self.scenes.engine, self.scenes.parameters
        self.statistics = self.scenes.statistics
        (self.board,) = self.scenes.boards.values()
        self.num_envs = self.board.count
        self.single_observation_space, self.single_action_space = (
            self.board.observation_space,
            self.board.action_space,
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin a new episode of every agent; the scenes have their own random numbers."""
        super().reset(seed=seed)
        return self.scenes.reset()[self.board.behavior], {}

    def step(self, actions: Any) -> Outcome:
        """Step every agent, and begin a new episode where one has ended."""
        return self.scenes.step({self.board.behavior: actions})[self.board.behavior]

    @property
    def repeated(self) -> int:
        """Decisions answered with the agent's last action because others had not asked yet."""
        return self.board.repeated

    @property
    def skipped(self) -> int:
        """Decisions of new episodes answered with zeros for the same reason."""
        return self.board.skipped

    def set_parameters(self, parameters: Mapping[str, float]) -> None:
        """Set environment parameters in every scene; they are sent with the next step or reset."""
        self.scenes.set_parameters(parameters)

    def close_extras(self, **kwargs: Any) -> None:
        """End the sessions and the builds."""
        self.scenes.close()


def _close(scenes: list[Scene]) -> None:
    for scene in scenes:
        scene.session.close()
