import json

import numpy as np
import pytest
from PIL import Image

from amble.errors import AmbleError, UsageError
from amble.insight.curves import RunCurves
from amble.insight.plot import plot


def make_run(path, rows):
    path.mkdir(parents=True)
    (path / "run.yaml").write_text("")
    (path / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def row(iteration, **more):
    return {
        "iteration": iteration,
        "env_steps": 1000 * iteration,
        "wall_seconds": 1.0 * iteration,
        "steps_per_second": 1000.0,
        "return_mean": 5.0 * iteration,
        "return_std": 1.0,
        "length_mean": 50.0,
        "episodes": 2,
        "kl": 0.01,
        "entropy": 1.0,
        "explained_variance": 0.5,
        **more,
    }


def rows(count, **more):
    return [row(iteration, **more) for iteration in range(1, count + 1)]


def ink(path, colour):
    """How many pixels of the picture are nearly of `colour`."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - colour).max(-1) < 12).sum())


BLUE, RED = (0x25, 0x63, 0xA8), (0xD1, 0x60, 0x3D)


def test_one_run(tmp_path):
    run = make_run(tmp_path / "walker-1", rows(30))
    path = plot([run])
    assert path == run / "curve.png"
    assert ink(path, BLUE) > 2000
    assert ink(path, RED) == 0
    assert sorted(entry.name for entry in run.iterdir()) == ["curve.png", "metrics.jsonl", "run.yaml"]


def test_several_runs(tmp_path):
    runs = [make_run(tmp_path / name, rows(number)) for name, number in (("a", 30), ("b", 20))]
    path = plot(runs)
    assert path == tmp_path / "compare.png"
    assert ink(path, BLUE) > 1000
    assert ink(path, RED) > 1000


def test_a_named_output(tmp_path):
    run = make_run(tmp_path / "a", rows(3))
    assert plot([run], tmp_path / "x.png") == tmp_path / "x.png"
    assert not (run / "curve.png").exists()


@pytest.mark.parametrize(
    "made",
    [
        rows(1),
        rows(2, return_mean=None, return_std=None, length_mean=None, episodes=0),
        [row(1, return_mean=None), *rows(9)[1:]],
        rows(3, kl=None, entropy=None, explained_variance=None, steps_per_second=None, length_mean=None),
        [{key: row(1)[key] for key in ("iteration", "env_steps")}],
        rows(3, explained_variance=-50.0),
        [{**row(1), "env_steps": 0}],
    ],
    ids=["one row", "no episode", "a gap", "no panels", "bare", "far below", "step 0"],
)
def test_sparse_runs_still_plot(tmp_path, made):
    make_run(tmp_path / "full", rows(5))
    run = make_run(tmp_path / "sparse", made)
    assert plot([run]).is_file()
    assert plot([run, tmp_path / "full"]).is_file()


def test_the_smoothed_line_weighs_rows_by_their_episodes(tmp_path):
    made = [
        row(1, return_mean=0.0, episodes=1),
        row(2, return_mean=4.0, episodes=3),
        row(3, return_mean=None, episodes=0),
    ]
    # A window of the whole run: its 3 % are widened by steps that lie close.
    for index, each in enumerate(made):
        each["env_steps"] = 100_000 + index
    made.append(row(4, env_steps=1_000_000, return_mean=9.0, episodes=1))
    smooth = RunCurves(make_run(tmp_path / "a", made)).smooth("return_mean")
    # (1·0 + 3·4) / 4 = 3 for the three that lie together, whatever the window's slope.
    np.testing.assert_allclose(smooth, [3.0, 3.0, 3.0, 9.0])


@pytest.mark.parametrize("content", ["", '{"iteration"'])
def test_no_row_yet(tmp_path, content):
    run = make_run(tmp_path / "a", [])
    (run / "metrics.jsonl").write_text(content)
    with pytest.raises(UsageError, match=r"metrics\.jsonl: no row is there yet"):
        plot([run])


def test_no_run(tmp_path):
    with pytest.raises(UsageError, match="no run to plot was given"):
        plot([])
    with pytest.raises(UsageError, match="gone: does not exist"):
        plot([tmp_path / "gone"])
    make_run(tmp_path / "a", []).joinpath("metrics.jsonl").unlink()
    with pytest.raises(UsageError, match="there is no such file"):
        plot([tmp_path / "a"])


def test_outputs_that_cannot_be(tmp_path):
    run = make_run(tmp_path / "a", rows(2))
    with pytest.raises(UsageError, match=r"curves are drawn as PNG"):
        plot([run], tmp_path / "x.pdf")
    with pytest.raises(AmbleError, match=r"gone/x\.png: cannot be written"):
        plot([run], tmp_path / "gone" / "x.png")
