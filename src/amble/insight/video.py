"""Films: frames in, an MP4 out that browsers and phones play (H.264, yuv420p, index in front)."""

import contextlib
import importlib
import math
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amble.errors import AmbleError, UsageError
from amble.training.files import named_os_errors


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float | int, *, quality: int = 20) -> Path:
    """Encodes `frames` into the MP4 file `path`; the file appears, whole, at the end.

    Args:
        frames: at least one image (H, W, 3) uint8, RGB, all of one size; odd sizes get a black row or column.
        path: a file that ends in .mp4, in a directory that exists.
        fps: frames a second, > 0.
        quality: H.264's crf: 18 can hardly be told from the frames, each 6 more halve the file.

    Returns:
        `path`.

    Raises:
        UsageError: imageio-ffmpeg is not installed, `path` is no .mp4, or `fps` is no positive number.
        AmbleError: no frame came, one is of another shape or dtype, or ffmpeg failed (with its last line).
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise UsageError(f"{path}: films are written as MP4; name a file that ends in .mp4.")
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"{path}: expected a positive number of frames a second, got {fps}.")
    ffmpeg = find_ffmpeg()
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise AmbleError(f"{path}: there is no frame to write.")
    _check(first, first, 0, path)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        with named_os_errors(path):
            temporary.touch()
            _encode(
                ffmpeg,
                first,
                chain([first], remaining),
                temporary=temporary,
                path=path,
                fps=fps,
                quality=quality,
            )
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def find_ffmpeg() -> str:
    """The path of the ffmpeg that imageio-ffmpeg brings along.

    Raises:
        UsageError: it is not installed, or has none for this machine.
    """
    try:
        imageio_ffmpeg: Any = importlib.import_module("imageio_ffmpeg")
    except ImportError:
        raise UsageError(
            "films are written by imageio-ffmpeg, which is not installed: pip install 'amble[video]'."
        ) from None
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UsageError(
            f"imageio-ffmpeg finds no ffmpeg for this machine ({error}). Install ffmpeg, or name one in "
            "the environment variable IMAGEIO_FFMPEG_EXE."
        ) from error


def caption(frame: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A copy of `frame`, (H, W, 3) uint8, with `lines` on a dark plate in its upper left corner."""
    height, width, _ = frame.shape
    image = Image.fromarray(np.ascontiguousarray(frame))
    if not lines:
        return np.array(image)
    text = "\n".join(lines)
    drawing = ImageDraw.Draw(image, "RGBA")
    size = max(height // 26, 9)
    while True:
        face, margin = font(size), max(size // 2, 2)
        left, top, right, bottom = drawing.multiline_textbbox(
            (2 * margin, 2 * margin), text, face, spacing=size // 3
        )
        if size <= 7 or (right + 2 * margin <= width and bottom + 2 * margin <= height):
            break
        size -= 1
    plate = (left - margin, top - margin, right + margin, bottom + margin)
    drawing.rounded_rectangle(plate, radius=margin, fill=(16, 20, 26, 165))
    drawing.multiline_text((2 * margin, 2 * margin), text, (245, 247, 250, 255), face, spacing=size // 3)
    return np.array(image)


def _encode(
    ffmpeg: str,
    first: np.ndarray,
    frames: Iterable[np.ndarray],
    *,
    temporary: Path,
    path: Path,
    fps: float | int,
    quality: int,
) -> None:
    """Runs ffmpeg over `frames`, all like `first`; errors speak of `path`, what it writes is `temporary`."""
    height, width, _ = first.shape
    command = [
        *(ffmpeg, "-y", "-nostdin", "-loglevel", "error"),
        *(
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            f"{width}x{height}",
            "-r",
            f"{fps:.6f}",
            "-i",
            "pipe:0",
        ),
        *(
            "-an",
            "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2",
            "-c:v",
            "libx264",
            "-crf",
            str(quality),
            "-pix_fmt",
            "yuv420p",
        ),
        *("-movflags", "+faststart", "-f", "mp4", str(temporary.absolute())),
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)  # noqa: S603
        try:
            broken = _feed(process, first, frames, path)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if broken or status != 0:
            raise AmbleError(f"{path}: ffmpeg failed with status {status}: {_last_line(errors)}")


def _feed(
    process: subprocess.Popen[bytes], first: np.ndarray, frames: Iterable[np.ndarray], path: Path
) -> bool:
    """Writes the frames to ffmpeg; True if it stopped reading."""
    stdin = process.stdin
    assert stdin is not None
    try:
        for index, frame in enumerate(frames):
            _check(frame, first, index, path)
            try:
                stdin.write(np.ascontiguousarray(frame).data)
            except BrokenPipeError:
                return True
    finally:
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
    return False


def _check(frame: np.ndarray, first: np.ndarray, index: int, path: Path) -> None:
    if (
        frame.ndim != 3
        or frame.shape[2] != 3
        or frame.dtype != np.uint8
        or frame.shape != first.shape
        or not frame.size
    ):
        expected = "(height, width, 3)" if index == 0 else str(first.shape)
        raise AmbleError(
            f"{path}: frame {index}: expected shape {expected} and dtype uint8, "
            f"got {frame.shape} and {frame.dtype}."
        )


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


@lru_cache(maxsize=16)
def font(size: int) -> Any:
    """DejaVu Sans, which comes with matplotlib, in pixels."""
    import matplotlib

    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size
    )
