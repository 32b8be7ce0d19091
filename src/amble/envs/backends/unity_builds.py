"""The builds that Unity scenes run in, or the editor that is waited for: their sessions, and what they are told.

Axes: P builds.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from amble.envs.backends.restarts import RestartLimits, Restarts
from amble.envs.parameters import Drawn, Value
from amble.errors import UsageError
from amble.unity.channels import EngineChannel, ParameterChannel, Sampler, SideChannel, StatisticsChannel
from amble.unity.faults import UnityFault
from amble.unity.protocol import BUILD_PORT, EDITOR_PORT
from amble.unity.session import Session
from amble.unity.statistics import Reports

log = logging.getLogger(__name__)

_SAMPLERS = {
    "uniform": Sampler.UNIFORM,
    "gaussian": Sampler.GAUSSIAN,
    "multirangeuniform": Sampler.MULTI_RANGE_UNIFORM,
}


class Builds:
    """P builds, each of which can be started, and started again; or one editor.

    Attributes:
        count: P.
        engine: side channels of each build, as are the next two.
        parameters: …
        statistics: …
        are_started: whether they are builds; an editor is started by somebody else.
    """

    def __init__(
        self,
        count: int,
        *,
        path: str | Path | None,
        args: Sequence[str] = (),
        base_port: int = BUILD_PORT,
        seed: int = 0,
        timeout: float = 60.0,
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
        """Nothing is started yet; the arguments are those of `UnityScenes`."""
        if path is None and count != 1:
            raise UsageError(
                f"One Unity editor can be waited for, not {count}: give a build (--env), or num_envs: 1."
            )
        self._own = tuple(channels)
        if self._own and count != 1:
            raise UsageError("Side channels of one's own are for a single build.")
        self.count, self.are_started = count, path is not None
        self.engine = [EngineChannel() for _ in range(count)]
        self.parameters = [ParameterChannel() for _ in range(count)]
        self.statistics = [StatisticsChannel() for _ in range(count)]
        self._engine, self._values = dict(engine or {}), dict(parameters or {})
        self._restarts = Restarts(RestartLimits(**dict(restarts or {})))
        self._seed, self._no_graphics, self._no_graphics_monitor = seed, no_graphics, no_graphics_monitor
        self._first_port = EDITOR_PORT if path is None and base_port == BUILD_PORT else base_port
        self._settings: dict[str, Any] = {
            "path": path,
            "args": args,
            "host": host,
            "timeout": timeout,
            "num_areas": num_areas,
            "log_folder": None if log_folder is None else Path(log_folder),
        }

    def start(self, worker: int) -> Session:
        """Start a build, or begin to wait for the editor."""
        return self._start(worker, self._first_port + worker if self._first_port else 0)

    def start_again(self, worker: int, port: int, fault: UnityFault) -> Session:
        """Start a build that has crashed over `fault`; the fault is raised where it has done so too often."""
        refusal = self._restarts.refusal(worker, time.monotonic())
        if refusal is not None:
            raise type(fault)(f"{fault} It is not started again: {refusal}.") from fault
        log.warning("%s It is started again, and its agents begin anew.", fault)
        self._restarts.note(worker, time.monotonic())
        return self._start(worker, port)

    @property
    def restarts(self) -> int:
        """How many times a crashed build was started again."""
        return self._restarts.total

    def set_parameters(self, parameters: Mapping[str, Value]) -> None:
        """Tell all of them with their next message, and every build that is started from now on."""
        for channel in self.parameters:
            _send_parameters(channel, parameters)
        self._values |= parameters

    def take_reports(self) -> list[Reports]:
        """What each has reported since the last time."""
        return [channel.take() for channel in self.statistics]

    def _start(self, worker: int, port: int) -> Session:
        engine, numbers = self.engine[worker], self.parameters[worker]
        for channel in (engine, numbers):
            channel.take_outgoing()  # what a crashed build was still to be told
        engine.set(**self._engine)
        _send_parameters(numbers, self._values)
        return Session(
            port=port,
            seed=self._seed + worker,
            no_graphics=self._no_graphics or (self._no_graphics_monitor and worker > 0),
            channels=[engine, numbers, self.statistics[worker], *self._own],
            worker=worker,
            **self._settings,
        )


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
