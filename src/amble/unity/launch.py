"""A build of a Unity scene as a process of ours: found, started, watched, and ended with us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

from amble.errors import UsageError
from amble.unity.faults import PeerGone

_EXTENSIONS = (".x86_64", ".x86", ".exe", ".app")
_LISTENS_SECONDS = 5.0

# Runs before the build, in its process: the kernel is to end it if we are killed, which leaves us no time to.
_TIED_TO_US = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def find_executable(path: str | Path) -> Path:
    """The program of a build named with or without its extension; UsageError where there is none."""
    given = Path(path).expanduser()
    base = given.with_suffix("") if given.suffix in _EXTENSIONS else given
    candidates = [given, *(base.with_name(base.name + extension) for extension in _EXTENSIONS)]
    for candidate in candidates:
        if candidate.suffix == ".app" and candidate.is_dir():
            programs = sorted((candidate / "Contents" / "MacOS").glob("*"))
            named = [program for program in programs if program.stem == candidate.stem] or programs
            if named:
                return named[0].resolve()
        if candidate.is_file():
            if not os.access(candidate, os.X_OK):
                raise UsageError(f"{candidate} is no program: it may not be executed. chmod +x {candidate}")
            return candidate.resolve()
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise UsageError(f"There is no build of a Unity scene at {path} (tried: {tried}).")


def is_build(text: str) -> bool:
    """Whether this means a build of a Unity scene rather than a Gymnasium id; UsageError for one that is not there."""
    try:
        find_executable(text)
    except UsageError:
        if text.startswith(("/", "./", "../", "~")) or text.endswith(_EXTENSIONS):
            raise
        return False
    return True


class Build:
    """A running build."""

    def __init__(
        self,
        path: str | Path,
        port: int,
        args: Sequence[str] = (),
        *,
        no_graphics: bool = False,
        log_folder: Path | None = None,
        worker: int = 0,
    ):
        """Start it, and have it call on `port`; what it writes goes to `Player-<worker>.log` in `log_folder`."""
        program = find_executable(path)
        command = [str(program), *(["-nographics", "-batchmode"] if no_graphics else [])]
        command += ["--mlagents-port", str(port)]
        self.log = None if log_folder is None else log_folder / f"Player-{worker}.log"
        if self.log is not None and "-logfile" not in [word.lower() for word in args]:
            command += ["-logFile", str(self.log)]
        command += args
        tied = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
        if tied:
            command = [sys.executable, "-I", "-S", "-c", _TIED_TO_US, str(os.getpid()), *command]
        try:
            # A session of its own: Ctrl-C is ours to handle, and its own children can be ended with it
            self.process = subprocess.Popen(  # noqa: S603 (the user's own program)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as refused:
            raise UsageError(f"{program} cannot be started: {refused.strerror}.") from refused
        self.path = program
        self._end = weakref.finalize(self, _end, self.process)

    def look_after(self) -> None:
        """PeerGone if the process has ended."""
        code = self.process.poll()
        if code is not None:
            how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            where = f" Its log: {self.log}." if self.log else ""
            raise PeerGone(f"Its process ({self.path}) ended {how}.{where}")

    def close(self, patience: float = _LISTENS_SECONDS) -> None:
        """Wait until it has ended by itself, and end it where it does not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self._end()


def _end(process: subprocess.Popen[bytes]) -> None:
    for sent, patience in ((signal.SIGTERM, 2.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 5.0)):
        if process.poll() is not None and sent is signal.SIGTERM:
            return
        try:
            os.killpg(process.pid, sent) if hasattr(os, "killpg") else process.terminate()
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return
