"""Runs of unequal rows on one grid."""

import json

import numpy as np
import pytest

from amble.insight.curves import RunCurves, area_under_curve, on_grid, shared_span


def run(path, points):
    """A run with these (env_steps, return_mean) rows, one episode each."""
    path.mkdir()
    (path / "run.yaml").write_text("")
    rows = [
        {"env_steps": steps, "return_mean": value, "episodes": 0 if value is None else 1}
        for steps, value in points
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunCurves(path)


def test_a_curve_is_interpolated_within_its_run_and_nan_outside(tmp_path):
    curve = run(tmp_path / "a", [(50, None), (100, 0.0), (200, 10.0), (300, 0.0), (400, None)])
    grid = np.array([50.0, 100.0, 150.0, 250.0, 300.0, 400.0])
    np.testing.assert_allclose(on_grid(curve, grid), [np.nan, 0, 5, 5, 0, np.nan])


def test_the_span_is_what_all_runs_cover(tmp_path):
    a = run(tmp_path / "a", [(100, None), (200, 1.0), (900, 1.0)])
    b = run(tmp_path / "b", [(100, 1.0), (800, 1.0)])
    never = run(tmp_path / "c", [(100, None)])
    assert shared_span([a, b]) == (200.0, 800.0)
    assert shared_span([a, b, never]) is None
    assert shared_span([]) is None
    late = run(tmp_path / "d", [(900, 1.0), (1000, 1.0)])
    assert shared_span([b, late]) is None


def test_the_area_is_the_mean_return_over_the_span(tmp_path):
    curve = run(tmp_path / "a", [(0, 0.0), (1000, 10.0)])
    assert area_under_curve(curve, (0.0, 1000.0)) == pytest.approx(5)
    assert area_under_curve(curve, (500.0, 1000.0)) == pytest.approx(7.5)
    constant = run(tmp_path / "b", [(0, 3.0), (10, 3.0), (1000, 3.0)])
    assert area_under_curve(constant, (7.0, 400.0)) == pytest.approx(3)
