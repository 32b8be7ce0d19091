"""The directory of one run, `results/<run-id>/`, and the lock that keeps a second run out of it.

    run.yaml  machine.json  metrics.jsonl  summary.json  events.out.tfevents.*
    checkpoints/  policy/  curve.png  video.mp4  signals.npz  gait.json  gait.png  run.lock

The TensorBoard events lie in the directory itself, so that `tensorboard --logdir results` names each curve
by its run.
"""

import contextlib
import json
import logging
import os
import shutil
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from amble.config import shipped_policy
from amble.errors import UsageError
from amble.training import files

_log = logging.getLogger(__name__)

_LOCK = "run.lock"
_MARKS = ("run.yaml", "metrics.jsonl", "checkpoints")
_OURS = (
    "machine.json",
    "summary.json",
    "policy",
    "policy.replaced",
    "curve.png",
    "gait.json",
    "gait.png",
    "signals.npz",
    "video.mp4",
    "video-*.mp4",
    "events.out.tfevents.*",
    ".tmp-*",
    *reversed(_MARKS),  # last, so that a deletion cut short can be asked for again
)


class RunDirectory:
    """The paths of one run; made by `create` (to write, locked until `close`) or `open` (to read)."""

    def __init__(self, path: Path, initialize_from: Path | None = None, locked: bool = False):
        self.path = path
        self.initialize_from = initialize_from  # the run to take the weights from, if any
        self._locked = locked

    @classmethod
    def create(
        cls,
        results_dir: Path | str,
        run_id: str,
        *,
        resume: bool = False,
        force: bool = False,
        initialize_from: str | None = None,
        within: Collection[str] = (),
    ) -> "RunDirectory":
        """Takes `results_dir/run_id` for one run to write in, until `close`.

        Args:
            results_dir: made if missing.
            run_id: one plain name.
            resume: go on with the run that is there.
            force: delete the run that is there and start anew; files that no run writes stay.
            initialize_from: the id of a run in `results_dir`, the path of one, or a preset whose policy comes with
                the package, to take the weights from.
            within: names of the runs below it that belong to it.

        Raises:
            UsageError: no plain name; a run is there and neither `resume` nor `force` was asked; nothing is
                there to resume; `force` on a directory that is no run; another process is at work in it;
                options that contradict each other. Nothing was written or removed.
            AmbleError: the place may not be written.
        """
        results_dir = Path(results_dir)
        check_run_id(run_id)
        if resume and force:
            raise UsageError("--resume goes on with a run and --force deletes it: give one of them.")
        if resume and initialize_from is not None:
            raise UsageError(
                "--resume takes everything from the run's own checkpoint, so --initialize-from has nothing "
                "to give: leave one of them out."
            )
        path = results_dir / run_id
        source = None if initialize_from is None else _source(results_dir, initialize_from, path)
        if resume and not _is_run(path):
            raise UsageError(
                f"{path}: there is no run to resume.{_nearest(results_dir)} Leave out --resume to start one."
            )
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: expected a directory, and it is a file. Give another --run-id.")
        with files.named_os_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(path):
                _refuse_if_taken(path)
                if not resume and not force and (found := _content(path)):
                    raise UsageError(
                        f"{path}: a run is already there ({_few(found, 3)}). Go on with it by --resume, "
                        "delete it and start anew by --force, or give another --run-id."
                    )
                if force:
                    _refuse_if_not_a_run(path)
                _take(path)
            try:
                if force:
                    _empty(path, within)
                files.sweep_temporaries(path)
                (path / "checkpoints").mkdir(exist_ok=True)
            except BaseException:
                (path / _LOCK).unlink(missing_ok=True)
                raise
        return cls(path, source, locked=True)

    @classmethod
    def open(cls, path: Path | str) -> "RunDirectory":
        """The run at `path`, to read: nothing is locked or written.

        Raises:
            UsageError: there is no run.
        """
        path = Path(path)
        if not _is_run(path):
            what = "is no directory of a run" if path.is_dir() else "does not exist"
            raise UsageError(f"{path}: {what}; expected one with {_MARKS[0]} in it.{_nearest(path.parent)}")
        return cls(path)

    @property
    def name(self) -> str:
        """The run id."""
        return self.path.resolve().name

    @property
    def run_yaml(self) -> Path:
        """All settings, resolved."""
        return self.path / "run.yaml"

    @property
    def machine(self) -> Path:
        """What this machine was found to be, and what was chosen for it."""
        return self.path / "machine.json"

    @property
    def metrics(self) -> Path:
        """One JSON row per iteration."""
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """The last row, and why the run ended."""
        return self.path / "summary.json"

    @property
    def events(self) -> Path:
        """The directory of the TensorBoard events."""
        return self.path

    @property
    def checkpoints(self) -> Path:
        """The checkpoints' directory."""
        return self.path / "checkpoints"

    @property
    def policy(self) -> Path:
        """The portable policy's directory."""
        return self.path / "policy"

    @property
    def curve(self) -> Path:
        """The learning curve."""
        return self.path / "curve.png"

    @property
    def video(self) -> Path:
        """A film of the policy."""
        return self.path / "video.mp4"

    def close(self) -> None:
        """Lets go of the directory, if it is held; may be called again."""
        if self._locked:
            self._locked = False
            lock = self.path / _LOCK
            if _read_lock(lock) == _own_lock():
                lock.unlink(missing_ok=True)

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def check_run_id(run_id: str) -> None:
    """Raises UsageError unless `run_id` is one plain name, on every system."""
    plain = (
        run_id != ""
        and run_id == PurePosixPath(run_id).name == PureWindowsPath(run_id).name
        and run_id == run_id.strip()
        and run_id.isprintable()
        and not run_id.startswith(".")
        and ".." not in run_id
        and len(run_id.encode()) <= 200
    )
    if not plain:
        raise UsageError(
            f"the run id {run_id!r} cannot name a directory: expected one plain name such as 'walker-1', "
            "without '/', '\\', '..' or a leading '.'. Where runs are kept is --results-dir."
        )


def runs_within(path: Path | str) -> list[Path]:
    """The runs, one of each behaviour, that a run of several consists of; none of any other run."""
    path = Path(path)
    if not (path / "run.yaml").is_file() or (path / "metrics.jsonl").exists():
        return []
    return sorted(entry for entry in path.iterdir() if _is_run(entry))


def run_around(path: Path | str) -> Path | None:
    """The run of several behaviours that the run at `path` is one of; None if it is a run by itself."""
    path = Path(path).absolute()
    return path.parent if path in runs_within(path.parent) else None


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS[:2])


def _content(path: Path) -> list[str]:
    return sorted(
        entry.name
        for entry in path.iterdir()
        if entry.name != _LOCK
        and not (entry.name == "checkpoints" and entry.is_dir() and not any(entry.iterdir()))
    )


def _refuse_if_not_a_run(path: Path) -> None:
    if _content(path) and (path.is_symlink() or not _is_run(path)):
        raise UsageError(
            f"{path}: --force deletes only runs, and this holds none of {', '.join(_MARKS[:2])}. "
            "Give another --run-id, or remove it yourself."
        )


def _empty(path: Path, within: Collection[str] = ()) -> None:
    for part in [path / name for name in within if _is_run(path / name)]:
        _empty(part)
        if not any(part.iterdir()):
            part.rmdir()
    for pattern in _OURS:
        for entry in path.glob(pattern):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    if left := _content(path):
        _log.warning(
            "%s: the old run is deleted; what no run writes was left there: %s", path, ", ".join(left)
        )


def _source(results_dir: Path, initialize_from: str, path: Path) -> Path:
    for source in (results_dir / initialize_from, Path(initialize_from)):
        if not _is_run(source):
            continue
        if source.resolve() == path.resolve():
            raise UsageError(f"--initialize-from {initialize_from} is this very run: give another --run-id.")
        return source
    if (shipped := shipped_policy(initialize_from)) is not None:
        return shipped
    raise UsageError(
        f"--initialize-from {initialize_from}: there is no such run in {results_dir}, nor at that path, nor a "
        "preset with a policy of that name."
        f"{_nearest(results_dir)}"
    )


def _nearest(results_dir: Path) -> str:
    if not results_dir.is_dir():
        return ""
    runs = sorted(entry.name for entry in results_dir.iterdir() if _is_run(entry))
    return f" Runs there: {_few(runs, 8)}." if runs else ""


def _few(names: list[str], count: int) -> str:
    return ", ".join([*names[:count], "…"] if len(names) > count else names)


def _own_lock() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "born": _born(os.getpid())}


def _refuse_if_taken(path: Path) -> None:
    lock = path / _LOCK
    if not lock.exists():
        return
    holder = _read_lock(lock)
    pid, host = holder.get("pid"), holder.get("host")
    if host == socket.gethostname() and isinstance(pid, int) and not _is_alive(pid, holder.get("born")):
        return
    if pid is None:
        raise UsageError(f"{lock}: is no lock of ours. If no run is at work there, delete that file.")
    away = "" if host == socket.gethostname() else f" If nothing runs there any more, delete {lock}."
    raise UsageError(
        f"{path}: process {pid} on {host} is at work in it. "
        f"Wait for it, stop it, or give another --run-id.{away}"
    )


def _take(path: Path) -> None:
    if holder := _read_lock(path / _LOCK):
        _log.warning("%s: taking over from process %d, which ended without tidying up", path, holder["pid"])
        (path / _LOCK).unlink()
    handle = os.open(path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with open(handle, "w") as stream:
        json.dump(_own_lock(), stream)


def _read_lock(lock: Path) -> dict[str, Any]:
    with contextlib.suppress(files.DamagedFileError):
        return files.read_json(lock, 4096)
    return {}


def _is_alive(pid: int, born: Any) -> bool:
    """Whether the process that wrote a lock still runs, and not a later one that was given its number."""
    if pid <= 0:
        return False
    if os.name == "nt":  # there, signal 0 would be Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return _born(pid) == born or born is None


def _born(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where the system does not say (no /proc)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Of several processes that find the same stale lock, lets one at a time judge it and take it over."""
    try:
        import fcntl
    except ImportError:  # Windows: the exclusive creation of the lock alone keeps the second one out
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UsageError(f"{path}: another process holds it. Give another --run-id.") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)
