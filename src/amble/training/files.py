"""Files that are complete or absent: killed at any moment, a reader finds the old or the new.

    one file        temporary → fsync → rename over the old one → fsync directory
    one directory   temporary directory → fsync each file, `manifest.json` (their sha256) last
                    → fsync directory → rename → fsync the directory above

A directory cannot be renamed over another that is not empty. So the old one first steps aside to
`<name>.replaced`, and a reader who finds no `<name>` takes `<name>.replaced`: at no instant is neither whole.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any

from amble.errors import AmbleError

MANIFEST = "manifest.json"
REPLACED = ".replaced"
_TEMPORARY = ".tmp-"
_JSON_BYTES_MAX = 64 * 2**20


class DamagedFileError(AmbleError):
    """A file is missing, cut short or changed since it was written."""


def write_file(path: Path, data: bytes | str) -> None:
    """Replaces the file `path` by `data` (text as UTF-8) in one step.

    Raises:
        AmbleError: the disk is full, the directory is gone or may not be written; the old file is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{os.getpid()}")
    try:
        with named_os_errors(path):
            _write_and_sync(temporary, data.encode() if isinstance(data, str) else data)
            os.replace(temporary, path)
            sync_directory(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_sealed(directory: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Makes `directory` hold exactly `files` (name → content) and their manifest, in one step.

    Args:
        directory: the directory to make, or to replace; the one above it must exist.
        files: plain file names, without folders.
        manifest: further JSON entries of `manifest.json`, e.g. a format version.

    Raises:
        AmbleError: the disk is full, the place is gone or may not be written; what stood there is as it was.
    """
    directory = Path(directory)
    temporary = directory.with_name(f"{_TEMPORARY}{directory.name}-{os.getpid()}")
    replaced = directory.with_name(directory.name + REPLACED)
    digests = {name: {"sha256": _sha256(data), "bytes": len(data)} for name, data in files.items()}
    seal = json.dumps({**manifest, "files": digests}, indent=1).encode()
    try:
        with named_os_errors(directory):
            os.mkdir(temporary)
            for name, data in {**files, MANIFEST: seal}.items():
                _write_and_sync(temporary / name, data)
            sync_directory(temporary)
            if directory.exists():
                remove_tree(replaced)
                os.rename(directory, replaced)
                sync_directory(directory.parent)
            os.rename(temporary, directory)
            sync_directory(directory.parent)
    except BaseException:
        if replaced.exists() and not directory.exists():
            with contextlib.suppress(OSError):
                os.rename(replaced, directory)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with named_os_errors(replaced):
        remove_tree(replaced)


def read_sealed(
    directory: Path, names: tuple[str, ...], format_name: str, version: int, file_bytes_max: int
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Reads and verifies what `write_sealed` wrote: (the manifest, file name → content).

    Args:
        directory: as given to `write_sealed`; `<directory>.replaced` is read where a kill left only that.
        names: the files to read. No name is ever taken from the manifest.
        format_name: what the manifest's `format` must be.
        version: the highest `format_version` understood.
        file_bytes_max: no file above this many bytes is read into memory.

    Raises:
        DamagedFileError: a file is missing or does not match its checksum, naming the file.
        AmbleError: the format or its version is another one.
    """
    directory = standing(Path(directory))
    manifest = read_json(directory / MANIFEST)
    if manifest.get("format") != format_name:
        raise AmbleError(
            f"{directory / MANIFEST}: expected the format '{format_name}', found {manifest.get('format')!r}. "
            "This directory was written by something else; name another one."
        )
    found = manifest.get("format_version")
    if type(found) is not int or not 1 <= found <= version:
        raise AmbleError(
            f"{directory / MANIFEST}: '{format_name}' of version {found!r}, "
            f"but this amble reads 1 to {version}. "
            "Use the version of amble that wrote it, or a newer one."
        )
    digests = manifest.get("files")
    contents: dict[str, bytes] = {}
    for name in names:
        path = directory / name
        digest = digests.get(name) if isinstance(digests, dict) else None
        if not isinstance(digest, dict):
            raise DamagedFileError(
                f"{directory / MANIFEST}: holds no checksum of '{name}': the file is damaged."
            )
        data = read_bytes(path, file_bytes_max)
        if len(data) != digest.get("bytes"):
            raise DamagedFileError(
                f"{path}: expected {digest.get('bytes')} bytes, found {len(data)}: the file is damaged."
            )
        if _sha256(data) != digest.get("sha256"):
            raise DamagedFileError(
                f"{path}: its sha256 is not the one in {MANIFEST}: the file is damaged or was edited."
            )
        contents[name] = data
    return manifest, contents


def standing(directory: Path) -> Path:
    """`directory`, or the `.replaced` one beside it where a kill in mid-swap left only that."""
    replaced = directory.with_name(directory.name + REPLACED)
    return replaced if replaced.is_dir() and not directory.exists() else directory


def read_bytes(path: Path, bytes_max: int) -> bytes:
    """The content of an ordinary file of at most `bytes_max` bytes.

    Raises:
        DamagedFileError: it is missing, larger, or no ordinary file (a device or a pipe would never end).
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DamagedFileError(f"{path}: expected an ordinary file.")
        if status.st_size > bytes_max:
            raise DamagedFileError(
                f"{path}: {status.st_size} bytes, expected at most {bytes_max}: "
                "the file is damaged or not ours."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedFileError(f"{path}: the file is missing.") from None
    except OSError as error:
        raise DamagedFileError(f"{path}: cannot be read ({_reason(error)}).") from error


def read_json(path: Path, bytes_max: int = _JSON_BYTES_MAX) -> dict[str, Any]:
    """The JSON object in the file `path`.

    Raises:
        DamagedFileError: it is missing, larger than `bytes_max`, or no JSON object.
    """
    return parse_json(path, read_bytes(path, bytes_max))


def parse_json(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, which came from `path`; raises DamagedFileError if it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: expected JSON ({error}): the file is damaged.") from error
    if not isinstance(value, dict):
        raise DamagedFileError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value


def append(stream: RawIOBase, data: bytes) -> None:
    """Writes all of `data` to an unbuffered stream: nothing is left that a later close could fail on."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) or 0 :]


def remove_tree(directory: Path) -> None:
    """Removes a directory, if there; its name goes first, so that no one meets half of it under it."""
    if not directory.exists():
        return
    doomed = directory.with_name(f"{_TEMPORARY}removed-{directory.name}-{os.getpid()}")
    os.rename(directory, doomed)
    shutil.rmtree(doomed)


def sweep_temporaries(directory: Path) -> None:
    """Removes what killed writers left in `directory`: only for its one owner, as another's may be in use."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def sync_directory(directory: Path) -> None:
    """Makes the names in `directory` survive a power cut, where the system can (not on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def named_os_errors(path: Path) -> Iterator[None]:
    """Turns an OSError inside into an AmbleError that names `path`, the reason and the way out."""
    try:
        yield
    except OSError as error:
        raise AmbleError(f"{path}: cannot be written ({_reason(error)}).{_way_out(error)}") from error


def _write_and_sync(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _way_out(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return " Free some space there, or name another place with --results-dir; then go on with --resume."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return " Make it writable, or name another place with --results-dir."
    if error.errno == errno.ENOENT:
        return " The directory above it is gone: it was removed or renamed while the run was going."
    return ""
