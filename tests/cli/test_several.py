"""Commands on a run of several behaviours."""

import shutil
from pathlib import Path

import pytest

from amble.cli import main


@pytest.fixture
def several(own_folder: Path, trained: Path) -> Path:
    """A folder laid out as such a run's is, with the same short run twice."""
    run = own_folder / "results" / "both"
    for name in ("A", "B"):
        shutil.copytree(trained, run / name)
    (run / "run.yaml").write_text("behaviors: {A: , B: }\n")
    return run


def test_plot_and_export_take_all(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", "both"]) == 0
    assert (several / "compare.png").is_file()
    capsys.readouterr()
    assert main(["export", "both"]) == 0
    assert capsys.readouterr().out.split() == [
        str(several / name / "CartPole-v1.onnx") for name in ("A", "B")
    ]
    assert main(["export", "results/both/A", "-o", "mine.onnx"]) == 0
    assert main(["export", "both", "-o", "mine.onnx"]) == 2
    assert "--output names one file" in capsys.readouterr().err


def test_play_asks_for_one(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "both"]) == 2
    said = capsys.readouterr().err
    assert "holds the runs of 2 behaviours; name one: results/both/A, results/both/B." in said
