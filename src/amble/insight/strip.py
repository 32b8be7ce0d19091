"""A strip of pictures over one cycle of a gait, seen from alongside."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image, ImageDraw

from amble.errors import UsageError
from amble.insight.gait import CHATTER_SECONDS
from amble.insight.stage import Alongside, Take, perform
from amble.insight.video import font
from amble.training.files import named_os_errors

FRAMES = 6
WIDTH, HEIGHT = 150, 200
_FINER = 2
"""Drawn so many times as large and made smaller, or edges are ragged."""
_SECONDS = 10.0
_SETTLED_SECONDS = 2.0
_STILL_SECONDS = 1.0
_LONGEST_CYCLE = 3.0
_GAP = 4


def write_strip(run: Path, path: Path, *, seed: int = 0) -> Path:
    """Draw one gait cycle of the run's policy as a PNG of `FRAMES` pictures side by side, the time below each.

    Raises:
        UsageError: the environment is no body of ours, or `path` is no .png.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path}: a strip is drawn as PNG; name a file that ends in .png.")
    take = perform(run, _SECONDS, seed=seed, signals=("landing_air_time",))
    chosen = cycle(take)
    with Alongside(take, _FINER * WIDTH, _FINER * HEIGHT) as view:
        frames = [
            Image.fromarray(view.frame(int(decision))).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            for decision in chosen
        ]
    times = (chosen - chosen[0]) * take.seconds
    image = _side_by_side(frames, [f"{time:.2f} s" for time in times])
    with named_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".tmp-{path.name}")
        image.save(temporary, "PNG", optimize=True)
        temporary.replace(path)
    return path


def cycle(take: Take) -> Int[np.ndarray, "frames"]:
    """The decisions to draw: evenly over the cycle of median length, or over a second where no foot steps.

    A cycle is from one landing of a foot to its next, after the body has taken up its gait where there is one so late.
    """
    first, last = _longest_episode(take)
    landed = take.signals.get("landing_air_time", np.zeros((len(take), 0)))[first:last] > CHATTER_SECONDS
    settled = round(_SETTLED_SECONDS / take.seconds)
    cycles: list[tuple[int, int]] = []
    for foot in range(landed.shape[1]):
        at = np.flatnonzero(landed[:, foot])
        cycles += [(int(a), int(b)) for a, b in pairwise(at) if b - a <= _LONGEST_CYCLE / take.seconds]
        if any(start >= settled for start, _ in cycles):
            break
    late = [one for one in cycles if one[0] >= settled] or cycles
    if late:
        lengths = np.array([end - start for start, end in late])
        start, end = late[int(np.abs(lengths - np.median(lengths)).argmin())]
    else:
        length = round(_STILL_SECONDS / take.seconds)
        start = max(0, min(settled, last - first - length - 1))
        end = min(start + length, last - first - 1)
    chosen = start + np.round(np.arange(FRAMES) * (end - start) / FRAMES).astype(int)
    return first + chosen


def _longest_episode(take: Take) -> tuple[int, int]:
    bounds = [*np.flatnonzero(take.begins).tolist(), len(take)]
    return max(pairwise(bounds), key=lambda episode: episode[1] - episode[0])


def _side_by_side(frames: list[Image.Image], below: list[str]) -> Image.Image:
    width, height = frames[0].size
    line = 18
    sheet = Image.new("RGB", (len(frames) * (width + _GAP) - _GAP, height + line), (255, 255, 255))
    drawing = ImageDraw.Draw(sheet)
    for index, (frame, text) in enumerate(zip(frames, below, strict=True)):
        left = index * (width + _GAP)
        sheet.paste(frame, (left, 0))
        drawing.text((left + width // 2, height + line // 2), text, (107, 119, 133), font(11), anchor="mm")
    return sheet
