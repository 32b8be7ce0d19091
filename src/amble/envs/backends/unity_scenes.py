"""The agents of all behaviours of Unity scenes, each behaviour at its own pace: those that have all asked are given
their next decision, and the others' stands until they have. `unity.py` says what a decision of all agents is.

A build that crashes is started again, as often as `restarts` allows. Its agents, of every behaviour, are cut off where
they were last seen, and begin new episodes; those of the other builds go on. Axes: B environments, P builds.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amble.envs.backends.unity_agents import Agent, Board, Cast, Outcome, Scene, who_asks, without_team
from amble.envs.backends.unity_builds import Builds
from amble.envs.parameters import Value
from amble.errors import AmbleError, UsageError
from amble.native import waits
from amble.unity.channels import SideChannel
from amble.unity.faults import PeerGone, PeerSilent, UnityFault
from amble.unity.protocol import BUILD_PORT
from amble.unity.statistics import Reports, aggregated

log = logging.getLogger(__name__)


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
        no_graphics_monitor: bool = False,
        engine: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Value] | None = None,
        restarts: Mapping[str, Any] | None = None,
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
            no_graphics_monitor: start all builds but the first without one.
            engine: Unity's window and clock, as `EngineChannel.set` names them.
            parameters: environment parameters.
            restarts: of builds that crash, the fields of `RestartLimits`.
            log_folder: where builds write their logs.
            channels: side channels of one's own, for a single build.
        """
        self._timeout, self._wanted = timeout, None if behaviors is None else sorted(behaviors)
        self._builds = builds = Builds(
            num_envs,
            path=path,
            args=args,
            base_port=base_port,
            seed=seed,
            timeout=timeout,
            host=host,
            num_areas=num_areas,
            no_graphics=no_graphics,
            no_graphics_monitor=no_graphics_monitor,
            engine=engine,
            parameters=parameters,
            restarts=restarts,
            log_folder=log_folder,
            channels=channels,
        )
        self.engine, self.parameters, self.statistics = builds.engine, builds.parameters, builds.statistics
        self.boards: dict[str, Board] = {}
        self._reports: dict[str, list[Reports]] = {}
        self._noted = set[str]()
        self._restarting = 0.0
        self.scenes: list[Scene] = []
        self._end = weakref.finalize(self, _close, self.scenes)
        try:
            for worker in range(num_envs):
                self.scenes.append(Scene(builds.start(worker), worker))
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
            self._reports[behavior] = []
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
        begun = [scene for scene in self.scenes if self._survives(scene, scene.session.begin)]
        for scene in begun:
            self._survives(scene, lambda scene=scene: self._take_places(scene))

    def _take_places(self, scene: Scene) -> None:
        """Hear a scene until as many agents as before ask, and give them its rows."""
        count = sum(len(cast.rows) for cast in scene.casts.values())
        heard = scene.first(lambda asking: len(asking) >= count, f"{count}", self._timeout)
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
                seconds = self._exchange(lagging, beginning)
                heard += 1
                for board in self.boards.values():
                    self._note(board)
                    board.seconds += seconds
                ready = [name for name, board in self.boards.items() if board.fresh.all()]
                lagging, beginning = self._lagging(heard), ()
                if ready:
                    return {name: self.boards[name].outcome() for name in ready}

    def _exchange(self, scenes: list[Scene], beginning: Collection[str]) -> float:
        """Answer these scenes and hear each once; the seconds that it took, but for builds that started again."""
        start, restarting = time.monotonic(), self._restarting
        told = [
            scene for scene in scenes if self._survives(scene, lambda scene=scene: scene.answer(beginning))
        ]
        for scene in told:
            self._survives(scene, lambda scene=scene: self._hear(scene))
        return time.monotonic() - start - (self._restarting - restarting)

    def _hear(self, scene: Scene) -> None:
        frames = scene.session.receive()
        if any(without_team(name) not in self.boards for name in frames):
            self._check({*self.boards, *frames})
        scene.absorb(frames)

    def _survives(self, scene: Scene, exchange: Callable[[], None]) -> bool:
        """Do this with a scene; False where it has crashed over it, and been started again."""
        try:
            exchange()
        except (PeerGone, PeerSilent) as fault:
            if not (self._builds.are_started and scene.session.over):
                raise
            start = time.monotonic()
            self._start_again(scene, fault)
            self._restarting += time.monotonic() - start
            return False
        return True

    def _start_again(self, scene: Scene, fault: UnityFault) -> None:
        session = self._builds.start_again(scene.worker, scene.session.port, fault)
        for cast in scene.casts.values():
            cast.board.cut(slice(cast.rows.start, cast.rows.stop))
        scene.session = session
        session.greet()
        session.begin()
        self._take_places(scene)

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

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Set environment parameters in every scene; they are sent with the next step or reset."""
        self._builds.set_parameters(parameters)
        self._fresh = False  # the next reset is to begin episodes that know of it

    def take_statistics(self, behavior: str) -> tuple[dict[str, float], dict[str, list[float]]]:
        """What all scenes have reported since this behaviour last took it, by name: see `aggregated`."""
        new = self._builds.take_reports()
        for reports in self._reports.values():
            reports.extend(new)
        taken, self._reports[behavior] = self._reports[behavior], []
        return aggregated(taken)

    @property
    def restarts(self) -> int:
        """How many times a crashed build was started again."""
        return self._builds.restarts

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


def _close(scenes: list[Scene]) -> None:
    for scene in scenes:
        scene.session.close()
