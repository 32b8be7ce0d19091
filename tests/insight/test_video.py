import os
import stat
import sys

import numpy as np
import pytest

from amble.errors import AmbleError, UsageError
from amble.insight.video import caption, write_video

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")


def frames(count, height=48, width=64):
    for index in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[:, : width // 2] = (200, 30, 20)
        frame[index % height] = 255
        yield frame


def read_back(path):
    reader = imageio_ffmpeg.read_frames(str(path))
    try:
        return next(reader), [np.frombuffer(each, np.uint8) for each in reader]
    finally:
        reader.close()


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("height", "width", "size"), [(48, 64, (64, 48)), (47, 63, (64, 48))])
def test_a_film_that_browsers_play(tmp_path, height, width, size):
    path = write_video(frames(12, height, width), tmp_path / "x.mp4", 24)
    meta, back = read_back(path)
    assert (meta["codec"], meta["size"], meta["fps"], len(back)) == ("h264", size, 24.0, 12)
    assert meta["pix_fmt"].startswith("yuv420p")
    picture = back[0].reshape(size[1], size[0], 3).astype(int)
    assert np.abs(picture[24, 8] - (200, 30, 20)).max() < 12
    assert picture[24, 50].max() < 12
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index in front: it plays while it loads
    assert os.listdir(tmp_path) == ["x.mp4"]


def test_frames_need_not_be_contiguous(tmp_path):
    assert write_video((each[::-1] for each in frames(3)), tmp_path / "x.mp4", 10).stat().st_size > 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "there is no frame"),
        (
            [np.zeros((4, 4), np.uint8)],
            r"frame 0: expected shape \(height, width, 3\) and dtype uint8, got \(4, 4\)",
        ),
        ([np.zeros((4, 4, 3), np.float32)], r"frame 0: .*got \(4, 4, 3\) and float32"),
        ([np.zeros((0, 4, 3), np.uint8)], r"frame 0: .*got \(0, 4, 3\)"),
        (
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)],
            r"frame 1: expected shape \(4, 4, 3\) and dtype uint8, got \(4, 6, 3\)",
        ),
    ],
)
def test_frames_that_are_none(tmp_path, bad, message):
    with pytest.raises(AmbleError, match=message):
        write_video(bad, tmp_path / "x.mp4", 10)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("x.gif", 10, r"x\.gif: films are written as MP4"),
        ("x.mp4", 0, "positive number"),
        ("x.mp4", float("nan"), "nan"),
    ],
)
def test_usage(tmp_path, name, fps, message):
    with pytest.raises(UsageError, match=message):
        write_video(frames(1), tmp_path / name, fps)


def test_an_exception_in_the_frames_leaves_the_old_film(tmp_path):
    (tmp_path / "x.mp4").write_text("old")

    def failing():
        yield from frames(2)
        raise KeyError("renderer")

    with pytest.raises(KeyError, match="renderer"):
        write_video(failing(), tmp_path / "x.mp4", 10)
    assert (tmp_path / "x.mp4").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.mp4"]


@pytest.mark.parametrize("count", [1, 2000])
def test_a_broken_ffmpeg_is_quoted(tmp_path, monkeypatch, count):
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho first >&2\necho 'Unknown encoder libx264' >&2\nexit 7\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(fake))
    with pytest.raises(AmbleError, match=r"x\.mp4: ffmpeg failed with status 7: Unknown encoder libx264"):
        write_video(frames(count), tmp_path / "x.mp4", 10)
    assert os.listdir(tmp_path) == ["ffmpeg"]


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(AmbleError, match=r"gone/x\.mp4: cannot be written"):
        write_video(frames(1), tmp_path / "gone" / "x.mp4", 10)


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError, match=r"pip install 'amble\[video\]'"):
        write_video(frames(1), tmp_path / "x.mp4", 10)


class TestCaption:
    def test_is_drawn_on_a_copy_in_the_upper_left(self):
        frame = np.full((240, 320, 3), 120, np.uint8)
        drawn = caption(frame, ["Walker", "return 12.3 ± 4"])
        assert (frame == 120).all()
        assert (drawn.dtype, drawn.shape) == (np.uint8, (240, 320, 3))
        assert drawn[:60, :140].max() > 220
        assert drawn[:60, :140].min() < 80
        assert (drawn[80:] == 120).all()
        assert (drawn[:, 200:] == 120).all()

    def test_without_lines_is_the_frame(self):
        frame = np.full((24, 32, 3), 7, np.uint8)
        assert (caption(frame, []) == frame).all()

    def test_a_long_line_is_set_smaller(self):
        frame = np.full((240, 320, 3), 120, np.uint8)
        drawn = caption(frame, ["m" * 34])
        assert (drawn[:, -3:] == 120).all()
