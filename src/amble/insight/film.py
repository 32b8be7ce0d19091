"""Policies side by side in one film: each body in equal time, and beneath it what each term of its reward pays now."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from amble.errors import AmbleError
from amble.insight.stage import Alongside, Take
from amble.insight.video import font, write_video
from amble.rewards.ledger import TERMINAL

VIEW_WIDTH, VIEW_HEIGHT = 300, 268
_TITLE, _LINE, _TEXT, _MARGIN = 46, 19, 13, 9
_GROUND, _PANEL, _INK, _DIM = (13, 17, 23), (22, 27, 34), (240, 244, 248), (148, 160, 174)
_PLUS, _MINUS, _AXIS = (63, 178, 127), (224, 104, 75), (60, 70, 82)
_FELL_SECONDS = 0.7
_QUALITY = 26
"""Of H.264 (crf): films of a comparison lie in a page, and are to be small."""


@dataclass(frozen=True)
class Part:
    """One body of the film."""

    name: str
    take: Take
    label: str = ""
    """a word for its gait"""


def write_film(parts: Sequence[Part], path: Path) -> Path:
    """Write the film of `parts` as MP4; it lasts as long as the shortest of them.

    Raises:
        UsageError: imageio-ffmpeg is not installed, or `path` is no .mp4.
        AmbleError: there is no part, or nothing can be drawn here.
    """
    if not parts:
        raise AmbleError(f"{path}: there is nobody to film.")
    fps = 1.0 / min(part.take.seconds for part in parts)
    return write_video(_frames(parts, fps), path, fps, quality=_QUALITY)


def poster(parts: Sequence[Part], share: float = 0.5) -> bytes:
    """One frame of the film, `share` of the way through it, as JPEG."""
    fps = 1.0 / min(part.take.seconds for part in parts)
    time = share * _length(parts)
    picture = next(_frames(parts, fps, first=round(time * fps)))
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _length(parts: Sequence[Part]) -> float:
    return min(len(part.take) * part.take.seconds for part in parts)


def columns(count: int) -> int:
    """How many bodies stand beside each other: all of up to three, else as near to a square as is wide enough."""
    return count if count <= 3 else 2 if count == 4 else 3 if count <= 9 else 4


def _frames(parts: Sequence[Part], fps: float, first: int = 0) -> Iterator[np.ndarray]:
    wide = columns(len(parts))
    rows = -(-len(parts) // wide)
    most = max(len(_labels(part.take)) for part in parts)
    width, height = VIEW_WIDTH, _TITLE + VIEW_HEIGHT + _MARGIN + most * _LINE + _MARGIN
    scales = [_scale(part.take) for part in parts]
    gap = 6
    with ExitStack() as stack:
        views = [stack.enter_context(Alongside(part.take, VIEW_WIDTH, VIEW_HEIGHT)) for part in parts]
        for index in range(first, max(int(_length(parts) * fps), first + 1)):
            sheet = Image.new("RGB", (wide * (width + gap) - gap, rows * (height + gap) - gap), _GROUND)
            for place, (part, view, scale) in enumerate(zip(parts, views, scales, strict=True)):
                decision = min(int((index + 0.5) / fps / part.take.seconds), len(part.take) - 1)
                left, top = place % wide * (width + gap), place // wide * (height + gap)
                panel = Image.new("RGB", (width, height), _PANEL)
                panel.paste(Image.fromarray(view.frame(decision)), (0, _TITLE))
                _titles(panel, part, decision)
                _bars(panel, part.take, decision, scale)
                sheet.paste(panel, (left, top))
            yield np.asarray(sheet)


def _titles(panel: Image.Image, part: Part, decision: int) -> None:
    drawing, take = ImageDraw.Draw(panel), part.take
    drawing.text((_MARGIN, 14), _fitted(part.name, 16, VIEW_WIDTH - 2 * _MARGIN), _INK, font(16), anchor="lm")
    told = [f"{speed:.1f} m/s"] if (speed := _speed(take, decision)) is not None else []
    told += [part.label] if part.label else []
    drawing.text((_MARGIN, 34), "  ·  ".join(told), _INK, font(_TEXT), anchor="lm")
    since = max(0, decision - round(_FELL_SECONDS / take.seconds))
    if take.ended[since : decision + 1].any():
        drawing.text((VIEW_WIDTH - _MARGIN, 34), "fell", _MINUS, font(_TEXT), anchor="rm")


def _speed(take: Take, decision: int) -> float | None:
    """Along the ground, mean of the last half second."""
    if "speed" not in take.signals:
        return None
    first = max(0, decision + 1 - max(1, round(0.5 / take.seconds)))
    return float(take.signals["speed"][first : decision + 1].mean())


def _labels(take: Take) -> list[str]:
    """The terms that are shown: an end's own price is a flash, and told as a fall."""
    return [label for label in take.terms if label != TERMINAL]


def _scale(take: Take) -> float:
    """What fills half of a bar's room: the largest of any term but for rare peaks."""
    values = np.abs(np.stack([take.terms[label] for label in _labels(take)]))
    return max(float(np.quantile(values.max(axis=0), 0.98)), 1e-9)


def _bars(panel: Image.Image, take: Take, decision: int, scale: float) -> None:
    drawing = ImageDraw.Draw(panel)
    name_width, number_width = 118, 46
    left, right = name_width + _MARGIN, VIEW_WIDTH - number_width - _MARGIN
    labels = _labels(take)
    lowest = min(float(take.terms[label].min()) for label in labels)
    zero = (left + right) // 2 if lowest < -0.02 * scale else left
    room = right - zero
    top = _TITLE + VIEW_HEIGHT + _MARGIN
    drawing.line((zero, top, zero, top + len(labels) * _LINE), fill=_AXIS)
    for row, label in enumerate(labels):
        value = float(take.terms[label][decision])
        middle = top + row * _LINE + _LINE // 2
        drawing.text((_MARGIN, middle), _fitted(label, _TEXT, name_width - 6), _DIM, font(_TEXT), anchor="lm")
        end = zero + round(np.clip(value / scale, -1.0, 1.0) * room)
        if end != zero:
            low, high = sorted((zero, end))
            low = max(low, left)
            drawing.rectangle((low, middle - 5, high, middle + 5), fill=_PLUS if value > 0 else _MINUS)
        number = f"{value:.2f}".replace("-", "−") if abs(value) >= 0.005 else "0"
        drawing.text((VIEW_WIDTH - _MARGIN, middle), number, _INK, font(_TEXT), anchor="rm")


def _fitted(text: str, size: int, width: int) -> str:
    """The text, cut so that it fits."""
    face = font(size)
    if face.getlength(text) <= width:
        return text
    while len(text) > 1 and face.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
