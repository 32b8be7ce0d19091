import json

import numpy as np
import pytest

from amble.errors import AmbleError, UsageError
from amble.insight.bands import Band, band_for, make_band, shipped_bands, write_band
from amble.insight.plot import plot

from .test_plot import ink, rows

RUN_FILE = """
behaviors:
  {name}:
    trainer_type: {trainer}
env_settings:
  env_id: {env}
  env_kwargs: {kwargs}
"""


def make_run(path, slope=5.0, trainer="ppo", env="CartPole-v1", kwargs="{}", count=30):
    path.mkdir(parents=True)
    (path / "run.yaml").write_text(RUN_FILE.format(name="X", trainer=trainer, env=env, kwargs=kwargs))
    entries = [{**row, "return_mean": slope * row["iteration"]} for row in rows(count)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def band(**more):
    flat = [[10.0, 10.0], [20.0, 20.0], [30.0, 30.0], [40.0, 40.0]]
    given = {
        "env_id": "CartPole-v1",
        "env_kwargs": {},
        "trainer": "ppo",
        "preset": "cartpole",
        "command": "make reproduce TASK=CartPole-v1",
        "steps": [100, 200],
        "returns": flat,
        "evaluations": [1.0],
        "wall_seconds": [1.0],
    }
    return Band(**{**given, **more})


def test_percentile():
    assert band().percentile(150, 25.0) == 50.0
    assert band().percentile(150, 30.0) == 62.5  # two below, one equal
    assert band().percentile(150, 5.0) == 0.0
    assert band().percentile(150, 99.0) == 100.0
    assert band().percentile(201, 25.0) is None
    assert band(returns=[[None, 10.0], [5.0, 20.0]]).percentile(120, 7.0) is None


def test_range_is_least_iqm_and_greatest():
    least, middle, greatest = band().range()
    assert least.tolist() == [10, 10]
    assert middle.tolist() == [25, 25]  # of 4 seeds the middle two
    assert greatest.tolist() == [40, 40]


def test_of_runs_and_back(tmp_path):
    runs = [make_run(tmp_path / f"s{seed}", slope) for seed, slope in enumerate((4.0, 5.0, 6.0))]
    made = make_band(runs, preset="cartpole", command="c", evaluations=[120.04], points=10)
    assert made.steps == [3000.0 * k for k in range(1, 11)]
    curves = made.curves
    assert curves.shape == (3, 10)
    # the returns are straight lines, which smoothing leaves alone within the run: 15 iterations in, 60, 75 and 90
    np.testing.assert_allclose(curves[:, 4], [60, 75, 90], rtol=1e-3)
    assert made.evaluations == [120.0]
    write_band(made, tmp_path / "bands")
    assert shipped_bands(tmp_path / "bands") == [made]


def test_runs_of_two_tasks_make_no_band(tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", env="Acrobot-v1")]
    with pytest.raises(UsageError, match=r"one task and one trainer.*Acrobot-v1.*CartPole-v1"):
        make_band(runs, preset="x", command="c")
    with pytest.raises(UsageError, match="at least one run"):
        make_band([], preset="x", command="c")


def test_a_run_finds_the_band_of_its_task(tmp_path, monkeypatch):
    monkeypatch.setattr("amble.insight.bands.FOLDER", tmp_path / "bands")
    write_band(band(), tmp_path / "bands")
    assert band_for(make_run(tmp_path / "same")) == band()
    assert band_for(make_run(tmp_path / "trainer", trainer="a2c")) is None
    assert band_for(make_run(tmp_path / "env", env="Acrobot-v1")) is None
    assert band_for(make_run(tmp_path / "kwargs", kwargs="{sutton_barto_reward: true}")) is None
    assert band_for(tmp_path) is None


def test_the_band_is_drawn_behind_the_run(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", count=30)
    plain = ink(plot([run], tmp_path / "plain.png"), (0xE7, 0xE9, 0xEB))
    monkeypatch.setattr("amble.insight.bands.FOLDER", tmp_path / "bands")
    write_band(band(steps=[0, 30_000], returns=[[0, 0], [50, 100], [80, 150]]), tmp_path / "bands")
    drawn = ink(plot([run], tmp_path / "band.png"), (0xE7, 0xE9, 0xEB))
    assert drawn > plain + 10_000


def test_a_damaged_band_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"env_id": 1}')
    with pytest.raises(AmbleError, match=r"x\.json: this is no reference band"):
        shipped_bands(tmp_path)


def test_all_that_are_shipped_can_be_read():
    for found in shipped_bands():
        assert len(found.steps) == len(found.returns[0])
        assert "make reproduce" in found.command
